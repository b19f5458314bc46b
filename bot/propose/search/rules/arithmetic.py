"""Arithmetic: another operator, operands in the other order, an operand or an operation too many or missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role
from bot.propose.search.scope import fits, names, role
from bot.propose.search.source import code, expressions, segment, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import operand, operands, operator_between, precedence, reoperator, replace, swap

NAME = "arithmetic"

_SPELLED: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_INSTEAD: dict[str, tuple[tuple[str, float], ...]] = {
    "+": (("-", 1.4), ("*", 2.2), ("|", 4.0)),
    "-": (("+", 1.4), ("*", 3.0), ("/", 3.5)),
    "*": (("/", 1.8), ("+", 1.8), ("**", 2.0), ("//", 2.4), ("-", 3.5)),
    "/": (("//", 1.3), ("*", 1.6), ("%", 2.6), ("-", 3.5)),
    "//": (("/", 1.4), ("%", 1.6), ("*", 2.2)),
    "%": (("//", 1.5), ("/", 2.0), ("*", 3.0)),
    "**": (("*", 1.5),),
    "&": (("|", 1.4), ("^", 1.8)),
    "|": (("&", 1.4), ("^", 1.8), ("+", 4.0)),
    "^": (("&", 1.4), ("|", 1.4), ("**", 1.4)),
    "<<": ((">>", 1.3),),
    ">>": (("<<", 1.3),),
    "@": (("*", 2.0),),
}


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Changes of the arithmetic in a statement."""
    if isinstance(statement, ast.AugAssign):
        yield from _augmented(source, statement)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        yield from _plain(source, statement, statement.targets[0])
    for node in expressions(source, statement):
        match node:
            case ast.BinOp():
                yield from _binary(source, node)
            case ast.UnaryOp(op=ast.USub() | ast.Invert(), operand=inner):
                yield replace(source, node, code(source, inner), NAME, 2.0)
            case _:
                pass
        yield from _missing(source, node)


def _binary(source: Source, node: ast.BinOp) -> Iterator[Candidate]:
    old = _SPELLED[type(node.op)]
    if old == "%" and isinstance(node.left, ast.Constant | ast.JoinedStr):
        return  # text formatting
    for new, cost in _INSTEAD[old]:
        found = reoperator(source, node.left, node.right, old, new, NAME, cost)
        if found is not None:
            yield found
    left, right = code(source, node.left), code(source, node.right)
    if not (isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)):
        if old in ("+", "-", "/", "//", "%", "**", "<<", ">>"):
            if precedence(node.left) == precedence(node.right):
                yield swap(source, node.left, node.right, NAME, 1.7)
            else:
                yield replace(source, node, operands(right, old, left), NAME, 1.7)
        yield replace(source, node, left, NAME, 2.0 + 0.2 * isinstance(node.right, ast.Name))
        yield replace(source, node, right, NAME, 2.2)
    yield from _regrouped(source, node, old)
    if isinstance(node.left, ast.Call) and len(node.left.args) == 1 and not node.left.keywords:
        given = node.left.args[0]
        if not isinstance(given, ast.Starred | ast.GeneratorExp):
            inside = operands(code(source, given), old, right)
            yield replace(source, node, f"{code(source, node.left.func)}({inside})", NAME, 2.8)
    parent = source.parents[node]
    if isinstance(parent, ast.Call) and parent.args == [node] and not parent.keywords:
        outside = operands(f"{code(source, parent.func)}({left})", old, right)
        yield replace(source, parent, outside, NAME, 2.4)


def _regrouped(source: Source, node: ast.BinOp, old: str) -> Iterator[Candidate]:
    """`a + b * c` → `(a + b) * c`, and back."""
    for inner, other, inner_first in ((node.left, node.right, True), (node.right, node.left, False)):
        if not isinstance(inner, ast.BinOp):
            continue
        sign = _SPELLED[type(inner.op)]
        if sign == old and sign in "+*":
            continue
        first, second, third = (code(source, part) for part in (inner.left, inner.right, other))
        if inner_first:
            text = operands(first, sign, operands(second, old, third))
        else:
            text = operands(operands(third, old, first), sign, second)
        yield replace(source, node, text, NAME, 2.6)


def _missing(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """A number that lacks an operation: a square, a factor of two, a sign, another number added or taken away."""
    parent = source.parents[node]
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if fits(role(source, node, name), Role.NUMBER):
            pass
        case ast.Subscript(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) | ast.BinOp():
            pass
        case ast.Call(func=ast.Name(id=called)) if called not in ("range", "print", "isinstance", "sorted", "list"):
            pass
        case _:
            return
    if isinstance(parent, ast.Attribute | ast.Starred | ast.comprehension | ast.keyword | ast.FormattedValue):
        return
    if isinstance(parent, ast.Call) and node is parent.func:
        return
    if isinstance(parent, ast.Subscript) and node is parent.value:
        return
    if isinstance(parent, ast.For | ast.AsyncFor | ast.Expr | ast.Delete | ast.With | ast.FunctionDef | ast.ClassDef):
        return
    text = code(source, node)
    if isinstance(parent, ast.BinOp | ast.Compare | ast.Return | ast.Assign):
        yield replace(source, node, operands(text, "**", "2"), NAME, 3.6)
        yield replace(source, node, operands(text, "*", "2"), NAME, 3.6)
        yield replace(source, node, operands(text, "//", "2"), NAME, 3.6)
        yield replace(source, node, f"-{operand(text, 12)}", NAME, 3.2)
        yield replace(source, node, f"abs({text})", NAME, 3.2)
    others = [name for name in names(source, node) if name != text and Role.NUMBER in role(source, node, name)]
    near = not isinstance(node, ast.Name)
    for place, name in enumerate(others[:5]):
        for sign in ("-", "+"):
            yield replace(source, node, operands(text, sign, name), NAME, 3.0 + 0.6 * near + 0.15 * place)
        if isinstance(parent, ast.Return | ast.Assign | ast.BinOp):
            yield replace(source, node, operands(text, "*", name), NAME, 3.8 + 0.6 * near + 0.15 * place)


def _augmented(source: Source, statement: ast.AugAssign) -> Iterator[Candidate]:
    old = _SPELLED[type(statement.op)]
    target, value = span(source, statement.target), span(source, statement.value)
    place = operator_between(source, target[1], value[0], f"{old}=")
    if place is None:
        return
    for new, cost in (*_INSTEAD[old], ("", 2.2)):
        edit = Edit(place[0], place[1], f"{new}=")
        yield Candidate(source.path, statement.lineno, (edit,), NAME, cost, f"`{old}=` becomes `{new}=`")


def _plain(source: Source, statement: ast.Assign, target: ast.expr) -> Iterator[Candidate]:
    """`total = x` → `total += x`; `first = first + x` → `first = x + first` is the work of the operands' swap."""
    if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
        return
    text = segment(source, target)
    if any(
        isinstance(node, ast.expr) and ast.dump(node) == ast.dump(_loaded(target)) for node in ast.walk(statement.value)
    ):
        return
    place = operator_between(source, span(source, target)[1], span(source, statement.value)[0], "=")
    if place is None:
        return
    for sign, cost in (("+", 2.4), ("-", 3.4), ("*", 3.6), ("|", 4.4)):
        edit = Edit(place[0], place[1], f"{sign}=")
        yield Candidate(source.path, statement.lineno, (edit,), NAME, cost, f"`{text} =` becomes `{text} {sign}=`")


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
