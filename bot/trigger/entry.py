"""A line of the ledger: one attempt, from before it begins to what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from bot.trigger.types import Claim, Explain, Flaky, OwnRun, Test, Triage, Trigger, TriggerKind


class State(StrEnum):
    """CLAIMED: begun and not ended; it runs, or its run died. DECLINED: claimed and then not carried out."""

    CLAIMED = "claimed"
    ENDED = "ended"
    DECLINED = "declined"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt. Whatever state it is in, it counts.

    begun, ended: seconds since the epoch. outcome, reason: of the result ("" until it ended). fingerprints: of the
    failures that it worked on. minutes, cost_usd (US dollars): what it spent; until it ended, and where nobody could
    say, what it was allowed to spend; cost_usd None: no limit, and nobody could say. pull_requests: that it opened or
    brought up to date. own: the run that works on it; its artifacts hold the bundle. claim: all that was asked.
    """

    attempt: str
    state: State
    begun: float
    ended: float | None
    outcome: str
    reason: str
    fingerprints: tuple[str, ...]
    minutes: float
    cost_usd: float | None
    pull_requests: tuple[int, ...]
    own: OwnRun
    claim: Claim

    @property
    def trigger(self) -> Trigger:
        return self.claim.trigger


def attempt_id(trigger: Trigger, own: OwnRun) -> str:
    """16 hex digits: the same for the same event, however often its job is run, and for no other."""
    match trigger.kind:
        case TriggerKind.COMMENT:
            parts: tuple[int | None, ...] = (trigger.comment_id,)
        case TriggerKind.DISPATCH | TriggerKind.SCHEDULE | TriggerKind.DASHBOARD:
            parts = (own.id,)  # each is a request of its own, whatever it names
        case TriggerKind.RUN | TriggerKind.STEP:
            parts = (trigger.run_id, trigger.run_attempt)
    key = "\n".join(map(str, (trigger.repository.lower(), trigger.kind.value, *parts)))
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def request_kind(trigger: Trigger) -> str:
    """What two claims on one commit must share to be in each other's way: "repair", "explain", "flaky", "test" or
    "triage", of certain tests its own."""
    match trigger.command:
        case Explain():
            return "explain"
        case Flaky():
            return "flaky"
        case Test():
            return "test"
        case Triage():
            asked = trigger.command
            what = (*asked.tests, *asked.quarantine, *asked.release)
            told = f"triage {what}" if what else "triage"
            return f"{told}, repair of {asked.mend}" if asked.mend else told
    return "repair"
