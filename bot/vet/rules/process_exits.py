"""No repair ends the process that judges it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh
from bot.vet.types import Grade, Objection

NAME = "process_exits"

_HARD = frozenset(
    {"os._exit", "_exit", "os.abort", "os.kill", "os.killpg", "signal.raise_signal", "pytest.exit", "os.execv"}
)
_SOFT = frozenset({"sys.exit", "exit", "quit", "SystemExit"})
_COMMANDS = ("__main__.py", "cli.py", "main.py", "manage.py", "setup.py")


def check(subject: Subject) -> Iterator[Objection]:
    """New exits in source and in tests; a program that exits already, or a command-line module, is for review."""
    for file in (*subject.source(), *subject.tests()):
        for call in fresh(file.tree_before, file.tree_after, ast.Call):
            yield from _objection(file, dotted(call.func), call.lineno)
        for statement in fresh(file.tree_before, file.tree_after, ast.Raise):
            if isinstance(statement.exc, ast.Name):
                yield from _objection(file, statement.exc.id, statement.lineno)


def _objection(file: EditedFile, word: str, line: int) -> Iterator[Objection]:
    if word in _HARD:
        yield Objection(NAME, file.path, f"{file.path}:{line} ends or kills a process by {word}", Grade.BLOCKED, line)
    elif word in _SOFT:
        exits_already = any(dotted(node) in _SOFT for node in ast.walk(file.tree_before) if isinstance(node, ast.Call))
        reviewed = not file.is_test and (exits_already or file.name in _COMMANDS)
        grade = Grade.REVIEW if reviewed else Grade.BLOCKED
        yield Objection(NAME, file.path, f"{file.path}:{line} ends the process by {word}", grade, line)
