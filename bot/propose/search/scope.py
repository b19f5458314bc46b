"""What is in scope at one place of a file, likeliest first: names and roles, conditions and expressions to borrow.

A fix is mostly made of what the function already holds.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from bot.propose.search.facts import Role, Scoped, comprehension_names, facts
from bot.propose.search.source import Comprehension, ancestors, enclosing_function, enclosing_loop
from bot.propose.search.types import Source

MOST_NAMES = 24
MOST_DONORS = 24
_EVERYWHERE = 1 << 30  # a function around this one has, as far as one can tell, run past its definitions


def scope_of(source: Source, node: ast.AST) -> Scoped:
    """The innermost function around the node, or the module."""
    return enclosing_function(source, node) or source.module


def names(source: Source, node: ast.AST) -> tuple[str, ...]:
    """Local names with a value at the node, at most 24, likeliest first: inside a comprehension its targets, then the
    function's own bound above the statement, last bound first (anywhere in an enclosing loop), then its arguments,
    then those of the functions around it."""
    found: dict[str, None] = {}
    statement = node
    for parent in ancestors(source, node):
        if isinstance(statement, ast.stmt):
            break
        if isinstance(parent, Comprehension):
            for generator in parent.generators:
                found.update(
                    dict.fromkeys(name.id for name in ast.walk(generator.target) if isinstance(name, ast.Name))
                )
        elif isinstance(parent, ast.Lambda):
            found.update(dict.fromkeys(argument.arg for argument in parent.args.args))
        statement = parent
    at = getattr(statement, "lineno", 0)
    loop = enclosing_loop(source, statement)
    last = loop.end_lineno or at if loop is not None else at - 1
    for scope in _scopes(source, node):
        known, hidden = facts(scope), comprehension_names(scope)
        bound = {name: line for name, line in known.bound.items() if name not in hidden and name not in known.arguments}
        near = sorted(
            (name for name, line in bound.items() if line <= last), key=lambda name: (bound[name] >= at, -bound[name])
        )
        for name in (*near, *known.arguments):
            if Role.MODULE not in known.roles.get(name, Role.UNKNOWN):
                found[name] = None
        last = _EVERYWHERE
    found.pop("_", None)
    return tuple(found)[:MOST_NAMES]


def _scopes(source: Source, node: ast.AST) -> Iterator[Scoped]:
    inner = enclosing_function(source, node)
    if inner is None:
        yield source.module
    while inner is not None:
        yield inner
        inner = enclosing_function(source, inner)


def role(source: Source, node: ast.AST, name: str) -> Role:
    """The part a name plays in the functions around the node."""
    found = Role.UNKNOWN
    for scope in _scopes(source, node):
        found |= facts(scope).roles.get(name, Role.UNKNOWN)
    return found


def fits(one: Role, other: Role) -> bool:
    """Whether two roles may stand for one another; an unknown one fits everything."""
    return not one or not other or bool(one & other)


def borrowed(source: Source, node: ast.AST) -> tuple[ast.expr, ...]:
    """Subscripts, attributes, calls and arithmetic of the same function, nearest lines first."""
    line = getattr(node, "lineno", 0)
    found = facts(scope_of(source, node)).expressions
    return tuple(sorted(found, key=lambda other: abs(other.lineno - line)))[:MOST_DONORS]


def conditions(source: Source, node: ast.AST) -> tuple[ast.expr, ...]:
    """Conditions that the same function tests, nearest lines first."""
    line = getattr(node, "lineno", 0)
    found = facts(scope_of(source, node)).conditions
    return tuple(sorted(found, key=lambda other: abs(other.lineno - line)))[:MOST_DONORS]


def is_builtin(name: str) -> bool:
    return hasattr(builtins, name)
