"""What a flaky test's repair was judged by, as it is reported."""

from __future__ import annotations

from dataclasses import dataclass

from bot.evidence.types import TestId
from bot.flaky.types import Counts


@dataclass(frozen=True, slots=True)
class FlakyProof:
    """Of a flaky test's repair: what provokes its failure, and how often that was seen before the fix and after it.

    cause, detail: as it was proven. tests: what ran in one process, in this order, the flaky one among them.
    repeat: how often each. hash_seed: PYTHONHASHSEED, None as it comes. zone: TZ, "" as it is. clock: ISO 8601 local
    time at which the process believes to begin, "" as it is. threads: OMP_NUM_THREADS, open_files: limit of them,
    workers: parallel processes, each 0 as it is. also: what else, in words. before, after: under the provocation.
    ordinary_before, ordinary_after: in ordinary runs; scope: of the latter, in words. whole: the runs after it are as
    many as prove the fix; else the time was over.
    """

    cause: str
    detail: str
    tests: tuple[TestId, ...]
    repeat: int
    hash_seed: int | None
    zone: str
    clock: str
    threads: int
    open_files: int
    workers: int
    also: tuple[str, ...]
    before: Counts
    after: Counts
    ordinary_before: Counts
    ordinary_after: Counts
    scope: str
    whole: bool
