"""Which jobs an attempt of a CI run really ran, what it left behind, and whose evidence that is.

Only the API is asked here: nothing that a job wrote has a say in when, for whom and on which commit it ran.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.evidence.ci import is_before, job_of
from bot.evidence.text import one_line
from bot.ports import ArtifactInfo, WorkflowJob, WorkflowRun

_QUEUE = re.compile(r"gh-readonly-queue/.+/pr-(\d{1,10})-[0-9a-f]{7,40}")
_ON_HEAD = ("push", "schedule", "workflow_dispatch", "repository_dispatch", "merge_group")
_OF_PULL = ("pull_request", "pull_request_target")
_WORD = re.compile(r"[a-z0-9.]+")
_TEXT = 200


def group_of(run: WorkflowRun, repository: str, default_branch: str) -> str:
    """What counts as one source: "branch:main", "pr:17"; "" where the run is none of the default branch or a pull
    request. GitHub does not tell the pull request of a fork's run: all such runs of one fork are one ("fork:o/r")."""
    own = run.head_repository.lower() == repository.lower()
    if run.event == "merge_group":
        queued = _QUEUE.fullmatch(run.head_branch)
        return f"pr:{int(queued[1])}" if own and queued else ""
    if run.event in _OF_PULL:
        if run.pull_requests:
            return f"pr:{min(run.pull_requests)}"
        return f"head:{one_line(run.head_branch, _TEXT)}" if own else f"fork:{run.head_repository.lower()}"
    return f"branch:{default_branch}" if own and run.head_branch == default_branch else ""


def commit_of(run: WorkflowRun) -> str:
    """What the run's attempts tested, "" where that is not known.

    A run on a pull request tests the merge of its head into the base as it was then: another run of the same head may
    have had another base, so it is "HEAD@RUN", one for the attempts of this run.
    """
    if run.event in _ON_HEAD:
        return run.head_sha
    return f"{run.head_sha}@{run.id}" if run.event == "pull_request" else ""


def environment_of(run: WorkflowRun, name: str) -> str:
    """Workflow and job, matrix values in it: "tests.yml / test (3.12)"."""
    return one_line(f"{run.path.rpartition('/')[2] or run.name} / {name}", _TEXT)


def moment(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 time, None where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a run. jobs: that it ran itself and that ended. copied: how many it took over from before."""

    number: int
    jobs: tuple[WorkflowJob, ...]
    copied: int
    began: str


def attempts_of(run: WorkflowRun, listed: Mapping[int, Sequence[WorkflowJob]]) -> tuple[Attempt, ...]:
    """The attempts whose jobs were listed, copies told apart: "Re-run failed jobs" lists those that passed before once
    more, under new numbers, with the times at which they really ran."""
    found: list[Attempt] = []
    ran: set[tuple[str, str]] = set()
    for number in sorted(listed):
        started = run.started_at if number == run.attempt else ""
        jobs = [
            job
            for job in listed[number]
            if (job.name, job.started_at) not in ran
            and not is_before(job.started_at, started)
            and job.attempt in (0, number)
        ]
        ran |= {(job.name, job.started_at) for job in jobs if job.started_at}
        times = [job.started_at for job in jobs if moment(job.started_at) is not None]
        began = started or (
            run.created_at if number == 1 else min(times, key=lambda each: moment(each) or 0.0, default="")
        )
        done = tuple(job for job in jobs if job.conclusion not in ("", "skipped"))
        found.append(Attempt(number, done, len(listed[number]) - len(jobs), began))
    return tuple(found)


def attempt_of(artifact: ArtifactInfo, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that left an artifact, by their times: a listing holds those of all attempts. None: not told."""
    if len(attempts) == 1:
        return attempts[0]
    if moment(artifact.created_at) is None or any(moment(each.began) is None for each in attempts):
        return None
    fitting = [each for each in attempts if not is_before(artifact.created_at, each.began)]
    return fitting[-1] if fitting else None


def owner_of(artifact: ArtifactInfo, jobs: Sequence[WorkflowJob]) -> WorkflowJob | None:
    """The job that an artifact is of: by the matrix values in its name, else the only one that was running when it was
    made, else the one of those whose name is in its name. None where that is nobody, or several."""
    found = job_of(artifact.name, jobs)
    if found is not None:
        return found
    running = [
        job
        for job in jobs
        if not is_before(artifact.created_at, job.started_at) and not is_before(job.completed_at, artifact.created_at)
    ]
    if len(running) > 1:
        words = set(_WORD.findall(artifact.name.lower()))
        running = [job for job in running if (own := set(_WORD.findall(job.name.lower()))) and own <= words]
    return running[0] if len(running) == 1 else None


def stable_name(artifact: ArtifactInfo, run: WorkflowRun, attempt: int) -> str:
    """An artifact's name without what makes it another one in each run: the run's number, its commit, the attempt."""
    name = artifact.name.replace(str(run.id), "…").replace(run.head_sha, "…").replace(run.head_sha[:7], "…")
    return re.sub(rf"(?i)(attempt|try|run)[-_.]?{attempt}(?!\d)", r"\1", name)
