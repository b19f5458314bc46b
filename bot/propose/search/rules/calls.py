"""The shape of a call: a call too many or missing, an argument too many or missing, a conversion, a running extreme."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role
from bot.propose.search.scope import names, role
from bot.propose.search.source import code, enclosing_function, expressions, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import brief, operand, replace

NAME = "call"

_CONVERSIONS = ("list", "str", "int", "len", "sorted", "set", "tuple", "float", "sum", "reversed", "dict", "abs")
_NEVER_WRAPPED = (ast.Constant, ast.Starred, ast.Lambda, ast.Slice, ast.JoinedStr, ast.FormattedValue)


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Calls put around, taken away, given other arguments."""
    for node in expressions(source, statement):
        if isinstance(node, ast.Call):
            yield from _unwrapped(source, node)
            yield from _arguments(source, node)
        yield from _kept_in_bounds(source, node)
        if _is_result(source, node):
            yield from _wrapped(source, node)
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target], value=value):
            yield from _extreme(source, target, value)
        case _:
            pass
    if isinstance(enclosing_function(source, statement), ast.AsyncFunctionDef):
        for node in expressions(source, statement):
            if isinstance(node, ast.Call) and not isinstance(source.parents[node], ast.Await):
                yield replace(source, node, f"await {code(source, node)}", NAME, 2.2)


def _unwrapped(source: Source, node: ast.Call) -> Iterator[Candidate]:
    """The argument itself instead of the call."""
    for place, argument in enumerate(node.args[:4]):
        if not isinstance(argument, ast.Starred | ast.GeneratorExp):
            yield replace(source, node, code(source, argument), NAME, 2.2 + 0.3 * place)


def _arguments(source: Source, node: ast.Call) -> Iterator[Candidate]:
    ends = [span(source, argument) for argument in node.args]
    for place, (argument, (start, end)) in enumerate(zip(node.args, ends, strict=True)):
        if isinstance(argument, ast.GeneratorExp) and len(node.args) == 1:
            continue
        first, last = start, end
        if place:
            first = ends[place - 1][1]
        elif len(ends) > 1:
            last = ends[1][0]
        elif node.keywords:
            continue
        if "#" in source.text[first:start] or "#" in source.text[end:last]:
            continue
        what = f"{brief(code(source, node))} without {brief(code(source, argument))}"
        yield Candidate(source.path, node.lineno, (Edit(first, last, ""),), NAME, 3.0, what)
        if not isinstance(argument, ast.Starred):
            starred = Edit(start, start, "*")
            what = f"{brief(code(source, argument))} is unpacked"
            yield Candidate(source.path, node.lineno, (starred,), NAME, 3.2, what)
    place_of_new = ends[-1][1] if ends else None
    shares = len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp)
    given = {code(source, argument) for argument in node.args}
    if shares:
        return
    for order, name in enumerate(names(source, node)[:8]):
        if name in given or name in ("self", "cls") or role(source, node, name) is Role.CALLABLE:
            continue
        at = place_of_new if place_of_new is not None else span(source, node)[1] - 1
        written = f", {name}" if ends else (f"{name}, " if node.keywords else name)
        if not ends and node.keywords:
            at = min(span(source, keyword)[0] for keyword in node.keywords)
        what = f"{brief(code(source, node))} is also given `{name}`"
        yield Candidate(source.path, node.lineno, (Edit(at, at, written),), NAME, 3.6 + 0.12 * order, what)


def _is_result(source: Source, node: ast.expr) -> bool:
    """Whether a value stands where another form of it could stand: an argument, an operand, a result."""
    if isinstance(node, _NEVER_WRAPPED) or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    parent = source.parents[node]
    match parent:
        case ast.Call(func=function):
            return node is not function
        case (
            ast.Return() | ast.Assign() | ast.For() | ast.comprehension() | ast.keyword() | ast.Compare() | ast.BinOp()
        ):
            return True
        case ast.List() | ast.Tuple() | ast.Dict() | ast.ListComp() | ast.Yield() | ast.FormattedValue():
            return True
        case _:
            return False


def _wrapped(source: Source, node: ast.expr) -> Iterator[Candidate]:
    text = code(source, node)
    already = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    parent = source.parents[node]
    around = parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    known = role(source, node, node.id) if isinstance(node, ast.Name) else Role.UNKNOWN
    for place, function in enumerate(_CONVERSIONS):
        number = function in ("int", "float", "abs")
        if function in (already, around) or (known is Role.NUMBER and not number and function != "str"):
            continue
        if known is Role.COLLECTION and number:
            continue
        yield replace(source, node, f"{function}({text})", NAME, 3.4 + 0.12 * place)
    if not isinstance(parent, ast.comprehension | ast.For):
        yield replace(source, node, f"[{text}]", NAME, 3.2)
        yield replace(source, node, f"{operand(text)}[0]", NAME, 3.4)
    if isinstance(node, ast.Name) and Role.NUMBER not in known:
        yield replace(source, node, f"{text}.strip()", NAME, 4.2)
        yield replace(source, node, f"{text}.lower()", NAME, 4.2)
    if Role.NUMBER not in known and isinstance(parent, ast.For | ast.comprehension):
        yield replace(source, node, f"{operand(text)}.items()", NAME, 3.0)
        yield replace(source, node, f"enumerate({text})", NAME, 3.4)


def _kept_in_bounds(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """A difference or product that must not fall below nothing: `n - k` → `max(0, n - k)`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        parent = source.parents[node]
        if isinstance(parent, ast.Call | ast.Slice | ast.Subscript | ast.BinOp | ast.Return):
            yield replace(source, node, f"max(0, {code(source, node)})", NAME, 3.4)
            yield replace(source, node, f"abs({code(source, node)})", NAME, 3.4)


def _extreme(source: Source, target: ast.expr, value: ast.expr) -> Iterator[Candidate]:
    """`best = x` → `best = max(best, x)`: a running extreme, or a value kept within a bound."""
    if isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Lambda | ast.Tuple | ast.ListComp | ast.Await):
        return
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("min", "max"):
        return
    own, text = code(source, target), code(source, value)
    limits = [(own, 2.6), ("0", 3.0), ("1", 3.6)]
    limits += [
        (name, 3.6 + 0.1 * place) for place, name in enumerate(names(source, value)[:4]) if name not in (own, text)
    ]
    for limit, cost in limits:
        yield replace(source, value, f"max({limit}, {text})", NAME, cost)
        yield replace(source, value, f"min({limit}, {text})", NAME, cost + 0.1)
