"""What a person must look at before a patch counts, as a list that stands above all else in a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.propose.types import StopReason
from bot.publish.untrusted import cell
from bot.result import RepairResult, RunOutcome
from bot.verify.types import GateName, GateStatus
from bot.vet.types import Grade


def look_first(repairs: Sequence[RepairResult], *, rows: int, width: int) -> str:
    """Markdown, "" where no repair needs review. rows: points shown at most; width: characters of each."""
    points = [
        point for repair in repairs if repair.outcome is RunOutcome.NEEDS_REVIEW for point in _points(repair, width)
    ]
    if not points:
        return ""
    lines = [f"- {point}" for point in points[:rows]]
    if len(points) > rows:
        lines.append(f"- [… {len(points) - rows} more are in result.json …]")
    return "## Look at this first\n\n" + "\n".join(lines)


def _points(repair: RepairResult, width: int) -> Iterator[str]:
    """Objections, gates left open, a proposer that is not sure."""
    for objection in repair.objections:
        if objection.grade is Grade.REVIEW:
            yield f"**{cell(objection.rule.replace('_', ' '), 60)}:** {cell(objection.message, width)}"
    for gate in repair.gates:
        if gate.status is GateStatus.REVIEW and gate.name is not GateName.VETTED:  # that one repeats the rules
            yield f"**gate {cell(gate.name)}:** {cell(gate.evidence, width)}"
    if repair.reason is StopReason.LOW_CONFIDENCE:
        yield f"**low confidence:** {cell(repair.message, width)}"
