"""The base of a flaky repair: the failure brought about anew, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.evidence.failures import read_failure
from bot.evidence.types import Cluster, Outcome, TestCase, TestId
from bot.flaky.experiments.series import same_failure
from bot.flaky.mend.provoked import Provocation, ProvokedBench, with_case
from bot.flaky.statistics import lower_bound, runs_to_see
from bot.flaky.types import Cause, Counts, Failed, Finding, Proof, RunRecord
from bot.ports import RunResult
from bot.verify.base import Base, Case
from bot.verify.bench import SandboxBench
from bot.vet.types import Flake

SIGHTINGS = 3
"""Runs in which a provocation that works every time is seen again."""
MOST_LOOKED = 30
"""Runs in which one that works sometimes is looked for."""


@dataclass(frozen=True, slots=True)
class Wavering:
    """A flaky test that shall be repaired: what was proven of it, and what was counted.

    before: how often it failed under its provocation, in all trials of the proof. ordinary: in ordinary runs. known:
    the failure in question, None where no record tells of it.
    """

    test: TestId
    proof: Proof
    before: Counts
    ordinary: Counts
    known: Failed | None

    @classmethod
    def of(cls, finding: Finding, ordinary: Counts, records: Mapping[str, RunRecord]) -> Wavering | None:
        """None where nothing was proven. records: by their key, to read the failure from."""
        if not finding.proofs:
            return None
        proof = finding.proofs[0]
        first = proof.provocation
        alike = [
            each.counts
            for each in proof.trials
            if (each.tests, each.conditions) == (first.tests, first.conditions) and not each.foreign
        ]
        seen = (records[key].failed.get(finding.test) for key in first.keys if key in records)
        known = next((failed for failed in seen if failed is not None), None)
        return cls(finding.test, proof, sum(alike, Counts()), ordinary, known)

    @property
    def amplified(self) -> bool:
        """The provocation made it fail every time: few runs prove much."""
        return self.before.failures == self.before.runs > 0

    @property
    def polluters(self) -> tuple[TestId, ...]:
        """Tests that leave behind what it fails of; one that is not idempotent does so itself."""
        return (self.test,) if self.proof.cause is Cause.NOT_IDEMPOTENT else self.proof.polluters

    def again(self) -> int:
        """Runs in which the provocation shows the failure with 95 % certainty."""
        if self.amplified:
            return 1
        return min(MOST_LOOKED, runs_to_see(max(lower_bound(self.before), 0.01)))


@dataclass(frozen=True, slots=True)
class Provoked:
    """The case to be judged, with the bench that provokes it. failed: the failure as it was seen at base."""

    wavering: Wavering
    bench: ProvokedBench
    case: Case
    failed: Failed


@dataclass(frozen=True, slots=True)
class NotProvoked:
    """The failure did not come back, so that nothing could be proved against it; `why` quotes the counts."""

    why: str


def provoke(
    wavering: Wavering,
    bench: SandboxBench,
    suite: Base,
    protect: tuple[str, ...],
    is_project: Callable[[str], bool],
) -> Provoked | NotProvoked:
    """Bring the failure about at base. `suite`: an ordinary run of all tests, into which the failure is put."""
    provocation = Provocation.of(wavering.proof.provocation, wavering.test)
    if why := bench.unsupported(provocation.under(1 + len(provocation.before))):
        return NotProvoked(f"the provocation cannot be had here: {why}")
    known = frozenset(case.id for case in suite.report)
    gone = [test for test in (wavering.test, *provocation.before) if test not in known]
    if gone:
        return NotProvoked(f"{gone[0].node_id} is not in the suite any more")
    loose = ProvokedBench(bench, provocation, known, frozenset(provocation.before))
    runs: list[RunResult] = []
    seen: list[TestCase] = []
    foreign = 0
    first: Failed | None = wavering.known
    wanted = SIGHTINGS if wavering.amplified else wavering.again()
    for number in range(1, wanted + 1):
        run = loose.provoke((wavering.test,), purpose=f"base {number}")
        runs.append(run)
        case = None if run.report is None else run.report.by_id().get(wavering.test)
        if case is None:
            return NotProvoked(f"the provocation could not be run: {run.problem or 'the test is not in its report'}")
        if not case.outcome.is_failure:
            if wavering.amplified:
                break
            continue
        failed = described(case, is_project)
        if first is not None and not same_failure(first, failed):
            foreign += 1
            continue
        first = first or failed
        seen.append(case)
        if not wavering.amplified and len(seen) >= SIGHTINGS:
            break
    if not seen or (wavering.amplified and len(seen) < SIGHTINGS):
        other = f", and {foreign} times in another way" if foreign else ""
        return NotProvoked(f"under its provocation it failed {len(seen)} of {len(runs)} times now{other}")
    failing = _failing_before(bench, provocation)
    base = replace(
        suite,
        report=with_case(suite.report, seen[0]),
        run_ids=tuple(run.run_id for run in runs),
        output=runs[0].execution.output,
        failures=(read_failure(seen[0], is_project),),
        flaky=(),
        absent=(),
        provoked=(
            f"1 test failed in {len(seen)} of {len(runs)} runs at base under its provocation "
            f"({wavering.proof.detail}), in the same way each time"
        ),
    )
    cluster = Cluster(base.failures[0].fingerprint, base.failures)
    judged = Case(cluster, base, protect, is_project, Flake(wavering.polluters, wavering.proof.setters))
    strict = ProvokedBench(bench, provocation, known, failing)
    return Provoked(wavering, strict, judged, described(seen[0], is_project))


def described(case: TestCase, is_project: Callable[[str], bool]) -> Failed:
    """A failing case as failures are compared."""
    failure = read_failure(case, is_project)
    return Failed(failure.fingerprint, failure.exception, failure.message)


def _failing_before(bench: SandboxBench, provocation: Provocation) -> frozenset[TestId]:
    """Tests before it that do not pass at base in that order: a polluter may fail and pollute all the same."""
    if not provocation.before:
        return frozenset()
    tests = provocation.selection((provocation.test,))
    run = bench.watch(tests, provocation.under(len(tests)), purpose="base, the tests before it").result
    cases = {} if run.report is None else run.report.by_id()
    return frozenset(
        test for test in provocation.before if test not in cases or cases[test].outcome is not Outcome.PASSED
    )
