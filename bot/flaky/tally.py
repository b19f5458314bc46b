"""What the records say of each test: counted, nothing decided."""

from __future__ import annotations

import statistics
from collections import Counter as Frequencies
from collections import defaultdict
from collections.abc import Iterable, Mapping

from bot.evidence.types import TestId
from bot.flaky.ledger import Counter, Ledger, Run, bits
from bot.flaky.types import Counts, Failed, Mixed, RunRecord, Tally


def tally(records: Iterable[RunRecord]) -> Mapping[TestId, Tally]:
    """Of every test in `records`, taken in any order. A test that passed on a retry is one run and one failure: what
    counts is its first outcome, for a second one is only there where the first was bad. Runs left out as
    infrastructure's and outcomes that could not be reconciled count as neither."""
    return tallies(Ledger().add_all(records))


def tallies(ledger: Ledger) -> Mapping[TestId, Tally]:
    """The same for records that stand in a ledger already."""
    base = [run for run in ledger.runs if run.base]
    size = len(ledger.tests)
    ran = _ran(size, (run for run in base if run.complete))
    provoked = _ran(size, (run for run in ledger.runs if not run.base and run.complete))
    first = _first_seen(ledger)
    newest = _newest(size, base)
    places: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in base:
        if run.commit:
            places[run.commit, run.environment].append(run)
    return {
        test: _tally(ledger, number, ran[number], provoked[number], first.get(number, 0.0), newest[number], places)
        for number, test in enumerate(ledger.tests)
        if number in first or number in ledger.unknown
    }


def _tally(
    ledger: Ledger,
    number: int,
    ran: int,
    provoked: int,
    first_seen: float,
    newest: Mapping[str, bool],
    places: Mapping[tuple[str, str], list[Run]],
) -> Tally:
    durations = ledger.durations.get(number)
    seconds = statistics.median(durations) if durations else 0.0
    failures = ledger.failures.get(number, [])
    base = sorted((pair for pair in failures if pair[0].base), key=_when)
    counted = sum(run.complete for run, _ in base)
    elsewhere = sum(run.complete and not run.base for run, _ in failures)
    fingerprints = Frequencies(failed.fingerprint for _, failed in base if failed is not None)
    return Tally(
        test=ledger.tests[number],
        counts=Counts(ran, counted),
        groups=tuple(sorted({run.group for run, _ in base})),
        mixed=_mixed(ledger, number, base, places),
        newest=newest,
        seconds=seconds,
        first_seen=first_seen,
        first_failed=base[0][0].at if base else None,
        last_failed=base[-1][0].at if base else None,
        fingerprints=tuple(sorted(fingerprints.items(), key=lambda item: (-item[1], item[0]))),
        unknown=ledger.unknown.get(number, 0),
        provoked=Counts(provoked, elsewhere),
        introduced=base[0][0].commit.partition("@")[0] if base else "",
    )


def _mixed(
    ledger: Ledger,
    number: int,
    failures: list[tuple[Run, Failed | None]],
    places: Mapping[tuple[str, str], list[Run]],
) -> tuple[Mixed, ...]:
    """Oldest first."""
    failing: dict[tuple[str, str], Run] = {}
    retried: dict[tuple[str, str], Run] = {}
    for run, failed in failures:
        place = (run.commit, run.environment)
        failing.setdefault(place if run.commit else (run.key, ""), run)
        if failed is None:
            retried.setdefault(place if run.commit else (run.key, ""), run)
    found = []
    for place, run in failing.items():
        there = [other for other in places.get(place, ()) if number in other.mask] or [run]
        passed = min((other for other in there if ledger.passed(other, number)), key=_time, default=None)
        if passed is None and place not in retried:
            continue
        bad = retried[place] if passed is None else run
        counted = [other for other in there if other.complete]
        failed_there = sum(not ledger.passed(other, number) for other in counted)
        good = bad.key if passed is None else passed.key
        found.append(Mixed(run.commit, run.environment, Counts(len(counted), failed_there), good, bad.key, bad.group))
    return tuple(found)


def _ran(size: int, runs: Iterable[Run]) -> list[int]:
    counter = Counter()
    for run in runs:
        counter.add(run.mask.value)
    return counter.counts(size)


def _first_seen(ledger: Ledger) -> Mapping[int, float]:
    seen, first = 0, {}
    for run in sorted(ledger.runs, key=_time):
        fresh = run.mask.value & ~seen
        if fresh:
            seen |= fresh
            for number in bits(fresh):
                first[number] = run.at
    return first


def _newest(size: int, runs: Iterable[Run]) -> list[Mapping[str, bool]]:
    """For each test its outcome in the newest run of each environment; tests with the same answers share one."""
    by_environment: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_environment[run.environment].append(run)
    answers: list[tuple[tuple[str, bool], ...]] = [()] * size
    for environment, there in sorted(by_environment.items()):
        seen = 0
        good, bad = (environment, False), (environment, True)
        for run in sorted(there, key=_time, reverse=True):
            fresh = run.mask.value & ~seen
            if fresh:
                seen |= fresh
                for number in bits(fresh):
                    answers[number] += (bad if run.failed >> number & 1 else good,)
    shared: dict[tuple[tuple[str, bool], ...], Mapping[str, bool]] = {}
    return [shared.setdefault(answer, dict(answer)) for answer in answers]


def _time(run: Run) -> tuple[float, str]:
    return run.at, run.key


def _when(pair: tuple[Run, Failed | None]) -> tuple[float, str]:
    return _time(pair[0])
