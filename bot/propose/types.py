"""Proposals and attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.diagnose.types import Diagnosis
from bot.ports import Usage
from bot.verify.types import Verdict


@dataclass(frozen=True, slots=True)
class NewTest:
    """A test that proves the fix: a whole new file at `path`; `source` is its text."""

    path: str
    source: str
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A root cause, a unified diff as its author wrote it, and the test that proves it (None: none could be made, and
    `why_no_test` says why). reasoning: what a model thought aloud on its way here, "" where it showed nothing."""

    diagnosis: Diagnosis
    patch_text: str
    new_test: NewTest | None
    engine: str
    usage: Usage = field(default_factory=Usage)
    why_no_test: str = ""
    reasoning: str = ""


class StopReason(StrEnum):
    """Why no repair came of it (DESIGN, result: reason)."""

    BUDGET = "budget"
    NO_CANDIDATE = "no_candidate"
    TEST_IS_WRONG = "test_is_wrong"
    INFRASTRUCTURE = "infrastructure"
    NEEDS_HUMAN = "needs_human"
    ON_BASE = "on_base"
    FIXED_ELSEWHERE = "fixed_elsewhere"
    HEAD_MOVED = "head_moved"
    DECLINED = "declined"
    INTERRUPTED = "interrupted"
    REVIEW_GRADE = "review_grade"
    LOW_CONFIDENCE = "low_confidence"


@dataclass(frozen=True, slots=True)
class NoProposal:
    """The proposer has nothing (more) to offer. `usage` is what finding that out cost."""

    reason: StopReason
    message: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One proposal and how it fared."""

    proposal: Proposal
    verdict: Verdict
    seconds: float = 0.0
