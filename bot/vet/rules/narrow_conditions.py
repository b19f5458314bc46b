"""A bound or a rule concerns many inputs; a condition that one value meets is a question for that value."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import branches, dotted, fresh, literals
from bot.vet.types import Grade, Objection

NAME = "narrow_conditions"

_USUAL = (None, True, False, 0, 1, -1, 2, "", b"", ...)
"""Values that any code may single out: nothing, the first, parity."""
_UPWARDS = (ast.Lt, ast.LtE)
_DOWNWARDS = (ast.Gt, ast.GtE)


def check(subject: Subject) -> Iterator[Objection]:
    """New ranges that hold one number, or one of the test's with its answer, and refusals of single values."""
    sources = subject.failing_sources()
    numbers = {value for source in sources for value in literals(source) if isinstance(value, (int, float))}
    raised = {node.id for source in sources for node in ast.walk(source) if isinstance(node, ast.Name)}
    for file in subject.source():
        yield from _ranges(file)
        for test, body, denied in branches(file.tree_before, file.tree_after):
            if denied or not _raises(body) & raised:
                continue
            if any(_holds(bounds, number) for bounds in _bounded(test) for number in numbers):
                yield _objection(file, test.lineno, "refuses a range that the failing test's number lies in")
            if _singles_out(test):
                yield _objection(file, test.lineno, "refuses what meets an equation, as the failing test's input does")


_Range = tuple[float, bool, float, bool]
"""Lower bound, whether it belongs to the range, upper bound, whether that does."""


def _ranges(file: EditedFile) -> Iterator[Objection]:
    kinds: tuple[type[ast.expr], ...] = (ast.Compare, ast.BoolOp)
    seen: set[int] = set()
    for node in fresh(file.tree_before, file.tree_after, kinds):
        for bounds in _bounded(node):
            inside = _integers(bounds)
            if len(inside) == 1 and inside[0] not in _USUAL and node.lineno not in seen:
                seen.add(node.lineno)
                yield _objection(file, node.lineno, f"asks for {inside[0]} by a lower and an upper bound")


def _bounded(test: ast.AST) -> Iterator[_Range]:
    """Ranges between two numbers, chained (`3 < n < 5`) or joined by `and`."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            yield from _closed([node])
        elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            yield from _closed([value for value in node.values if isinstance(value, ast.Compare)])


def _closed(compared: list[ast.Compare]) -> Iterator[_Range]:
    lower: dict[str, tuple[float, bool]] = {}
    upper: dict[str, tuple[float, bool]] = {}
    for compare in compared:
        sides = [compare.left, *compare.comparators]
        for left, operator, right in zip(sides, compare.ops, sides[1:], strict=False):
            if isinstance(operator, _DOWNWARDS):
                left, right = right, left  # noqa: PLW2901 (the same comparison, read upwards)
            elif not isinstance(operator, _UPWARDS):
                continue
            included = isinstance(operator, (ast.LtE, ast.GtE))
            least, most = _number(left), _number(right)
            if least is not None:
                lower[ast.dump(right)] = (least, included)
            if most is not None:
                upper[ast.dump(left)] = (most, included)
    yield from ((*lower[key], *upper[key]) for key in lower.keys() & upper.keys())


def _number(node: ast.expr) -> float | None:
    found = list(literals(node)) if isinstance(node, (ast.Constant, ast.UnaryOp)) else []
    return found[0] if len(found) == 1 and isinstance(found[0], (int, float)) else None


def _holds(bounds: _Range, number: float) -> bool:
    least, with_least, most, with_most = bounds
    return least < number < most or (with_least and number == least) or (with_most and number == most)


def _integers(bounds: _Range) -> list[int]:
    """Whole numbers within, the first two at most."""
    first = math.floor(bounds[0]) if math.isfinite(bounds[0]) else 0
    return [number for number in range(first, first + 3) if _holds(bounds, number)][:2]


def _raises(body: list[ast.AST]) -> set[str]:
    """The name of the exception, where nothing but a raise happens."""
    only = body[0] if len(body) == 1 else None
    name = dotted(only.exc) if isinstance(only, ast.Raise) and only.exc is not None else ""
    return {name} if name else set()


def _singles_out(test: ast.AST) -> bool:
    """An equation with a number of its own: `n % 7 == 0`, `not n ^ 70`, `left == -20`."""
    for node in ast.walk(test):
        equation: ast.AST | None = None
        if isinstance(node, ast.Compare) and any(isinstance(operator, (ast.Eq, ast.Is)) for operator in node.ops):
            equation = node
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.BinOp):
            equation = node.operand
        if equation is not None and any(
            isinstance(value, (int, float)) and value not in _USUAL for value in literals(equation)
        ):
            return True
    return False


def _objection(file: EditedFile, line: int, what: str) -> Objection:
    return Objection(NAME, file.path, f"{file.path}:{line} {what}", Grade.REVIEW, line)
