"""What is vetted: a patch as git read it back, and the files before and after it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.evidence.test_paths import is_test_path
from bot.evidence.types import TestId
from bot.patch.types import Applied
from bot.vet.syntax import function_of, parse
from bot.vet.types import Flake
from bot.workspace.types import Change

CODE = re.compile(
    r".*\.(?:pyi?|[cm]?[jt]sx?|go|rb|java|kt|cs|rs|php|swift|scala|groovy|c|cc|cpp|h|hpp|exs?|lua|dart|sh)",
    re.IGNORECASE,
)
"""Paths of program text, by suffix."""


@dataclass(frozen=True, slots=True)
class EditedFile:
    """One changed file: text before and after, None where it is absent or binary.

    added: (number on the new side, text) of every line that git shows as added. is_test: it belongs to the tests.
    """

    path: str
    change: Change
    before: str | None
    after: str | None
    added: tuple[tuple[int, str], ...]
    is_test: bool

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def is_python(self) -> bool:
        return self.path.endswith((".py", ".pyi"))

    @property
    def existed(self) -> bool:
        return self.change.status != "A"

    @property
    def tree_before(self) -> ast.Module:
        """Syntax tree before; an empty one where there was no readable Python."""
        return (parse(self.before) if self.before is not None else None) or ast.Module([], [])

    @property
    def tree_after(self) -> ast.Module:
        return (parse(self.after) if self.after is not None else None) or ast.Module([], [])


@dataclass(frozen=True, slots=True)
class Subject:
    """A patch under the rules.

    read: content of a file at base, None where there is none. targets: the failing tests that the patch shall heal.
    new_tests: paths of new test files that shall prove it. protect: globs of paths that no patch may touch.
    flake: set where the targets fail only sometimes.
    """

    applied: Applied
    read: Callable[[str], bytes | None] = field(repr=False)
    targets: tuple[TestId, ...] = ()
    new_tests: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    flake: Flake | None = None

    def files(self) -> tuple[EditedFile, ...]:
        """Every changed file, in git's order."""
        return tuple(self._file(change) for change in self.applied.changes)

    def source(self) -> tuple[EditedFile, ...]:
        """Changed Python files that are no tests and still exist."""
        return tuple(f for f in self.files() if f.is_python and not f.is_test and f.after is not None)

    def tests(self) -> tuple[EditedFile, ...]:
        """Changed Python test files that still exist."""
        return tuple(f for f in self.files() if f.is_python and f.is_test and f.after is not None)

    def failing_sources(self) -> tuple[ast.AST, ...]:
        """Syntax of the target tests at base: the function where it can be found, else the whole file."""
        found: list[ast.AST] = []
        for target in self.targets:
            content = self.read(target.file) if target.file.endswith(".py") else None
            tree = parse(content.decode("utf-8", "replace")) if content is not None else None
            if tree is not None:
                found.append(function_of(tree, target.name.partition("[")[0]) or tree)
        return tuple(found)

    def _file(self, change: Change) -> EditedFile:
        base = None if change.binary or change.status == "A" else self.read(change.path)
        new = None if change.binary else self.applied.overlay.get(change.path)
        return EditedFile(
            path=change.path,
            change=change,
            before=None if base is None else base.decode("utf-8", "replace"),
            after=None if new is None else new.decode("utf-8", "replace"),
            added=self._added(change.path),
            is_test=is_test_path(change.path) or change.path in self.new_tests,
        )

    def _added(self, path: str) -> tuple[tuple[int, str], ...]:
        lines: list[tuple[int, str]] = []
        for file in self.applied.patch.files:
            for hunk in file.hunks if file.path == path else ():
                number = hunk.new_start
                for line in hunk.lines:
                    if line.startswith("+"):
                        lines.append((number, line[1:]))
                    number += line.startswith(("+", " "))
        return tuple(lines)
