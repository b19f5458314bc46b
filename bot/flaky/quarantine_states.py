"""What the merged list of the quarantine says of the tests' states: people merge it, and only then it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.evidence.types import TestId
from bot.flaky.quarantine import Entry, is_over
from bot.flaky.types import State, StateChange


def follow(entries: Sequence[Entry], states: Mapping[TestId, StateChange], at: float) -> Iterator[StateChange]:
    """Steps that the list brings about at `at` (seconds since the epoch)."""
    kept = {entry.test: entry for entry in entries if not is_over(entry, at)}
    for test, entry in kept.items():
        now = states.get(test)
        if now is None or now.state in (State.SUSPECT, State.FIXED):
            continue  # put there by hand, or mended meanwhile: it was never seen flaky here
        if now.state is not State.QUARANTINED or now.until != entry.until:
            yield StateChange(test, State.QUARANTINED, at, entry.reason, until=entry.until)
    left = {entry.test for entry in entries}
    for test, now in states.items():
        if now.state in (State.QUARANTINED, State.EXPIRED) and test not in left:
            yield StateChange(test, State.FLAKY, at, "it is in the list of the quarantine no more")
