"""All runs at hand, kept so that questions about a test are cheap. Which tests a run had is a bit mask shared by all
runs with the same tests, so that memory grows by a few hundred bytes a run and not by its cases."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.evidence.network import wants_network
from bot.evidence.types import TestId
from bot.flaky.types import Failed, RunRecord, RunSource

LEAST_TESTS = 5
"""A run of fewer tests can fail as a whole because of the tests themselves."""
_DURATIONS = 64  # of one test: enough for a median
_REMEMBERED = 256  # rosters that are recognised without looking into them


def is_infrastructure(record: RunRecord) -> bool:
    """Whether a run of the suite (five tests or more) failed in more than half of them: then the place was broken,
    and the run says nothing of its tests. A selection of suspects may well fail as a whole."""
    return record.whole and len(record.tests) >= LEAST_TESTS and 2 * len(record.failed) > len(record.tests)


def is_change(group: str) -> bool:
    """Whether a source is somebody's proposed change (a pull request, a fork), which may itself be what is wrong."""
    return group.startswith(("pr:", "fork:"))


class Counter:
    """Counts, for many tests at once, in how many masks each stands: bit planes, added like binary numbers."""

    __slots__ = ("_planes",)

    def __init__(self) -> None:
        self._planes: list[int] = []

    def add(self, mask: int) -> None:
        for place, plane in enumerate(self._planes):
            if not mask:
                return
            self._planes[place], mask = plane ^ mask, plane & mask
        if mask:
            self._planes.append(mask)

    def counts(self, size: int) -> list[int]:
        """For each of the first `size` tests."""
        totals = [0] * size
        for place, plane in enumerate(self._planes):
            for bit in bits(plane):
                totals[bit] += 1 << place
        return totals


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What is kept of a record. mask: tests with a known outcome; failed: those that failed (retried ones left out);
    retried: failed, then passed. complete: passes are told too, so that it may be counted for rates. base: as recorded.
    """

    key: str
    source: RunSource
    group: str
    commit: str
    environment: str
    at: float
    seconds: float
    mask: Mask
    failed: int
    retried: int
    base: bool
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A set of test numbers: as an integer for sets of sets, as bytes to look one up at once."""

    value: int
    table: bytes = field(repr=False)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self.table) and bool(self.table[place] >> (number & 7) & 1)


class Ledger:
    """Takes records in any order, each key once. since: test → time; what it did before is not counted (it was
    repaired then)."""

    def __init__(self, since: Mapping[TestId, float] | None = None) -> None:
        self.tests: list[TestId] = []
        self.runs: list[Run] = []
        self.left_out: list[Run] = []  # runs that were infrastructure's
        self.failures: defaultdict[int, list[tuple[Run, Failed | None]]] = defaultdict(list)  # None: passed on a retry
        self.unknown: defaultdict[int, int] = defaultdict(int)
        self.durations: dict[int, array[float]] = {}
        self._since = dict(since or {})
        self._numbers: dict[TestId, int] = {}
        self._keys: set[str] = set()
        self._masks: dict[int, Mask] = {}
        self._seen: dict[int, tuple[tuple[TestId, ...], Mask]] = {}  # by identity; the tuple is held, so its id stays
        self._texts: dict[str, str] = {}

    def add(self, record: RunRecord) -> None:
        if record.key in self._keys:
            return
        self._keys.add(record.key)
        outside = {test for test, time in self._since.items() if record.at < time} | record.unknown
        mask = self._mask(record.tests)
        failed = {test: failure for test, failure in record.failed.items() if test not in outside}
        retried = record.retried - outside - failed.keys()
        if outside:
            mask = self._intern(mask.value & ~self._union(outside))
        run = Run(
            record.key,
            record.source,
            self._text(record.group),
            self._text(record.commit),
            self._text(record.environment),
            record.at,
            record.seconds,
            mask,
            self._union(failed),
            self._union(retried),
            record.base,
            record.whole or record.source is RunSource.RERUN,
        )
        if is_infrastructure(record):
            self.left_out.append(run)
            return
        self.runs.append(run)
        for test in record.unknown:
            self.unknown[self._number(test)] += 1
        ours = record.source is RunSource.RERUN
        for test, failure in failed.items():
            self.failures[self._number(test)].append((run, self._interned(failure, ours)))
        for test in retried:
            self.failures[self._number(test)].append((run, None))
        for test, seconds in record.durations.items():
            kept = self.durations.setdefault(self._number(test), array("f"))
            if len(kept) < _DURATIONS:
                kept.append(seconds)

    def add_all(self, records: Iterable[RunRecord]) -> Ledger:
        for record in records:
            self.add(record)
        return self

    def number(self, test: TestId) -> int | None:
        return self._numbers.get(test)

    def passed(self, run: Run, number: int) -> bool:
        """Whether the test passed in this run at its first try."""
        return number in run.mask and not (run.failed | run.retried) >> number & 1

    def _number(self, test: TestId) -> int:
        number = self._numbers.setdefault(test, len(self.tests))
        if number == len(self.tests):
            self.tests.append(test)
        return number

    def _mask(self, tests: tuple[TestId, ...]) -> Mask:
        known = self._seen.get(id(tests))
        if known is not None:
            return known[1]
        mask = self._intern(self._union(tests))
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[id(tests)] = (tests, mask)
        return mask

    def _union(self, tests: Iterable[TestId]) -> int:
        numbers = [self._number(test) for test in tests]
        if not numbers:
            return 0
        table = bytearray((max(numbers) >> 3) + 1)
        for number in numbers:
            table[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(table, "little")

    def _intern(self, value: int) -> Mask:
        mask = self._masks.get(value)
        if mask is None:
            mask = self._masks[value] = Mask(value, value.to_bytes((value.bit_length() + 7) // 8, "little"))
        return mask

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _interned(self, failure: Failed, ours: bool) -> Failed:
        """Without its message: verdicts count fingerprints, and 200,000 runs have many messages. One that speaks of a
        missing network is kept of our own runs, which decides whether they say anything."""
        message = failure.message if ours and wants_network(f"{failure.exception}: {failure.message}") else ""
        return Failed(self._text(failure.fingerprint), self._text(failure.exception), self._text(message))


def bits(mask: int) -> Iterator[int]:
    """Numbers of the bits that are set, ascending."""
    for place, byte in enumerate(mask.to_bytes((mask.bit_length() + 7) // 8, "little")):
        if byte:
            yield from (place * 8 + bit for bit in _BITS[byte])


_BITS: Sequence[tuple[int, ...]] = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
