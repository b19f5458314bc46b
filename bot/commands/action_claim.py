"""The claiming part of the action: what the event asks for, whether it may have it, and the first sign of life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from bot.commands.action_output import say
from bot.commands.action_site import Site
from bot.config_action import ActionContext, ActionInputs
from bot.errors import ForgeError
from bot.ports import Denied, JsonValue
from bot.publish import checks, progress_comment, replies
from bot.publish.markers import reply_marker
from bot.trigger.claim import claim as claim_it
from bot.trigger.entry import attempt_id
from bot.trigger.events import EventFacts, parse
from bot.trigger.types import Answered, Claim, Declined, Ignored, Triage, Trigger, TriggerKind


def read_trigger(context: ActionContext, inputs: ActionInputs, payload: Mapping[str, JsonValue]) -> Trigger | Ignored:
    """What the event asks for, by its own word."""
    return parse(
        context.event,
        payload,
        EventFacts(
            repository=context.repository,
            run_id=context.run_id,
            run_attempt=context.run_attempt,
            sha=context.sha,
            ref=context.ref,
            actor=context.actor,
            triggering_actor=context.triggering_actor,
            server_url=context.server_url,
            has_reports=bool(inputs.junit or inputs.log),
            workflow=context.workflow,
            shards=inputs.shards if inputs.mode == "claim" else None if inputs.shards is None else 1,
        ),
    )


def take(site: Site, trigger: Trigger) -> Claim | Ignored | Declined | Answered:
    """Claim it, and answer on the pull request: at once, for whoever asked is waiting."""
    taken = claim_it(trigger, site.forge, site.settings, site.clock, site.own)
    match taken:
        case Claim():
            return _begin(site, taken)
        case Declined():
            _reply(site, trigger, replies.declined(taken, trigger.comment_id or 0))
        case Answered():
            _reply(site, trigger, replies.answer(taken, trigger.comment_id or 0))
        case Ignored():
            pass
        case _:
            assert_never(taken)
    return taken


def unwritten(site: Site, trigger: Trigger) -> Claim:
    """A claim that stands nowhere: of a step whose token may not write. Nothing is pushed for it, and no money spent,
    for no ledger would count it."""
    return Claim(trigger, attempt_id(trigger, site.own), site.own.url, diagnosis_only=True)


def reason_of(taken: Ignored | Declined | Answered) -> str:
    """Why no run comes of it, for the log."""
    match taken:
        case Ignored(reason):
            return f"nothing to do: {reason}"
        case Declined(reason):
            return f"declined: {reason}"
        case Answered(command):
            return f"answered the command: {type(command).__name__}"
    assert_never(taken)


def _begin(site: Site, claim: Claim) -> Claim:
    """Show that somebody is at it: a comment where a person asked, a check run in progress on the commit."""
    if claim.trigger.is_fork and claim.trigger.kind is TriggerKind.STEP:
        return claim  # the token of such a run can only read
    if isinstance(claim.trigger.command, Triage):
        return claim  # nobody waits at a commit for it, and its verdicts are no judgement of one
    comment = None
    try:
        if claim.trigger.comment_id is not None:
            comment = progress_comment.begin(claim, site.forge)
        check = site.forge.check(checks.begun(claim), claim.check_run)
    except ForgeError as error:
        # The attempt stands in the ledger: it goes on, and its end tries to say so again.
        say(f"could not show that it has begun: {error}")
        check = Denied(error.status, str(error))
    for what, answer in (("comment", comment), ("set a check run (checks: write)", check)):
        if isinstance(answer, Denied):
            say(f"may not {what}: {answer.message}")
    return replace(
        claim,
        progress_comment=None if comment is None or isinstance(comment, Denied) else comment.id,
        check_run=None if isinstance(check, Denied) else check,
    )


def _reply(site: Site, trigger: Trigger, body: str) -> None:
    if not body or trigger.pull_request is None or trigger.comment_id is None:
        return
    answer = site.forge.comment(trigger.pull_request, body, reply_marker(trigger.comment_id))
    if isinstance(answer, Denied):
        say(f"the reply was refused ({answer.status}): {answer.message}; give the job pull-requests: write")
