"""State that one test leaves to another: what modules of the product, their classes and their only instances keep."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.vet.syntax import bound_names, dotted, functions, parse

CHANGING = frozenset(
    {"append", "add", "update", "pop", "insert", "extend", "remove", "clear", "setdefault", "popleft", "discard"}
    | {"appendleft", "popitem", "extendleft", "sort", "reverse"}
)
"""Methods that change the container that has them."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A name that holds something between tests. line: where it is bound. value: what it begins with.

    name: of the module ("table"), or of a class or an instance that the module has ("Cache.entries", "cache.entries").
    writers: lines of its module at which functions change it.
    """

    path: str
    name: str
    line: int
    value: ast.expr
    writers: tuple[int, ...]

    @property
    def is_container(self) -> bool:
        return isinstance(self.value, (ast.Dict, ast.List, ast.Set, ast.Call, ast.DictComp, ast.ListComp, ast.SetComp))


def shared_states(
    paths: Iterable[str], read: Callable[[str], str | None], reached: Mapping[str, frozenset[int]]
) -> tuple[Shared, ...]:
    """Names of the modules at `paths` that can differ from test to test, those that are seen to be written first.

    read: a file's text. reached: lines by path that the tests executed; a path without lines is taken whole.
    """
    found = [each for path in paths for each in _of(path, read(path) or "", reached.get(path))]
    return tuple(sorted(found, key=lambda each: not each.writers))


def _of(path: str, text: str, lines: frozenset[int] | None) -> Iterable[Shared]:
    tree = parse(text)
    if tree is None:
        return
    for name, line, value, aliases in (*_names(tree), *_attributes(tree)):
        writers = tuple(each for each in _writers(tree, name, aliases) if lines is None or each in lines)
        each = Shared(path, name, line, value, writers)
        if writers or (each.is_container and not aliases):
            yield each


_Bound: TypeAlias = tuple[str, int, ast.expr, frozenset[str]]
"""Name, line, first value, and what its class's own methods call it."""


def _names(tree: ast.Module) -> Iterable[_Bound]:
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            for name in sorted(bound_names(statement)):
                if not name.startswith("__"):
                    yield name, statement.lineno, statement.value, frozenset()


def _attributes(tree: ast.Module) -> Iterable[_Bound]:
    """What a class keeps for all its instances, and what the instances keep that the module itself makes."""
    made: dict[str, list[str]] = {}
    for name, _, value, _ in _names(tree):
        if isinstance(value, ast.Call):
            made.setdefault(dotted(value.func), []).append(name)
    for klass in tree.body:
        if not isinstance(klass, ast.ClassDef):
            continue
        for statement in klass.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                for name in sorted(bound_names(statement)):
                    own = frozenset({f"self.{name}", f"cls.{name}"})
                    yield f"{klass.name}.{name}", statement.lineno, statement.value, own
        for instance in made.get(klass.name, ()):
            for name, first in _set_in(klass).items():
                yield f"{instance}.{name}", first.lineno, first, frozenset({f"self.{name}"})


def _set_in(klass: ast.ClassDef) -> dict[str, ast.expr]:
    """Attributes that `__init__` sets, with their first value."""
    found: dict[str, ast.expr] = {}
    start = functions(klass).get("__init__")
    for node in () if start is None else ast.walk(start):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Attribute) and dotted(target.value) == "self" and node.value is not None:  # type: ignore[attr-defined]
                found.setdefault(target.attr, node.value)  # type: ignore[attr-defined]
    return found


def _writers(tree: ast.Module, name: str, aliases: frozenset[str]) -> Iterable[int]:
    """Lines of functions that change it; an instance's own `__init__` only begins it."""
    names = aliases | {name}
    for where, function in functions(tree).items():
        is_global = any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(function))
        for node in ast.walk(function):
            changed = ""
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
                changed = dotted(node.func.value)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
                changed = dotted(node.value)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
                changed = "" if where.endswith("__init__") else dotted(node)
            elif is_global and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                changed = node.id
            if changed in names:
                yield node.lineno  # type: ignore[attr-defined]
