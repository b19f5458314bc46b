"""A whole run on one checkout: set up, reproduce, localize, repair each cluster, combine, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bot import __version__
from bot.budget import Budget
from bot.config import Settings, SuiteSettings
from bot.diagnose.excerpts import excerpt
from bot.diagnose.rank import localize
from bot.diagnose.types import Evidence, Location, Spectrum
from bot.evidence.failures import cluster as cluster_failures
from bot.evidence.matching import select
from bot.evidence.test_paths import is_test_path
from bot.evidence.text import head_tail
from bot.evidence.types import Cluster, Outcome, TestCase, TestId
from bot.patch.apply import combine
from bot.patch.types import Refusal
from bot.ports import Clock, EventKind, JsonValue, Proposer, Recorder, Sandbox
from bot.propose.types import StopReason
from bot.repair import GaveUp, Repaired, repair
from bot.result import (
    RepairResult,
    Result,
    RunOutcome,
    SandboxInfo,
    attempt_result,
    changes,
    totals,
    worst,
)
from bot.toolchains.types import LineHits, Runtime, Toolchain
from bot.verify.base import Base, Unusable, measure
from bot.verify.bench import SandboxBench
from bot.verify.judge import Case
from bot.verify.types import Plausible
from bot.vet.types import Grade
from bot.workspace.checkout import Checkout
from bot.workspace.git import Repository
from bot.workspace.types import ChangedRange

EXCERPT_TOKENS = 12_000
OUTPUT = 20_000
NEIGHBOURS = 200
"""Passing tests beside the failing ones that a separate coverage run takes on interpreters without sys.monitoring."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked to do.

    wanted: failing cases of a report (None: whatever fails in the base run). selectors: tests named by a person.
    good: a revision at which all was green, "" where unknown.
    """

    suite: SuiteSettings
    wanted: tuple[TestCase, ...] | None = None
    selectors: tuple[str, ...] = ()
    good: str = ""
    hint: str = ""
    include_work_tree: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """Who does it. `proposer` makes one for a repair, given the runtime of the boxes and that repair's recorder."""

    repository: Repository
    sandbox: Sandbox
    toolchain: Toolchain
    recorder: Recorder
    clock: Clock
    budget: Budget
    proposer: Callable[[Runtime, Recorder], Proposer]


@dataclass(slots=True)
class Stages:
    """Seconds by stage, in the order of the run."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        began = self.clock.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock.monotonic() - began


@dataclass(frozen=True, slots=True)
class Reproduced:
    """An environment with its base run: what `explain` shows and `repair` starts from."""

    bench: SandboxBench
    checkout: Checkout
    base: Base
    clusters: tuple[Cluster, ...]
    spectrum: Spectrum | None
    changed: tuple[ChangedRange, ...]
    recent_diff: str

    def locate(self, cluster: Cluster) -> tuple[Location, ...]:
        """Ranked locations of one cluster."""
        return localize(cluster, self.spectrum, self.changed, self.checkout.path, is_test_path)

    def evidence(self, cluster: Cluster, hint: str) -> Evidence:
        """What a proposer is told of one cluster."""
        locations = self.locate(cluster)
        return Evidence(
            cluster=cluster,
            base=self.base.report,
            output=head_tail(self.base.output, OUTPUT),
            locations=locations,
            excerpts=excerpt(locations, self.checkout.path, EXCERPT_TOKENS, cluster),
            changed=self.changed,
            recent_diff=self.recent_diff,
            hint=hint,
            spectrum=self.spectrum,
        )

    def is_project(self, path: str) -> bool:
        return self.checkout.read(path) is not None


@contextmanager
def reproduce(job: Job, settings: Settings, tools: Tools, stages: Stages) -> Iterator[Reproduced | Unusable]:
    """Check out, set up, run the base: the environment lives as long as the context."""
    with stages.measure("checkout"):
        checkout = tools.repository.checkout(include_work_tree=job.include_work_tree)
        changed, recent_diff = tools.repository.changed_since(job.good, checkout) if job.good else ((), "")
    with stages.measure("set-up"):
        plan = tools.toolchain.plan(checkout.path, job.suite, isolated=tools.sandbox.isolated)
        environment = tools.sandbox.set_up(plan, checkout.path, settings.sandbox.limits)
    with environment:
        with stages.measure("set-up"), environment.open() as box:
            environment.prepare()
            runtime = tools.toolchain.probe(box)
        bench = SandboxBench(
            environment=environment,
            toolchain=tools.toolchain,
            runtime=runtime,
            checkout=checkout,
            suite=job.suite,
            recorder=tools.recorder,
            clock=tools.clock,
            seconds_left=tools.budget.seconds_left,
        )

        def is_project(path: str) -> bool:
            return checkout.read(path) is not None

        with stages.measure("reproduce"):
            inside = runtime.python >= (3, 12) and runtime.runner == "pytest"
            base = measure(bench, job.wanted, job.selectors, is_project, spectrum=inside)
        if isinstance(base, Unusable):
            yield base
            return
        clusters = cluster_failures(base.failures)
        _record_base(tools.recorder, base, clusters)
        with stages.measure("localize"):
            hits = base.hits if inside else _separate_hits(bench, base)
            failing = frozenset(case.id for case in base.report.failures())
            spectrum = Spectrum(hits.lines, failing) if hits is not None and hits.lines else None
        yield Reproduced(bench, checkout, base, clusters, spectrum, changed, recent_diff)


def run(job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
    """Do the job. BotError and Cancelled pass through; what was spent until then is in `tools.budget` and `stages`."""
    with reproduce(job, settings, tools, stages) as seen:
        if isinstance(seen, Unusable):
            message = f"the tests could not be run to a report: {seen.problem}"
            tail = head_tail(seen.output, 2_000).strip()
            result = Result(
                RunOutcome.GAVE_UP,
                reason=StopReason.INFRASTRUCTURE,
                message=f"{message}\n\n{tail}" if tail else message,
            )
        else:
            result = _repair_all(seen, job, settings, tools, stages)
        environment = SandboxInfo(tools.sandbox.name, tools.sandbox.isolated, _description(seen))
    return replace(
        result,
        usage=tools.budget.usage,
        seconds=dict(stages.seconds),
        sandbox=environment,
        commit=tools.repository.head,
        version=__version__,
    )


def _description(seen: Reproduced | Unusable) -> str:
    return "" if isinstance(seen, Unusable) else seen.bench.environment.description


def _repair_all(seen: Reproduced, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
    base = seen.base
    repairs: list[RepairResult] = []
    accepted: list[Plausible] = []
    healed: set[TestId] = set()
    for number, cluster in enumerate(seen.clusters, 1):
        if healed.issuperset(cluster.ids):
            continue
        if len(repairs) >= settings.limits.clusters:
            repairs.append(_left(cluster, settings.limits.clusters))
            continue
        recorder = ForRepair(tools.recorder, number)
        with stages.measure("localize"):
            evidence = seen.evidence(cluster, job.hint)
        _record_locations(recorder, evidence.locations)
        with stages.measure("repair"):
            proposer = tools.proposer(seen.bench.runtime, recorder)
            case = Case(cluster, base, settings.protect, seen.is_project)
            ending = repair(evidence, case, proposer, seen.bench, tools.budget, recorder, tools.clock)
        if isinstance(ending, Repaired):
            accepted.append(ending.verdict)
            healed.update(ending.verdict.healed)
        result = _repair_result(cluster, ending, base)
        repairs.append(result)
        recorder.record(
            EventKind.OUTCOME,
            outcome=result.outcome.value,
            reason=None if result.reason is None else result.reason.value,
            message=result.message,
            patch=result.patch,
            new_tests=[test.node_id for test in result.new_tests],
            tests=[{"id": each.id.node_id, "before": each.before, "after": each.after} for each in result.tests],
        )
    repairs += _unrepairable(base)
    with stages.measure("combine"):
        patch, message = _combined(seen, accepted)
    return Result(
        worst([each.outcome for each in repairs]), tuple(repairs), _reason(repairs), message or _nothing(base), patch
    )


def _repair_result(cluster: Cluster, ending: Repaired | GaveUp, base: Base) -> RepairResult:
    first = cluster.failures[0]
    attempts = tuple(attempt_result(number, attempt) for number, attempt in enumerate(ending.attempts, 1))
    result = RepairResult(
        targets=cluster.ids,
        fingerprint=cluster.fingerprint,
        outcome=RunOutcome.GAVE_UP,
        exception=first.exception,
        failure_message=first.message,
        attempts=attempts,
        gates=attempts[-1].gates if attempts else (base.gate(cluster.ids),),
        before=totals(base.report),
    )
    if isinstance(ending, GaveUp):
        return replace(
            result,
            reason=ending.reason,
            message=ending.message,
            tests=changes(base.report, None, cluster.ids),
        )
    proposal, verdict = ending.attempts[-1].proposal, ending.verdict
    review = verdict.grade is Grade.REVIEW
    return replace(
        result,
        targets=(*cluster.ids, *verdict.healed),
        outcome=RunOutcome.NEEDS_REVIEW if review else RunOutcome.REPAIRED,
        reason=StopReason.REVIEW_GRADE if review else None,
        message="every gate is green, and a rule asks for a person's eyes" if review else "",
        root_cause=proposal.diagnosis.root_cause,
        confidence=proposal.diagnosis.confidence,
        risks=proposal.diagnosis.risks,
        patch=verdict.patch.text,
        new_test=proposal.new_test,
        new_tests=verdict.new_tests,
        why_no_test=proposal.why_no_test,
        objections=verdict.objections,
        tests=changes(base.report, verdict.after, (*cluster.ids, *verdict.healed, *verdict.new_tests)),
        after=totals(verdict.after),
    )


def _left(cluster: Cluster, most: int) -> RepairResult:
    return RepairResult(
        cluster.ids,
        cluster.fingerprint,
        RunOutcome.GAVE_UP,
        StopReason.BUDGET,
        f"left for another run: limits.clusters allows {most} repairs a run",
        cluster.failures[0].exception,
        cluster.failures[0].message,
    )


def _unrepairable(base: Base) -> Iterator[RepairResult]:
    """Tests that are no case for a repair: flaky, or not failing here."""
    for test, failed, runs in base.flaky:
        message = f"failed in {failed} of {runs} runs at the same commit: flaky, so no patch was made"
        yield RepairResult((test,), "", RunOutcome.FLAKY, StopReason.NEEDS_HUMAN, message)
    for test, seen in base.absent:
        yield RepairResult((test,), "", RunOutcome.NOT_REPRODUCED, None, f"the report says it fails, but {seen}")


def _combined(seen: Reproduced, accepted: list[Plausible]) -> tuple[str | None, str]:
    """The accepted patches as one, verified as one; else None and why not."""
    if len(accepted) < 2:
        return (accepted[0].patch.text if accepted else None), ""
    combined = combine(tuple(verdict.applied for verdict in accepted), seen.checkout)
    if isinstance(combined, Refusal):
        return None, f"the patches do not combine and stand apart: {combined.message}"
    run = seen.bench.run(None, combined.overlay, purpose="all patches together")
    expected = {case.id for verdict in accepted for case in verdict.after if case.outcome is Outcome.PASSED}
    passing = {case.id for case in run.report or () if case.outcome is Outcome.PASSED}
    if run.report is None or not passing.issuperset(expected):
        lost = ", ".join(sorted(test.node_id for test in expected - passing)[:5])
        return None, f"the patches pass one by one and not together ({lost or run.problem}), so they stand apart"
    return combined.patch.text, ""


def _reason(repairs: list[RepairResult]) -> StopReason | None:
    outcome = worst([each.outcome for each in repairs])
    return next((each.reason for each in repairs if each.outcome is outcome), None)


def _nothing(base: Base) -> str:
    if base.failures or base.flaky or base.absent:
        return ""
    passed = base.report.count(Outcome.PASSED)
    elsewhere = len(base.report.failures())
    if elsewhere:
        return f"none of the tests that were named fails here; {elsewhere} others do"
    return f"nothing fails: {passed} of {len(base.report)} tests passed"


# --- recording ------------------------------------------------------------------------------------------------------


class ForRepair:
    """Implements Recorder: adds the number of the repair to every event."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        return self._recorder.record(kind, repair=self._number, **data)


def _record_base(recorder: Recorder, base: Base, clusters: tuple[Cluster, ...]) -> None:
    recorder.record(
        EventKind.BASE,
        run_id=base.run_ids[0],
        tests=len(base.report),
        failed=len(base.report.failures()),
        seconds=round(base.seconds, 3),
        flaky=[test.node_id for test, _, _ in base.flaky],
        not_reproduced=[test.node_id for test, _ in base.absent],
    )
    recorder.record(
        EventKind.EVIDENCE,
        clusters=[
            {
                "fingerprint": each.fingerprint,
                "targets": [test.node_id for test in each.ids],
                "exception": each.failures[0].exception,
                "message": each.failures[0].message,
            }
            for each in clusters
        ],
    )


def _record_locations(recorder: Recorder, locations: tuple[Location, ...]) -> None:
    recorder.record(
        EventKind.LOCATIONS,
        locations=[
            {
                "path": each.path,
                "line": each.line,
                "symbol": each.symbol,
                "suspiciousness": round(each.suspiciousness, 4),
                "reason": each.reason,
            }
            for each in locations[:20]
        ],
    )


def _separate_hits(bench: SandboxBench, base: Base) -> LineHits | None:
    """Executed lines of the failing tests and their neighbours, in a run of its own: tracing slows a test down."""
    failing = {case.id for case in base.report.failures()}
    files = {test.file for test in failing}
    near = sorted(
        (case for case in base.report if case.outcome is Outcome.PASSED),
        key=lambda case: (case.id.file not in files, case.seconds),
    )
    ids = tuple(sorted(failing)) + tuple(case.id for case in near[:NEIGHBOURS])
    return bench.run_with_hits(ids, purpose="coverage of failing and neighbouring tests", spectrum=True)[1]
