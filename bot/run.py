"""A whole run on one checkout: reproduce, repair each cluster, combine the patches, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot import __version__
from bot.config import Settings
from bot.diagnose.types import Location
from bot.evidence.text import head_tail
from bot.evidence.types import Cluster, Outcome, TestId
from bot.patch.apply import combine
from bot.patch.types import Refusal
from bot.ports import EventKind, JsonValue, Recorder
from bot.propose.types import StopReason
from bot.repair import BrokenOff, Ending, GaveUp, Repaired, repair
from bot.reproduce import Job, Reproduced, Stages, Tools, reproduce
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
from bot.verify.base import Base, Case, Unusable
from bot.verify.types import Plausible
from bot.vet.types import Grade

CONFIDENT = 0.5
"""Share of certainty, by the proposer's own word, from which on a green patch needs no person before it counts."""


def run(job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
    """Do the job. BotError and Cancelled pass through; what was spent until then is in `tools.budget` and `stages`."""
    watch = ModelWatch(tools.recorder)
    tools = replace(tools, recorder=watch)
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
        description = _description(seen)
    return with_costs(result, tools, stages, watch, description)


def with_costs(result: Result, tools: Tools, stages: Stages, watch: ModelWatch, description: str) -> Result:
    """The result with what the run cost, what it ran on (`description`: of the environment), and who did it."""
    return replace(
        result,
        usage=tools.budget.spent,
        model=watch.asked,
        served_model=watch.served,
        seconds=dict(stages.seconds),
        sandbox=SandboxInfo(tools.sandbox.name, tools.sandbox.isolated, description),
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
            repairs.append(left_for_another(cluster, settings.limits.clusters))
            continue
        recorder = ForRepair(tools.recorder, number)
        with stages.measure("localize"):
            evidence = seen.evidence(cluster, job.hint)
        record_locations(recorder, evidence.locations)
        with stages.measure("repair"):
            proposer = tools.proposer(seen.bench.runtime, recorder)
            case = Case(cluster, base, settings.protect, seen.is_project)
            ending = repair(evidence, case, proposer, seen.bench, tools.budget, recorder, tools.clock)
        if isinstance(ending, Repaired):
            accepted.append(ending.verdict)
            healed.update(ending.verdict.healed)
        result = repair_result(cluster, ending, base)
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
        worst([each.outcome for each in repairs]), tuple(repairs), reason_of(repairs), message or _nothing(base), patch
    )


def repair_result(cluster: Cluster, ending: Ending, base: Base) -> RepairResult:
    """What came of one repair, as it is reported."""
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
    if isinstance(ending, BrokenOff):
        return replace(
            result,
            outcome=RunOutcome.STOPPED,
            reason=StopReason.INFRASTRUCTURE,
            message=str(ending.error),
            tests=changes(base.report, None, cluster.ids),
        )
    proposal, verdict = ending.attempts[-1].proposal, ending.verdict
    reason, message = _review(verdict, proposal.diagnosis.confidence)
    return replace(
        result,
        targets=(*cluster.ids, *verdict.healed),
        outcome=RunOutcome.REPAIRED if reason is None else RunOutcome.NEEDS_REVIEW,
        reason=reason,
        message=message,
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


def _review(verdict: Plausible, confidence: float | None) -> tuple[StopReason | None, str]:
    """Why a person must look before a green patch counts, (None, "") where nothing asks for it.

    A proposer that states no confidence has none to be held to: the search engine ranks its candidates, that is all.
    """
    unsure = confidence is not None and confidence < CONFIDENT
    doubt = f"the proposer is only {confidence:.0%} sure of the cause" if unsure else ""
    if verdict.grade is Grade.REVIEW:
        message = "every gate is green, and a rule asks for a person's eyes"
        return StopReason.REVIEW_GRADE, f"{message}; {doubt}" if doubt else message
    if unsure:
        return StopReason.LOW_CONFIDENCE, f"every gate is green, but {doubt} (below {CONFIDENT:.0%})"
    return None, ""


def left_for_another(cluster: Cluster, most: int) -> RepairResult:
    """A cluster beyond the `most` that one run repairs."""
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


def reason_of(repairs: Sequence[RepairResult]) -> StopReason | None:
    """Why a run ended as it did: the reason of the first of its worst repairs."""
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


class ModelWatch:
    """Implements Recorder: passes events on, and remembers which model was asked for and which one answered."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.asked = ""
        self.served = ""

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        if kind is EventKind.REQUEST:
            self.asked = str(data.get("model") or "")
        elif kind is EventKind.REPLY:
            self.served = str(data.get("model") or "") or self.served  # a request that failed names none
        return self._recorder.record(kind, **data)


class ForRepair:
    """Implements Recorder: adds the number of the repair to every event."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        return self._recorder.record(kind, repair=self._number, **data)


def record_locations(recorder: Recorder, locations: tuple[Location, ...]) -> None:
    """The most suspicious ones, for the trace."""
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
