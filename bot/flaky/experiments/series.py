"""A suspect under experiment: the same run again and again, what counts as its failure, and when enough was seen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from bot.evidence.failures import mask
from bot.evidence.types import TestId
from bot.flaky.lab import Broke, Job, Lab, Observed, Ran, follows
from bot.flaky.statistics import fisher_exact
from bot.flaky.types import Cause, Counts, Failed, Proof, RunRecord, Trial, Tried
from bot.toolchains.types import PLAIN, Conditions, Touched

_MORE = 4
"""Times as many runs of a proof whose provocation does not succeed every time."""

Result: TypeAlias = tuple[Proof, ...] | Tried
"""What an experiment ends with: at least one proof, or why there is none."""

_LITERAL = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\[[^\[\]]*\]|\{[^{}]*\}|\([^()]*\)|<number>|\b(?:None|True|False)\b"""
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How many runs an experiment takes.

    look: runs of a first look. proof: of each of the three trials of a proof (so a provocation is seen twice as often).
    cheap_proof: of the trial without the cause, where a run takes at most `cheap_seconds`. seeds: of a sweep.
    """

    look: int = 3
    proof: int = 5
    cheap_proof: int = 10
    cheap_seconds: float = 1.5
    seeds: int = 16


@dataclass(frozen=True, slots=True)
class Suspect:
    """A test with what was seen of it. records: runs in which it was, some of those in which it failed among them.

    failed: the failure in question, None where none was seen yet: the first in an experiment is then taken.
    """

    test: TestId
    records: tuple[RunRecord, ...] = ()
    failed: Failed | None = None

    @property
    def failing(self) -> tuple[RunRecord, ...]:
        """Its own reruns first: they can be made again."""
        return tuple(record for record in self.records if self.test in record.failed)

    @property
    def passing(self) -> tuple[RunRecord, ...]:
        return tuple(
            record
            for record in self.records
            if self.test in record.tests and self.test not in record.failed and self.test not in record.unknown
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the suspect: after `before`, under `conditions`."""

    label: str
    conditions: Conditions = PLAIN
    before: tuple[TestId, ...] = ()


class Seen(Enum):
    """What one run showed of the suspect. NOTHING: no report, or it was not in it."""

    PASSED = "passed"
    FAILED = "failed"
    FOREIGN = "failed in another way"
    NOTHING = "no answer"


def same_failure(one: Failed, other: Failed) -> bool:
    """Whether two failures are one: the same fingerprint, or the same exception and message but for its values."""
    if one.fingerprint and one.fingerprint == other.fingerprint:
        return True
    return bool(one.exception) and one.exception == other.exception and _skeleton(one) == _skeleton(other)


def _skeleton(failed: Failed) -> str:
    text = mask(failed.message)
    for _ in range(4):
        shorter = _LITERAL.sub("<value>", text)
        if shorter == text:
            break
        text = shorter
    return text


@dataclass(slots=True)
class Series:
    """The runs of one suspect in a lab. `matches` says which failures are the one in question."""

    lab: Lab
    suspect: Suspect
    effort: Effort = field(default_factory=Effort)
    failed: Failed | None = None
    foreign: Failed | None = None  # the latest failure of another kind
    touched: Touched = field(default_factory=Touched)
    problem: str = ""  # of the latest run without an answer
    seen_rounds: dict[str, str] = field(default_factory=dict)  # by key: of runs that had several of the test
    _alone: Trial | None = None
    _seconds: list[float] = field(default_factory=list)
    _own_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.failed = self.suspect.failed

    @property
    def test(self) -> TestId:
        return self.suspect.test

    @property
    def others(self) -> tuple[TestId, ...]:
        """The rest of the suite, in its recorded order."""
        return tuple(test for test in self.lab.suite if test != self.test)

    @property
    def removed_runs(self) -> int:
        """Runs of a trial that has to show no failure: more where they cost little."""
        usual = sorted(self._seconds)[len(self._seconds) // 2] if self._seconds else 0.0
        return self.effort.cheap_proof if usual <= self.effort.cheap_seconds else self.effort.proof

    def rounds(self, seconds: float, most: int) -> int:
        """Repetitions of the test in one process that take about `seconds`: at least 2, at most `most`."""
        return max(2, min(most, math.ceil(seconds / max(self._own_seconds, seconds / most))))

    def matches(self, failed: Failed) -> bool:
        """Whether this is the failure in question; the first one seen is, where none was known."""
        if self.failed is None:
            self.failed = failed
        return same_failure(self.failed, failed)

    def once(self, variant: Variant) -> Seen:
        """One run."""
        tests = self._tests(variant)
        return self.read(self.lab.run(tests, effective(variant), purpose=self._purpose(variant)), tests)

    def trial(
        self,
        variant: Variant,
        runs: int,
        *,
        until: Seen | None = None,
        matches: Callable[[Failed], bool] | None = None,
    ) -> Trial:
        """`runs` runs, fewer once `until` was seen (and after two runs without an answer, one after the other).

        The first two are made one by one, where a look can end it; the rest side by side, where the lab can.
        """
        job = Job(self._tests(variant), effective(variant), self._purpose(variant))
        counts, foreign, silent = Counts(), 0, 0
        keys: list[str] = []
        left, ended = runs, False
        while left > 0 and not ended:
            batch = 1 if until is not None and runs - left < 2 else left
            left -= batch
            for observed in self.lab.run_many((job,) * batch):
                seen = self.read(observed, job.tests or (), matches)
                if isinstance(observed, Ran):
                    keys.append(observed.record.key)
                silent = silent + 1 if seen is Seen.NOTHING else 0
                foreign += seen is Seen.FOREIGN
                if seen in (Seen.PASSED, Seen.FAILED):
                    counts += Counts(1, int(seen is Seen.FAILED))
                ended = ended or seen is until or silent >= 2
        return Trial(variant.label, self._tests(variant), effective(variant), counts, foreign, tuple(keys))

    def alone(self) -> Trial:
        """A look at the suspect by itself, under ordinary conditions; made once."""
        if self._alone is None:
            self._alone = self.trial(Variant("alone"), self.effort.look)
        return self._alone

    def read(
        self, observed: Observed, asked: Sequence[TestId] = (), matches: Callable[[Failed], bool] | None = None
    ) -> Seen:
        """What a run says of the suspect; nothing where it had to keep the order of the tests `asked` and did not."""
        if isinstance(observed, Broke):
            self.problem = observed.problem
            return Seen.NOTHING
        record = observed.record
        self._seconds.append(record.seconds)
        if rounds := observed.touched.rounds.get(self.test):
            self.seen_rounds[record.key] = rounds
        if record.conditions == PLAIN:
            self._own_seconds = record.durations.get(self.test, self._own_seconds)
        if len(record.tests) == 1:
            seen = observed.touched
            hosts, ports = (*self.touched.hosts, *seen.hosts), (*self.touched.ports, *seen.ports)
            threads = self.touched.threads or seen.threads
            self.touched = Touched(tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(ports)), threads=threads)
        if record.conditions.in_order and not follows(record.tests, asked):
            self.problem = "the runner does not keep to the order that it is given"
            return Seen.NOTHING
        if self.test in record.unknown or self.test not in record.tests:
            self.problem = "the run's report does not tell of the test"
            return Seen.NOTHING
        failed = record.failed.get(self.test)
        if failed is None:
            return Seen.FAILED if self.test in record.retried else Seen.PASSED
        if (matches or self.matches)(failed):
            return Seen.FAILED
        self.foreign = failed
        return Seen.FOREIGN

    def prove(
        self,
        cause: Cause,
        detail: str,
        provoking: Variant,
        removing: Variant,
        matches: Callable[[Failed], bool] | None = None,
        believed: float = 0.0,
    ) -> Proof | None:
        """Provoked it fails every time, without the cause never, with it again every time; None where it does not.

        believed: Fisher's p, provoked against without the cause, at which it need not fail every time; 0 = it has to.
        """
        proof = self.effort.proof
        until = None if believed else Seen.PASSED
        first = self.trial(_named(provoking, "provoked"), proof, until=until, matches=matches)
        if first.foreign or not first.counts.failures or (not believed and not always(first, proof)):
            return None
        removed = self.trial(_named(removing, "removed"), self.removed_runs, until=Seen.FAILED, matches=matches)
        if not never(removed, proof):
            return None
        again = self.trial(_named(provoking, "provoked again"), proof, until=until, matches=matches)
        if always(first, proof) and always(again, proof):
            return Proof(cause, detail, (first, removed, again))
        if not believed or again.foreign or not again.counts.failures:
            return None
        if fisher_exact(first.counts + again.counts, removed.counts) > believed:
            first = joined(first, self.trial(provoking, _MORE * proof, matches=matches))
            removed = joined(removed, self.trial(removing, _MORE * proof, until=Seen.FAILED, matches=matches))
        certain = fisher_exact(first.counts + again.counts, removed.counts) <= believed
        return Proof(cause, detail, (first, removed, again)) if certain and never(removed, proof) else None

    def _tests(self, variant: Variant) -> tuple[TestId, ...]:
        return (*variant.before, self.test)

    def _purpose(self, variant: Variant) -> str:
        return f"experiment: {variant.label}"


def always(trial: Trial, runs: int) -> bool:
    """At least `runs` runs, all of them failing as the failure in question does."""
    return trial.foreign == 0 and trial.counts.runs >= runs and trial.counts.failures == trial.counts.runs


def never(trial: Trial, runs: int) -> bool:
    """At least `runs` runs, none of them failing in any way."""
    return trial.foreign == 0 and trial.counts.runs >= runs and trial.counts.failures == 0


def joined(one: Trial, other: Trial) -> Trial:
    """Two trials of one variant as one."""
    return replace(
        one, counts=one.counts + other.counts, foreign=one.foreign + other.foreign, keys=one.keys + other.keys
    )


def told(trial: Trial) -> str:
    """Counts of a trial for a sentence: "failed 3 of 5"."""
    foreign = f", {trial.foreign} in another way" if trial.foreign else ""
    return f"failed {trial.counts.failures} of {trial.counts.runs}{foreign}"


def _named(variant: Variant, role: str) -> Variant:
    return replace(variant, label=f"{role}: {variant.label}")


def effective(variant: Variant) -> Conditions:
    """Its conditions with the order that tests before it need; several workers have none."""
    ordered = bool(variant.before) and not variant.conditions.workers
    return replace(variant.conditions, in_order=True) if ordered else variant.conditions
