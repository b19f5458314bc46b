"""unittest's console output → cases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.evidence.junit_case import MESSAGE_LIMIT, TRACEBACK_LIMIT
from bot.evidence.text import head_tail
from bot.evidence.traceback import read_traceback
from bot.evidence.types import Outcome, Phase, TestCase, TestId

_HEADER = re.compile(r"(FAIL|ERROR): (\S+) \(([\w.]+)\)(?: .*)?")
_NAME = re.compile(r"(\w+) \(([\w.]+)\)")
_RESULT = re.compile(
    r"(?:(\w+) \(([\w.]+)\)|.*?) \.\.\. (ok|FAIL|ERROR|skipped .*|expected failure|unexpected success)"
)
_DOUBLE = "=" * 70
_SINGLE = "-" * 70
_UNLOADED = "unittest.loader._FailedTest"
_OUTCOMES = {"ok": Outcome.PASSED, "unexpected success": Outcome.FAILED, "expected failure": Outcome.SKIPPED}


def read_unittest(lines: list[str]) -> Iterator[TestCase]:
    """Cases of verbose lines that did not fail, then those of the failure blocks; ids have no file."""
    previous = ""
    for line in lines:
        match = _RESULT.fullmatch(line)
        named = match if match is not None and match[1] else _NAME.fullmatch(previous)
        if match is not None and named is not None and match[3] not in ("FAIL", "ERROR"):
            outcome = _OUTCOMES.get(match[3], Outcome.SKIPPED)
            yield TestCase(
                _id(named[1], named[2]), outcome, message="" if match[3] == "ok" else match[3][:MESSAGE_LIMIT]
            )
        previous = line
    index = 0
    while index < len(lines) - 1:
        if lines[index] != _DOUBLE:
            index += 1
            continue
        header = _HEADER.fullmatch(lines[index + 1])
        end = index + 2
        while end < len(lines) and lines[end] != _DOUBLE and not _closes(lines, end):
            end += 1
        if header is not None:
            yield _failure(header, lines[index + 2 : end])
        index = end


def _closes(lines: list[str], index: int) -> bool:
    return lines[index] == _SINGLE and index + 1 < len(lines) and lines[index + 1].startswith("Ran ")


def _failure(header: re.Match[str], body: list[str]) -> TestCase:
    start = body.index(_SINGLE) + 1 if _SINGLE in body else 0
    text = "\n".join(body[start:]).strip("\n")
    chain = read_traceback(text)
    last = chain.raised[-1] if chain.raised else None
    said = "\n".join(last.message).strip("\n") if last else ""
    message = (f"{last.exception}: {said}" if said else last.exception) if last and last.exception else said
    functions = {frame.function for frame in last.frames} if last else set()
    kind, name, scope = header[1], header[2], header[3]
    if scope == _UNLOADED or scope.startswith(_UNLOADED + "."):
        id, phase = TestId("", name, ""), Phase.COLLECTION
    else:
        id, phase = _id(name, scope), _phase(name, functions)
    outcome = Outcome.FAILED if kind == "FAIL" or phase is Phase.CALL else Outcome.ERROR
    return TestCase(id, outcome, 0.0, head_tail(message, MESSAGE_LIMIT), head_tail(text, TRACEBACK_LIMIT), phase)


def _phase(name: str, functions: set[str]) -> Phase:
    """unittest says ERROR for any exception that is no failed assertion; where it was raised tells the phase."""
    if name in ("setUpClass", "setUpModule") or "setUp" in functions:
        return Phase.SETUP
    if name in ("tearDownClass", "tearDownModule") or "tearDown" in functions:
        return Phase.TEARDOWN
    return Phase.CALL


def _id(name: str, scope: str) -> TestId:
    """Since Python 3.11 the scope repeats the name."""
    return TestId("", scope.removesuffix(f".{name}"), name)
