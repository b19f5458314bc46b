"""No repair ends the process that judges it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh, origins, resolved
from bot.vet.types import Grade, Objection

NAME = "process_exits"

_HARD = frozenset(
    {"os._exit", "_exit", "os.abort", "os.kill", "os.killpg", "signal.raise_signal", "pytest.exit", "os.execv"}
)
_HARD_NAMES = frozenset({"_exit", "raise_signal", "killpg"})
_MODULES = frozenset({"os", "posix", "sys", "signal", "builtins", "subprocess", "ctypes"})
_SOFT = frozenset({"sys.exit", "exit", "quit", "SystemExit"})
_COMMANDS = ("__main__.py", "cli.py", "main.py", "manage.py", "setup.py")


def check(subject: Subject) -> Iterator[Objection]:
    """New exits in source and in tests; a program that exits already, or a command-line module, is for review."""
    for file in (*subject.source(), *subject.tests()):
        known = origins(file.tree_before) | origins(file.tree_after)
        for call in fresh(file.tree_before, file.tree_after, ast.Call):
            word = resolved(call.func, known)
            if word not in _HARD:  # those are found below, called or handed on
                yield from _objection(file, word, call.lineno)
            yield from _computed(file, call, known)
        names: tuple[type[ast.expr], ...] = (ast.Attribute, ast.Name)
        for node in fresh(file.tree_before, file.tree_after, names):
            word = resolved(node, known)
            if word in _HARD or (isinstance(node, ast.Attribute) and node.attr in _HARD_NAMES):
                yield from _objection(file, word if word in _HARD else "os._exit", node.lineno)
        for statement in fresh(file.tree_before, file.tree_after, ast.Raise):
            if isinstance(statement.exc, ast.Name):
                yield from _objection(file, statement.exc.id, statement.lineno)


def _computed(file: EditedFile, call: ast.Call, known: Mapping[str, str]) -> Iterator[Objection]:
    """`getattr(os, …)` with a name that is put together hides which function it is."""
    if dotted(call.func) != "getattr" or len(call.args) < 2 or isinstance(call.args[1], ast.Constant):
        return
    module = resolved(call.args[0], known)
    if module in _MODULES:
        message = f"{file.path}:{call.lineno} reaches into {module} by a name that is put together"
        yield Objection(NAME, file.path, message, Grade.BLOCKED, call.lineno)


def _objection(file: EditedFile, word: str, line: int) -> Iterator[Objection]:
    if word in _HARD:
        yield Objection(NAME, file.path, f"{file.path}:{line} ends or kills a process by {word}", Grade.BLOCKED, line)
    elif word in _SOFT:
        exits_already = any(dotted(node) in _SOFT for node in ast.walk(file.tree_before) if isinstance(node, ast.Call))
        reviewed = not file.is_test and (exits_already or file.name in _COMMANDS)
        grade = Grade.REVIEW if reviewed else Grade.BLOCKED
        yield Objection(NAME, file.path, f"{file.path}:{line} ends the process by {word}", grade, line)
