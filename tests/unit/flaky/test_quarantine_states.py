"""What the merged list brings about: people merge it, and states follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from bot.flaky.quarantine import Entry
from bot.flaky.quarantine_proof import Healed
from bot.flaky.quarantine_states import follow
from bot.flaky.states import step
from bot.flaky.types import Counts, State, StateChange
from tests.flaky_records import named

TEST = named("a")
AT = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
LATER, SOON, TODAY, PAST = "2026-12-24", "2026-12-01", "2026-11-25", "2026-11-24"
HEALED = Healed(TEST, Counts(60, 6), 0.04, 80, 3, AT - 1e5, 0.03)


def entry(until: str, since: str = "2026-11-01") -> Entry:
    return Entry(TEST, "failed 6 of 60", "hash order", "@octo/shop", "", since, until)


def state(of: State, until: str = "") -> dict[object, StateChange]:
    return {TEST: StateChange(TEST, of, AT - 1e6, "before", until=until)}


def steps(
    entries: Sequence[Entry], states: Mapping[object, StateChange], healed: Collection[Healed] | None = ()
) -> list[tuple[State, str]]:
    found = list(follow(entries, states, AT, healed))  # type: ignore[arg-type]
    for change in found:
        assert change.test == TEST
        assert change.at == AT
        assert step(states.get(TEST), change) is change, "a step that may follow"
    return [(change.state, change.until) for change in found]


@pytest.mark.parametrize(
    ("entries", "before", "expected"),
    [
        # listed
        ([entry(SOON)], state(State.FLAKY), [(State.QUARANTINED, SOON)]),
        ([entry(TODAY)], state(State.FLAKY), [(State.QUARANTINED, TODAY)]),
        ([entry(SOON)], state(State.QUARANTINED, SOON), []),
        ([entry(LATER)], state(State.QUARANTINED, SOON), [(State.QUARANTINED, LATER)]),
        ([entry(SOON)], state(State.EXPIRED), [(State.QUARANTINED, SOON)]),
        # listed, and never seen flaky here
        ([entry(SOON)], {}, []),
        ([entry(SOON)], state(State.SUSPECT), []),
        ([entry(SOON)], state(State.FIXED), []),
        # its time is over: `advance` says so, by the date of the state
        ([entry(PAST)], state(State.FLAKY), []),
        ([entry(PAST)], state(State.QUARANTINED, PAST), []),
        ([entry("soon")], state(State.FLAKY), []),
        ([entry("2026-11-31")], state(State.FLAKY), []),
        ([entry("")], state(State.EXPIRED), []),
        # taken out
        ([], state(State.QUARANTINED, SOON), [(State.FLAKY, "")]),
        ([], state(State.EXPIRED), [(State.FLAKY, "")]),
        ([], state(State.FLAKY), []),
        ([], state(State.SUSPECT), []),
        ([], state(State.FIXED), []),
        ([], {}, []),
    ],
)
def test_what_follows_of_the_list(
    entries: list[Entry], before: dict[object, StateChange], expected: list[tuple[State, str]]
) -> None:
    assert steps(entries, before) == expected


def test_taken_out_and_shown_to_be_mended_it_is_fixed() -> None:
    for before in (State.QUARANTINED, State.EXPIRED):
        assert steps([], state(before), [HEALED]) == [(State.FIXED, "")]
    [change] = follow([], state(State.QUARANTINED), AT, [HEALED])  # type: ignore[arg-type]
    assert change.reason == "failed 6 of 60 until its last failure, 0 of 80 since"


def test_mended_and_still_listed_it_stays_in_quarantine() -> None:
    """The list is people's: until the proposal is merged, its failures are expected ones."""
    assert steps([entry(SOON)], state(State.QUARANTINED, SOON), [HEALED]) == []


def test_a_night_that_cannot_tell_leaves_what_left_the_list_for_another_one() -> None:
    for before in (State.QUARANTINED, State.EXPIRED):
        assert steps([], state(before), None) == []
    assert steps([entry(SOON)], state(State.FLAKY), None) == [(State.QUARANTINED, SOON)]
