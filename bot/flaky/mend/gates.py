"""The gates that only a flaky test's repair has: it fails no more, in as many runs as prove it; taken back, it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.evidence.test_paths import is_test_path
from bot.evidence.text import head_tail
from bot.evidence.types import Outcome, TestId
from bot.flaky.experiments.series import same_failure
from bot.flaky.mend.base import Provoked, described
from bot.flaky.statistics import clean_runs_to_prove, upper_bound
from bot.flaky.types import Counts
from bot.patch.types import Applied
from bot.ports import RunResult
from bot.verify.types import Failing, Gate, GateName, GateStatus, Plausible
from bot.vet.types import Grade

_OUTPUT = 6_000  # characters of a failing run's output that go into a verdict
_SHARE = 0.6  # of the time that is left, which ordinary runs of the whole suite may take
_SILENT = 2  # runs in a row without an answer, after which no more is asked
_START = 1.0  # seconds that a run takes beside its tests, at a guess


@dataclass(frozen=True, slots=True)
class Care:
    """Clean runs that are asked for where the provocation worked every time: under it, and without it."""

    provoked: int = 10
    ordinary: int = 59


@dataclass(frozen=True, slots=True)
class Clean:
    """What was counted after the fix. scope: of the ordinary runs, in words."""

    provoked: Counts
    ordinary: Counts
    wanted: tuple[int, int]
    scope: str
    runs: tuple[RunResult, ...]
    problem: str = ""

    @property
    def whole(self) -> bool:
        return (self.provoked.runs, self.ordinary.runs) == self.wanted


def wanted_runs(provoked: Provoked, care: Care) -> tuple[int, int]:
    """Clean runs under the provocation and without it that prove the fix with 95 % certainty."""
    wavering = provoked.wavering
    if wavering.amplified:
        return care.provoked, care.ordinary
    ordinary = clean_runs_to_prove(wavering.ordinary) if wavering.ordinary.failures else care.ordinary
    return clean_runs_to_prove(wavering.before), ordinary


class Proving:
    """Implements `repair.Further`: gates `clean` and `reverted` for a patch that passed all others.

    clean: what was counted of the latest patch that came so far, None before the first.
    """

    def __init__(self, provoked: Provoked, care: Care) -> None:
        self._provoked = provoked
        self._care = care
        self.clean: Clean | None = None

    def __call__(self, verdict: Plausible, record: Callable[[Gate], None]) -> Plausible | Failing:
        provoked = self._provoked

        def gate(name: GateName, status: GateStatus, evidence: str, *runs: RunResult) -> Gate:
            made = Gate(name, status, evidence, tuple(run.run_id for run in runs), verdict.patch.sha256)
            record(made)
            return made

        def fail(name: GateName, message: str, runs: tuple[RunResult, ...], gates: tuple[Gate, ...]) -> Failing:
            failed = gate(name, GateStatus.FAILED, message, *runs)
            output = head_tail(runs[-1].execution.output, _OUTPUT) if runs else ""
            return Failing(message, verdict.applied, (*gates, failed), None, output)

        self.clean = clean = count(provoked, self._care, verdict.applied)
        if clean.problem:
            return fail(GateName.CLEAN, clean.problem, clean.runs, verdict.gates)
        status = GateStatus.PASSED if clean.whole else GateStatus.REVIEW
        gates = (*verdict.gates, gate(GateName.CLEAN, status, told(provoked, clean), *clean.runs))
        back, runs = _reverted(provoked, verdict.applied)
        if back:
            return fail(GateName.REVERTED, back, runs, gates)
        evidence = f"without the fix it failed again under the same provocation, as before, in run {len(runs)}"
        gates = (*gates, gate(GateName.REVERTED, GateStatus.PASSED, evidence, *runs))
        grade = verdict.grade if clean.whole else max(verdict.grade, Grade.REVIEW)
        return replace(verdict, gates=gates, grade=grade)


def count(provoked: Provoked, care: Care, applied: Applied) -> Clean:
    """Run the fix again and again, first under the provocation, then without it, until it fails or the time is over."""
    test, bench = provoked.wavering.test, provoked.bench
    wanted = wanted_runs(provoked, care)
    selection, scope = _ordinary(provoked, wanted[1])
    counts = [Counts(), Counts()]
    runs: list[RunResult] = []
    for place, most in enumerate(wanted):
        silent = 0
        while counts[place].runs < most and bench.seconds_left() > 0:
            number = counts[place].runs + 1
            if place == 0:
                run = bench.provoke((test,), applied.overlay, purpose=f"clean {number} of {most}")
            else:
                run = bench.plain(selection, applied.overlay, purpose=f"clean {number} of {most}, ordinary")
            if run.execution.timed_out and bench.seconds_left() <= 0:
                break
            runs.append(run)
            case = None if run.report is None else run.report.by_id().get(test)
            under = "under the provocation" if place == 0 else f"in ordinary runs ({scope})"
            if place == 0 and run.problem and not (case is not None and case.outcome.is_failure):
                return Clean(counts[0], counts[1], wanted, scope, tuple(runs), run.problem)
            if case is None or case.outcome is Outcome.SKIPPED:
                silent += 1
                if silent > _SILENT:
                    problem = f"{under} the test gave no answer: {run.problem or 'it was skipped'}"
                    return Clean(counts[0], counts[1], wanted, scope, tuple(runs), problem)
                continue
            silent = 0
            failed = case.outcome is not Outcome.PASSED
            counts[place] += Counts(1, int(failed))
            if failed:
                problem = (
                    f"it still fails sometimes: run {number} of {most} {under} failed, after {number - 1} that passed; "
                    "to fail less often is no repair"
                )
                return Clean(counts[0], counts[1], wanted, scope, tuple(runs), problem)
    return Clean(counts[0], counts[1], wanted, scope, tuple(runs))


def told(provoked: Provoked, clean: Clean) -> str:
    """Before and after, for a person; also what is missing where the time was over."""
    wavering = provoked.wavering
    before, ordinary = wavering.before, wavering.ordinary
    bound = f", so it fails in at most {upper_bound(clean.ordinary):.1%} of them (95 %)" if clean.ordinary.runs else ""
    text = (
        f"under the provocation ({wavering.proof.detail}) it failed {before.failures} of {before.runs} times before "
        f"and {clean.provoked.failures} of {clean.provoked.runs} after; in ordinary runs {ordinary.failures} of "
        f"{ordinary.runs} before and {clean.ordinary.failures} of {clean.ordinary.runs} after ({clean.scope}){bound}"
    )
    return text if clean.whole else f"{text}; {missing(clean)}"


def missing(clean: Clean) -> str:
    """What is not proven where the time was over."""
    return (
        f"the time was over before the {clean.wanted[0]} clean runs under the provocation and the {clean.wanted[1]} "
        "ordinary ones that prove it: it is likely, and not proven, that the failure is gone"
    )


def _ordinary(provoked: Provoked, runs: int) -> tuple[tuple[TestId, ...] | None, str]:
    """The selection of the ordinary runs: the suite where the time allows for it, else the test's own file."""
    base = provoked.case.base
    if (base.seconds + _START) * runs <= provoked.bench.seconds_left() * _SHARE:
        return None, "the whole suite"
    file = provoked.wavering.test.file
    own = tuple(case.id for case in base.report if case.id.file == file)
    return own, f"{file} alone, for the whole suite takes too long"


def _reverted(provoked: Provoked, applied: Applied) -> tuple[str, tuple[RunResult, ...]]:
    """Why the failure did not come back without the fix, "" where it did. New test files stay."""
    kept = {
        change.path: applied.overlay[change.path]
        for change in applied.changes
        if change.status == "A" and is_test_path(change.path)
    }
    wavering, runs = provoked.wavering, []
    for _ in range(wavering.again()):
        run = provoked.bench.provoke((wavering.test,), kept, purpose="reverted")
        runs.append(run)
        case = None if run.report is None else run.report.by_id().get(wavering.test)
        if case is None or not case.outcome.is_failure:
            continue
        failed = described(case, provoked.case.is_project)
        if same_failure(provoked.failed, failed):
            return "", tuple(runs)
        return f"without the fix it fails in another way now: {failed.exception}", tuple(runs)
    many = "the run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"without the fix the failure does not come back in {many}: something else made it pass", tuple(runs)
