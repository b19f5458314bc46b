"""What `grokfix explain` prints: candidates for the cause, the code with its suspicious lines marked, what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bot.diagnose.types import Evidence, Excerpt, Location
from bot.evidence.types import Failure, TestId
from bot.publish.untrusted import log, one_line

_MOST_LOCATIONS = 10
_MOST_LISTED = 10
_MOST_EXCERPTS = 6
_MOST_CODE_LINES = 60
_MOST_DIFF_LINES = 80
_MARK = ">"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A diagnosis, ready to be shown.

    tests: number of tests of the base run. causes: one evidence per cluster. runs: how often each failing test was run.
    flaky: test, failures, runs. absent: a wanted test, and what was seen instead of its failure. problem: why the suite
    could not be run at all, "" where it could; `output` is then its tail. sandbox: where it ran, in a line.
    """

    tests: int
    causes: tuple[Evidence, ...]
    flaky: tuple[tuple[TestId, int, int], ...] = ()
    absent: tuple[tuple[TestId, str], ...] = ()
    problem: str = ""
    output: str = ""
    sandbox: str = ""
    runs: int = 1


def render_text(explanation: Explanation, width: int = 100) -> str:
    """For a person at a terminal or in a job's log; `width` is in characters. Nothing in it can act as a command."""
    lines = [line for part in _parts(explanation, width) for line in part]
    return "\n".join(log(line) for line in lines).rstrip() + "\n"


def _parts(explanation: Explanation, width: int) -> Iterator[list[str]]:
    if explanation.problem:
        yield [f"The tests could not be run: {one_line(explanation.problem, 300)}", ""]
        tail = explanation.output.rstrip().splitlines()[-30:]
        yield [f"  {line[: width * 2]}" for line in tail]
        return
    yield [_headline(explanation)]
    if explanation.sandbox:
        yield [f"Ran in {one_line(explanation.sandbox, 200)}"]
    count = len(explanation.causes)
    for number, evidence in enumerate(explanation.causes, 1):
        yield ["", *_cause(evidence, f"Cause {number} of {count}" if count > 1 else "Cause", width)]
    if explanation.flaky:
        yield ["", "Fails only sometimes, so it is not looked into:"]
        yield [f"  {_name(test)}  failed in {failed} of {runs} runs" for test, failed, runs in explanation.flaky]
    if explanation.absent:
        yield ["", "Not reproduced:"]
        yield [f"  {_name(test)}  {one_line(seen, 200)}" for test, seen in explanation.absent]


def _headline(explanation: Explanation) -> str:
    failing = sum(len(evidence.cluster.failures) for evidence in explanation.causes)
    tests = _count(explanation.tests, "test")
    if not failing:
        return f"{tests}, and no failure that repeats."
    return f"{tests}, {failing} failing, {_count(len(explanation.causes), 'cause')}."


def _cause(evidence: Evidence, title: str, width: int) -> Iterator[str]:
    first = evidence.cluster.failures[0]
    yield from _title(f"{title}: {_failure(first, width)}", width)
    names = [_name(failure.case.id) for failure in evidence.cluster.failures]
    yield "Failing:"
    yield from (f"  {name}" for name in names[:_MOST_LISTED])
    if len(names) > _MOST_LISTED:
        yield f"  … and {len(names) - _MOST_LISTED} more"
    yield ""
    if evidence.locations:
        yield "Most suspicious:"
        for rank, location in enumerate(evidence.locations[:_MOST_LOCATIONS], 1):
            yield from _location(rank, location, width)
    else:
        yield "No line of the project can be named: nothing of it is on the traceback, and no coverage was collected."
    for excerpt in evidence.excerpts[:_MOST_EXCERPTS]:
        yield ""
        yield from _code(excerpt, width)
    if evidence.changed or evidence.recent_diff:
        yield ""
        yield from _changes(evidence, width)


def _failure(failure: Failure, width: int) -> str:
    message = failure.message or failure.case.message
    text = f"{failure.exception}: {message}" if failure.exception and message else failure.exception or message
    return one_line(text or "failed without a message", max(40, width * 2))


def _title(text: str, width: int) -> Iterator[str]:
    yield text
    yield "─" * min(len(text), width)


def _location(rank: int, location: Location, width: int) -> Iterator[str]:
    place = f"{one_line(location.path, 120)}:{location.line}"
    symbol = f" in {one_line(location.symbol, 80)}" if location.symbol else ""
    yield f"  {rank:>2}. {location.suspiciousness:4.0%}  {place}{symbol}"
    yield f"            {one_line(location.reason, max(40, width))}"


def _code(excerpt: Excerpt, width: int) -> Iterator[str]:
    symbol = f" {one_line(excerpt.symbol, 80)}" if excerpt.symbol else ""
    yield f"{one_line(excerpt.path, 120)}{symbol}"
    lines = excerpt.text.split("\n")
    numbered = list(enumerate(lines, excerpt.first))
    shown = _window(numbered, excerpt.suspicious)
    digits = len(str(excerpt.first + len(lines)))
    for number, line in shown:
        mark = _MARK if number in excerpt.suspicious else " "
        yield f"{mark} {number:>{digits}} │ {line[: width * 2]}"
    if len(shown) < len(numbered):
        yield f"  {'':>{digits}} │ … {len(numbered) - len(shown)} lines left out"


def _window(numbered: list[tuple[int, str]], suspicious: tuple[int, ...]) -> list[tuple[int, str]]:
    """All lines, or of a long function those around its first suspicious one."""
    if len(numbered) <= _MOST_CODE_LINES:
        return numbered
    middle = (min(suspicious) if suspicious else numbered[0][0]) - numbered[0][0]
    start = max(0, min(middle - _MOST_CODE_LINES // 3, len(numbered) - _MOST_CODE_LINES))
    return numbered[start : start + _MOST_CODE_LINES]


def _changes(evidence: Evidence, width: int) -> Iterator[str]:
    yield "Changed since the last good revision:"
    spans = [
        f"{one_line(each.path, 120)}:{each.first}" + (f"-{each.last}" if each.last > each.first else "")
        for each in evidence.changed
    ]
    yield from (f"  {span}" for span in spans[:_MOST_LISTED])
    if len(spans) > _MOST_LISTED:
        yield f"  … and {len(spans) - _MOST_LISTED} more places"
    diff = evidence.recent_diff.rstrip("\n").split("\n") if evidence.recent_diff else []
    yield from (f"    {line[: width * 2]}" for line in diff[:_MOST_DIFF_LINES])
    if len(diff) > _MOST_DIFF_LINES:
        yield f"    … {len(diff) - _MOST_DIFF_LINES} more lines of the diff"


def _name(test: TestId) -> str:
    return one_line(test.node_id, 200)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def render_json(explanation: Explanation) -> str:
    """The same for programs: `tests, runs, problem, sandbox, causes, flaky, not_reproduced`.

    ASCII only, text as it was.
    """
    told = {
        "tests": explanation.tests,
        "runs": explanation.runs,
        "problem": explanation.problem or None,
        "sandbox": explanation.sandbox,
        "causes": [
            {
                "fingerprint": evidence.cluster.fingerprint,
                "exception": evidence.cluster.failures[0].exception,
                "message": evidence.cluster.failures[0].message,
                "tests": [failure.case.id.node_id for failure in evidence.cluster.failures],
                "locations": [
                    {
                        "path": location.path,
                        "line": location.line,
                        "symbol": location.symbol,
                        "suspiciousness": location.suspiciousness,
                        "reason": location.reason,
                    }
                    for location in evidence.locations
                ],
                "excerpts": [
                    {
                        "path": excerpt.path,
                        "first": excerpt.first,
                        "symbol": excerpt.symbol,
                        "suspicious": list(excerpt.suspicious),
                        "text": excerpt.text,
                    }
                    for excerpt in evidence.excerpts
                ],
                "changed": [{"path": each.path, "first": each.first, "last": each.last} for each in evidence.changed],
            }
            for evidence in explanation.causes
        ],
        "flaky": [
            {"test": test.node_id, "failures": failures, "runs": runs} for test, failures, runs in explanation.flaky
        ],
        "not_reproduced": [{"test": test.node_id, "seen": seen} for test, seen in explanation.absent],
    }
    return json.dumps(told, indent=2) + "\n"
