"""From a trigger to a claim on it: may they, what is it really, is it free, is there budget; then it stands written."""

from __future__ import annotations

import json
from contextlib import suppress

from bot.config import Settings, TriggerSettings
from bot.errors import ForgeError
from bot.ports import Clock, Forge
from bot.trigger.authority import authorise
from bot.trigger.entry import attempt_id
from bot.trigger.ledger import Begun, Busy, Done, Exhausted, Ledger
from bot.trigger.own import is_own_branch
from bot.trigger.resolve import resolve
from bot.trigger.types import (
    Answered,
    Claim,
    Declined,
    Explain,
    Flaky,
    Help,
    Ignored,
    OwnRun,
    Stop,
    Triage,
    Trigger,
    TriggerKind,
    WrongCommand,
)

__all__ = ["Answered", "OwnRun", "claim", "from_json", "to_json"]


def claim(
    trigger: Trigger, forge: Forge, settings: Settings, clock: Clock, own: OwnRun
) -> Claim | Ignored | Declined | Answered:
    """Whether this run is to work on `trigger`. It posts no text: a reaction to the comment is all that is seen of it.

    Run again after a crash it takes up the attempt that it had begun. Calls for a failed run on a branch: permission 1
    or 2, resolve 2 or 3, ledger 4; for a comment: 1, 2, 4 and the reaction. ForgeError where the ledger cannot be had:
    nothing is begun that would not count.
    """
    if refusal := authorise(trigger, forge, settings.triggers):
        return refusal
    match trigger.command:
        case Help() | WrongCommand():
            return Answered(trigger.command)
        case Stop():
            return _stop(trigger, forge, clock, own)
    resolved = resolve(trigger, forge)
    if isinstance(resolved, Ignored):
        return resolved
    if refusal := _refused_now(trigger, resolved, forge, settings.triggers):
        return refusal
    asked = resolved.kind in {TriggerKind.COMMENT, TriggerKind.DISPATCH, TriggerKind.DASHBOARD}
    wanted = Claim(
        trigger=resolved,
        attempt=attempt_id(resolved, own),
        run_url=own.url,
        diagnosis_only=(resolved.is_fork and resolved.kind is not TriggerKind.COMMENT)
        or isinstance(resolved.command, Explain | Flaky)
        or (isinstance(resolved.command, Triage) and not resolved.command.mend),
        asked=asked,
    )
    if resolved.is_fork and resolved.kind is TriggerKind.STEP:
        # The token of such a run can only read and there is no model key: no line can be written, no money spent.
        return wanted
    return _begin(wanted, forge, settings, clock, own)


def _begin(wanted: Claim, forge: Forge, settings: Settings, clock: Clock, own: OwnRun) -> Claim | Ignored | Declined:
    def react() -> None:
        if wanted.trigger.comment_id is not None:
            # Its author may have deleted the comment: no reason to leave an attempt half begun.
            with suppress(ForgeError):
                forge.react(wanted.trigger.comment_id, "eyes")

    match Ledger(forge, clock).begin(wanted, own, settings, react):
        case Begun(taken):
            return taken
        case Busy(url):
            if wanted.asked:
                return Declined(
                    f"the same commit is being worked on by {url}", f"[A run]({url}) is working on this commit already."
                )
            return Ignored(f"the same commit is being worked on by {url}")
        case Done(entry):
            return Ignored(
                f"this event was handled: attempt {entry.attempt} came to {entry.outcome or entry.state.value!r}; "
                "`/grok retry` on the pull request, or a dispatch, begins another"
            )
        case Exhausted(message):
            return Declined(message, f"Not now: {message}" if wanted.asked else "")


def _refused_now(before: Trigger, after: Trigger, forge: Forge, settings: TriggerSettings) -> Ignored | Declined | None:
    """What the API's values refuse that the event's did not: other people behind the run, a branch of our own."""
    if after.kind in {TriggerKind.RUN, TriggerKind.STEP}:
        facts = [(each.actor, each.triggering_actor, each.is_fork, each.branch, each.event) for each in (before, after)]
        if facts[0] != facts[1] and (refusal := authorise(after, forge, settings)):
            return refusal
    if is_own_branch(after.branch) and not after.is_fork:
        reason = "the branch is grokfix's own, and it does not repair its own repairs"
        return Declined(reason, "This is a branch of grokfix's own: ask on the pull request that it is meant for.")
    return None


def _stop(trigger: Trigger, forge: Forge, clock: Clock, own: OwnRun) -> Answered | Declined:
    """End what runs for the pull request: first the runs, then the lines, so that a second try finds what is left."""
    assert trigger.pull_request is not None, "commands are taken on pull requests"
    ledger = Ledger(forge, clock)
    ended, urls = [], []
    for entry in ledger.running(trigger.pull_request):
        if entry.own.id == own.id:
            continue
        try:
            stopped = forge.cancel_run(entry.own.id)
            if not stopped:  # over already; perhaps by a stop like this one, whose lines were not written
                run = forge.run(entry.own.id)
                stopped = run is not None and run.conclusion == "cancelled"
        except ForgeError as error:
            if error.status != 403:
                raise
            return Declined(
                f"the run {entry.own.id} could not be cancelled: {error}",
                "The run could not be stopped: the workflow's token lacks `actions: write`.",
            )
        if stopped:
            ended.append(entry.attempt)
            urls.append(f"{forge.server_url}/{forge.repository}/actions/runs/{entry.own.id}")
    if ended:
        ledger.stop(ended)
    return Answered(Stop(), tuple(dict.fromkeys(urls)))


def to_json(claim: Claim) -> str:
    """The `trigger` output between jobs: one line, ASCII only."""
    from bot.trigger import wire

    return json.dumps(wire.claim_data(claim), separators=(",", ":"))


def from_json(text: str) -> Claim:
    """Read what `to_json` wrote; ConfigError where it is anything else."""
    from bot.trigger import wire

    return wire.read_claim(text)
