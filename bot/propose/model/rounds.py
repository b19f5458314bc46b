"""What was tried in a repair and how near it came: repeated patches, repeated failures, rounds without progress."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from bot.propose.types import Attempt
from bot.verify.types import Failing, Gate, GateName, GateStatus, Inapplicable, Plausible, Rejected, Unproven, Verdict

Nearness: TypeAlias = tuple[int, int]
STALE_ROUNDS = 2
"""Rounds in a row without progress after which a fresh conversation takes another hypothesis."""

_ORDER = tuple(GateName)


class Rounds:
    """Of one conversation's proposals. `stale` counts the latest rounds that brought nothing nearer to green."""

    def __init__(self) -> None:
        self.stale = 0
        self.repeats = 0
        """Submissions, in all, of a patch that had been judged already."""
        self._patches: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._best: Nearness | None = None

    def offered(self, essence: str, attempt: int) -> int:
        """0 where the patch is new, and remembered from now on; else the attempt that had it."""
        before = self._patches.setdefault(essence, attempt)
        if before == attempt:
            return 0
        self.repeats += 1
        self.stale += 1
        return before

    def judged(self, attempt: Attempt, number: int) -> int:
        """The earlier attempt that failed in just this way, 0 where none did."""
        near = nearness(attempt.verdict)
        nearer = self._best is None or near > self._best
        self.stale = 0 if nearer else self.stale + 1
        self._best = near if self._best is None else max(near, self._best)
        before = self._failures.setdefault(_failure(attempt.verdict), number)
        return 0 if before == number else before

    def refresh(self) -> None:
        """A fresh conversation gets its own two rounds."""
        self.stale = 0


def nearness(verdict: Verdict) -> Nearness:
    """How far a proposal got, comparable: the stage, then how few tests stood against it."""
    match verdict:
        case Inapplicable():
            return 0, 0
        case Rejected(objections=objections):
            return 1, -len(objections)
        case Unproven():
            return 2, 0
        case Failing(gates=gates, delta=delta):
            failed = failed_gate(gates)
            stage = 3 + (_ORDER.index(failed.name) if failed is not None else 0)
            against = 0 if delta is None else len(delta.still_failing) + len(delta.pass_to_fail) + len(delta.vanished)
            return stage, -against
        case Plausible():
            return 99, 0
        case _:
            assert_never(verdict)


def failed_gate(gates: tuple[Gate, ...]) -> Gate | None:
    return next((gate for gate in gates if gate.status is GateStatus.FAILED), None)


def _failure(verdict: Verdict) -> str:
    """The same for two verdicts that say the same."""
    match verdict:
        case Inapplicable(refusal=refusal):
            said = refusal.message
        case Rejected(objections=objections):
            said = repr(sorted((objection.rule, objection.path, objection.message) for objection in objections))
        case Unproven(message=message):
            said = message
        case Failing(message=message, gates=gates, delta=delta):
            failed = failed_gate(gates)
            said = repr((message, "" if failed is None else failed.evidence, delta))
        case Plausible():
            said = ""
        case _:
            assert_never(verdict)
    return f"{type(verdict).__name__}: {said}"
