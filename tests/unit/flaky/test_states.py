from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.flaky.judge import judge
from bot.flaky.states import TRANSITIONS, Refused, advance, is_over, replay, step
from bot.flaky.types import RunRecord, State, StateChange
from tests.flaky_records import ids, run

A, B = ids("a b")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


def change(state: State, at: float = NOON, until: str = "") -> StateChange:
    return StateChange(A, state, at, "because", until=until)


@pytest.mark.parametrize("before", [None, *State])
@pytest.mark.parametrize("after", list(State))
def test_only_legal_steps(before: State | None, after: State) -> None:
    taken = step(None if before is None else change(before), change(after))
    assert isinstance(taken, Refused) is (after not in TRANSITIONS[before])
    if isinstance(taken, Refused):
        assert "test_a" in taken.why and "cannot follow" in taken.why


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, State.QUARANTINED),
        (State.SUSPECT, State.QUARANTINED),
        (State.FLAKY, State.EXPIRED),
        (State.FIXED, State.QUARANTINED),
        (State.FLAKY, State.SUSPECT),
    ],
)
def test_what_must_never_be(before: State | None, after: State) -> None:
    assert after not in TRANSITIONS[before]


def test_steps_of_two_nights_are_taken_by_time() -> None:
    life = [
        change(State.SUSPECT, 1.0),
        change(State.FLAKY, 2.0),
        replace(change(State.FLAKY, 2.5), reason="the other night saw it too"),
        change(State.QUARANTINED, 3.0, "2026-12-01"),
        change(State.QUARANTINED, 4.0, "2026-12-24"),
        change(State.FIXED, 5.0),
        change(State.EXPIRED, 6.0),
    ]
    expected = replay(life)
    assert expected.states[A] == change(State.FIXED, 5.0)
    assert [refused.change.state for refused in expected.refused] == [State.EXPIRED]
    for seed in range(5):
        shuffled = life * 2
        random.Random(seed).shuffle(shuffled)
        assert replay(shuffled) == expected


@pytest.mark.parametrize(
    ("until", "over"),
    [
        ("2026-11-24", True),
        ("2026-11-25", False),
        ("2027-01-01", False),
        ("", True),
        ("soon", True),
        ("2026-13-01", True),
        ("20261225", True),
        ("2026-W52-5", True),
        ("9999-99-99", True),
    ],
)
def test_a_date_that_cannot_be_read_has_passed(until: str, over: bool) -> None:
    assert is_over(until, NOON) is over


def triage(records: list[RunRecord]) -> object:
    return judge(records, session="s", commit="c1", environment="box", at=NOON)


def test_what_a_night_brings() -> None:
    both = triage([run("c1", "a b c"), run("c1", "a b c", "a"), run("c1", "a b c", "b", environment="other")])
    found = advance(both, {}, NOON)  # type: ignore[arg-type]
    assert [(step.test, step.state) for step in found] == [(A, State.FLAKY), (B, State.SUSPECT)]
    now = {A: change(State.QUARANTINED, until="2026-12-24"), B: replace(change(State.FIXED), test=B)}
    (again,) = advance(both, now, NOON)  # type: ignore[arg-type]
    assert (again.test, again.state) == (B, State.SUSPECT)
    assert advance(both, {A: change(State.FLAKY), B: replace(change(State.SUSPECT), test=B)}, NOON) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("until", ["2026-11-24", "", "whenever"])
def test_quarantines_end(until: str) -> None:
    (expired,) = advance(triage([]), {A: change(State.QUARANTINED, until=until)}, NOON)  # type: ignore[arg-type]
    assert (expired.state, expired.by) == (State.EXPIRED, "grokfix")
    assert advance(triage([]), {A: change(State.QUARANTINED, until="2026-11-25")}, NOON) == ()  # type: ignore[arg-type]
