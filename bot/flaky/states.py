"""A test's life: which step may follow which, and what tonight's verdicts bring.

    suspect → flaky → quarantined → fixed | expired

Allowed besides: a test may be flaky at first sight (both outcomes on its first night); suspects and flaky tests can be
fixed without ever having been quarantined (the fix goes to the polluter); a quarantine is renewed with a new date, also
after it had expired, or taken back (flaky again); what was fixed can come back as suspect or flaky.
Not allowed: quarantine without a verdict of flaky, expiry of what was not quarantined, quarantine of what is fixed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from bot.evidence.types import TestId
from bot.flaky.types import State, StateChange
from bot.flaky.verdict import Kind, Triage

TRANSITIONS: Mapping[State | None, frozenset[State]] = {
    None: frozenset({State.SUSPECT, State.FLAKY}),
    State.SUSPECT: frozenset({State.FLAKY, State.FIXED}),
    State.FLAKY: frozenset({State.QUARANTINED, State.FIXED}),
    State.QUARANTINED: frozenset({State.QUARANTINED, State.FLAKY, State.FIXED, State.EXPIRED}),
    State.EXPIRED: frozenset({State.QUARANTINED, State.FLAKY, State.FIXED}),
    State.FIXED: frozenset({State.SUSPECT, State.FLAKY}),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A step that may not be taken, and why."""

    change: StateChange
    why: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The last step that each test took, the steps that were refused, and all that were taken, oldest first."""

    states: Mapping[TestId, StateChange]
    refused: tuple[Refused, ...]
    lives: Mapping[TestId, tuple[StateChange, ...]]


def step(current: StateChange | None, change: StateChange) -> StateChange | Refused:
    """The change, where it may follow `current` (None: the test has no state yet)."""
    before = None if current is None else current.state
    if change.state in TRANSITIONS[before]:
        return change
    return Refused(change, f"{change.test}: {change.state} cannot follow {before or 'no state'}")


def replay(changes: Iterable[StateChange]) -> Replayed:
    """Of steps in any order, from several nights, some of them twice: they are taken by time. Two nights at once may
    both have told the same step; the second is no new one."""
    lives: defaultdict[TestId, list[StateChange]] = defaultdict(list)
    for change in set(changes):
        lives[change.test].append(change)
    states: dict[TestId, StateChange] = {}
    taken_by: defaultdict[TestId, list[StateChange]] = defaultdict(list)
    refused: list[Refused] = []
    for test, life in sorted(lives.items()):
        for change in sorted(life, key=_when):
            current = states.get(test)
            if current is not None and current.state is change.state and current.until == change.until:
                continue
            taken = step(current, change)
            if isinstance(taken, Refused):
                refused.append(taken)
            else:
                states[test] = taken
                taken_by[test].append(taken)
    return Replayed(states, tuple(refused), {test: tuple(life) for test, life in taken_by.items()})


def advance(triage: Triage, states: Mapping[TestId, StateChange], at: float) -> tuple[StateChange, ...]:
    """Steps that follow from tonight's verdicts and from dates: suspect, flaky, expired. Quarantine and repair are
    people's and the repair's to tell. Of an incomplete scan `judge` has made no verdict, so nothing follows from it.

    A date that is missing or cannot be read has passed. A quarantine holds through its last day, in UTC.
    """
    kinds = {Kind.FLAKY: State.FLAKY, Kind.SUSPECT: State.SUSPECT}
    found = []
    for test, current in sorted(states.items()):
        if current.state is State.QUARANTINED and is_over(current.until, at):
            when = f"on {current.until}" if _date(current.until) else "without a readable date"
            found.append(StateChange(test, State.EXPIRED, at, f"its quarantine ended {when}"))
    for verdict in triage.verdicts:
        state = kinds.get(verdict.kind)
        now = states.get(verdict.test)
        if state is None or (now is not None and now.state not in {State.SUSPECT, State.FIXED}):
            continue
        if state in TRANSITIONS[None if now is None else now.state]:
            found.append(StateChange(verdict.test, state, at, verdict.reason))
    return tuple(found)


def is_over(until: str, at: float) -> bool:
    """Whether a quarantine with this date (ISO, "2026-11-25") is over at `at`, seconds since the epoch."""
    day = _date(until)
    return day is None or datetime.fromtimestamp(at, UTC).date() > day


def _date(text: str) -> date | None:
    """Only "2026-11-25": the other forms of ISO 8601 are not read by every Python that quarantined tests run on."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def _when(change: StateChange) -> tuple[float, int, str, str, str]:
    return change.at, list(State).index(change.state), change.by, change.reason, change.until
