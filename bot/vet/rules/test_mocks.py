"""No test replaces the very thing that it tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.cleanup import lends_a_copy
from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import bound_names, dotted, fresh, origins, resolved
from bot.vet.types import Grade, Objection

NAME = "test_mocks"

_PATCHERS = frozenset(
    {"patch", "object", "setattr", "delattr", "setitem", "dict", "multiple", "replace", "spy", "stub"}
)
_TOOLS = ("patch", "mock", "mocker", "monkeypatch", "unittest.mock", "pytest_mock", "flexmock", "mox")
_DOUBLES = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock", "create_autospec"})


def check(subject: Subject) -> Iterator[Objection]:
    """In existing tests no new double at all; in new tests none of what the patched modules define themselves (what
    they import may be replaced: a clock, the network)."""
    patched = {_module(file.path): _defined(file) for file in subject.source()}
    for file in subject.tests():
        known = origins(file.tree_after)
        polluting = subject.flake is not None and any(test.file == file.path for test in subject.flake.polluters)
        for call in fresh(file.tree_before, file.tree_after, ast.Call):
            if polluting and lends_a_copy(call):
                continue
            word = dotted(call.func)
            if (
                file.existed
                and (_is_patcher(word) or word.rpartition(".")[2] in _DOUBLES)
                and "env" not in word.lower()
            ):
                message = f"{file.path}:{call.lineno} adds {word}() to an existing file of tests"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, call.lineno)
            elif _is_patcher(word) and (target := _target(call, known, patched)):
                message = f"{file.path}:{call.lineno} replaces {target}, which the patch is about"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, call.lineno)
        for assignment in fresh(file.tree_before, file.tree_after, ast.Assign):
            for node in assignment.targets:
                target = _subject_of(resolved(node, known), patched) if isinstance(node, ast.Attribute) else None
                if target:
                    message = f"{file.path}:{assignment.lineno} overwrites {target}, which the patch is about"
                    yield Objection(NAME, file.path, message, Grade.BLOCKED, assignment.lineno)


def _is_patcher(word: str) -> bool:
    head, _, last = word.rpartition(".")
    if last == "patch":
        return head in ("", *_TOOLS)
    of_a_tool = head in _TOOLS or head.endswith((".patch", "monkeypatch", "mocker"))
    return word == "setattr" or (last in _PATCHERS and of_a_tool)


def _target(call: ast.Call, known: dict[str, str], patched: dict[str, set[str]]) -> str | None:
    """What a patching call replaces, where a patched module defines it."""
    if not call.args:
        return None
    first = call.args[0]
    name = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else resolved(first, known)
    second = call.args[1] if len(call.args) > 1 else None
    if isinstance(second, ast.Constant) and isinstance(second.value, str) and not isinstance(first, ast.Constant):
        name = f"{name}.{second.value}"
    return _subject_of(name, patched)


def _subject_of(name: str, patched: dict[str, set[str]]) -> str | None:
    for module, defined in patched.items():
        for alias in (module, module.removeprefix("src.").removeprefix("lib.")):
            if name.startswith(f"{alias}.") and name.removeprefix(f"{alias}.").partition(".")[0] in defined:
                return name
    return None


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _defined(file: EditedFile) -> set[str]:
    """Names that a module defines itself (imported ones are its surroundings)."""
    return {
        name
        for statement in (*file.tree_before.body, *file.tree_after.body)
        if not isinstance(statement, (ast.Import, ast.ImportFrom))
        for name in bound_names(statement)
    }
