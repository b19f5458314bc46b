"""What became of tests over time: their rate by week, the runs in which they failed last, the steps of their states."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.evidence.types import TestId
from bot.flaky.ledger import Counter, is_infrastructure
from bot.flaky.statistics import wilson
from bot.flaky.types import Counts, Failed, Interval, RunRecord, RunSource, StateChange

NEWEST = 3
"""Failed runs that are kept of a test."""
_REMEMBERED = 64  # orders of tests that are recognised without looking into them
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Week:
    """A test's ordinary runs from a Monday on (ISO date, UTC)."""

    monday: str
    counts: Counts

    @property
    def interval(self) -> Interval:
        """Wilson 95 %."""
        return wilson(self.counts)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """An ordinary run in which the test failed. at: seconds since the epoch. place: from 1, of `of` tests, in the order
    that the run's report has; after: the test before it there, None where it was the first. failed: None where it
    passed on a retry. whole False: the report names some tests only, so that the place is that among these."""

    key: str
    at: float
    commit: str
    environment: str
    place: int
    of: int
    after: TestId | None
    failed: Failed | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Course:
    """weeks: oldest first, weeks without a run are not told. failed: the newest runs in which it failed, at most
    `NEWEST`, newest first. steps: of its state, oldest first."""

    weeks: tuple[Week, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    steps: tuple[StateChange, ...] = ()


def courses(
    records: Iterable[RunRecord],
    tests: Iterable[TestId],
    steps: Mapping[TestId, Sequence[StateChange]],
    redact: Callable[[str], str],
) -> Mapping[TestId, Course]:
    """Of each of `tests`, in that order; the records come in any order, and each key counts once. Only ordinary runs
    are looked at, those that were infrastructure's are left out. Records are not held: memory grows with `tests`.

    redact: takes secrets out of what failures said; reports of CI may hold some.
    """
    gathered = _Gathered(tests)
    for record in records:
        gathered.add(record)
    return gathered.courses(steps, redact)


class _Gathered:
    def __init__(self, tests: Iterable[TestId]) -> None:
        self._numbers = {test: number for number, test in enumerate(dict.fromkeys(tests))}
        self._keys: set[str] = set()
        self._ran: defaultdict[str, Counter] = defaultdict(Counter)
        self._failures: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._newest: defaultdict[int, list[tuple[float, str, FailedRun]]] = defaultdict(list)
        # By identity; the tuple is held, so that its id stays.
        self._orders: dict[int, tuple[tuple[TestId, ...], int, Mapping[TestId, int]]] = {}
        self._mondays: dict[int, str] = {}

    def add(self, record: RunRecord) -> None:
        if not record.base or record.key in self._keys:
            return
        self._keys.add(record.key)
        if is_infrastructure(record):
            return
        monday = self._monday(record.at)
        complete = record.whole or record.source is RunSource.RERUN
        mask, places = self._order(record.tests)
        if complete:
            for test in record.unknown & self._numbers.keys():
                mask &= ~(1 << self._numbers[test])
            self._ran[monday].add(mask)
        bad = [test for test in dict.fromkeys((*record.failed, *record.retried)) if test in self._numbers]
        for test in bad:
            number = self._numbers[test]
            if complete:
                weeks = self._failures[number]
                weeks[monday] = weeks.get(monday, 0) + 1
            kept = self._newest[number]
            if len(kept) == NEWEST and (record.at, record.key) < kept[0][:2]:
                continue
            place = places[test]
            run = FailedRun(
                key=record.key,
                at=record.at,
                commit=record.commit,
                environment=record.environment,
                place=place + 1,
                of=len(record.tests),
                after=record.tests[place - 1] if place else None,
                failed=record.failed.get(test),
                whole=complete,
            )
            (heapq.heappush if len(kept) < NEWEST else heapq.heappushpop)(kept, (record.at, record.key, run))

    def courses(
        self, steps: Mapping[TestId, Sequence[StateChange]], redact: Callable[[str], str]
    ) -> Mapping[TestId, Course]:
        said: dict[Failed, Failed] = {}  # most failures of a test say the same

        def harmless(run: FailedRun) -> FailedRun:
            failed = run.failed
            if failed is None:
                return run
            if failed not in said:
                said[failed] = replace(failed, exception=redact(failed.exception), message=redact(failed.message))
            return replace(run, failed=said[failed])

        ran = [(monday, counter.counts(len(self._numbers))) for monday, counter in sorted(self._ran.items())]
        answer = {}
        for test, number in self._numbers.items():
            failures = self._failures.get(number, {})
            weeks = tuple(
                Week(monday, Counts(counts[number], failures.get(monday, 0)))
                for monday, counts in ran
                if counts[number]
            )
            newest = sorted(self._newest.get(number, ()), key=lambda each: each[:2], reverse=True)
            answer[test] = Course(weeks, tuple(harmless(run) for _, _, run in newest), tuple(steps.get(test, ())))
        return answer

    def _order(self, tests: tuple[TestId, ...]) -> tuple[int, Mapping[TestId, int]]:
        """Which of our tests are in it, as a mask of their numbers, and at which place (from 0) each first stands."""
        known = self._orders.get(id(tests))
        if known is not None:
            return known[1], known[2]
        table, places = bytearray((len(self._numbers) >> 3) + 1), dict[TestId, int]()
        for place, test in enumerate(tests):
            number = self._numbers.get(test)
            if number is not None:
                table[number >> 3] |= 1 << (number & 7)
                places.setdefault(test, place)
        mask = int.from_bytes(table, "little")
        if len(self._orders) >= _REMEMBERED:
            self._orders.clear()
        self._orders[id(tests)] = (tests, mask, places)
        return mask, places

    def _monday(self, at: float) -> str:
        day = int(at // _DAY)
        if day not in self._mondays:
            date = datetime.fromtimestamp(at, UTC).date()
            self._mondays[day] = (date - timedelta(days=date.weekday())).isoformat()
        return self._mondays[day]
