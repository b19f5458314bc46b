"""No test is switched off, retried, slowed or given more time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh
from bot.vet.types import Grade, Objection

NAME = "test_skips"

_SWITCHES = frozenset(
    {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "SkipTest", "xfail", "expectedFailure", "importorskip"}
    | {"flaky", "rerun", "reruns", "retry", "repeat", "expect_failure"}
)
_WAITS = frozenset({"sleep", "timeout", "settimeout", "setTimeout", "wait_for_timeout"})
_FLAGS = frozenset({"__test__", "pytestmark", "collect_ignore", "collect_ignore_glob"})
_OTHERS = re.compile(
    r"""\.(?:skip|only|todo|fixme|failing|fails|skipIf|runIf)\b\s*[.(]|\b(?:xit|xtest|xdescribe|fit|fdescribe)\s*\("""
    r"""|@(?:Disabled|Ignore|Retry|RepeatedTest|Timeout|DisabledOn\w+)\b|\bt\.Skip(?:f|Now)?\(|#\[ignore\b"""
    r"""|\b(?:retryTimes|setTimeout|jest\.retryTimes|this\.retries|this\.timeout|this\.skip|pending)\s*\("""
)


def check(subject: Subject) -> Iterator[Objection]:
    """In every test file; a new file may set a time limit, and a wait in it is for a person to see."""
    for file in subject.files():
        if not file.is_test or file.after is None:
            continue
        if file.is_python:
            yield from _python(file)
            continue
        for number, line in file.added:
            match = _OTHERS.search(line)
            if match is not None:
                message = f"{file.path}:{number} adds {match[0].strip(' (.')!r}, which switches a test off or delays it"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, number)


def _python(file: EditedFile) -> Iterator[Objection]:
    names: tuple[type[ast.expr], ...] = (ast.Attribute, ast.Name)
    for node in fresh(file.tree_before, file.tree_after, names):
        word = dotted(node)
        last = word.rpartition(".")[2]
        line = node.lineno
        if last in _SWITCHES and _is_switch(word):
            yield Objection(
                NAME, file.path, f"{file.path}:{line} adds {word}: a test is switched off", Grade.BLOCKED, line
            )
        elif last in _FLAGS and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            grade = Grade.BLOCKED if file.existed or last != "pytestmark" else Grade.REVIEW
            yield Objection(NAME, file.path, f"{file.path}:{line} sets {last}, which steers collection", grade, line)
    for call in fresh(file.tree_before, file.tree_after, ast.Call):
        word = dotted(call.func)
        if word.rpartition(".")[2] not in _WAITS or _is_zero(call) or word.startswith(("monkeypatch.", "mocker.")):
            continue
        if not file.existed and "timeout" in word.lower():
            continue
        grade = Grade.BLOCKED if file.existed else Grade.REVIEW
        message = f"{file.path}:{call.lineno} adds {word}(): a test is delayed or given more time"
        yield Objection(NAME, file.path, message, grade, call.lineno)


def _is_switch(word: str) -> bool:
    """`pytest.mark.skip`, `unittest.skip`, `self.skipTest`, bare `skipif`; not `reader.skip` or `client.retry`."""
    head, _, last = word.rpartition(".")
    if last in ("skip", "flaky", "rerun", "reruns", "retry", "repeat"):
        return head in ("", "pytest", "pytest.mark", "mark", "unittest", "unittest.case", "self") and (
            head != "" or last in ("skip", "flaky")
        )
    return True


def _is_zero(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
