"""State that one test leaves to another: module-level names of the product which the code that ran can change."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.vet.syntax import bound_names, dotted, functions, parse

_CHANGING = frozenset(
    {"append", "add", "update", "pop", "insert", "extend", "remove", "clear", "setdefault", "popleft", "discard"}
)


@dataclass(frozen=True, slots=True)
class Shared:
    """A module-level name that holds something between tests. line: where it is bound. value: what it begins with.

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
    for statement in () if tree is None else tree.body:
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        for name in sorted(bound_names(statement)):
            if name.startswith("__"):
                continue
            assert tree is not None
            writers = tuple(line for line in _writers(tree, name) if lines is None or line in lines)
            each = Shared(path, name, statement.lineno, statement.value, writers)
            if writers or each.is_container:
                yield each


def _writers(tree: ast.Module, name: str) -> Iterable[int]:
    for function in functions(tree).values():
        is_global = any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(function))
        for node in ast.walk(function):
            changed = ""
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
                changed = dotted(node.func.value)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
                changed = dotted(node.value)
            elif is_global and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                changed = node.id
            if changed == name:
                yield node.lineno  # type: ignore[attr-defined]
