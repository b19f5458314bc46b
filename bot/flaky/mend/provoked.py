"""The bench of a flaky test: whatever concerns the test is run under the provocation of its proof, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.evidence.types import Outcome, TestCase, TestId, TestReport
from bot.flaky.types import Trial
from bot.patch.types import Applied, Refusal
from bot.ports import Box, Overlay, RunResult
from bot.toolchains.types import Conditions
from bot.verify.bench import SandboxBench


@dataclass(frozen=True, slots=True)
class Provocation:
    """What makes `test` fail: the tests before it, in their order, and the conditions of the run."""

    test: TestId
    before: tuple[TestId, ...]
    conditions: Conditions

    @classmethod
    def of(cls, trial: Trial, test: TestId) -> Provocation:
        """That of a proof's first trial."""
        return cls(test, tuple(each for each in trial.tests if each != test), trial.conditions)

    def selection(self, asked: Sequence[TestId]) -> tuple[TestId, ...]:
        """What to run for `asked`: the test directly after those before it, as in the proof; the rest follows."""
        own = (self.test,) if self.test in asked else ()
        return tuple(dict.fromkeys((*self.before, *own, *asked)))

    def under(self, count: int) -> Conditions:
        """Conditions of a run of `count` tests. Several workers keep no order, and need none."""
        ordered = count > 1 and not self.conditions.workers
        return replace(self.conditions, in_order=True) if ordered else self.conditions


class ProvokedBench:
    """Implements JudgeBench over a bench.

    A run of the test, or of files that are new (a test that shall prove the fix), takes place under the provocation; a
    run of other tests of the suite does not. The whole suite is run as ever, and the test shows the worse of the two.
    A provocation that did not take place (a polluter that fails now, is skipped or gone) is the run's problem: a test
    that passes after it has proved nothing.

    known: tests of the suite. failing: those before the test that fail at base, too, and pollute nevertheless.
    """

    def __init__(
        self,
        bench: SandboxBench,
        provocation: Provocation,
        known: frozenset[TestId],
        failing: frozenset[TestId] = frozenset(),
    ) -> None:
        self._bench = bench
        self.provocation = provocation
        self._known = known
        self._failing = failing
        self.environment = bench.environment
        self.checkout = bench.checkout
        self.tree = bench.tree

    def seconds_left(self) -> float:
        return self._bench.seconds_left()

    def try_patch(self, text: str) -> Applied | Refusal:
        return self._bench.try_patch(text)

    def open(self, overlay: Overlay | None = None) -> Box:
        return self._bench.open(overlay)

    def run(
        self,
        ids: tuple[TestId, ...] | None,
        overlay: Overlay | None = None,
        *,
        purpose: str = "probe",
        seconds: float | None = None,
    ) -> RunResult:
        if ids is None:
            return self._suite(overlay, purpose, seconds)
        if self.provocation.test in ids or not self._known.issuperset(ids):
            return self.provoke(ids, overlay, purpose=purpose, seconds=seconds)
        return self.plain(ids, overlay, purpose=purpose, seconds=seconds)

    def plain(
        self,
        ids: tuple[TestId, ...] | None,
        overlay: Overlay | None = None,
        *,
        purpose: str,
        seconds: float | None = None,
    ) -> RunResult:
        """A run as every other, with nothing provoked."""
        return self._bench.run(ids, overlay, purpose=purpose, seconds=seconds)

    def provoke(
        self,
        ids: tuple[TestId, ...],
        overlay: Overlay | None = None,
        *,
        purpose: str,
        seconds: float | None = None,
    ) -> RunResult:
        """A run under the provocation, told of `ids` alone and of what went wrong with the tests before them."""
        tests = self.provocation.selection(ids)
        under = self.provocation.under(len(tests))
        result = self._bench.watch(
            tests, under, purpose=f"{purpose}, provoked", overlay=overlay, seconds=seconds
        ).result
        return self._told(result, ids)

    def _told(self, result: RunResult, ids: tuple[TestId, ...]) -> RunResult:
        report = result.report
        if report is None:
            return result
        before = set(self.provocation.before) - set(ids)
        cases = report.by_id()
        absent = [
            test
            for test in self.provocation.before
            if test not in self._failing and (test not in cases or cases[test].outcome is Outcome.SKIPPED)
        ]
        problem = result.problem
        if absent:
            problem = f"the provocation did not take place: {absent[0].node_id} did not run"
        return replace(result, report=TestReport(tuple(self._shown(report, before)), report.problems), problem=problem)

    def _shown(self, report: TestReport, before: set[TestId]) -> list[TestCase]:
        """A test before the others is shown where it fails and did not at base."""
        return [
            case
            for case in report
            if case.id not in before or (case.outcome.is_failure and case.id not in self._failing)
        ]

    def _suite(self, overlay: Overlay | None, purpose: str, seconds: float | None) -> RunResult:
        plain = self._bench.run(None, overlay, purpose=purpose, seconds=seconds)
        if plain.report is None:
            return plain
        test = self.provocation.test
        provoked = self.provoke((test,), overlay, purpose=purpose, seconds=seconds)
        case = None if provoked.report is None else provoked.report.by_id().get(test)
        if case is None:
            return replace(plain, problem=provoked.problem or "the test did not run under its provocation")
        return replace(plain, report=with_case(plain.report, case), problem=plain.problem or provoked.problem)


def with_case(report: TestReport, case: TestCase) -> TestReport:
    """`report` with `case` in its place, where that is not better than what stands there."""
    if case.id not in report.by_id():
        return TestReport((*report, case), report.problems)
    cases = (case if each.id == case.id and not each.outcome.is_failure else each for each in report)
    return TestReport(tuple(cases), report.problems)


def in_words(conditions: Conditions) -> tuple[str, ...]:
    """What brings the conditions about beside variables, the clock, limits and workers: for somebody at a terminal."""
    told = []
    if conditions.random_seed is not None:
        seed = conditions.random_seed
        told.append(
            f"the random generators seeded with {seed} before the test (pytest-randomly: --randomly-seed={seed})"
        )
    if conditions.cpu_share < 1:
        told.append(f"{conditions.cpu_share:.0%} of a processor (in a container: --cpus {conditions.cpu_share:g})")
    if conditions.load:
        told.append(f"{conditions.load} busy processes beside it")
    if conditions.one_core:
        told.append("a single core (before the command: taskset -c 0)")
    if conditions.offline:
        told.append("no network but loopback")
    if conditions.network:
        told.append("a network")
    if conditions.fresh_home:
        told.append("HOME and TMPDIR set to new and empty folders")
    if conditions.ports:
        told.append(f"another program that listens on 127.0.0.1, port {', '.join(map(str, conditions.ports))}")
    if conditions.directory_order:
        told.append(f"os.listdir and its relatives that answer in {conditions.directory_order} order")
    if conditions.thread_turns in ("often", "lines"):
        told.append("threads that take turns as often as they can (sys.setswitchinterval(1e-6))")
    if conditions.neighbours:
        told.append(f"{conditions.neighbours} processes that run other tests of the suite over and over beside it")
    return tuple(told)
