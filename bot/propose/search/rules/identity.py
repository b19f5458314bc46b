"""`is` for `==`, and things that are one object where two were meant: mutable defaults, aliases, late closures."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role
from bot.propose.search.scope import names, role
from bot.propose.search.source import FunctionNode, code, expressions, segment, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import insert_before, operand, reoperator, replace

NAME = "identity"


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Equality for identity and the reverse; a fresh object for a shared one."""
    for node in expressions(source, statement):
        match node:
            case ast.Compare():
                yield from _compared(source, node)
            case ast.BinOp(left=ast.List(elts=[ast.List() | ast.BinOp() as row]), op=ast.Mult(), right=times):
                text = f"[{code(source, row)} for _ in range({code(source, times)})]"
                yield replace(source, node, text, NAME, 1.4)
            case ast.Lambda(args=ast.arguments(args=[])) as function:
                yield from _late(source, function)
            case _:
                pass
    if isinstance(statement, FunctionNode):
        yield from _mutable_defaults(source, statement)
    for shared in _shared(statement):
        yield from _copies(source, shared)


def _compared(source: Source, node: ast.Compare) -> Iterator[Candidate]:
    members = [node.left, *node.comparators]
    for left, operator, right in zip(members, node.ops, node.comparators, strict=False):
        single = _is_singleton(left) or _is_singleton(right)
        literal = any(isinstance(side, ast.Constant | ast.List | ast.Tuple | ast.Dict) for side in (left, right))
        match operator:
            case ast.Is():
                found = reoperator(source, left, right, "is", "==", NAME, 3.0 if single else 1.0)
            case ast.IsNot():
                found = reoperator(source, left, right, "is not", "!=", NAME, 3.0 if single else 1.0)
            case ast.Eq() if single or not literal:
                found = reoperator(source, left, right, "==", "is", NAME, 2.0)
            case ast.NotEq() if single or not literal:
                found = reoperator(source, left, right, "!=", "is not", NAME, 2.0)
            case _:
                found = None
        if found is not None:
            yield found


def _is_singleton(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _mutable_defaults(source: Source, function: FunctionNode) -> Iterator[Candidate]:
    """`def f(x=[])` → `def f(x=None)`, with the empty one made in the body."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(
        zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True)
    )
    pairs += list(zip(given.kwonlyargs, given.kw_defaults, strict=True))
    body = [part for part in function.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    for argument, default in pairs:
        if default is None or not _is_mutable(default) or not body:
            continue
        name, text = argument.arg, code(source, default)
        lines = (f"if {name} is None:", f"\t{name} = {text}")
        inside = insert_before(source, body[0], lines, NAME, 1.2)
        if inside is None:
            continue
        start, end = span(source, default)
        edits = (Edit(start, end, "None"), *inside.edits)
        what = f"a fresh `{text}` for `{name}` in every call"
        yield Candidate(source.path, default.lineno, edits, NAME, 1.2, what)


def _is_mutable(node: ast.expr) -> bool:
    match node:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set" | "defaultdict" | "deque" | "Counter" | "bytearray")):
            return True
        case ast.Call(func=ast.Attribute()):
            return True  # `time.time()`, `datetime.now()`: evaluated once, when the function is made
        case _:
            return False


def _late(source: Source, function: ast.Lambda) -> Iterator[Candidate]:
    """`lambda: i` → `lambda i=i: i`: the value at the time the function is made."""
    free = {node.id for node in ast.walk(function.body) if isinstance(node, ast.Name)}
    start = span(source, function)[0]
    end = span(source, function.body)[0]
    if "(" in source.text[start:end]:
        return
    for name in names(source, function):
        if name in free and role(source, function, name) is not Role.CALLABLE:
            edit = Edit(start, end, f"lambda {name}={name}: ")
            yield Candidate(source.path, function.lineno, (edit,), NAME, 2.0, f"the function keeps its own `{name}`")


def _shared(statement: ast.stmt) -> list[ast.expr]:
    """Expressions by which a second owner gets hold of an object."""
    match statement:
        case ast.Assign(value=ast.Name() | ast.Attribute() | ast.Subscript()):
            return [statement.value]
        case (
            ast.Return(value=ast.Name() | ast.Attribute() as value)
            | ast.Expr(value=ast.Yield(value=ast.Name() as value))
        ):
            return [value]
        case ast.Return(value=ast.Tuple(elts=parts)) | ast.Expr(value=ast.Yield(value=ast.Tuple(elts=parts))):
            return [part for part in parts if isinstance(part, ast.Name)]
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append" | "add" | "put"), args=[ast.Name() as given])):
            return [given]
        case ast.For(iter=ast.Name() | ast.Attribute()):
            return [statement.iter]
        case _:
            return []


def _copies(source: Source, shared: ast.expr) -> Iterator[Candidate]:
    """A copy where two names would share one collection."""
    known = role(source, shared, shared.id) if isinstance(shared, ast.Name) else Role.UNKNOWN
    if known & (Role.NUMBER | Role.MODULE):
        return
    text = operand(segment(source, shared))
    cost = 2.4 if Role.COLLECTION in known else 3.2
    for written, more in ((f"list({text})", 0.0), (f"{text}.copy()", 0.1), (f"{text}[:]", 0.4), (f"dict({text})", 0.6)):
        yield replace(source, shared, written, NAME, cost + more)
