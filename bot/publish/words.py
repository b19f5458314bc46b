"""The words that every report uses for outcomes, reasons, gates, time and money."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports import Usage
from bot.propose.types import StopReason
from bot.result import RunOutcome
from bot.verify.types import GateName, GateStatus

OUTCOMES: Mapping[str, str] = {
    RunOutcome.REPAIRED: "Repaired",
    RunOutcome.NEEDS_REVIEW: "A possible fix that needs a person's review",
    RunOutcome.GAVE_UP: "No fix found",
    RunOutcome.NOT_REPRODUCED: "The failure could not be reproduced",
    RunOutcome.FLAKY: "Flaky: fails only sometimes, so nothing was changed",
    RunOutcome.NO_FAILURES: "Nothing is failing",
    RunOutcome.STOPPED: "Stopped before the end",
}

REASONS: Mapping[str, str] = {
    StopReason.BUDGET: "the budget is used up",
    StopReason.NO_CANDIDATE: "no candidate passed every gate",
    StopReason.TEST_IS_WRONG: "the test itself seems to be wrong",
    StopReason.INFRASTRUCTURE: "the machinery failed, not the code",
    StopReason.NEEDS_HUMAN: "a person has to decide",
    StopReason.ON_BASE: "it fails on the base branch too",
    StopReason.FIXED_ELSEWHERE: "it has been fixed elsewhere",
    StopReason.HEAD_MOVED: "the branch moved on meanwhile",
    StopReason.DECLINED: "the request was declined",
    StopReason.INTERRUPTED: "the run was interrupted",
    StopReason.REVIEW_GRADE: "the patch does what a person must look at",
    StopReason.LOW_CONFIDENCE: "confidence in the cause is too low",
}

GATES: Mapping[str, str] = {
    GateName.REPRODUCED: "the tests fail on the base commit",
    GateName.APPLIES: "the diff applies in exactly one place",
    GateName.VETTED: "no rule of test integrity or safety is broken",
    GateName.RED: "the new test fails without the fix",
    GateName.GREEN: "the new test and the failing tests pass with it",
    GateName.MINIMAL: "every hunk is needed",
    GateName.SUITE: "nothing else got worse",
    GateName.STABLE: "it passes every time it is repeated",
    GateName.CLEAN: "it fails no more, provoked or not, in as many runs as prove it",
    GateName.REVERTED: "without the fix the failure comes back",
}

STATUSES: Mapping[str, str] = {
    GateStatus.PASSED: "✓ passed",
    GateStatus.FAILED: "✗ failed",
    GateStatus.REVIEW: "! review",
    GateStatus.NOT_APPLICABLE: "– not applicable",
    GateStatus.NOT_RUN: "· not run",
}


def outcome_words(outcome: str) -> str:
    """Headline for an outcome, also for one that this version does not know."""
    return OUTCOMES.get(outcome) or outcome.replace("_", " ")


def reason_words(reason: str) -> str:
    """Phrase for a reason, "" for none."""
    return REASONS.get(reason) or reason.replace("_", " ")


def status_words(status: str) -> str:
    """Mark and word of a gate's status."""
    return STATUSES.get(status) or status.replace("_", " ")


def plural(number: int, noun: str) -> str:
    """ "1 test", "1,203 tests"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """ "0.4 s", "12 s", "3 min 05 s", "1 h 02 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def money(cost_usd: float | None) -> str:
    """US dollars to what matters; None: "cost unknown"."""
    if cost_usd is None:
        return "cost unknown"
    return f"${cost_usd:.2f}" if cost_usd == 0 or cost_usd >= 0.1 else f"${cost_usd:.4f}"


def spent(usage: Usage) -> str:
    """One phrase for what the model cost."""
    if not usage.requests:
        return "no model was asked"
    tokens = f"{usage.prompt_tokens:,} tokens in ({usage.cached_tokens:,} cached), {usage.completion_tokens:,} out"
    return f"{money(usage.cost_usd)}, {plural(usage.requests, 'request')}, {tokens}"
