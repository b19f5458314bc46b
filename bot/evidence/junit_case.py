"""One JUnit case element → TestCase, with junitparser's element classes for what a result says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from xml.etree import ElementTree

from junitparser import xunit2
from junitparser.junitparser import Result

from bot.evidence.text import head_tail, without_terminal_codes
from bot.evidence.types import Outcome, Phase, TestCase, TestId

RESULTS = frozenset({"failure", "error", "skipped"})
INTERIM = frozenset({"rerunFailure", "rerunError", "flakyFailure", "flakyError"})


def _setter(kind: type, slot: str) -> Callable[[object, object], None]:
    setter: Callable[[object, object], None] = getattr(kind, slot).__set__
    return setter


MESSAGE_LIMIT = 16_000
"""Characters of a message that are kept."""
TRACEBACK_LIMIT = 200_000
"""Characters of a traceback that are kept, head and tail."""
QUARANTINE, QUARANTINE_TRACEBACK = "grokfix_quarantine", "grokfix_quarantine_traceback"
"""Properties of a case whose failure our quarantine made an expected one: "failed", and how."""

# Attributes by which runners say an outcome without a result child (googletest, ctest, NUnit), in lower case.
_STATUS = {
    "notrun": Outcome.SKIPPED,
    "disabled": Outcome.SKIPPED,
    "skipped": Outcome.SKIPPED,
    "suppressed": Outcome.SKIPPED,
    "ignored": Outcome.SKIPPED,
    "pending": Outcome.SKIPPED,
    "fail": Outcome.FAILED,
    "failed": Outcome.FAILED,
    "failure": Outcome.FAILED,
    "error": Outcome.ERROR,
    "errored": Outcome.ERROR,
    "broken": Outcome.ERROR,
}
# A frozen dataclass's own constructor costs twice what its slots do: over a large report's passing cases that is an
# eighth of the whole reading. A test holds the short cut equal to the constructors.
_PASSED, _CALL, _new = Outcome.PASSED, Phase.CALL, object.__new__
_set_file, _set_classname, _set_name = (_setter(TestId, name) for name in ("file", "classname", "name"))
_set_id, _set_outcome, _set_seconds, _set_message, _set_traceback, _set_phase, _set_quarantined = (
    _setter(TestCase, name) for name in ("id", "outcome", "seconds", "message", "traceback", "phase", "quarantined")
)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_DURATION = re.compile(r"([\d.,]+(?:e[+-]?\d{1,3})?)\s*(ms|s|sec|secs|seconds?)?", re.IGNORECASE)


def test_id(attributes: Mapping[str, str], file: str, suite: str) -> TestId:
    """Identity from a case's attributes; `file` and `suite` are the enclosing suite's, for cases that tell neither."""
    own = attributes.get("file") or file
    classname = attributes.get("classname")
    if classname is None:
        classname = attributes.get("class", suite)
    return TestId(posix(own) if own else "", classname, attributes.get("name", ""))


class Strings(dict[str, str]):
    """One string object for all equal ones; bounded, for a report may hold anything. `normal` is applied to each."""

    def __init__(self, normal: Callable[[str], str]) -> None:
        super().__init__()
        self._normal = normal

    def __missing__(self, written: str) -> str:
        if len(self) >= 4096:
            self.clear()
        self[written] = known = self._normal(written)
        return known


def plain_case(attributes: Mapping[str, str], file: str, suite: str, files: Strings, classnames: Strings) -> TestCase:
    """A case without result children, from its attributes; this is where a large report's time is spent."""
    get = attributes.get
    classname = get("classname")
    if classname is None:
        classname = get("class", suite)
    if "status" in attributes or "result" in attributes or "success" in attributes:
        outcome = attribute_outcome(attributes)
    else:
        outcome = _PASSED
    time = get("time") or get("duration")
    id = _new(TestId)
    _set_file(id, files[get("file") or file])
    _set_classname(id, classnames[classname])
    _set_name(id, get("name", ""))
    case = _new(TestCase)
    _set_id(case, id)
    _set_outcome(case, outcome)
    _set_seconds(case, seconds(time) if time else 0.0)
    _set_message(case, "")
    _set_traceback(case, "")
    _set_phase(case, _CALL)
    _set_quarantined(case, False)
    return case


def posix(path: str) -> str:
    """A report's path with forward slashes and no leading "./"."""
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path


def attribute_outcome(attributes: Mapping[str, str]) -> Outcome:
    """Outcome of a case without a result child: passed, unless an attribute says otherwise."""
    for name in ("status", "result"):
        outcome = _STATUS.get(attributes.get(name, "").lower())
        if outcome is not None:
            return outcome
    if attributes.get("success", "").lower() == "false":
        return Outcome.FAILED
    return Outcome.PASSED


def seconds(value: str | None) -> float:
    """Duration as runners write it ("0.25", "1.5s", "12 ms", "1,234.5", "0,25"); 0.0 where it is none."""
    if not value:
        return 0.0
    try:
        number = float(value)
    except ValueError:
        match = _DURATION.fullmatch(value.strip()[:40])
        if match is None:
            return 0.0
        digits = match.group(1)
        if _THOUSANDS.fullmatch(digits) and not digits.startswith("0"):
            digits = digits.replace(",", "")
        try:
            number = float(digits.replace(",", "."))
        except ValueError:
            return 0.0
        if (match.group(2) or "").lower() == "ms":
            number /= 1000
    return number if 0.0 <= number < 1e9 else 0.0


def read_case(element: ElementTree.Element, file: str, suite: str) -> TestCase:
    """A case with result children (each flat: attributes and text only), read through junitparser.

    A final failure outweighs every retry. Attempts that failed before a pass make it FLAKY; attempts that failed
    without any final result make it FAILED, for nothing says that it ever passed.
    """
    case: xunit2.TestCase = xunit2.TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    attributes: Mapping[str, str] = element.attrib
    id = test_id(attributes, file, suite)
    time = seconds(attributes.get("time", attributes.get("duration")))
    final = case.result
    results = final or case.interim_result
    if final:
        outcome = _final_outcome(case)
    elif case.is_flaky:
        outcome = Outcome.FLAKY
    else:
        outcome = Outcome.FAILED
    message = _message(results[0])
    texts = [text for text in (_text(result) for result in results) if text]
    traceback = head_tail("\n\n".join(texts), TRACEBACK_LIMIT)
    phase = Phase.CALL
    if outcome is Outcome.ERROR:
        if message == "collection failure" and not id.classname:
            phase = Phase.COLLECTION
            id = _module_id(id)
            message = collection_message(traceback)
        elif message.startswith("failed on setup with"):
            phase = Phase.SETUP
        elif message.startswith("failed on teardown with"):
            phase = Phase.TEARDOWN
        if phase in (Phase.SETUP, Phase.TEARDOWN):
            message = message.partition(' with "')[2].removesuffix('"') or message
    return TestCase(id, outcome, time, message, traceback, phase)


def in_quarantine(case: TestCase, properties: Mapping[str, str]) -> TestCase:
    """The case with what our quarantine left in its properties. They can make of a skip a failure that was hidden, and
    nothing else: whoever writes them into a report can hide no failure."""
    if case.outcome is not Outcome.SKIPPED or properties.get(QUARANTINE) != "failed":
        return case
    traceback = without_terminal_codes(properties.get(QUARANTINE_TRACEBACK, ""))
    return replace(case, traceback=head_tail(traceback, TRACEBACK_LIMIT), quarantined=True)


def _final_outcome(case: xunit2.TestCase) -> Outcome:
    if case.is_failure:
        return Outcome.FAILED
    if case.is_error:
        return Outcome.ERROR
    return Outcome.FLAKY if case.is_flaky else Outcome.SKIPPED


def _message(result: Result) -> str:
    text = without_terminal_codes(result.message or "").strip()
    if not text:
        lines = without_terminal_codes((result.text or "")[:4000]).strip().splitlines()
        text = lines[0].strip() if lines else ""
    if not text:
        text = result.type or ""
    return head_tail(text, MESSAGE_LIMIT)


def _text(result: Result) -> str:
    return without_terminal_codes(result.text or "").strip("\n")


def _module_id(id: TestId) -> TestId:
    """pytest names an uncollectable module by its dotted path alone; its node id is its file."""
    return TestId(id.file, id.name, "")


def collection_message(traceback: str) -> str:
    """The exception's line of an uncollectable module, "collection failure" where there is none."""
    lines = [line[1:].strip() for line in traceback.splitlines() if line.startswith("E   ")]
    wanted = [
        line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Warning|Exit|Failed|Skipped)\b", line)
    ]
    return head_tail((wanted or lines or ["collection failure"])[0], MESSAGE_LIMIT)
