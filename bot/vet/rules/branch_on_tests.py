"""Code behaves the same whether or not a test looks on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.syntax import dotted, fresh
from bot.vet.types import Grade, Objection

NAME = "branch_on_tests"

_RUNNER = re.compile(
    r"_?pytest\b|py\.test|unittest|nose2?$|PYTEST_|_PYTEST|^(?:CI|TESTING|TEST_MODE|GITHUB_ACTIONS|TOX_ENV_NAME|"
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
_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock"})


def check(subject: Subject) -> Iterator[Objection]:
    """New expressions in source that ask for the runner, the CI, the caller or a mock."""
    for file in subject.source():
        before, after = file.tree_before, file.tree_after
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


def _reason(node: ast.AST) -> str | None:
    words = {dotted(child) for child in ast.walk(node) if isinstance(child, (ast.Attribute, ast.Name))}
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        if name in _STACK or name.rpartition(".")[2] in (
            "_getframe",
            "currentframe",
            "getouterframes",
            "extract_stack",
        ):
            return f"looks at its caller by {name}()"
        if name in ("isinstance", "issubclass") and any(word.rpartition(".")[2] in _MOCKS for word in words):
            return "asks whether something is a mock"
    if any(word.endswith(_LOOKS) for word in words):
        for child in ast.walk(node):
            if isinstance(child, ast.Constant) and isinstance(child.value, str) and _RUNNER.search(child.value):
                return f"asks for {child.value[:60]!r}"
    return None
