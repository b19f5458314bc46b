"""What is said of tests, with what it rests on. Only `bot.flaky.judge` makes verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.evidence.types import TestId
from bot.flaky.types import Cause, Counts, Finding, Interval, Regression, Scan, Shard, Tally


class Kind(StrEnum):
    """What a test is. SUSPECT: different outcomes, not yet at one commit. UNKNOWN: evidence contradicts itself."""

    FLAKY = "flaky"
    BROKEN = "broken"
    INFRASTRUCTURE = "infrastructure"
    ENVIRONMENT = "environment-dependent"
    SUSPECT = "suspect"
    UNKNOWN = "unknown"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one test, with what it rests on.

    counts: ordinary runs. interval: Wilson 95 %, for people. bound: one-sided 95 % Clopper-Pearson; the lower one of a
    failing test, the upper one of a stable test. reason: one sentence that quotes the counts.
    cluster: fingerprints that fail together share one ("" = alone). minutes_lost: expected a week, None unknown.
    introduced: commit with which it was first seen failing, "" unknown.
    """

    test: TestId
    kind: Kind
    reason: str
    counts: Counts
    interval: Interval
    bound: float
    tally: Tally
    finding: Finding | None = None
    regression: Regression | None = None
    cluster: str = ""
    minutes_lost: float | None = None
    introduced: str = ""

    @property
    def cause(self) -> Cause | None:
        return self.finding.proofs[0].cause if self.finding is not None and self.finding.proofs else None


@dataclass(frozen=True, slots=True)
class Triage:
    """What a night (or a command) found. Stable tests are counted, not listed: `verdicts` hold all others.

    session: what the shards of one night share. scan: None where no history was read. shards: those that handed in;
    lost: numbers of those that did not. runs, seconds: spent on reruns. problems: what could not be done, and why.
    stable_bound: the highest of the stable tests' upper bounds: that of the one with the fewest runs.
    """

    session: str
    commit: str
    environment: str
    at: float
    verdicts: tuple[Verdict, ...]
    stable: int
    scan: Scan | None
    shards: tuple[Shard, ...]
    lost: tuple[int, ...]
    runs: int
    seconds: float
    problems: tuple[str, ...] = ()
    stable_bound: float = 1.0
