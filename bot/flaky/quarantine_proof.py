"""Whether a test in quarantine is healed: as many clean runs as its rate before asks for (docs/flaky.md).

What proves nothing is not counted: runs at a commit at which it failed, whatever came after; runs in an environment in
which it never failed; runs of proposed changes; runs before its last failure, of which a quarantined one is one.
Where a cause was proven, what had provoked the failure must have been tried since, and have provoked it no more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.evidence.types import TestId
from bot.flaky.ledger import Ledger, Run
from bot.flaky.quarantine import Entry
from bot.flaky.statistics import CONFIDENCE, lower_bound, runs_to_see
from bot.flaky.types import Counts, Finding, Proof, RunRecord, RunSource, State, StateChange, Trial

LEAST_CLEAN = runs_to_see(0.05)
"""Clean ordinary runs that are asked for whatever the rate was: 59."""
LEAST_DAYS = 2
"""Days on which they ran: the runs of one night share its hour and its machine."""
_BRANCH = "branch:"
_OURS = "sandbox"  # our own reruns are one place: their environment's name changes with the versions in it


@dataclass(frozen=True, slots=True)
class Healed:
    """A test, and what shows that it is healed.

    before: ordinary runs up to its last failure, where it failed; bound: lower bound of the rate then (the highest of
    several environments'). clean, commits: ordinary runs since, none of which failed, and how many commits they were
    of. chance: that they were all clean by luck, at most; None where it never failed in an ordinary run. provoked:
    runs since under what had provoked the failure, None where no cause was proven. since: seconds since the epoch, of
    the first clean run.
    """

    test: TestId
    before: Counts
    bound: float
    clean: int
    commits: int
    since: float
    chance: float | None
    provoked: Counts | None = None

    @property
    def reason(self) -> str:
        """One sentence that quotes the counts."""
        before = f"failed {self.before.failures} of {self.before.runs}" if self.before.failures else "failed provoked"
        return f"{before} until its last failure, 0 of {self.clean} since"


def waiting(entries: Iterable[Entry], states: Mapping[TestId, StateChange]) -> Mapping[TestId, float]:
    """Tests that are in quarantine, or were when a state was last told, with the time from which clean runs count:
    the day of the list's entry, or where that cannot be read, or was taken out, that of the state."""
    kept = (State.QUARANTINED, State.EXPIRED)
    found = {test: change.at for test, change in states.items() if change.state in kept}
    for entry in entries:
        try:
            day = datetime.fromisoformat(entry.since[:10]).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
        found[entry.test] = day
    return found


def healed(
    tests: Mapping[TestId, float],
    records: Iterable[RunRecord],
    proven: Iterable[Finding],
    found: Sequence[tuple[float, Finding]],
    repaired: Mapping[TestId, float] | None = None,
) -> tuple[Healed, ...]:
    """Those of `tests` (see `waiting`) that are healed, by name.

    records: all that count, in any order. proven: what experiments proved of the tests; found: what they found in any
    session, with its time. repaired: as `judge` takes it.
    """
    if not tests:
        return ()
    ledger = Ledger(repaired).add_all(records)
    causes = {finding.test: finding.proofs for finding in proven if finding.proofs}
    judged = (_healed(test, since, ledger, causes.get(test, ()), found) for test, since in sorted(tests.items()))
    return tuple(each for each in judged if each is not None)


def _healed(
    test: TestId, since: float, ledger: Ledger, proofs: Sequence[Proof], found: Sequence[tuple[float, Finding]]
) -> Healed | None:
    number = ledger.number(test)
    failures = [] if number is None else [run for run, _ in ledger.failures.get(number, ())]
    if number is None or not failures:
        return None  # it never failed in what is kept: there is no rate that clean runs could be held against
    last = max(run.at for run in failures)
    failed_at = {run.commit for run in failures}
    ordinary = [run for run in ledger.runs if run.base and run.complete and number in run.mask]
    own = [run for run in ordinary if run.group.startswith(_BRANCH)]
    before = _before(ledger, number, [run for run in own if run.at <= last])
    if not before:  # all its failures were in proposed changes
        before = _before(ledger, number, [run for run in ordinary if run.at <= last])
    clean = [
        run
        for run in own
        if run.at > last
        and run.at >= since
        and run.commit
        and run.commit not in failed_at
        and (not before or _place(run) in before)
    ]
    if len(clean) < LEAST_CLEAN or len({_day(run) for run in clean}) < LEAST_DAYS:
        return None
    luck = 1 - CONFIDENCE
    chance = None if not before else math.exp(sum(math.log1p(-lower_bound(before[_place(run)])) for run in clean))
    provoked = _provoked(proofs, [finding for at, finding in found if finding.test == test and at > last])
    if (proofs or chance is None) and provoked is None:
        return None
    if chance is not None and chance > luck:
        return None
    return Healed(
        test,
        before=sum(before.values(), Counts()),
        bound=max(map(lower_bound, before.values()), default=0.0),
        clean=len(clean),
        commits=len({run.commit for run in clean}),
        since=min(run.at for run in clean),
        chance=chance,
        provoked=provoked,
    )


def _before(ledger: Ledger, number: int, runs: Iterable[Run]) -> Mapping[str, Counts]:
    """By environment, those in which it failed."""
    counts: defaultdict[str, Counts] = defaultdict(Counts)
    for run in runs:
        counts[_place(run)] += Counts(1, int(not ledger.passed(run, number)))
    return {place: each for place, each in counts.items() if each.failures}


def _provoked(proofs: Sequence[Proof], since: Sequence[Finding]) -> Counts | None:
    """Of all runs that tried the proven provocations again; None where one was not tried, or not often enough, or the
    test still fails."""
    if not proofs or any(finding.proofs for finding in since):
        return None
    tried = [trial for finding in since for each in finding.tried for trial in each.trials]
    total = Counts()
    for proof in proofs:
        again = sum((trial.counts for trial in tried if _same(trial, proof.provocation)), Counts())
        if again.failures or again.runs < clean_provocations(proof):
            return None
        total += again
    return total


def clean_provocations(proof: Proof) -> int:
    """Runs under its provocation that must be clean: what a test that still fails as often would pass by luck in at
    most 5 %, and ten at least."""
    seen = sum((trial.counts for trial in proof.trials if _same(trial, proof.provocation)), Counts())
    return max(10, runs_to_see(lower_bound(seen))) if seen.failures else 10


def _same(trial: Trial, other: Trial) -> bool:
    return trial.tests == other.tests and trial.conditions == other.conditions


def _place(run: Run) -> str:
    return _OURS if run.source is RunSource.RERUN else run.environment


def _day(run: Run) -> int:
    return int(run.at // 86_400)
