"""Comparison and boolean operators: `<` for `<=`, `==` for `!=`, `and` for `or`, `in` for `not in`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.source import expressions
from bot.propose.search.types import Candidate, Source
from bot.propose.search.writing import reoperator

NAME = "comparison"

_SPELLED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
_INSTEAD: dict[type[ast.cmpop], tuple[tuple[str, float], ...]] = {
    ast.Lt: (("<=", 1.0), (">", 1.2), (">=", 1.5), ("!=", 2.0), ("==", 3.0)),
    ast.LtE: (("<", 1.0), (">=", 1.2), (">", 1.5), ("!=", 3.0), ("==", 2.0)),
    ast.Gt: ((">=", 1.0), ("<", 1.2), ("<=", 1.5), ("!=", 2.0), ("==", 3.0)),
    ast.GtE: ((">", 1.0), ("<=", 1.2), ("<", 1.5), ("!=", 3.0), ("==", 2.0)),
    ast.Eq: (("!=", 1.2), ("<=", 1.5), (">=", 1.5), ("<", 2.5), (">", 2.5), ("in", 3.0)),
    ast.NotEq: (("==", 1.2), ("<", 1.8), (">", 1.8), ("<=", 3.0), (">=", 3.0), ("not in", 3.0)),
    ast.In: (("not in", 1.2), ("==", 2.5)),
    ast.NotIn: (("in", 1.2), ("!=", 2.5)),
    ast.Is: (("is not", 1.2),),
    ast.IsNot: (("is", 1.2),),
}


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Another operator between the same operands."""
    for node in expressions(source, statement):
        if isinstance(node, ast.Compare):
            members = [node.left, *node.comparators]
            for left, operator, right in zip(members, node.ops, node.comparators, strict=False):
                for instead, cost in _INSTEAD[type(operator)]:
                    found = reoperator(source, left, right, _SPELLED[type(operator)], instead, NAME, cost)
                    if found is not None:
                        yield found
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                found = reoperator(source, left, right, old, new, NAME, 1.2)
                if found is not None:
                    yield found
