"""Off by one: indices, slices, ranges, bounds and sizes one too small or too large, a slice missing or too many."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role
from bot.propose.search.scope import fits, names, role
from bot.propose.search.source import code, expressions, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import operand, operands, replace

NAME = "off_by_one"

_NOT_NUMBERS = (ast.Slice, ast.Starred, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.JoinedStr, ast.Lambda)


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """One more or one less where a number counts or points; another part of a sequence."""
    for node in expressions(source, statement):
        match node:
            case ast.Subscript(slice=ast.Slice() as cut):
                yield from _slice(source, node, cut)
            case ast.Subscript(slice=ast.Tuple(elts=parts)):
                for part in parts:
                    yield from _around(source, part, 1.6)
            case ast.Subscript(slice=index):
                yield from _around(source, index, 1.2)
            case ast.Call(func=ast.Name(id="range"), args=[*bounds]):
                yield from _range(source, node, bounds)
            case ast.Call(func=function, args=[*given]):
                name = function.id if isinstance(function, ast.Name) else ""
                for argument in given:
                    if name != "len":
                        yield from _around(source, argument, 2.2)
                        yield from _parts(source, argument, 2.8)
                if name == "len" and not isinstance(source.parents[node], ast.Subscript):
                    yield from _around(source, node, 1.6)
            case ast.Compare():
                yield from _compared(source, node)
            case _:
                pass
    match statement:
        case ast.For(iter=iterated) | ast.AsyncFor(iter=iterated):
            yield from _parts(source, iterated, 2.2)
        case ast.Return(value=ast.expr() as value) | ast.Assign(value=ast.expr() as value):
            yield from _around(source, value, 2.4)
            yield from _parts(source, value, 3.2)
        case ast.AugAssign(value=value):
            yield from _around(source, value, 2.2)
        case _:
            pass
    for node in expressions(source, statement):
        for generator in getattr(node, "generators", ()):
            yield from _parts(source, generator.iter, 2.4)


def _might_be_number(source: Source, node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int()):
            return False  # the rule of constants turns n into n ± 1
        case ast.Constant() | ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return False
        case ast.Name(id=name):
            return fits(role(source, node, name), Role.NUMBER)
        case _:
            return not isinstance(node, (*_NOT_NUMBERS, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


def _around(source: Source, node: ast.expr, cost: float) -> Iterator[Candidate]:
    """`n` → `n + 1`, `n - 1`; `n ± 1` → `n`, `n ∓ 1`."""
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=ast.Constant(value=1)):
            kept = code(source, left)
            yield replace(source, node, kept, NAME, cost)
            yield replace(
                source, node, operands(kept, "-" if isinstance(operator, ast.Add) else "+", "1"), NAME, cost + 0.4
            )
            if isinstance(operator, ast.Add):
                yield replace(source, node, operands(kept, "+", "2"), NAME, cost + 1.0)
            else:
                yield replace(source, node, operands(kept, "-", "2"), NAME, cost + 1.0)
        case _ if _might_be_number(source, node):
            text = code(source, node)
            yield replace(source, node, operands(text, "+", "1"), NAME, cost)
            yield replace(source, node, operands(text, "-", "1"), NAME, cost)
        case _:
            pass


def _range(source: Source, node: ast.Call, bounds: list[ast.expr]) -> Iterator[Candidate]:
    for bound in bounds:
        yield from _around(source, bound, 1.1)
    if len(bounds) == 1 and not isinstance(bounds[0], ast.Starred):
        stop, place = code(source, bounds[0]), span(source, bounds[0])[0]
        edit = Edit(place, place, "1, ")
        what = f"the range begins at 1: `range(1, {stop})`"
        yield Candidate(source.path, node.lineno, (edit,), NAME, 1.8, what)
        yield replace(source, node, f"range(1, {operands(stop, '+', '1')})", NAME, 2.0)
    if len(bounds) == 2:
        start, stop = code(source, bounds[0]), code(source, bounds[1])
        yield replace(source, node, f"range({stop})", NAME, 2.2)
        yield replace(source, node, f"range({start}, {stop}, -1)", NAME, 2.8)


def _slice(source: Source, node: ast.Subscript, part: ast.Slice) -> Iterator[Candidate]:
    for bound in (part.lower, part.upper):
        if bound is not None:
            yield from _around(source, bound, 1.3)
    value = operand(code(source, node.value))
    lower = code(source, part.lower) if part.lower is not None else ""
    upper = code(source, part.upper) if part.upper is not None else ""
    step = f":{code(source, part.step)}" if part.step is not None else ""
    texts: list[tuple[str, float]] = []
    if not lower:
        texts.append((f"{value}[1:{upper}{step}]", 1.8))
    if not upper:
        texts.append((f"{value}[{lower}:-1{step}]", 1.8))
    if lower and upper:
        texts += [(f"{value}[{lower}:{step}]", 2.2), (f"{value}[:{upper}{step}]", 2.2)]
    if bool(lower) != bool(upper):
        texts.append((f"{value}[{upper}:{lower}{step}]", 1.8))
    texts.append((value, 2.4))
    for text, cost in texts:
        yield replace(source, node, text, NAME, cost)


def _parts(source: Source, node: ast.expr, cost: float) -> Iterator[Candidate]:
    """A sequence without its first, its last, or what lies beyond a number at hand."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.Call):
        return
    if isinstance(node, ast.Name) and not fits(role(source, node, node.id), Role.COLLECTION | Role.OBJECT):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("range", "len", "sum"):
        return
    text = operand(code(source, node))
    yield replace(source, node, f"{text}[1:]", NAME, cost)
    yield replace(source, node, f"{text}[:-1]", NAME, cost + 0.2)
    numbers = [name for name in names(source, node) if Role.NUMBER in role(source, node, name)]
    for place, name in enumerate(numbers[:4]):
        yield replace(source, node, f"{text}[{name}:]", NAME, cost + 0.4 + 0.1 * place)
        yield replace(source, node, f"{text}[:{name}]", NAME, cost + 0.5 + 0.1 * place)


def _compared(source: Source, node: ast.Compare) -> Iterator[Candidate]:
    for side in (node.left, *node.comparators):
        if any(isinstance(operator, ast.In | ast.NotIn | ast.Is | ast.IsNot) for operator in node.ops):
            continue
        if isinstance(side, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp | ast.Call):
            yield from _around(source, side, 1.8)
    match node:  # an exact bound that should have been a limit
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=int(number))]):
            if not isinstance(number, bool):
                for text in (f"<= {number + 1}", f"< {number}", f"> {number}", f"== {number + 1}"):
                    yield replace(source, node, f"{operand(code(source, left), 6)} {text}", NAME, 1.9)
        case ast.Compare(left=left, ops=[ast.Gt()], comparators=[ast.Constant(value=0)]):
            yield replace(source, node, f"{operand(code(source, left), 6)} > 1", NAME, 1.9)
        case _:
            pass
