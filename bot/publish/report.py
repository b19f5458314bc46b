"""`grokfix report`: a test report as text for a person and as JSON for a program. Pure; nothing is echoed raw."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bot.evidence.failures import cluster, looks_own, read_failure
from bot.evidence.types import Failure, Outcome, TestReport
from bot.ports import JsonValue
from bot.publish.untrusted import log, one_line

MESSAGE_LIMIT = 500
"""Characters of a failure's message in JSON; text shows one line of the terminal's width."""
ID_LIMIT = 2000
"""Characters of a test's id and its parts."""
LISTED = 200
"""Failures that the text lists; JSON has them all."""

_TOTALS = (
    ("passed", Outcome.PASSED),
    ("failed", Outcome.FAILED),
    ("errors", Outcome.ERROR),
    ("skipped", Outcome.SKIPPED),
    ("flaky", Outcome.FLAKY),
)


def render_text(report: TestReport, width: int) -> str:
    """Totals, the failing tests grouped by cause with message and place, and what is wrong with the files.

    width: columns of the terminal; lines of messages are cut to it, test ids never.
    """
    return "\n".join(_text(report, max(40, width))) + "\n"


def render_json(report: TestReport) -> str:
    """One JSON document: `totals` (tests, passed, failed, errors, skipped, flaky), `failures`, `problems`.

    A failure: id, file, classname, name, outcome, phase, exception, message, place ("path:line" of the innermost
    frame that can be the project's, null where none is told) and fingerprint.
    """
    document: dict[str, JsonValue] = {
        "totals": _totals(report),
        "failures": [_failure(failure) for failure in _failures(report)],
        "problems": [
            {"source": _shown(problem.source), "message": _shown(problem.message, MESSAGE_LIMIT)}
            for problem in report.problems
        ],
    }
    # Escaped to ASCII: what hides or reorders text cannot do so in JSON, and the line may end in a job's log.
    return json.dumps(document, indent=2) + "\n"


def place(failure: Failure) -> str | None:
    """ "path:line" of the innermost frame in the project, None where there is none."""
    for frame in reversed(failure.frames):
        if frame.in_project:
            return f"{_shown(frame.path)}:{frame.line}"
    return None


def _failures(report: TestReport) -> tuple[Failure, ...]:
    return tuple(read_failure(case, looks_own) for case in report.failures())


def _totals(report: TestReport) -> dict[str, JsonValue]:
    return {"tests": len(report), **{name: report.count(outcome) for name, outcome in _TOTALS}}


def _failure(failure: Failure) -> dict[str, JsonValue]:
    case = failure.case
    return {
        "id": _shown(case.id.node_id, ID_LIMIT),
        "file": _shown(case.id.file, ID_LIMIT),
        "classname": _shown(case.id.classname, ID_LIMIT),
        "name": _shown(case.id.name, ID_LIMIT),
        "outcome": case.outcome.value,
        "phase": case.phase.value,
        "exception": _shown(failure.exception),
        "message": _shown(failure.message, MESSAGE_LIMIT),
        "place": place(failure),
        "fingerprint": failure.fingerprint,
    }


def _text(report: TestReport, width: int) -> Iterator[str]:
    totals = [_outcomes(count, name) for name, outcome in _TOTALS if (count := report.count(outcome))]
    yield f"{_number(len(report), 'test')}: {', '.join(totals)}" if totals else "no tests"
    listed = 0
    groups = cluster(_failures(report))
    for group in groups:
        if listed >= LISTED:
            break
        yield ""
        first = group.failures[0]
        head = ": ".join(filter(None, (first.exception, first.message))) or first.case.outcome.value
        yield _shown(head, width)
        where = place(first)
        if where is not None:
            yield f"  at {where}"
        for failure in group.failures[: LISTED - listed]:
            listed += 1
            phase = f" ({failure.case.phase.value})" if failure.case.outcome is Outcome.ERROR else ""
            yield f"  {_shown(failure.case.id.node_id, ID_LIMIT)}{phase}"
    failing = sum(len(group.failures) for group in groups)
    if failing > listed:
        yield f"\n… and {failing - listed:,} more failing tests; --format json lists them all"
    if report.problems:
        yield "\nproblems with the reports:"
        for problem in report.problems:
            yield f"  {_shown(problem.source)}: {_shown(problem.message, MESSAGE_LIMIT)}"


def _shown(text: str, limit: int = 300) -> str:
    """One line that neither a terminal nor a job's log acts on."""
    return log(one_line(text, limit))


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _outcomes(count: int, name: str) -> str:
    return _number(1, "error") if name == "errors" and count == 1 else f"{count:,} {name}"
