"""Code behaves the same whether or not a test looks on."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator

from bot.evidence.types import TestId
from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh
from bot.vet.types import Grade, Objection

NAME = "branch_on_tests"

_RUNNER = re.compile(
    r"_?pytest\b|py\.test|unittest|nose2?$|^_?PYTEST|^(?:CI|TESTING|TEST_MODE|GITHUB_ACTIONS|TOX_ENV_NAME|"
    r"COVERAGE_RUN|UNITTEST|IS_TEST|RUNNING_TESTS)$|(?:^|/)tests?/|^tests?[._]|conftest"
)
_LOOKS = (
    "sys.modules",
    "os.environ",
    "environ",
    "sys.argv",
    "os.getenv",
    "getenv",
    "find_spec",
    "__file__",
    "co_filename",
)
_STACK = frozenset(
    {
        "_getframe",
        "currentframe",
        "inspect.stack",
        "stack",
        "getouterframes",
        "extract_stack",
        "format_stack",
        "walk_stack",
    }
)
_FRAMES = frozenset(
    {
        "tb_frame",
        "f_back",
        "f_locals",
        "f_globals",
        "f_code",
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "co_consts",
        "co_name",
    }
    | {"_current_frames", "_current_exceptions", "orig_argv", "meta_path", "__stdout__", "__stderr__"}
)
"""Attributes by which code sees who called it, and how the process was started."""
_PROCESS = re.compile(r"/proc/(?:self|thread-self|\d+)/")
_LONGEST_NAME = 80
"""Characters of a text that can be the name of an attribute or a path; prose is longer."""
_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock"})


def check(subject: Subject) -> Iterator[Objection]:
    """New expressions in source that ask for the runner, the CI, the caller or a mock, or name the failing test."""
    names = {name for target in subject.targets for name in _names_of(target)}
    for file in subject.source():
        before, after = file.tree_before, file.tree_after
        yield from _named(file, names)
        yield from _watching(file)
        kinds: tuple[type[ast.expr], ...] = (ast.Compare, ast.Call, ast.Subscript)
        for node in fresh(before, after, kinds):
            reason = _reason(node)
            if reason is not None:
                yield Objection(
                    NAME,
                    file.path,
                    f"{file.path}:{node.lineno} {reason}; code must not know that it is tested",
                    Grade.BLOCKED,
                    node.lineno,
                )


def _watching(file: EditedFile) -> Iterator[Objection]:
    """Frames and the ways of this process; what looked at them before may go on, and a person looks."""
    known = {each for node in ast.walk(file.tree_before) for each in _watched(node)}
    kinds: tuple[type[ast.expr], ...] = (ast.Attribute, ast.Constant)
    for node in fresh(file.tree_before, file.tree_after, kinds):
        for name in sorted(_watched(node)):
            grade = Grade.REVIEW if known else Grade.BLOCKED
            message = f"{file.path}:{node.lineno} looks at {name}; code must not know who asks it"
            yield Objection(NAME, file.path, message, grade, node.lineno)


def _watched(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Attribute):
        return {node.attr} & _FRAMES
    text = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(text, str) or len(text) > _LONGEST_NAME:
        return set()
    return set(re.split(r"\W+", text)) & _FRAMES | {match[0] for match in _PROCESS.finditer(text)}


def _names_of(target: TestId) -> Iterator[str]:
    """How code could name a test: its file, its module, its function."""
    if target.file:
        yield posixpath.basename(target.file)
        yield posixpath.splitext(target.file)[0].replace("/", ".")
    function = target.name.partition("[")[0]
    if function.startswith("test_"):
        yield function


def _named(file: EditedFile, names: set[str]) -> Iterator[Objection]:
    documentation = {id(node.value) for node in ast.walk(file.tree_after) if isinstance(node, ast.Expr)}
    for node in fresh(file.tree_before, file.tree_after, ast.Constant):
        text = node.value
        if isinstance(text, str) and id(node) not in documentation and any(name in text for name in names):
            message = f"{file.path}:{node.lineno} names the failing test; code must not know by what it is tested"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, node.lineno)


def _reason(node: ast.AST) -> str | None:
    words = {dotted(child) for child in ast.walk(node) if isinstance(child, (ast.Attribute, ast.Name))}
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        if name in _STACK or name.rpartition(".")[2] in _STACK - {"stack"}:
            return f"looks at its caller by {name}()"
        if name in ("isinstance", "issubclass") and any(word.rpartition(".")[2] in _MOCKS for word in words):
            return "asks whether something is a mock"
    if any(word.endswith(_LOOKS) for word in words):
        for child in ast.walk(node):
            if isinstance(child, ast.Constant) and isinstance(child.value, str) and _RUNNER.search(child.value):
                return f"asks for {child.value[:60]!r}"
    return None
