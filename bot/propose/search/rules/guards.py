"""Missing guard, early return or base case: what is not there yet is looked at before it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role, parameters
from bot.propose.search.scope import names, role, scope_of
from bot.propose.search.source import (
    FunctionNode,
    blocks,
    code,
    enclosing_function,
    enclosing_loop,
    expressions,
    indentation,
    is_generator,
    newline,
    owns_lines,
    segment,
    span,
)
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import brief, indent_unit, insert_before, negation, operand, replace

NAME = "guard"

MOST_GUARDED = 4
_RAISED_BESIDE: dict[str, tuple[str, ...]] = {
    "AttributeError": ("TypeError", "KeyError", "ValueError"),
    "IndexError": ("KeyError", "TypeError", "ValueError"),
    "KeyError": ("IndexError", "TypeError", "AttributeError", "ValueError"),
    "TypeError": ("ValueError", "AttributeError", "KeyError", "OverflowError"),
    "ValueError": ("TypeError", "OverflowError", "KeyError", "IndexError", "AttributeError"),
    "OverflowError": ("ValueError", "TypeError"),
    "ZeroDivisionError": ("ValueError", "TypeError", "OverflowError"),
    "ImportError": ("AttributeError", "OSError"),
    "FileNotFoundError": ("NotADirectoryError", "PermissionError", "OSError"),
    "OSError": ("ValueError", "EOFError"),
    "UnicodeDecodeError": ("ValueError", "LookupError"),
    "StopIteration": ("IndexError", "ValueError"),
}
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Delete, ast.Raise, ast.Assert)


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Guards around the expressions of a statement, in front of it and, for a function, at its beginning."""
    for node in expressions(source, statement):
        yield from _safe(source, node)
    if isinstance(statement, FunctionNode):
        yield from _beginning(source, statement)
        return
    yield from _before(source, statement)
    match statement:
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) | ast.Return(value=ast.expr() as value):
            yield from _otherwise(source, statement, value)
        case _:
            pass
    if isinstance(statement, _SIMPLE):
        yield from _wrapped(source, statement)


def _safe(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """A form of the same expression that bears a missing key, an empty sequence, None or a zero divisor."""
    match node:
        case ast.Subscript(value=value, slice=key, ctx=ast.Load()) if _is_key(key):
            mapping, key_text = operand(code(source, value)), code(source, key)
            unlike = 0.0 if not isinstance(key, ast.Constant) or isinstance(key.value, str) else 1.5
            yield replace(source, node, f"{mapping}.get({key_text})", NAME, 2.8 + unlike)
            yield replace(source, node, f"{mapping}.get({key_text}, 0)", NAME, 3.0 + unlike)
            if isinstance(key, ast.Constant):
                yield replace(source, node, f"{mapping}.get({key_text}, '')", NAME, 3.4 + unlike)
        case ast.Call(func=ast.Attribute(attr="get"), args=[_], keywords=[]):
            for default in ("0", "''", "[]", "{}"):
                yield _added_argument(source, node, default, 2.4)
        case ast.Call(func=ast.Name(id="max" | "min"), args=[_], keywords=[]):
            yield _added_argument(source, node, "default=0", 2.2)
            yield _added_argument(source, node, "default=None", 2.6)
        case ast.Call(func=ast.Name(id="next"), args=[_]):
            yield _added_argument(source, node, "None", 2.2)
        case ast.Call(func=ast.Name(id="getattr"), args=[_, _]):
            yield _added_argument(source, node, "None", 2.2)
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=right) if not isinstance(right, ast.Constant):
            yield replace(source, node, f"{code(source, node)} if {code(source, right)} else 0", NAME, 3.0)
        case ast.Attribute(value=ast.Name() | ast.Attribute() | ast.Call() as value, ctx=ast.Load()):
            parent = source.parents[node]
            whole = parent if isinstance(parent, ast.Call) and node is parent.func else node
            if not (isinstance(value, ast.Name) and value.id in ("self", "cls")) and not isinstance(value, ast.Call):
                text = f"{code(source, whole)} if {code(source, value)} is not None else None"
                yield replace(source, whole, text, NAME, 3.6)
        case _:
            pass
    parent = source.parents[node]
    if isinstance(parent, ast.ExceptHandler):
        yield from _caught(source, node)
    iterated = (isinstance(parent, ast.For | ast.comprehension) and node is parent.iter) or isinstance(
        parent, ast.Starred
    )
    if iterated and isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        yield replace(source, node, f"{code(source, node)} or []", NAME, 3.4)


def _caught(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """`except KeyError:` → `except (KeyError, IndexError):`, with what is commonly raised in the same places."""
    caught = node.elts if isinstance(node, ast.Tuple) else [node]
    texts = [code(source, part) for part in caught]
    offered: dict[str, None] = {}
    for text in texts:
        offered.update(dict.fromkeys(_RAISED_BESIDE.get(text, ())))
    for place, other in enumerate(other for other in offered if other not in texts):
        yield replace(source, node, f"({', '.join((*texts, other))})", NAME, 2.4 + 0.2 * place)
    if texts != ["Exception"]:
        yield replace(source, node, "Exception", NAME, 3.8)


def _is_key(node: ast.expr) -> bool:
    """Whether an index could be a mapping's key: no slice in it, no count from the end."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return not any(isinstance(part, ast.Slice | ast.Starred | ast.UnaryOp) for part in parts)


def _added_argument(source: Source, call: ast.Call, argument: str, cost: float) -> Candidate:
    place = span(source, call.args[-1])[1]
    written = f", {argument}"
    return Candidate(
        source.path,
        call.lineno,
        (Edit(place, place, written),),
        NAME,
        cost,
        f"{brief(segment(source, call))} gets `{argument}`",
    )


def _guarded(source: Source, statement: ast.stmt) -> list[str]:
    """Names and attributes whose emptiness or absence would matter to the statement, in the order of their use."""
    found: dict[str, None] = {}
    for node in expressions(source, statement):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Load()):
                parent = source.parents[node]
                if not (isinstance(parent, ast.Call) and node is parent.func):
                    found[code(source, node)] = None
            case ast.Attribute(value=ast.Name(id=name)) | ast.Subscript(value=ast.Name(id=name)):
                found[name] = None
            case ast.Attribute(value=ast.Attribute() as inner) | ast.Subscript(value=ast.Attribute() as inner):
                found[code(source, inner)] = None
            case ast.Name(id=name, ctx=ast.Load()):
                parent = source.parents[node]
                if not (isinstance(parent, ast.Call) and node is parent.func):
                    found.setdefault(name)
            case _:
                pass
    local = set(names(source, statement))
    return [name for name in found if name.partition(".")[0] in local and name not in ("self", "cls")]


def _beginning(source: Source, function: FunctionNode) -> Iterator[Candidate]:
    """A base case at the beginning of a function: an empty or missing argument."""
    body = [part for part in function.body if not _is_docstring(part)]
    if not body:
        return
    given = [name for name in parameters(function) if name not in ("self", "cls")]
    returned = _returned(source, function)
    yields = is_generator(function)
    for place, name in enumerate(given[:MOST_GUARDED]):
        for number, result in enumerate(returned if yields else (*returned, name)):
            yield from _line(source, body[0], f"if not {name}:", f"return {result}", 3.2 + 0.2 * place + 0.15 * number)
        known = role(source, body[0], name)
        if Role.NUMBER in known or known is Role.UNKNOWN:
            for test in (f"{name} <= 0", f"{name} <= 1", f"{name} < 0"):
                results = returned if yields else dict.fromkeys((name, *returned[:2], "0", "1"))
                for number, result in enumerate(results):
                    cost = 3.8 + 0.2 * place + 0.15 * number
                    yield from _line(source, body[0], f"if {test}:", f"return {result}", cost)
        yield from _line(
            source, body[0], f"if {name} is None:", f"return {'' if yields else 'None'}", 3.4 + 0.2 * place
        )


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _returned(source: Source, function: ast.AST) -> tuple[str, ...]:
    """Results that fit the function: the constants it returns, empty forms of what it returns, the usual ones; of a
    generator none but the bare `return`."""
    if isinstance(function, FunctionNode) and is_generator(function):
        return ("",)
    found: dict[str, None] = {}
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.List() | ast.ListComp()):
                found["[]"] = None
            case ast.Return(value=ast.Dict() | ast.DictComp()):
                found["{}"] = None
            case ast.Return(value=ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not())):
                found.update({"False": None, "True": None})
            case ast.Return(value=ast.Constant() as value):
                found[code(source, value)] = None
            case _:
                pass
    found.update(dict.fromkeys(("None", "0", "[]", "False", "True", "1", "''")))
    return tuple(found)[:7]


def _line(source: Source, statement: ast.stmt, test: str, then: str, cost: float) -> Iterator[Candidate]:
    found = insert_before(source, statement, (test, f"\t{then.rstrip()}"), NAME, cost)
    if found is not None:
        yield found


def _before(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """An early `return`, `continue` or `break` in front of a statement that cannot bear what it is given."""
    if indentation(source, statement) is None or enclosing_function(source, statement) is None:
        return
    loop = enclosing_loop(source, statement) is not None
    results = _returned(source, scope_of(source, statement))[:4]
    for place, name in enumerate(_guarded(source, statement)[:MOST_GUARDED]):
        for test in (f"not {name}", f"{name} is None"):
            late = 0.3 * place + (0.2 if test.endswith("None") else 0.0)
            for number, result in enumerate(results):
                yield from _line(source, statement, f"if {test}:", f"return {result}", 4.0 + late + 0.2 * number)
            if loop:
                yield from _line(source, statement, f"if {test}:", "continue", 3.8 + late)
                yield from _line(source, statement, f"if {test}:", "break", 4.0 + late)


def _otherwise(source: Source, statement: ast.stmt, value: ast.expr) -> Iterator[Candidate]:
    """`y = f(x)` → `y = f(x) if x else 0`."""
    if isinstance(value, ast.Constant | ast.Name | ast.IfExp | ast.Tuple | ast.Lambda | ast.Await | ast.Yield):
        return
    text = code(source, value)
    for place, name in enumerate(_guarded(source, statement)[:3]):
        for number, other in enumerate(("0", "None", "[]", "''", name)):
            cost = 3.6 + 0.3 * place + 0.2 * number
            yield replace(source, value, f"{text} if {name} else {other}", NAME, cost)


def _wrapped(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """The statement only under a condition: `if x:` in front of it."""
    indent = indentation(source, statement)
    start, end = span(source, statement)
    if indent is None or not owns_lines(source, statement) or any(True for _ in blocks(statement)):
        return
    text = source.text[start:end]
    if "\n" in text or "\r" in text:
        return
    unit = indent_unit(source)
    for place, name in enumerate(_guarded(source, statement)[:MOST_GUARDED]):
        for number, test in enumerate((name, f"{name} is not None", negation(name))):
            written = f"if {test}:{newline(source)}{indent}{unit}"
            yield Candidate(
                source.path,
                statement.lineno,
                (Edit(start, start, written),),
                NAME,
                3.6 + 0.3 * place + 0.3 * number,
                f"{brief(text)} only if {brief(test)}",
            )
