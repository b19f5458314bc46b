"""The checkout's Python files as the diagnosis looks at them: functions, statements, module-level names. Never run."""

from __future__ import annotations

import ast
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its decorators: lines `first` to `last`, `header` its `def` line; `name` is qualified
    ("Cart.total")."""

    name: str
    first: int
    header: int
    last: int
    node: FunctionNode = field(repr=False, compare=False)

    @property
    def class_name(self) -> str:
        return self.name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file. module: None where it does not parse. statements: line → first line of the innermost statement whose
    own text (for a compound statement: its header) covers it."""

    path: str
    lines: tuple[str, ...] = field(repr=False)
    module: ast.Module | None = field(repr=False)
    functions: tuple[Function, ...] = field(repr=False)
    statements: dict[int, int] = field(repr=False)

    def function_at(self, line: int) -> Function | None:
        """The innermost function that `line` lies in, decorators included."""
        around = [function for function in self.functions if function.first <= line <= function.last]
        return min(around, key=lambda function: function.last - function.first, default=None)

    def function(self, name: str) -> Function | None:
        """By qualified name; the last of several, as for the interpreter."""
        return next((function for function in reversed(self.functions) if function.name == name), None)

    def statement(self, line: int) -> int:
        """First line of the statement at `line`; the line itself where nothing is known."""
        return self.statements.get(line, line)

    def symbol(self, line: int) -> str:
        """Qualified name of the function at `line`, "" at module level."""
        function = self.function_at(line)
        return function.name if function else ""


class Sources:
    """Files of the checkout at `tree`, each read and parsed once. Links are not followed out of the checkout."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._read: dict[str, SourceFile | None] = {}

    def get(self, path: str) -> SourceFile | None:
        """The file at repository path `path`, None where there is none that can be shown."""
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: str) -> SourceFile | None:
        if _escapes(path):
            return None
        place = self._tree
        try:
            for part in PurePosixPath(path).parts:
                place /= part
                if stat.S_ISLNK(place.lstat().st_mode):
                    return None
            if not stat.S_ISREG(place.lstat().st_mode) or place.stat().st_size > _MOST_BYTES:
                return None
            text = place.read_bytes().decode("utf-8", errors="replace")
        except (OSError, ValueError):
            return None
        module = _parse(text) if path.endswith((".py", ".pyi")) else None
        functions = () if module is None else tuple(_functions(module))
        statements = {} if module is None else _statements(module)
        # split as the tokenizer does: form feeds and Unicode separators end no line of Python
        lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
        return SourceFile(path, lines, module, functions, statements)


def _escapes(path: str) -> bool:
    return not path or path.startswith("/") or ".." in path.split("/") or "\0" in path


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _functions(module: ast.Module) -> Iterator[Function]:
    pending: list[tuple[ast.AST, str]] = [(module, "")]
    while pending:
        parent, prefix = pending.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield Function(prefix + node.name, _begin(node), node.lineno, node.end_lineno or node.lineno, node)
                pending.append((node, f"{prefix}{node.name}."))
            elif isinstance(node, ast.ClassDef):
                pending.append((node, f"{prefix}{node.name}."))
            else:
                pending.append((node, prefix))


def _begin(node: ast.stmt | ast.ExceptHandler) -> int:
    """First line of a statement, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _statements(module: ast.Module) -> dict[int, int]:
    found: dict[int, int] = {}
    pending: list[ast.AST] = [module]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            body = getattr(node, "body", None)
            last = (_begin(body[0]) - 1) if body else (node.end_lineno or node.lineno)
            for line in range(_begin(node), max(last, node.lineno) + 1):
                found[line] = max(found.get(line, 0), node.lineno)  # children start later than what they stand in
        pending.extend(ast.iter_child_nodes(node))
    return found
