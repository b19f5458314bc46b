"""What the merged list of the quarantine says of the tests' states: people merge it, and only then it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from bot.evidence.types import TestId
from bot.flaky.quarantine import Entry, is_over
from bot.flaky.quarantine_proof import Healed
from bot.flaky.types import State, StateChange


def follow(
    entries: Sequence[Entry],
    states: Mapping[TestId, StateChange],
    at: float,
    healed: Collection[Healed] | None = None,
) -> Iterator[StateChange]:
    """Steps that the list brings about at `at` (seconds since the epoch).

    healed: those of the tests that are shown to be (`quarantine_proof`); None where tonight cannot tell. Whether a test
    that left the list is healed or flaky again is said on a night that can.
    """
    kept = {entry.test: entry for entry in entries if not is_over(entry, at)}
    for test, entry in kept.items():
        now = states.get(test)
        if now is None or now.state in (State.SUSPECT, State.FIXED):
            continue  # put there by hand, or healed meanwhile: it was never seen flaky here
        if now.state is not State.QUARANTINED or now.until != entry.until:
            yield StateChange(test, State.QUARANTINED, at, entry.reason, until=entry.until)
    if healed is None:
        return
    listed = {entry.test for entry in entries}
    shown = {each.test: each for each in healed}
    for test, now in states.items():
        if now.state not in (State.QUARANTINED, State.EXPIRED) or test in listed:
            continue
        if test in shown:
            yield StateChange(test, State.FIXED, at, shown[test].reason)
        else:
            yield StateChange(test, State.FLAKY, at, "it is in the list of the quarantine no more")
