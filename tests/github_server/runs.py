"""Jobs of runs: what tests describe, made complete; and a run's logs as the archive that GitHub offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.github_server.state import Job, Run, Step, packed

STEPS = ("Set up job", "Run actions/checkout@v4", "Run tests")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to add. `conclusion` "": the run's. steps: (name, conclusion) in order; empty: three usual ones.

    seconds: how long it takes; it begins with its attempt. copied: a job of the attempt before, passed then, that "Re-run
    failed jobs" lists again: with a number of its own, and the times of the job that it copies.
    """

    name: str = "test"
    conclusion: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    log: str | bytes = b""
    seconds: float = 60.0
    copied: bool = False


def complete(jobs: Sequence[JobSpec], logs: Mapping[str, str | bytes], conclusion: str) -> Iterator[JobSpec]:
    """The described jobs with their logs, one more for each other log, at least one at all."""
    described = {job.name: job for job in jobs}
    for name in (*described, *(name for name in logs if name not in described)) or ("test",):
        job = described.get(name, JobSpec(name))
        yield replace(job, conclusion=job.conclusion or conclusion, log=logs.get(name, job.log))


def job_of(spec: JobSpec, number: int, run: Run) -> Job:
    """State of a job; in a failed one with usual steps the last has failed."""
    steps = spec.steps or (*((name, "success") for name in STEPS[:-1]), (STEPS[-1], spec.conclusion))
    log = spec.log.encode() if isinstance(spec.log, str) else spec.log
    numbered = [Step(at, name, conclusion) for at, (name, conclusion) in enumerate(steps, 1)]
    began = run.started
    if spec.copied:
        began = next(job.started for job in reversed(run.jobs) if job.name == spec.name)
    ended = began + spec.seconds
    return Job(number, spec.name, spec.conclusion, numbered, run.attempt, log, started=began, completed=ended)


def log_archive(run: Run) -> bytes:
    """The zip of a run's logs: one file a job, and one a step in the job's folder (the whole log in the failed one)."""
    files: dict[str, bytes | str] = {}
    for at, job in enumerate(job for job in run.jobs if job.attempt == run.attempt):
        files[f"{at}_{job.name.replace('/', '_')}.txt"] = job.log
        for step in job.steps:
            text = job.log if step.conclusion == "failure" else b""
            files[f"{job.name.replace('/', '_')}/{step.number}_{step.name.replace('/', '_')}.txt"] = text
    return packed(files)
