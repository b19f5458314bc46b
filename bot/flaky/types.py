"""What triage speaks in. Verdicts are made of counted runs; a record is the unit that is kept, merged and quoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.evidence.types import TestId
from bot.toolchains.types import PLAIN, Conditions

# --- runs -----------------------------------------------------------------------------------------------------------


class RunSource(StrEnum):
    """Where a run was seen. CI: a job of a workflow run. RERUN: our own sandbox. FILE: a report given by hand."""

    CI = "ci"
    RERUN = "rerun"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Failed:
    """A test's failure in one run. fingerprint: as evidence.failures makes it; message: one line, at most 300."""

    fingerprint: str
    exception: str
    message: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of tests and what each of them did. Records with the same key are the same run: a union of records is
    independent of order and of repetition.

    key: "ci:RUN/ATTEMPT/JOB", "rerun:SESSION/SHARD/NUMBER", "file:SHA256".
    group: what counts as one source ("pr:17", "branch:main"); all runs of one pull request are one.
    commit: what was tested, "" unknown. environment: job and matrix variant, or sandbox and image. attempt: from 1.
    at: seconds since the epoch. seconds: of the whole run.
    tests: all that ran and were not skipped, in the order of the run. failed: those that failed, a part of `tests`.
    retried: failed first and passed on a retry inside this run, by evidence that could be reconciled: both outcomes at
    once. unknown: a retry dialect or duplicate that could not be reconciled: neither outcome. These two are in `tests`
    and not in `failed`. durations: seconds of those tests whose time is known.
    whole: the whole suite was asked for. conditions: of a rerun. purpose: a word for people ("suite, order 3").
    base: a run that may be counted for rates: ordinary conditions, no provocation.
    """

    key: str
    source: RunSource
    group: str
    commit: str
    environment: str
    attempt: int
    at: float
    seconds: float
    tests: tuple[TestId, ...]
    failed: Mapping[TestId, Failed] = field(default_factory=dict)
    retried: frozenset[TestId] = frozenset()
    unknown: frozenset[TestId] = frozenset()
    durations: Mapping[TestId, float] = field(default_factory=dict)
    whole: bool = True
    conditions: Conditions = PLAIN
    purpose: str = ""
    base: bool = True


@dataclass(frozen=True, slots=True)
class Scan:
    """How far a reading of the history came. complete False: nothing is acted on, and `problems` say what is missing.

    since, until: seconds since the epoch that were asked for. runs: workflow runs looked at, carried_over: jobs that a
    re-run only copied, infrastructure: runs left out because most of their tests failed.
    """

    since: float
    until: float
    complete: bool
    runs: int = 0
    carried_over: int = 0
    infrastructure: int = 0
    problems: tuple[str, ...] = ()


# --- counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a probability."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one test under one and the same circumstances: how often it ran and failed."""

    runs: int = 0
    failures: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.runs + other.runs, self.failures + other.failures)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Both outcomes at one commit in one environment: the definition of flaky. keys: one passing and one failing run's
    (the same key twice: a retry inside one run). group: the failing run's."""

    commit: str
    environment: str
    counts: Counts
    passed_key: str
    failed_key: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the records say of one test, of ordinary runs only (`RunRecord.base`); `provoked` counts all others.

    groups: distinct sources in which it failed. mixed: where it showed both outcomes. newest: its outcome in the
    newest run of each environment (True: failed). seconds: its median duration, 0.0 unknown. first_seen, first_failed:
    seconds since the epoch, None: never. fingerprints: of its failures with their counts, most frequent first.
    introduced: commit of the first failure, "" where it never failed or the commit is not known.
    """

    test: TestId
    counts: Counts
    groups: tuple[str, ...]
    mixed: tuple[Mixed, ...]
    newest: Mapping[str, bool]
    seconds: float
    first_seen: float
    first_failed: float | None
    last_failed: float | None
    fingerprints: tuple[tuple[str, int], ...]
    unknown: int = 0
    provoked: Counts = Counts()
    introduced: str = ""


# --- experiments ----------------------------------------------------------------------------------------------------


class Cause(StrEnum):
    """Causes, as FLAKY's table has them (docs/flaky.md)."""

    VICTIM = "order: victim"
    BRITTLE = "order: brittle"
    NOT_IDEMPOTENT = "not idempotent"
    HASH_ORDER = "hash order"
    RANDOMNESS = "randomness"
    TIME = "time"
    ZONE = "time zone"
    WAITING = "waiting"
    CONCURRENCY = "concurrency"
    NETWORK = "network"
    FILES = "files"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Trial:
    """The same run again and again: `counts` of the suspect failing *with the fingerprint in question* (or passing).

    tests: the selection in its order, the suspect last where it is not alone. foreign: runs in which it failed in
    another way, which are no reproduction. keys: of the records.
    """

    label: str
    tests: tuple[TestId, ...]
    conditions: Conditions
    counts: Counts
    foreign: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A cause, shown by its counterfactual: provoked it fails, without the cause it passes, with it again it fails.

    trials: provoked, removed, provoked again, in this order; more may follow (the dose of a CPU quota, the seeds of a
    sweep). polluters: the minimal set that makes a victim fail. setters: the minimal set that a brittle test needs.
    detail: what exactly provokes, one sentence ("PYTHONHASHSEED=3", "23:59:58 on 31 December").
    """

    cause: Cause
    detail: str
    trials: tuple[Trial, ...]
    polluters: tuple[TestId, ...] = ()
    setters: tuple[TestId, ...] = ()

    @property
    def provocation(self) -> Trial:
        """Under which it failed every time: what a fix has to survive."""
        return self.trials[0]


@dataclass(frozen=True, slots=True)
class Tried:
    """An experiment that did not prove its cause, and why not: "passed 12 of 12", "no shuffle flag known"."""

    cause: Cause
    why: str
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What the experiments on one suspect showed. proofs: each counterfactual; several causes can hold at once."""

    test: TestId
    proofs: tuple[Proof, ...]
    tried: tuple[Tried, ...]
    cut: str = ""  # why the experiments ended early: "the minutes were over", "" = they did not


@dataclass(frozen=True, slots=True)
class Regression:
    """A test that fails at the newest commit and passed at an older one, interleaved. p_value: Fisher's exact test.

    first_bad: the commit that brought it, "" where it was not bisected; between: bad and good as given.
    """

    test: TestId
    good: str
    bad: str
    at_good: Counts
    at_bad: Counts
    p_value: float
    first_bad: str = ""
    author: str = ""


# --- what is kept -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of the work: `number` of `of`, both from 1."""

    number: int = 1
    of: int = 1


class State(StrEnum):
    """State of a test in the history store: suspect → flaky → quarantined → fixed | expired."""

    SUSPECT = "suspect"
    FLAKY = "flaky"
    QUARANTINED = "quarantined"
    FIXED = "fixed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class StateChange:
    """A step in a test's life. by: login or "grokfix". until: ISO date at which a quarantine expires, "" otherwise."""

    test: TestId
    state: State
    at: float
    reason: str
    by: str = "grokfix"
    until: str = ""


@dataclass(frozen=True, slots=True)
class Night:
    """What one session adds to the history: the unit that is written, carried on the data branch and merged.

    A union of nights by `session` and shard; written once, never changed.
    """

    session: str
    shard: Shard
    at: float
    commit: str
    environment: str
    records: tuple[RunRecord, ...]
    findings: tuple[Finding, ...] = ()
    regressions: tuple[Regression, ...] = ()
    changes: tuple[StateChange, ...] = ()
    scan: Scan | None = None
    problems: tuple[str, ...] = ()
