"""From what an event says to what is so: the API's values win, and the head commit is settled once."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Forge, PullRequest, WorkflowRun
from bot.trigger.events import RED, TESTED_EVENTS, refused_run
from bot.trigger.own import is_own_branch
from bot.trigger.payload import quoted
from bot.trigger.types import Ignored, Triage, Trigger, TriggerKind


def resolve(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    """The trigger with commit, branch, pull request and failed run by the API's word; Ignored where it is outdated.

    Calls: a comment 2 (its pull request, the failed runs of its head); a failed run 2 or 3 (the run, its pull request,
    the branch's head); a step 1 or 2; a dispatch 2 or 3; a triage 1. A comment or dispatch may come without a failed
    run (`run_id` None): then the tests are run to see what fails.

    A fork's failed run is taken with the code host's word for its head, for a fork's branch cannot be looked up here.
    """
    if not trigger.default_branch:
        trigger = replace(trigger, default_branch=forge.default_branch())
    if isinstance(trigger.command, Triage):
        return _triage(trigger, forge)
    match trigger.kind:
        case TriggerKind.COMMENT:
            return _comment(trigger, forge)
        case TriggerKind.STEP:
            return _step(trigger, forge)
        case TriggerKind.RUN:
            return _run(trigger, forge)
        case TriggerKind.DISPATCH:
            return _dispatch(trigger, forge)
        case TriggerKind.SCHEDULE | TriggerKind.DASHBOARD:
            return _triage(trigger, forge)


def _triage(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    """The default branch as it is now, whatever commit the event names: that is what gets tested and told of."""
    sha = forge.branch(trigger.default_branch)
    if sha is None:
        return Ignored(f"{forge.repository} has no branch {quoted(trigger.default_branch)}")
    return replace(trigger, sha=sha, branch=trigger.default_branch, head_repository=forge.repository)


def _comment(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    assert trigger.pull_request is not None, "a comment is on a pull request"
    pull = forge.pull_request(trigger.pull_request)
    if pull is None:
        return Ignored(f"#{trigger.pull_request} is no pull request of {forge.repository}")
    if pull.state != "open":
        return Ignored(f"the pull request #{pull.number} is closed")
    return _with_failed_run(_of_pull(trigger, pull), forge)


def _step(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    """What the payload says, if the head is still there: its run goes on, so there is nothing more to ask about it."""
    if trigger.pull_request is None:
        return _on_branch(trigger, forge)
    pull = forge.pull_request(trigger.pull_request)
    if pull is None or pull.state != "open":
        return Ignored(f"the pull request #{trigger.pull_request} is closed")
    if pull.head_sha != trigger.sha:
        return _moved(trigger.branch)
    return _of_pull(trigger, pull)


def _run(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    assert trigger.run_id is not None, "a run has a number"
    run = forge.run(trigger.run_id)
    if run is None:
        return Ignored(f"the code host knows no run {trigger.run_id} of {forge.repository}")
    if trigger.kind is TriggerKind.RUN and run.attempt != trigger.run_attempt:
        return Ignored(
            f"the run was started again: its attempt {run.attempt} counts, and the event is about {trigger.run_attempt}"
        )
    if run.status != "completed" or run.conclusion not in RED:
        return Ignored(f"the run did not fail: it is {quoted(run.status)}, its conclusion {quoted(run.conclusion)}")
    if refusal := refused_run(run.event, run.head_branch):
        return refusal
    trigger = replace(_of_run(trigger, run), sha=run.head_sha, branch=run.head_branch, base_branch="")
    trigger = replace(trigger, head_repository=run.head_repository, pull_request=None)
    if trigger.is_fork:
        return trigger
    for number in run.pull_requests[:1]:
        pull = forge.pull_request(number)
        if pull is not None and pull.state == "open" and pull.head_branch == run.head_branch and _is_ours(pull, forge):
            return _of_pull(trigger, pull) if pull.head_sha == run.head_sha else _moved(run.head_branch)
    return _on_branch(trigger, forge, look_for_pull=not run.pull_requests)


def _dispatch(trigger: Trigger, forge: Forge) -> Trigger | Ignored:
    wanted = trigger.branch
    if trigger.run_id is not None:
        found = _run(trigger, forge)
        if isinstance(found, Trigger) and wanted and found.branch != wanted:
            return Ignored(f"the run {trigger.run_id} is on {quoted(found.branch)}, not on {quoted(wanted)}")
        return found
    sha = forge.branch(wanted)
    if sha is None:
        return Ignored(
            f"{forge.repository} has no branch {quoted(wanted)}; a dispatch takes a branch or a run's number"
        )
    trigger = replace(trigger, sha=sha, head_repository=forge.repository)
    return _with_failed_run(_with_open_pull(trigger, forge), forge)


def _on_branch(trigger: Trigger, forge: Forge, *, look_for_pull: bool = True) -> Trigger | Ignored:
    """A commit on a branch of this repository: its open pull request where it has one, and whether it is the head."""
    if look_for_pull:
        found = _with_open_pull(trigger, forge)
        if found.pull_request is not None:
            return found
    head = forge.branch(trigger.branch)
    if head is None:
        return Ignored(f"the branch {quoted(trigger.branch)} is gone, or was none")
    return trigger if head == trigger.sha else _moved(trigger.branch)


def _with_open_pull(trigger: Trigger, forge: Forge) -> Trigger:
    """None is looked for on the default branch: what is repaired there is the branch."""
    if trigger.branch != trigger.default_branch:
        for pull in forge.pull_requests(trigger.branch):
            if pull.state == "open" and pull.head_sha == trigger.sha and _is_ours(pull, forge):
                return _of_pull(trigger, pull)
    return trigger


def _with_failed_run(trigger: Trigger, forge: Forge) -> Trigger:
    """The newest failed run that tested this head, and is none that grokfix's own workflow made of itself."""
    for run in forge.runs(None, head_sha=trigger.sha, status="failure"):
        own = run.name == trigger.workflow and run.event not in {"push", "pull_request"}
        if run.event in TESTED_EVENTS and not own and not is_own_branch(run.head_branch):
            return _of_run(trigger, run)
    return replace(trigger, workflow="")


def _of_pull(trigger: Trigger, pull: PullRequest) -> Trigger:
    return replace(
        trigger,
        sha=pull.head_sha,
        branch=pull.head_branch,
        head_repository=pull.head_repository,
        base_branch=pull.base_branch,
        pull_request=pull.number,
    )


def _of_run(trigger: Trigger, run: WorkflowRun) -> Trigger:
    return replace(
        trigger,
        actor=run.actor,
        triggering_actor=run.triggering_actor,
        run_id=run.id,
        run_attempt=run.attempt,
        workflow_id=run.workflow_id,
        workflow=run.name,
        event=run.event,
    )


def _is_ours(pull: PullRequest, forge: Forge) -> bool:
    return pull.head_repository.lower() == forge.repository.lower()


def _moved(branch: str) -> Ignored:
    return Ignored(f"head moved: {quoted(branch)} has newer commits than the run that failed; their own run counts")
