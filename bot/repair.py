"""The loop: propose, judge, again with what was learned, until every gate is green or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.budget import Budget
from bot.diagnose.types import Evidence
from bot.errors import ModelError, SandboxError
from bot.ports import Clock, EventKind, Proposer, Recorder
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from bot.verify.base import Case
from bot.verify.judge import judge
from bot.verify.types import Failing, Gate, Inapplicable, JudgeBench, Plausible, Rejected, Unproven, Verdict


@dataclass(frozen=True, slots=True)
class Repaired:
    """The last attempt is plausible."""

    attempts: tuple[Attempt, ...]
    verdict: Plausible


@dataclass(frozen=True, slots=True)
class GaveUp:
    """No attempt was plausible; `message` says why there is no other."""

    attempts: tuple[Attempt, ...]
    reason: StopReason
    message: str


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The model's endpoint or the sandbox failed in the middle; what had been tried is kept."""

    attempts: tuple[Attempt, ...]
    error: ModelError | SandboxError


Ending: TypeAlias = Repaired | GaveUp | BrokenOff
Further: TypeAlias = Callable[[Plausible, Callable[[Gate], None]], Verdict]
"""Judges on where the judge ended, and tells of each gate when it is decided."""


def repair(
    evidence: Evidence,
    case: Case,
    proposer: Proposer,
    bench: JudgeBench,
    budget: Budget,
    recorder: Recorder,
    clock: Clock,
    further: Further | None = None,
) -> Ending:
    """Repair one cluster. further: gates beyond the judge's that a plausible patch of this cluster has to pass."""
    attempts: tuple[Attempt, ...] = ()
    while budget.allows(len(attempts)):
        began, number = clock.monotonic(), len(attempts) + 1
        bench.environment.prepare()  # while the proposer thinks
        try:
            proposal = proposer.propose(evidence, attempts, bench)
            if isinstance(proposal, NoProposal):
                return GaveUp(attempts, proposal.reason, proposal.message)
            _record_proposal(recorder, proposal, number)
            verdict = judge(
                bench,
                case,
                proposal.patch_text,
                {} if proposal.new_test is None else {proposal.new_test.path: proposal.new_test.source.encode()},
                why_no_test=proposal.why_no_test,
                record=_gate_recorder(recorder, number),
            )
            if further is not None and isinstance(verdict, Plausible):
                verdict = further(verdict, _gate_recorder(recorder, number))
        except (ModelError, SandboxError) as error:
            return BrokenOff(attempts, error)
        attempts += (Attempt(proposal, verdict, clock.monotonic() - began),)
        _record_verdict(recorder, verdict, number)
        if isinstance(verdict, Plausible):
            return Repaired(attempts, verdict)
    return GaveUp(attempts, StopReason.BUDGET, budget.reason)


def describe(verdict: Verdict) -> str:
    """One line on a verdict, for logs and summaries."""
    match verdict:
        case Inapplicable(refusal=refusal):
            return f"the diff does not apply: {refusal.message.splitlines()[0]}"
        case Rejected(objections=objections):
            return "refused: " + "; ".join(f"{objection.rule}: {objection.message}" for objection in objections[:3])
        case Unproven(message=message) | Failing(message=message):
            return message
        case Plausible():
            return "every gate is green"


def _gate_recorder(recorder: Recorder, attempt: int) -> Callable[[Gate], None]:
    def record(gate: Gate) -> None:
        recorder.record(
            EventKind.GATE,
            attempt=attempt,
            name=gate.name.value,
            status=gate.status.value,
            evidence=gate.evidence,
            run_ids=list(gate.run_ids),
            patch_sha256=gate.patch_sha256,
        )

    return record


def _record_proposal(recorder: Recorder, proposal: Proposal, attempt: int) -> None:
    test = proposal.new_test
    recorder.record(
        EventKind.PROPOSAL,
        attempt=attempt,
        engine=proposal.engine,
        root_cause=proposal.diagnosis.root_cause,
        confidence=proposal.diagnosis.confidence,
        patch=proposal.patch_text,
        new_test=None if test is None else {"path": test.path, "source": test.source, "explanation": test.explanation},
        why_no_test=proposal.why_no_test,
    )


def _record_verdict(recorder: Recorder, verdict: Verdict, attempt: int) -> None:
    if not isinstance(verdict, Inapplicable):
        patch = verdict.applied.patch
        files = [file.path for file in patch.files]
        recorder.record(EventKind.APPLIED, attempt=attempt, patch_sha256=patch.sha256, files=files)
    if isinstance(verdict, Rejected | Plausible):
        objections = [
            {
                "rule": each.rule,
                "path": each.path,
                "line": each.line,
                "message": each.message,
                "grade": each.grade.name.lower(),
            }
            for each in verdict.objections
        ]
        recorder.record(EventKind.VET, attempt=attempt, objections=objections)
    name = type(verdict).__name__.lower()
    recorder.record(EventKind.ATTEMPT, attempt=attempt, verdict=name, message=describe(verdict))
