"""Which experiment first: what the runs and the failure hint at, and then how frequent a cause is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bot.flaky.experiments.calendar import time, zone
from bot.flaky.experiments.order import brittle, victim
from bot.flaky.experiments.pressure import waiting
from bot.flaky.experiments.races import concurrency
from bot.flaky.experiments.series import Result, Series
from bot.flaky.experiments.surroundings import files, network, platform, speaks_of_files, speaks_of_network
from bot.flaky.experiments.within import hash_order, not_idempotent, randomness
from bot.flaky.types import Cause, RunRecord, RunSource

Experiment: TypeAlias = Callable[[Series], Result]

EXPERIMENTS: dict[Cause, Experiment] = {
    # By frequency: order 59 %, infrastructure 28 %, the rest 13 % (network and randomness first; docs/flaky.md).
    Cause.VICTIM: victim,
    Cause.BRITTLE: brittle,
    Cause.NETWORK: network,
    Cause.RANDOMNESS: randomness,
    Cause.HASH_ORDER: hash_order,
    Cause.NOT_IDEMPOTENT: not_idempotent,
    Cause.TIME: time,
    Cause.ZONE: zone,
    Cause.FILES: files,
    Cause.CONCURRENCY: concurrency,  # before waiting: a busy machine brings out races too
    Cause.WAITING: waiting,
    Cause.PLATFORM: platform,
}

_SLOW = frozenset({"Timeout", "TimeoutError", "TimeoutExpired", "timeout", "Empty", "BrokenBarrierError"})
_LEAST = 2  # runs of each outcome before a pattern among them is a clue


def ordered(series: Series) -> tuple[Cause, ...]:
    """All causes: those with a clue first, each group by frequency."""
    hinted = clues(series)
    return tuple(sorted(EXPERIMENTS, key=lambda cause: cause not in hinted))


def clues(series: Series) -> frozenset[Cause]:
    """Causes that the records, the failure or what the test touched hint at. A hint decides nothing but the order."""
    found: set[Cause] = set()
    suspect = series.suspect
    failed = suspect.failed
    if failed is not None:
        if speaks_of_network(failed):
            found.add(Cause.NETWORK)
        if speaks_of_files(failed):
            found.add(Cause.FILES)
        if failed.exception in _SLOW or "timed out" in failed.message.lower():
            found.add(Cause.WAITING)
    reruns = [record for record in suspect.records if record.source is RunSource.RERUN]
    failing = [record for record in suspect.failing if record.source is RunSource.RERUN]
    passing = [record for record in suspect.passing if record.source is RunSource.RERUN]
    if any(len(record.tests) == 1 for record in failing):
        found |= {Cause.RANDOMNESS, Cause.HASH_ORDER}
    if _decides(failing, passing, _hash_seed):
        found.add(Cause.HASH_ORDER)
    if _decides(failing, passing, _random_seed):
        found.add(Cause.RANDOMNESS)
    if reruns and failing and all(record.conditions.in_order for record in failing):
        found |= {Cause.VICTIM, Cause.BRITTLE}
    if series.touched.hosts:
        found.add(Cause.NETWORK)
    if series.touched.threads:
        found.add(Cause.CONCURRENCY)
    return frozenset(found)


def _decides(
    failing: Sequence[RunRecord], passing: Sequence[RunRecord], value: Callable[[RunRecord], int | None]
) -> bool:
    """Whether a value of the conditions was the same only in runs of the same outcome, some of them repeated."""
    bad = [seed for record in failing if (seed := value(record)) is not None]
    good = [seed for record in passing if (seed := value(record)) is not None]
    if len(bad) < _LEAST or len(good) < _LEAST:
        return False
    repeated = len(set(bad)) < len(bad) or len(set(good)) < len(good)
    return repeated and not set(bad) & set(good)


def _hash_seed(record: RunRecord) -> int | None:
    return record.conditions.hash_seed


def _random_seed(record: RunRecord) -> int | None:
    return record.conditions.random_seed
