"""Tests that fail together: most flaky tests do, and then there is one cause to find."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.evidence.types import TestId
from bot.flaky.ledger import Ledger, is_infrastructure
from bot.flaky.types import RunRecord

ALIKE = 0.5
"""Tests belong together whose failing runs overlap by at least this much (Jaccard: common ones of all)."""


@dataclass(frozen=True, slots=True)
class CoFailing:
    """Two or more tests that fail in the same runs. name: 12 hex digits, made of the tests; keys: of those runs."""

    name: str
    tests: tuple[TestId, ...]
    keys: tuple[str, ...]


def co_failing(records: Iterable[RunRecord]) -> tuple[CoFailing, ...]:
    """Clusters of the records, largest first. Only runs that took the whole suite tell of failing together, ordinary or
    in another order; infrastructure's are left out."""
    failing: defaultdict[TestId, set[str]] = defaultdict(set)
    for record in records:
        if record.whole and not is_infrastructure(record):
            for test in (*record.failed, *record.retried):
                failing[test].add(record.key)
    return _clusters(failing)


def clusters_of(ledger: Ledger) -> tuple[CoFailing, ...]:
    """The same for records that stand in a ledger; reruns of a selection, whose size it does not keep, join in."""
    return _clusters(
        {
            ledger.tests[number]: {run.key for run, _ in pairs if run.complete}
            for number, pairs in ledger.failures.items()
        }
    )


def _clusters(failing: Mapping[TestId, set[str]]) -> tuple[CoFailing, ...]:
    """Leaders first: the test with most failing runs gathers all that are alike; then the next that is still alone.

    The order is by counts and names, so the answer does not depend on the order of the records.
    """
    by_runs: defaultdict[frozenset[str], list[TestId]] = defaultdict(list)  # the same runs: alike without comparing
    for test, keys in failing.items():
        if keys:
            by_runs[frozenset(keys)].append(test)
    sharing: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    order = sorted(by_runs, key=lambda runs: (-len(runs), min(by_runs[runs])))
    for runs in order:
        for key in runs:
            sharing[key].append(runs)
    taken: set[frozenset[str]] = set()
    found = []
    for leader in order:
        if leader in taken:
            continue
        near = {runs for key in leader for runs in sharing[key]} - taken
        alike = [runs for runs in near if len(leader & runs) >= ALIKE * len(leader | runs)]
        taken.update(alike)
        tests = sorted(test for runs in alike for test in by_runs[runs])
        if len(tests) > 1:
            found.append(CoFailing(_name(tests), tuple(tests), tuple(sorted(frozenset().union(*alike)))))
    return tuple(sorted(found, key=lambda cluster: (-len(cluster.tests), cluster.name)))


def _name(tests: list[TestId]) -> str:
    text = "\n".join(test.node_id for test in tests)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
