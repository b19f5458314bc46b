"""GitHub's JSON read into the port's types. What must be there and is not is a ForgeError, never an empty string."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.errors import ForgeError
from bot.ports import (
    ArtifactInfo,
    Comment,
    CommitInfo,
    Comparison,
    Issue,
    JobStep,
    JsonValue,
    Permission,
    PullRequest,
    WorkflowJob,
    WorkflowRun,
)


def at(value: JsonValue, *path: str) -> JsonValue:
    """What stands at the end of a path of names; None where it breaks off."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def text(value: JsonValue, *path: str) -> str:
    """A string, "" where there is none: for what may be missing."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def required(value: JsonValue, *path: str) -> str:
    found = text(value, *path)
    if not found:
        raise _incomplete(path)
    return found


def number(value: JsonValue, *path: str) -> int:
    found = at(value, *path)
    if not isinstance(found, int) or isinstance(found, bool):
        raise _incomplete(path)
    return found


def flag(value: JsonValue, *path: str) -> bool:
    return at(value, *path) is True


def items(value: JsonValue, *path: str) -> Iterator[JsonValue]:
    """The members of a list; none where there is no list."""
    found = at(value, *path)
    if isinstance(found, list | tuple):
        yield from found


def _incomplete(path: tuple[str, ...]) -> ForgeError:
    return ForgeError(f"GitHub answered without {'.'.join(path)}; GITHUB_API_URL must be the address of its REST API")


def workflow_run(value: JsonValue) -> WorkflowRun:
    actor = text(value, "actor", "login")
    return WorkflowRun(
        id=number(value, "id"),
        attempt=number(value, "run_attempt"),
        workflow_id=number(value, "workflow_id"),
        name=text(value, "name"),
        path=text(value, "path").partition("@")[0],  # a reusable one has its ref behind it
        event=required(value, "event"),
        status=text(value, "status"),
        conclusion=text(value, "conclusion"),
        head_sha=required(value, "head_sha"),
        head_branch=text(value, "head_branch"),
        head_repository=text(value, "head_repository", "full_name"),
        actor=actor,
        triggering_actor=text(value, "triggering_actor", "login") or actor,
        url=text(value, "html_url"),
        created_at=text(value, "created_at"),
        pull_requests=tuple(number(pull, "number") for pull in items(value, "pull_requests")),
        started_at=text(value, "run_started_at"),
    )


def workflow_job(value: JsonValue) -> WorkflowJob:
    steps = (
        JobStep(number(step, "number"), text(step, "name"), text(step, "conclusion")) for step in items(value, "steps")
    )
    attempt = at(value, "run_attempt")
    return WorkflowJob(
        id=number(value, "id"),
        name=text(value, "name"),
        conclusion=text(value, "conclusion"),
        url=text(value, "html_url"),
        steps=tuple(steps),
        status=text(value, "status"),
        started_at=text(value, "started_at"),
        completed_at=text(value, "completed_at"),
        attempt=0 if attempt is None else number(value, "run_attempt"),
    )


def artifact(value: JsonValue) -> ArtifactInfo:
    return ArtifactInfo(
        number(value, "id"),
        text(value, "name"),
        number(value, "size_in_bytes"),
        flag(value, "expired"),
        text(value, "created_at"),
    )


def pull_request(value: JsonValue) -> PullRequest:
    """A listed one has no `merged`; `merged_at` tells it of both."""
    return PullRequest(
        number=number(value, "number"),
        state=required(value, "state"),
        merged=bool(text(value, "merged_at")),
        draft=flag(value, "draft"),
        title=text(value, "title"),
        body=text(value, "body"),
        head_branch=required(value, "head", "ref"),
        head_sha=required(value, "head", "sha"),
        head_repository=text(value, "head", "repo", "full_name"),
        base_branch=required(value, "base", "ref"),
        base_sha=required(value, "base", "sha"),
        merge_sha=text(value, "merge_commit_sha"),
        author=text(value, "user", "login"),
        url=text(value, "html_url"),
    )


def issue(value: JsonValue) -> Issue | None:
    """None for a pull request, which GitHub lists among the issues."""
    if at(value, "pull_request") is not None:
        return None
    labels = (each if isinstance(each, str) else text(each, "name") for each in items(value, "labels"))
    return Issue(
        number=number(value, "number"),
        title=text(value, "title"),
        body=text(value, "body"),
        state=required(value, "state"),
        author=text(value, "user", "login"),
        url=text(value, "html_url"),
        labels=tuple(filter(None, labels)),
    )


def comment(value: JsonValue) -> Comment:
    return Comment(number(value, "id"), text(value, "user", "login"), text(value, "body"), text(value, "html_url"))


def comparison(value: JsonValue) -> Comparison:
    commits = (
        CommitInfo(
            sha=required(commit, "sha"),
            author=text(commit, "author", "login") or text(commit, "commit", "author", "name"),
            date=text(commit, "commit", "committer", "date"),
            message=text(commit, "commit", "message"),
        )
        for commit in items(value, "commits")
    )
    return Comparison(
        number(value, "ahead_by"),
        number(value, "behind_by"),
        text(value, "merge_base_commit", "sha"),
        tuple(commits)[-250:],
    )


def permission(value: JsonValue) -> Permission:
    """`permission` is one of four; `role_name` tells the two between them. A role of an organisation's own making
    counts as the one of the four that it builds on."""
    coarse, role = text(value, "permission"), text(value, "role_name")
    if coarse == Permission.WRITE and role == Permission.MAINTAIN:
        return Permission.MAINTAIN
    if coarse == Permission.READ and role == Permission.TRIAGE:
        return Permission.TRIAGE
    try:
        return Permission(coarse)
    except ValueError as error:
        raise ForgeError(f"GitHub calls a permission {coarse!r}, which is none of those known") from error
