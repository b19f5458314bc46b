"""What the server remembers beside git: people, runs, pull requests, comments, checks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


def iso(when: float) -> str:
    """Seconds since the epoch as GitHub writes times."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class User:
    login: str
    id: int
    kind: str  # User, Bot, Organization
    created: float


@dataclass(slots=True)
class Label:
    id: int
    name: str


@dataclass(slots=True)
class Reaction:
    id: int
    user: str
    content: str
    created: float


@dataclass(slots=True)
class Comment:
    """A comment of issue or pull request `number`. `edits`: bodies that it had before."""

    id: int
    number: int
    user: str
    body: str
    created: float
    updated: float
    reactions: list[Reaction] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Issue:
    number: int
    id: int
    title: str
    body: str
    user: str
    created: float
    updated: float
    state: str = "open"
    labels: list[Label] = field(default_factory=list)


@dataclass(slots=True)
class Pull:
    """A pull request. `head_repository`: full name, "" where the fork is gone; `head_sha`: kept by `refresh_pulls`.

    merge_sha: the test merge while it is open, "" where it conflicts. closed_by: "" while it is open.
    """

    number: int
    id: int
    title: str
    body: str
    user: str
    head_branch: str
    head_sha: str
    head_repository: str
    base_branch: str
    base_sha: str
    created: float
    updated: float
    draft: bool = False
    state: str = "open"
    merged: bool = False
    merge_sha: str = ""
    closed: float | None = None
    closed_by: str = ""
    labels: list[Label] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Workflow:
    id: int
    name: str
    path: str
    created: float


@dataclass(slots=True)
class Step:
    number: int
    name: str
    conclusion: str


@dataclass(slots=True)
class Job:
    """One job of a run's attempt. `log`: as the API hands it out, with timestamps where the test wants them.

    started, completed: seconds since the epoch. A re-run's copies of jobs keep those of the attempt that ran them.
    """

    id: int
    name: str
    conclusion: str
    steps: list[Step]
    attempt: int = 1
    log: bytes = b""
    log_gone: bool = False
    started: float = 0.0
    completed: float = 0.0


@dataclass(slots=True)
class Artifact:
    id: int
    name: str
    archive: bytes
    created: float
    expired: bool = False


@dataclass(slots=True)
class Run:
    """One run of a workflow. `conclusion`: "" until completed. `head_repository`: full name, "" where it is gone.

    created, started, updated: seconds since the epoch; `started` is the present attempt's.
    """

    id: int
    workflow: Workflow
    number: int
    attempt: int
    event: str
    status: str
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: str
    actor: str
    triggering_actor: str
    created: float
    started: float
    updated: float
    pull_requests: list[int] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class CheckRun:
    """A check run. `conclusion`: "" until completed. `annotations`: all batches, as they were sent."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str
    details_url: str
    external_id: str
    started: float
    completed: float | None
    app: str
    title: str = ""
    summary: str = ""
    text: str = ""
    annotations: list[Mapping[str, object]] = field(default_factory=list)


def packed(contents: bytes | Mapping[str, bytes | str]) -> bytes:
    """A zip archive; bytes are taken as one that is packed already (hostile ones too)."""
    if isinstance(contents, bytes):
        return contents
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()
