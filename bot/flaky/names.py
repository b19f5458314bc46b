"""One test, two names: pytest's reports name no file unless they are told to, and reruns always do.

A failure in CI counts against the test that runs here only where both have one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.evidence.matching import resolve
from bot.evidence.types import TestId
from bot.flaky.types import RunRecord


def unified(records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The same runs, with a test's full name wherever one of them has it."""
    ids: set[TestId] = set()
    seen: set[int] = set()
    for record in records:
        if id(record.tests) not in seen:  # runs of one order share it
            seen.add(id(record.tests))
            ids.update(record.tests)
    return tuple(renamed(records, full_names(ids)))


def full_names(ids: Iterable[TestId]) -> Mapping[TestId, TestId]:
    """By id without a file the one with a file that means the same test; what could mean several is left out."""
    both = tuple(ids)
    known = [test for test in both if test.file]
    return resolve((test for test in both if not test.file), known).found if known else {}


def renamed(records: Iterable[RunRecord], names: Mapping[TestId, TestId]) -> Iterator[RunRecord]:
    """Each run under the full names. One in which two tests would become the same keeps its own names."""
    if not names:
        yield from records
        return
    orders: dict[int, tuple[tuple[TestId, ...], tuple[TestId, ...]]] = {}  # by identity; the first is held, so it stays
    for record in records:
        kept = orders.get(id(record.tests))
        if kept is None:
            kept = orders[id(record.tests)] = (record.tests, _renamed(record.tests, names))
        if kept[1] is record.tests:
            yield record
            continue
        yield replace(
            record,
            tests=kept[1],
            failed={names.get(test, test): failed for test, failed in record.failed.items()},
            retried=frozenset(names.get(test, test) for test in record.retried),
            unknown=frozenset(names.get(test, test) for test in record.unknown),
            durations={names.get(test, test): seconds for test, seconds in record.durations.items()},
        )


def _renamed(tests: tuple[TestId, ...], names: Mapping[TestId, TestId]) -> tuple[TestId, ...]:
    changed = tuple(names.get(test, test) for test in tests)
    return tests if changed == tests or len(set(changed)) < len(set(tests)) else changed
