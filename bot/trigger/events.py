"""One parser from an event's payload to what it asks for. It looks at shape only: nothing is asked of the API here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.trigger import grammar
from bot.trigger.own import MARKER, is_own_branch
from bot.trigger.payload import Payload, is_ref, quoted
from bot.trigger.types import Ignored, Triage, Trigger, TriggerKind, WrongCommand

RED = ("failure", "timed_out")
"""Conclusions of a run that ask for a repair."""

TESTED_EVENTS = ("push", "pull_request", "schedule", "workflow_dispatch")
"""Events whose runs test the head of a branch. A run of issue_comment, workflow_run or pull_request_target tests what
its head SHA does not say; a merge queue's branch is gone before it could be repaired."""


LONGEST_NAME = 255
"""Characters of a workflow's name that are kept."""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What the runner says beside the payload (GITHUB_*).

    sha: GITHUB_SHA, on pull requests the test merge. has_reports: reports of this job's tests were given as inputs.
    workflow: name of the workflow that this is a run of. shards: into how many jobs it divides a triage, None where it
    is not one for triage.
    """

    repository: str
    run_id: int
    run_attempt: int
    sha: str
    ref: str
    actor: str
    triggering_actor: str
    server_url: str
    has_reports: bool
    workflow: str
    shards: int | None = None


def parse(event: str, payload: Mapping[str, JsonValue], facts: EventFacts) -> Trigger | Ignored:
    """What `event` asks for. ConfigError where a payload lacks what every such event has, or a dispatch's inputs are
    wrong; nothing else is raised, whatever the payload holds."""
    reader = _READERS.get(event)
    if reader is None:
        return Ignored(_REFUSED.get(event, f"the event {quoted(event)} asks for nothing that grokfix does"))
    read = Payload(event, payload)
    repository = read.repository("repository", "full_name")
    if repository.lower() != facts.repository.lower():
        return Ignored(
            f"the event is of the repository {quoted(repository)}, and this job runs in {quoted(facts.repository)}"
        )
    return reader(read, facts)


# --- a run that ended -----------------------------------------------------------------------------------------------


def _workflow_run(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    if (action := read.text("action")) != "completed":
        return Ignored(f"the run has not ended: the event's action is {quoted(action)}")
    run = "workflow_run"
    if (conclusion := read.text(run, "conclusion")) not in RED:
        return Ignored(f"the run did not fail: its conclusion is {quoted(conclusion)}")
    if refusal := refused_run(read.text(run, "event"), read.text(run, "head_branch")):
        return refusal
    name = read.text(run, "name") or read.text("workflow", "name")
    if name and name == facts.workflow:
        return Ignored(f"the run is one of grokfix's own workflow, {quoted(name)}")
    pulls = read.items(run, "pull_requests")
    trigger = replace(
        _trigger(TriggerKind.RUN, read, facts),
        actor=read.login(run, "actor", "login"),
        triggering_actor=read.login(run, "triggering_actor", "login"),
        sha=read.sha(run, "head_sha"),
        branch=read.ref(run, "head_branch"),
        head_repository=read.optional_repository(run, "head_repository", "full_name"),
        run_id=read.number(run, "id"),
        run_attempt=read.optional_number(run, "run_attempt") or 1,
        workflow_id=read.optional_number(run, "workflow_id"),
        workflow=name[:LONGEST_NAME],
        event=read.text(run, "event"),
    )
    if len(pulls) == 1 and (number := pulls[0].optional_number("number")):
        trigger = replace(trigger, pull_request=number, base_branch=pulls[0].optional_ref("base", "ref"))
    return trigger


def refused_run(event: str, branch: str) -> Ignored | None:
    """Why the failed run of a branch is nothing to repair, by the event that started it; None where it is."""
    if is_own_branch(branch):
        return Ignored(f"the run is on {quoted(branch)}, a branch of grokfix's own")
    if event not in TESTED_EVENTS:
        return Ignored(
            f"the run was started by {quoted(event)}; only runs started by {', '.join(TESTED_EVENTS)} test a branch"
        )
    return None


# --- a command ------------------------------------------------------------------------------------------------------


def _issue_comment(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    if (action := read.text("action")) != "created":
        return Ignored(f"only new comments count: this one was {quoted(action)}")
    body = read.text("comment", "body")
    if MARKER in body:
        return Ignored("the comment is one of grokfix's own: it bears its marker")
    command = grammar.read_comment(body)
    if command is None:
        return Ignored("the comment has no command for grokfix")
    if not read.has("issue", "pull_request"):
        return Ignored("the comment is on an issue; commands are taken on pull requests")
    author, sender = read.login("comment", "user", "login"), read.login("sender", "login")
    if author.lower() != sender.lower():
        return Ignored(f"the comment is by {quoted(author)} and was sent by {quoted(sender)}: nobody's word counts")
    return replace(
        _trigger(TriggerKind.COMMENT, read, facts),
        sender=author,
        pull_request=read.number("issue", "number"),
        comment_id=read.number("comment", "id"),
        workflow=facts.workflow,
        command=command,
    )


def _workflow_dispatch(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    if facts.shards is not None:
        return _triage(TriggerKind.DISPATCH, read, facts)
    ref, run = (read.text("inputs", name).strip() for name in ("ref", "run-id"))
    tests, hint = read.text("inputs", "tests"), read.text("inputs", "hint")
    if not (ref or run or tests or hint) and facts.has_reports:
        return _step(read, facts)
    if ref and not is_ref(ref):
        raise ConfigError(f"the input ref is {quoted(ref)}, which names no branch; give one as `main`")
    if run and not (run.isascii() and run.isdigit() and 0 < int(run[:20]) < 1 << 63 and len(run) <= 19):
        raise ConfigError(f"the input run-id is {quoted(run)}, no run's number; it stands at the end of a run's URL")
    command = grammar.read_arguments(tests, hint)
    if isinstance(command, WrongCommand):
        raise ConfigError(f"the inputs tests and hint cannot be used: {command.message}")
    branch = (ref or ("" if run else facts.ref)).removeprefix("refs/heads/")
    if is_own_branch(branch):
        return Ignored(f"{quoted(branch)} is a branch of grokfix's own")
    return replace(
        _trigger(TriggerKind.DISPATCH, read, facts),
        branch=branch,
        run_id=int(run) if run else None,
        workflow=facts.workflow,
        command=command,
    )


# --- a step after the tests -----------------------------------------------------------------------------------------


def _push(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    if not facts.has_reports:
        return _NO_REPORTS
    if read.value("deleted") is True:
        return Ignored("the push deleted a branch")
    return _step(read, facts, read.ref("ref"), read.sha("after"))


def _schedule(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    return _step(read, facts) if facts.has_reports else _triage(TriggerKind.SCHEDULE, read, facts)


def _triage(kind: TriggerKind, read: Payload, facts: EventFacts) -> Trigger | Ignored:
    tests = grammar.read_arguments(read.text("inputs", "tests"), "")
    if isinstance(tests, WrongCommand):
        raise ConfigError(f"the input tests cannot be used: {tests.message}")
    # Few tests are soon looked at: their runs are not divided.
    command = Triage(1 if tests.tests else facts.shards or 1, tests.tests)
    if command.too_much:
        raise ConfigError(f"the input tests cannot be used: {command.too_much}")
    return replace(_trigger(kind, read, facts), workflow=facts.workflow, command=command)


def _step(read: Payload, facts: EventFacts, ref: str = "", sha: str = "") -> Trigger | Ignored:
    """A run on a branch of this repository, by the event's word or else the runner's."""
    ref = ref or facts.ref
    if not ref.startswith("refs/heads/"):
        return Ignored(f"{quoted(ref)} is no branch, so that there is nothing that a fix could go to")
    branch = ref.removeprefix("refs/heads/")
    if is_own_branch(branch):
        return Ignored(f"the run is on {quoted(branch)}, a branch of grokfix's own")
    return replace(
        _a_step(read, facts),
        sha=sha or facts.sha,
        branch=branch,
        head_repository=facts.repository,
    )


def _pull_request(read: Payload, facts: EventFacts) -> Trigger | Ignored:
    if not facts.has_reports:
        return _NO_REPORTS
    if read.text("action") == "closed":
        return Ignored("the pull request was closed")
    pull = "pull_request"
    branch = read.ref(pull, "head", "ref")
    if is_own_branch(branch):
        return Ignored(f"the run is on {quoted(branch)}, a branch of grokfix's own")
    return replace(
        _a_step(read, facts),
        sha=read.sha(pull, "head", "sha"),
        branch=branch,
        head_repository=read.optional_repository(pull, "head", "repo", "full_name"),
        base_branch=read.ref(pull, "base", "ref"),
        pull_request=read.optional_number("number") or read.number(pull, "number"),
    )


def _a_step(read: Payload, facts: EventFacts) -> Trigger:
    return replace(
        _trigger(TriggerKind.STEP, read, facts),
        actor=facts.actor,
        triggering_actor=facts.triggering_actor or facts.actor,
        run_id=facts.run_id,
        run_attempt=facts.run_attempt,
        workflow=facts.workflow,
        event=read.event,
    )


_NO_REPORTS = Ignored(
    "no test reports were given: a step after the tests names them (with: junit: reports/*.xml), "
    "and a workflow of its own starts on workflow_run"
)


def _trigger(kind: TriggerKind, read: Payload, facts: EventFacts) -> Trigger:
    return Trigger(
        kind=kind,
        repository=facts.repository,
        default_branch=read.optional_ref("repository", "default_branch"),
        sender=read.login("sender", "login") or facts.actor,
    )


_REFUSED: Mapping[str, str] = {
    "merge_group": "a merge queue's branch does not last; grokfix repairs the pull request's own run",
    "pull_request_target": "pull_request_target is not supported, for it runs a stranger's code beside a token that "
    "writes; use pull_request, or workflow_run",
}

_READERS: Mapping[str, Callable[[Payload, EventFacts], Trigger | Ignored]] = {
    "workflow_run": _workflow_run,
    "issue_comment": _issue_comment,
    "workflow_dispatch": _workflow_dispatch,
    "push": _push,
    "pull_request": _pull_request,
    "schedule": _schedule,
}
