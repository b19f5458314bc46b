"""The check run on the failing commit: what came of it, with remarks on the suspicious lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from bot.ports import Annotation, Check, JsonValue
from bot.propose.types import StopReason
from bot.publish.fields import count, number, records, text
from bot.publish.untrusted import bounded, log, one_line
from bot.publish.words import outcome_words, reason_words
from bot.result import RunOutcome
from bot.trigger.types import Claim
from bot.workspace import paths

NAME = "grokfix"
MOST_ANNOTATIONS = 50
"""As many as the code host takes in one request."""

_PER_REPAIR = 5
_SUMMARY = 60_000
_CONCLUSIONS = {RunOutcome.REPAIRED: "success", RunOutcome.NO_FAILURES: "success"}


def begun(claim: Claim) -> Check:
    """While it is worked on."""
    return Check(NAME, claim.trigger.sha, "Looking into the failure", f"Running: {claim.run_url}", claim.run_url)


def ended(
    claim: Claim,
    outcome: RunOutcome,
    reason: StopReason | None,
    summary: str,
    annotations: Sequence[Annotation] = (),
) -> Check:
    """As it shall stand. It never fails: the tests' own checks are red already, and what is not repaired is no fault.

    summary: Markdown, already harmless.
    """
    because = f": {reason_words(reason)}" if reason is not None else ""
    stopped = outcome is RunOutcome.STOPPED and reason is StopReason.INTERRUPTED
    return Check(
        name=NAME,
        head_sha=claim.trigger.sha,
        title=f"{outcome_words(outcome)}{because}",
        summary=bounded(summary, _SUMMARY, whole="the job summary"),
        details_url=claim.run_url,
        conclusion="cancelled" if stopped else _CONCLUSIONS.get(outcome, "neutral"),
        annotations=tuple(annotations[:MOST_ANNOTATIONS]),
    )


def locations(explanation: Mapping[str, JsonValue] | None, trace: bytes) -> tuple[Mapping[str, JsonValue], ...]:
    """Data of a trace's `locations` events, or the causes of a diagnosis; the trace was read and found whole before."""
    if explanation is not None:
        return tuple(records(explanation, "causes"))
    lines = (line for line in trace.split(b"\n") if b'"kind": "locations"' in line)
    return tuple(each for line in lines if isinstance(each := json.loads(line), Mapping))


def suspicions(locations: Sequence[Mapping[str, JsonValue]]) -> tuple[Annotation, ...]:
    """Remarks from the data of `locations` events (or of a diagnosis's causes): the first few lines of each failure."""
    found: dict[tuple[str, int], Annotation] = {}
    for event in locations:
        for rank, each in enumerate(records(event, "locations")[:_PER_REPAIR], 1):
            for remark in _remark(each, rank):
                found.setdefault((remark.path, remark.start_line), remark)
    return tuple(found.values())[:MOST_ANNOTATIONS]


def _remark(location: Mapping[str, JsonValue], rank: int) -> Iterator[Annotation]:
    path, line = text(location, "path"), count(location, "line")
    if line is None or not 0 < line < 1 << 31 or paths.problem(path) is not None:
        return
    symbol = text(location, "symbol")
    share = number(location, "suspiciousness") or 0.0
    yield Annotation(
        path=path,
        start_line=line,
        end_line=line,
        level="warning" if rank == 1 else "notice",
        title=log(one_line(f"Suspicious line, number {rank}{f': {symbol}' if symbol else ''}", 200)),
        message=log(one_line(f"{share:.0%}: {text(location, 'reason')}", 1_000)),
    )
