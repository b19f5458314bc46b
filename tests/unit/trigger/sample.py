"""Events, facts and triggers that the tests of this room share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.ports import JsonValue, Permission, PullRequest, WorkflowRun
from bot.trigger.events import EventFacts
from bot.trigger.types import Command, Fix, OwnRun, Trigger, TriggerKind, WrongCommand
from tests.fake_forge import FakeForge

REPOSITORY = "octo/shop"
SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
FACTS = EventFacts(
    repository=REPOSITORY,
    run_id=70,
    run_attempt=1,
    sha="6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    ref="refs/heads/main",
    actor="dev",
    triggering_actor="dev",
    server_url="https://github.test",
    has_reports=False,
    workflow="grokfix",
)


def changed(payload: Mapping[str, JsonValue], path: str, value: JsonValue) -> dict[str, JsonValue]:
    """A copy of `payload` with another value at a dotted path."""
    head, _, rest = path.partition(".")
    inner = payload.get(head)
    if rest:
        value = changed(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**payload, head: value}


def shop() -> FakeForge:
    """A repository with a `main` and a `feature`, a writer, a triager and a reader."""
    forge = FakeForge(
        repository=REPOSITORY,
        permissions={
            "dev": Permission.WRITE,
            "boss": Permission.ADMIN,
            "sorter": Permission.TRIAGE,
            "passer": Permission.READ,
        },
    )
    forge.push("main", {"shop.py": "x = 1\n"})
    forge.branches["feature"] = forge.branches["main"]
    forge.push("feature", {"shop.py": "x = 2\n"})
    return forge


def of_run(run: WorkflowRun) -> Trigger:
    """What a workflow_run event would say of this run."""
    return Trigger(
        kind=TriggerKind.RUN,
        repository=REPOSITORY,
        default_branch="main",
        sender=run.actor,
        actor=run.actor,
        triggering_actor=run.triggering_actor,
        sha=run.head_sha,
        branch=run.head_branch,
        head_repository=run.head_repository,
        run_id=run.id,
        run_attempt=run.attempt,
        workflow_id=run.workflow_id,
        workflow=run.name,
        event=run.event,
    )


def red_main(forge: FakeForge) -> Trigger:
    return of_run(forge.add_run(forge.branches["main"]))


def said(
    pull: PullRequest | int, command: Command | WrongCommand | None = None, *, by: str = "dev", comment: int = 900
) -> Trigger:
    """What an issue_comment event would say."""
    return Trigger(
        kind=TriggerKind.COMMENT,
        repository=REPOSITORY,
        default_branch="main",
        sender=by,
        pull_request=pull if isinstance(pull, int) else pull.number,
        comment_id=comment,
        workflow="grokfix",
        command=Fix() if command is None else command,
    )


def step(forge: FakeForge, branch: str = "main", run: int = 60) -> Trigger:
    """What a step after the tests would say of a push."""
    return Trigger(
        kind=TriggerKind.STEP,
        repository=REPOSITORY,
        default_branch="main",
        sender="dev",
        actor="dev",
        triggering_actor="dev",
        sha=forge.branches[branch],
        branch=branch,
        head_repository=REPOSITORY,
        run_id=run,
        workflow="tests",
        event="push",
    )


def own(forge: FakeForge, number: int, *, status: str = "in_progress", conclusion: str = "", job: str = "") -> OwnRun:
    """A run of ours that the code host knows."""
    run = forge.workflow_runs.get(number) or forge.add_run(forge.branches["main"], workflow="grokfix", event="push")
    forge.workflow_runs.pop(run.id)
    forge.workflow_runs[number] = replace(run, id=number, status=status, conclusion=conclusion)
    return OwnRun(number, f"https://github.test/{REPOSITORY}/actions/runs/{number}", job)
