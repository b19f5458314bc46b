"""The judge: takes a patch through the gates in their order and returns what was seen.

applies → vetted → red → green → minimal → suite → stable; cheap gates first, and every gate's evidence names the patch
it judged. When `minimal` drops hunks, what is left passes the gates before it again, so that all hashes agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.evidence.delta import delta
from bot.evidence.failures import read_failure
from bot.evidence.test_paths import is_test_path
from bot.evidence.text import head_tail
from bot.evidence.types import Delta, Phase, TestId, TestReport
from bot.patch.apply import apply_overlay
from bot.patch.hunks import subset, units
from bot.patch.types import Applied, Refusal
from bot.ports import RunResult
from bot.verify.base import Case
from bot.verify.generality import reach
from bot.verify.proof import also_healed, counted, fails_as_stated, fault, healed_files, names, passed
from bot.verify.types import (
    Failing,
    Gate,
    GateName,
    GateStatus,
    Inapplicable,
    JudgeBench,
    Plausible,
    Rejected,
    Unproven,
    Verdict,
)
from bot.vet import Subject, vet
from bot.vet.types import Grade, Objection

STABLE_RUNS = 3
MOST_UNITS = 12
"""Hunks up to which each is tried for need; a larger patch would cost too many runs, and the gate says so."""
OUTPUT = 6_000
"""Characters of a failing run's output that go into a verdict."""


def judge(
    bench: JudgeBench,
    case: Case,
    patch_text: str,
    new_tests: Mapping[str, bytes],
    *,
    why_no_test: str,
    record: Callable[[Gate], None],
) -> Verdict:
    """Verdict on a patch and the new test files that shall prove it (path → contents, each a new file).

    `record` is told of each gate when it is decided.
    """
    gates = [case.base.gate(case.cluster.ids)]
    record(gates[0])
    placed = bench.try_patch(patch_text)
    if not isinstance(placed, Refusal):
        placed = _with_tests(bench, placed, new_tests)
    if isinstance(placed, Refusal):
        gate = Gate(GateName.APPLIES, GateStatus.FAILED, placed.message)
        record(gate)
        return Inapplicable(placed, (*gates, gate))
    walk = _Walk(bench, case, placed, gates=gates, why_no_test=why_no_test, record=record)
    try:
        walk.to_green()
        smaller = walk.minimal()
        if smaller is not None:
            kept, dropped = smaller
            walk = _Walk(bench, case, kept, gates=gates[:1], why_no_test=why_no_test, record=record)
            walk.to_green()
            walk.decide(
                GateName.MINIMAL,
                GateStatus.PASSED,
                f"{dropped} of {dropped + len(units(kept))} hunks were not needed and are dropped; the rest passed "
                "the gates above again",
            )
        return walk.to_end()
    except _Stop as stop:
        return stop.verdict


def _with_tests(bench: JudgeBench, fix: Applied, new_tests: Mapping[str, bytes]) -> Applied | Refusal:
    overlay: dict[str, bytes | None] = dict(fix.overlay)
    for path, contents in new_tests.items():
        if bench.checkout.read(path) is not None:
            return Refusal(f"{path} exists already; a new test goes into a new file", path)
        overlay[path] = contents
    return apply_overlay(overlay, bench.checkout) if new_tests else fix


class _Stop(Exception):  # noqa: N818 (ends the walk; carries the verdict)
    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class _Walk:
    """One patch on its way through the gates."""

    def __init__(
        self,
        bench: JudgeBench,
        case: Case,
        applied: Applied,
        *,
        gates: list[Gate],
        why_no_test: str,
        record: Callable[[Gate], None],
    ) -> None:
        self.bench = bench
        self.case = case
        self.applied = applied
        self.gates = list(gates)
        self.why_no_test = why_no_test
        self.record = record
        self.objections: tuple[Objection, ...] = ()
        self.tests: dict[str, bytes] = {
            change.path: contents
            for change in applied.changes
            if change.status == "A"
            and is_test_path(change.path)
            and (contents := applied.overlay[change.path]) is not None
        }
        read, targets = bench.checkout.read, case.cluster.ids
        self.subject = Subject(applied, read, targets, tuple(self.tests), case.protect, case.flake)
        self.new_ids: tuple[TestId, ...] = ()

    def decide(self, name: GateName, status: GateStatus, evidence: str, *runs: RunResult) -> None:
        """Set down one gate."""
        gate = Gate(name, status, evidence, tuple(run.run_id for run in runs), self.applied.patch.sha256)
        self.gates.append(gate)
        self.record(gate)

    def to_green(self) -> None:
        """Gates applies, vetted, red, green."""
        paths = ", ".join(change.path for change in self.applied.changes)
        self.decide(GateName.APPLIES, GateStatus.PASSED, f"applies in exactly one place; git says it changes {paths}")
        self._vetted()
        self._red()
        self._green()

    def to_end(self) -> Plausible:
        """Gates suite and stable."""
        after = self._suite()
        healed = also_healed(after, self.case.base.failures, self.case.cluster)
        self._stable(healed)
        grade = max((objection.grade for objection in self.objections), default=Grade.ALLOWED)
        if any(gate.status is GateStatus.REVIEW for gate in self.gates):
            grade = max(grade, Grade.REVIEW)
        return Plausible(self.applied, tuple(self.gates), grade, self.objections, self.new_ids, after, healed)

    def minimal(self) -> tuple[Applied, int] | None:
        """Gate minimal: the smaller patch and the number of hunks it leaves out, or None where every hunk is needed."""
        whole = units(self.applied)
        removable = [number for number, unit in enumerate(whole) if unit.path not in self.tests]
        if len(removable) < 2:
            self.decide(
                GateName.MINIMAL, GateStatus.PASSED, "one hunk outside the new test; without it the tests were red"
            )
            return None
        if len(removable) > MOST_UNITS:
            evidence = f"{len(removable)} hunks are too many to try one by one (at most {MOST_UNITS})"
            self.decide(GateName.MINIMAL, GateStatus.REVIEW, evidence)
            return None
        keep = set(range(len(whole)))
        runs: list[RunResult] = []
        for number in removable:
            if len(keep & set(removable)) == 1:
                break
            run = self.bench.run(self._proof(), subset(self.applied, sorted(keep - {number})), purpose="minimal")
            runs.append(run)
            if fault(run, self.case.cluster, tuple(self.tests)) is None:
                keep.discard(number)
        if len(keep) == len(whole):
            evidence = f"each of the {len(removable)} hunks outside the new test is needed: without it a test is red"
            self.decide(GateName.MINIMAL, GateStatus.PASSED, evidence, *runs)
            return None
        smaller = apply_overlay(subset(self.applied, sorted(keep)), self.bench.checkout)
        assert isinstance(smaller, Applied), f"a part of a patch that applies does not: {smaller}"
        return smaller, len(whole) - len(keep)

    # --- the gates, one by one ---------------------------------------------------------------------------------------

    def _vetted(self) -> None:
        self.objections = vet(self.subject)
        worst = max((objection.grade for objection in self.objections), default=Grade.ALLOWED)
        said = "; ".join(f"{objection.rule}: {objection.message}" for objection in self.objections[:5])
        if worst is Grade.BLOCKED:
            self.decide(GateName.VETTED, GateStatus.FAILED, said)
            raise _Stop(Rejected(self.objections, self.applied, tuple(self.gates)))
        if worst is Grade.REVIEW:
            self.decide(GateName.VETTED, GateStatus.REVIEW, said)
        else:
            self.decide(GateName.VETTED, GateStatus.PASSED, "no rule objects")

    def _red(self) -> None:
        if not self.tests:
            reason = f" ({self.why_no_test})" if self.why_no_test else ""
            evidence = f"proved by the existing test only{reason}"
            self.decide(GateName.RED, GateStatus.NOT_APPLICABLE, evidence)
            return
        run = self.bench.run(self._new_files(), dict(self.tests), purpose="red")
        cases = [case for case in run.report or () if case.id.file in self.tests]
        red = [case for case in cases if case.outcome.is_failure]
        wrong = [case for case in red if not fails_as_stated(case, self.case.cluster, self.case.is_project)]
        if not red:
            what = f"{counted(len(cases))} passed" if cases else f"no new test ran ({run.problem or 'none collected'})"
            message = f"the new test does not fail without the fix: {what} at base"
            self._unproven(message, run)
        if wrong:
            seen = read_failure(wrong[0], self.case.is_project)
            message = (
                f"{wrong[0].id.node_id} fails without the fix with {seen.exception}: {seen.message[:200]}, which is "
                f"neither {self.case.cluster.failures[0].exception} nor a failed assertion"
            )
            self._unproven(message, run)
        evidence = f"{len(red)} of {counted(len(cases))} in {', '.join(self.tests)} failed at base, as stated"
        self.decide(GateName.RED, GateStatus.PASSED, evidence, run)

    def _green(self) -> None:
        run = self.bench.run(self._proof(), self.applied.overlay, purpose="green")
        wrong = fault(run, self.case.cluster, tuple(self.tests))
        if wrong is not None:
            self._fail(GateName.GREEN, wrong, run)
        self.new_ids = tuple(case.id for case in run.report or () if case.id.file in self.tests)
        new = f" and {counted(len(self.new_ids))} of the new file" if self.tests else ""
        evidence = f"{counted(len(self.case.cluster.ids))} that failed at base{new} passed"
        self.decide(GateName.GREEN, GateStatus.PASSED, evidence, run)

    def _suite(self) -> TestReport:
        run = self.bench.run(None, self.applied.overlay, purpose="suite")
        before, after = self.case.base.report, run.report
        if after is None or (run.problem and not after.failures()):
            self._fail(GateName.SUITE, run.problem or "no report was written", run)
        assert after is not None
        change = delta(before, after)
        # A file that could not be collected at base stands there as one failing case, which rightly goes away when the
        # file's tests appear; what those tests then say is new, and no worse than the whole file failing.
        uncollected = {case.id for case in before if case.phase is Phase.COLLECTION}
        unhealed = set(self.case.cluster.ids) - set(change.fail_to_pass) - healed_files(after, self.case.cluster)
        if unhealed:
            self._fail(GateName.SUITE, f"in the whole suite {names(tuple(unhealed))} still failed", run, change)
        known, files = set(before.by_id()), {test.file for test in uncollected}
        new = tuple(case.id for case in after.failures() if case.id not in known and case.id.file not in files)
        vanished = tuple(test for test in change.vanished if test not in uncollected)
        if vanished or new:
            worse = f"{names(vanished)} vanished" if vanished else f"{names(new)} are new and fail"
            self._fail(GateName.SUITE, f"the suite is worse than at base: {worse}", run, change)
        evidence = (
            f"before {len(before)} tests, {len(before.failures())} failed; after {len(after)} tests, "
            f"{len(after.failures())} failed; {len(change.fail_to_pass)} red → green, 0 vanished, "
            f"{len(change.pass_to_fail)} green → red"
        )
        if change.pass_to_fail:
            again = self.bench.run(change.pass_to_fail, self.applied.overlay, purpose="suite, broken tests again")
            seen = again.report.by_id() if again.report is not None else {}
            if again.problem or not all(passed(seen.get(test)) for test in change.pass_to_fail):
                message = f"the suite is worse than at base: {names(change.pass_to_fail)} passed and do not pass now"
                self._fail(GateName.SUITE, message, run, change)
            evidence += f" ({names(change.pass_to_fail)}: passed when run again alone, so probably flaky)"
            self.decide(GateName.SUITE, GateStatus.REVIEW, evidence, run, again)
            return after
        reached = reach(self.bench, self.case, self.applied, self.subject)
        self.decide(GateName.SUITE, reached.status, evidence + reached.evidence, run, *reached.runs)
        return after

    def _stable(self, healed: tuple[TestId, ...]) -> None:
        proof = (*self._proof(), *healed)
        runs = []
        for number in range(1, STABLE_RUNS + 1):
            run = self.bench.run(proof, self.applied.overlay, purpose=f"stable {number} of {STABLE_RUNS}")
            runs.append(run)
            wrong = fault(run, self.case.cluster, tuple(self.tests), healed)
            if wrong is not None:
                self._fail(GateName.STABLE, f"run {number} of {STABLE_RUNS}: {wrong}", run)
        count = len(self.case.cluster.ids) + len(self.new_ids) + len(healed)
        evidence = f"{counted(count)} passed in {STABLE_RUNS} of {STABLE_RUNS} more runs, each in a fresh box"
        self.decide(GateName.STABLE, GateStatus.PASSED, evidence, *runs)

    # --- what the gates ask ------------------------------------------------------------------------------------------

    def _new_files(self) -> tuple[TestId, ...]:
        return tuple(TestId.from_node_id(path) for path in self.tests)

    def _proof(self) -> tuple[TestId, ...]:
        return (*self.case.cluster.ids, *self._new_files())

    def _unproven(self, message: str, run: RunResult) -> None:
        self.decide(GateName.RED, GateStatus.FAILED, message, run)
        output = head_tail(run.execution.output, OUTPUT)
        raise _Stop(Unproven(message, self.applied, tuple(self.gates), output))

    def _fail(self, gate: GateName, message: str, run: RunResult, change: Delta | None = None) -> None:
        self.decide(gate, GateStatus.FAILED, message, run)
        output = head_tail(run.execution.output, OUTPUT)
        raise _Stop(Failing(message, self.applied, tuple(self.gates), change, output))
