"""The dashboard: one issue that lists flaky and broken tests with their cause and owner, and boxes that act.

Pure and deterministic: the same history gives the same text, so that an edit by others can be told and undone. Names
of tests, owners and reasons are untrusted and neutralised; a box's line holds words of ours only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bot.evidence.types import TestId
from bot.flaky.types import State, StateChange
from bot.flaky.verdict import Kind, Triage, Verdict
from bot.publish.flaky_owners import Owners
from bot.publish.flaky_repairs import AskedRepair, repair_line
from bot.publish.flaky_text import headline
from bot.publish.flaky_words import KINDS, day, interval, minutes, to_do, why
from bot.publish.untrusted import cell, code, code_cell, markdown, one_line
from bot.trigger.dashboard import MARK
from bot.trigger.dashboard_boxes import ALL, LONGEST_BODY, Verb, box, key_of

Week = tuple[str, int, int]
"""Monday's ISO date, runs, failures."""

WEEKS = 12
DETAILED = 25
"""Tests that have boxes and their reason; the table has more."""
_ROOM = LONGEST_BODY - 1_500  # for what follows the table, and for a host that counts otherwise
_BLOCKS = "▁▂▃▄▅▆▇█"
_LISTED = (Kind.FLAKY, Kind.BROKEN, Kind.ENVIRONMENT, Kind.SUSPECT, Kind.UNKNOWN, Kind.INFRASTRUCTURE)


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of ours, "" = there is none. run: where triage ran. report: where flaky.html and triage.json are."""

    run: str = ""
    report: str = ""


def render(
    triage: Triage,
    states: Mapping[TestId, StateChange],
    weeks: Mapping[TestId, Sequence[Week]],
    owners: Owners,
    *,
    links: Links = Links(),
    repairs: Mapping[str, AskedRepair] = MappingProxyType({}),
) -> str:
    """The issue's body, at most 65,536 characters; what is left out is said.

    weeks: oldest first. repairs: by node id, those that somebody asked for. Tests that are quarantined, or whose
    quarantine is over, and that tonight says nothing of stay listed by their state.
    """
    verdicts = sorted(triage.verdicts, key=_rank)
    known = {verdict.test for verdict in verdicts}
    others = sorted(
        (change for test, change in states.items() if test not in known and change.state in _KEPT),
        key=lambda change: change.test,
    )
    head = list(_head(triage, links))
    head += [box(Verb.TRIAGE, ALL, "look at all suspects again now"), ""]
    foot = list(_foot(triage))
    room = _ROOM - sum(len(line) + 1 for line in (*head, *foot))
    details: list[str] = []
    rows: list[str] = []
    listed = 0
    for verdict in verdicts:
        state = states.get(verdict.test)
        row = _row(verdict, state, weeks.get(verdict.test, ()), owners)
        asked = repairs.get(verdict.test.node_id)
        detail = "\n".join(_detail(verdict, state, asked)) if listed < DETAILED else ""
        if len(row) + len(detail) + 2 > room:
            break
        room -= len(row) + len(detail) + 2
        rows.append(row)
        details += [detail] if detail else []
        listed += 1
    kept: list[str] = []
    for change in others:
        line = _state_line(change)
        if len(line) + 1 > room:
            break
        room -= len(line) + 1
        kept.append(line)
    left = len(verdicts) - listed + len(others) - len(kept)
    parts = [*head]
    if rows:
        parts += [*_TABLE, *rows, ""]
    else:
        parts += ["No test is flaky, broken or suspected.", ""]
    parts += details
    if kept:
        parts += ["### In quarantine before, silent now", "", *kept, ""]
    if left:
        parts += [f"{left} more tests do not fit here; `triage.json` and `flaky.html` have them all.", ""]
    return "\n".join([*parts, *foot]).rstrip() + "\n"


_TABLE = (
    "| | test | is | failed | rate, 95 % | last weeks | lost | cause | owner | state |",
    "| ---: | --- | --- | ---: | ---: | --- | ---: | --- | --- | --- |",
)
_KEPT = (State.QUARANTINED, State.EXPIRED)


def sparkline(weeks: Sequence[Week]) -> str:
    """The rate of the last WEEKS weeks in blocks, their height up to the highest of them; `·` a week without runs."""
    rates = [failures / runs if runs else None for _, runs, failures in weeks[-WEEKS:]]
    top = max((rate for rate in rates if rate), default=0.0)
    return "".join("·" if rate is None else _BLOCKS[round(7 * rate / top)] if top else _BLOCKS[0] for rate in rates)


def _rank(verdict: Verdict) -> tuple[int, float, str]:
    order = 0 if verdict.kind in (Kind.FLAKY, Kind.BROKEN) else 1
    return order, -(verdict.minutes_lost or 0.0), verdict.test.node_id


def _head(triage: Triage, links: Links) -> Iterator[str]:
    yield MARK
    where = code(triage.commit[:12], 12) if triage.commit else "an unknown commit"
    run = f", [the run]({links.run})" if links.run else ""
    report = f", [page and data]({links.report})" if links.report else ""
    yield f"**{headline(triage)}** on {day(triage.at)} at {where}{run}{report}"
    yield ""
    scan = triage.scan
    if scan is not None and not scan.complete:
        problems = markdown(one_line("; ".join(scan.problems), 500))
        yield f"> The history could not be read whole, so nothing rests on it: {problems}"
        yield ""
    if triage.lost:
        missing = ", ".join(map(str, triage.lost))
        yield f"> Shards that handed in nothing: {missing}. What they would have seen is not known."
        yield ""


def _foot(triage: Triage) -> Iterator[str]:
    if triage.problems:
        yield "<details><summary>What could not be done</summary>"
        yield ""
        yield from (f"- {cell(problem, 300)}" for problem in triage.problems[:10])
        if len(triage.problems) > 10:
            yield f"- and {len(triage.problems) - 10} more, in `triage.json`"
        yield ""
        yield "</details>"
        yield ""
    yield (
        "Tick a box and it is done for people with write access; whatever else is changed here is written over. "
        "The rate is Wilson's 95 % interval of ordinary runs; `lost` is what the failures are expected to cost. "
        f"{triage.stable:,} stable tests are not listed."
    )


def _row(verdict: Verdict, state: StateChange | None, weeks: Sequence[Week], owners: Owners) -> str:
    counts = verdict.counts
    cells = (
        f"[↓](#user-content-t{key_of(verdict.test)})" if verdict.kind in _LISTED else "",
        code_cell(verdict.test.node_id),
        KINDS[verdict.kind],
        f"{counts.failures} of {counts.runs}" if counts.runs else "",
        interval(verdict.interval) if counts.runs else "",
        sparkline(weeks),
        minutes(verdict.minutes_lost).removesuffix(" a week"),
        "" if verdict.cause is None else verdict.cause.value,
        _owners(owners.of(verdict.test.file)),
        _state(state),
    )
    return "| " + " | ".join(cells) + " |"


def _owners(names: Sequence[str]) -> str:
    """In code spans and with their @ parted: nobody is notified by a table."""
    return " ".join(code_cell(name.replace("@", "@\u200b"), 80) for name in names[:3]) + (" …" if names[3:] else "")


def _state(change: StateChange | None) -> str:
    if change is None:
        return ""
    until = change.until if re.fullmatch(r"\d{4}-\d{2}-\d{2}", change.until, re.ASCII) else ""
    if change.state is State.QUARANTINED:
        return f"quarantined until {until}" if until else "quarantined, without a date: it counts"
    return change.state.value


def _detail(verdict: Verdict, state: StateChange | None, asked: AskedRepair | None) -> Iterator[str]:
    key = key_of(verdict.test)
    yield f'### <a name="t{key}"></a>{code(verdict.test.node_id)}'
    yield ""
    yield cell(why(verdict), 600)
    if told := to_do(verdict):
        yield ""
        yield f"What to do: {cell(told)}."
    if asked is not None:
        yield ""
        yield repair_line(asked)
    yield ""
    yield from (box(verb, key) for verb in _offered(verdict, state))
    yield ""


def _offered(verdict: Verdict, state: StateChange | None) -> Iterator[Verb]:
    """A broken test is never offered to quarantine; a repair only where there is a proven cause to repair."""
    yield Verb.TRIAGE
    if state is not None and state.state in _KEPT:
        yield Verb.UNQUARANTINE
    if verdict.kind is Kind.FLAKY and (state is None or state.state is not State.QUARANTINED):
        yield Verb.QUARANTINE
    if verdict.kind in (Kind.FLAKY, Kind.ENVIRONMENT) and verdict.cause is not None:
        yield Verb.FIX


def _state_line(change: StateChange) -> str:
    return f"{code(change.test.node_id)}: {_state(change)}\n\n{box(Verb.UNQUARANTINE, key_of(change.test))}\n"
