"""A night as bytes: JSON Lines, tests and the orders of runs written once. `load` takes any bytes from anybody.

The first line names the format and the night; then `tests` (by number from 0 on), `order` (those numbers as a run had
them, [first, count] for neighbours; by number too), `run`, `finding`, `regression`, `change`, `scan`, `problem`; the
last line says how many there were, so that a file cut short is noticed.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TypeAlias

from bot.evidence.types import TestId
from bot.flaky.nights_clean import (
    clean,
    clean_change,
    clean_finding,
    clean_record,
    clean_regression,
    clean_tests,
)
from bot.flaky.nights_read import FORMAT, LIMIT_BYTES, read
from bot.flaky.strict_json import MalformedError
from bot.flaky.types import Finding, Night, Regression, RunRecord, Scan, StateChange, Trial
from bot.toolchains.types import PLAIN, Conditions

__all__ = ["LIMIT_BYTES", "Unreadable", "dump", "file_name", "folded", "load"]

Json: TypeAlias = "dict[str, Json] | Sequence[Json] | str | float | bool | None"
_CHUNK = 1_000  # tests a line
_MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no night, and why."""

    name: str
    why: str


def load(data: bytes, name: str = "night") -> Night | Unreadable:
    """The night in `data`; whatever is not exactly as `dump` writes it is refused whole, for half a night would count
    wrongly. At most LIMIT_BYTES, and memory in proportion."""
    try:
        return read(data)
    except MalformedError as error:
        return Unreadable(name, str(error))


def file_name(night: Night) -> str:
    """Begins with the day, so that names sort by age; the same night and shard always have the same name."""
    day = datetime.fromtimestamp(night.at, UTC).strftime("%Y-%m-%d")
    session = hashlib.sha256(night.session.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{day}-{session}-{night.shard.number}of{night.shard.of}.jsonl"


def folded(night: Night) -> Night:
    """What is left of a night after it was written and read: records by time, each key once (of two that differ the
    one with the smaller text); of each test's durations the median, in milliseconds, with the first run that knew it;
    texts within their limits and fit for any encoding; no messages where more than 1,000 tests failed."""
    by_key: dict[str, RunRecord] = {}
    orders: dict[int, tuple[TestId, ...]] = {}  # runs share their tests: cleaned once, and shared again
    for given in night.records:
        if id(given.tests) not in orders:
            orders[id(given.tests)] = clean_tests(given.tests)
        record = clean_record(given, orders[id(given.tests)])
        known = by_key.get(record.key)
        by_key[record.key] = record if known is None else min(known, record, key=digest)
    ordered = sorted(by_key.values(), key=lambda record: (record.at, record.key))
    return replace(
        night,
        session=clean(night.session),
        commit=clean(night.commit),
        environment=clean(night.environment),
        records=_with_medians(ordered),
        findings=tuple(map(clean_finding, night.findings)),
        regressions=tuple(map(clean_regression, night.regressions)),
        changes=tuple(map(clean_change, night.changes)),
        scan=None if night.scan is None else replace(night.scan, problems=tuple(map(clean, night.scan.problems))),
        problems=tuple(map(clean, night.problems)),
    )


def digest(record: RunRecord) -> str:
    """Of everything in a record, for choosing between two with one key independently of their order."""
    return hashlib.sha256(_line({"run": _Writer().run(record)}) + repr(record.tests).encode()).hexdigest()


def dump(night: Night) -> bytes:
    """The bytes of `folded(night)`; the same night gives the same bytes."""
    night, writer = folded(night), _Writer()
    body: list[bytes] = []
    for record in night.records:
        body.append(_line({"run": writer.run(record)}))
    body += [_line({"finding": writer.finding(finding)}) for finding in night.findings]
    body += [_line({"regression": writer.regression(regression)}) for regression in night.regressions]
    body += [_line({"change": writer.change(change)}) for change in night.changes]
    if night.scan is not None:
        body.append(_line({"scan": _scan(night.scan)}))
    body += [_line({"problem": problem}) for problem in night.problems]
    head: Json = {
        "format": FORMAT,
        "session": night.session,
        "shard": [night.shard.number, night.shard.of],
        "at": night.at,
        "commit": night.commit,
        "environment": night.environment,
    }
    lines = [_line(head), *writer.tables(), *body]
    return b"".join([*lines, _line({"end": len(lines)})])


class _Writer:
    """Numbers tests and orders as they come up."""

    def __init__(self) -> None:
        self._tests: dict[TestId, int] = {}
        self._orders: dict[tuple[TestId, ...], int] = {}

    def tables(self) -> Iterator[bytes]:
        orders = [list(map(self._number, order)) for order in self._orders]
        tests = list(self._tests)
        for start in range(0, len(tests), _CHUNK):
            yield _line({"tests": [[test.file, test.classname, test.name] for test in tests[start : start + _CHUNK]]})
        for order in orders:
            yield _line({"order": list(_ranges(order))})

    def run(self, record: RunRecord) -> Json:
        order = self._order(record.tests)
        return {
            "key": record.key,
            "source": record.source,
            "group": record.group,
            "commit": record.commit,
            "environment": record.environment,
            "attempt": record.attempt,
            "at": record.at,
            "seconds": record.seconds,
            "order": order,
            "failed": [
                [self._number(test), failed.fingerprint, failed.exception, failed.message]
                for test, failed in sorted(record.failed.items())
            ],
            "retried": [self._number(test) for test in sorted(record.retried)],
            "unknown": [self._number(test) for test in sorted(record.unknown)],
            "durations": [
                [self._number(test), round(seconds * _MILLISECONDS)]
                for test, seconds in sorted(record.durations.items())
            ],
            "whole": record.whole,
            "conditions": told_conditions(record.conditions),
            "purpose": record.purpose,
            "base": record.base,
        }

    def finding(self, finding: Finding) -> Json:
        return {
            "test": self._number(finding.test),
            "proofs": [
                {
                    "cause": proof.cause,
                    "detail": proof.detail,
                    "trials": [self._trial(trial) for trial in proof.trials],
                    "polluters": [self._number(test) for test in proof.polluters],
                    "setters": [self._number(test) for test in proof.setters],
                }
                for proof in finding.proofs
            ],
            "tried": [
                {"cause": tried.cause, "why": tried.why, "trials": [self._trial(trial) for trial in tried.trials]}
                for tried in finding.tried
            ],
            "cut": finding.cut,
        }

    def regression(self, found: Regression) -> Json:
        return {
            "test": self._number(found.test),
            "good": found.good,
            "bad": found.bad,
            "at_good": [found.at_good.runs, found.at_good.failures],
            "at_bad": [found.at_bad.runs, found.at_bad.failures],
            "p_value": found.p_value,
            "first_bad": found.first_bad,
            "author": found.author,
        }

    def change(self, change: StateChange) -> Json:
        return {
            "test": self._number(change.test),
            "state": change.state,
            "at": change.at,
            "reason": change.reason,
            "by": change.by,
            "until": change.until,
        }

    def _trial(self, trial: Trial) -> Json:
        return {
            "label": trial.label,
            "order": self._order(trial.tests),
            "conditions": told_conditions(trial.conditions),
            "counts": [trial.counts.runs, trial.counts.failures],
            "foreign": trial.foreign,
            "keys": list(trial.keys),
        }

    def _number(self, test: TestId) -> int:
        return self._tests.setdefault(test, len(self._tests))

    def _order(self, tests: tuple[TestId, ...]) -> int:
        known = self._orders.get(tests)
        if known is None:
            known = self._orders[tests] = len(self._orders)
            for test in tests:  # now, so that the first order is one range
                self._number(test)
        return known


def _with_medians(records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    known: defaultdict[TestId, list[float]] = defaultdict(list)
    for record in records:
        for test, seconds in record.durations.items():
            known[test].append(seconds)
    medians = {test: round(statistics.median(values) * _MILLISECONDS) for test, values in known.items()}
    folded_records = []
    for record in records:
        own = {test: medians.pop(test) / _MILLISECONDS for test in record.durations if test in medians}
        folded_records.append(replace(record, durations={test: value for test, value in own.items() if value > 0}))
    return tuple(folded_records)


def told_conditions(conditions: Conditions) -> Json:
    """Only what is not as in an ordinary run."""
    return {
        part.name: getattr(conditions, part.name)
        for part in fields(Conditions)
        if getattr(conditions, part.name) != getattr(PLAIN, part.name)
    }


def _scan(scan: Scan) -> Json:
    return {
        "since": scan.since,
        "until": scan.until,
        "complete": scan.complete,
        "runs": scan.runs,
        "carried_over": scan.carried_over,
        "infrastructure": scan.infrastructure,
        "problems": list(scan.problems),
    }


def _ranges(numbers: Iterable[int]) -> Iterator[Json]:
    first, count = -1, 0
    for number in numbers:
        if count and number == first + count:
            count += 1
            continue
        if count:
            yield first if count == 1 else [first, count]
        first, count = number, 1
    if count:
        yield first if count == 1 else [first, count]


def _line(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
