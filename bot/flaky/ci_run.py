"""One CI run → a record for each job that told what its tests did: its reports first, its log second."""

from __future__ import annotations

import fnmatch
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.evidence.artifact import ArchiveLimits, reports
from bot.evidence.ci import Budget
from bot.evidence.ci_log import failed_steps, read_log
from bot.evidence.console import read_console
from bot.evidence.text import one_line
from bot.evidence.types import Problem
from bot.flaky.ci_attempts import (
    Attempt,
    attempt_of,
    attempts_of,
    commit_of,
    environment_of,
    moment,
    owner_of,
    stable_name,
)
from bot.flaky.meter import Meter
from bot.flaky.reconcile import Outcomes, read_report, reconcile, variants
from bot.flaky.types import RunRecord, RunSource
from bot.ports import ArtifactInfo, Forge, Missing, WorkflowJob, WorkflowRun

ATTEMPTS = 10
"""Attempts of one run that are read, the last ones."""
PER_RUN = Budget(packed=64 << 20, unpacked=256 << 20, artifacts=40, jobs=6)
"""What may be fetched of one attempt."""
SMALLEST = 5
"""Failing tests below which a run is not infrastructure's: a suite of one test may fail whole."""

_RED = ("failure", "timed_out")
_CUT_SHORT = ("cancelled", "timed_out")
_PASSED = re.compile(r"\b(\d{1,9}) passed\b")


@dataclass(slots=True)
class RunRead:
    """What one run gave."""

    records: list[RunRecord] = field(default_factory=list)
    carried_over: int = 0
    infrastructure: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunReader:
    """Reads runs of one repository. globs: names of artifacts, whatever their case; none: logs only."""

    forge: Forge
    meter: Meter
    globs: tuple[str, ...]

    def read(self, run: WorkflowRun, known: int, group: str) -> RunRead:
        """Attempts after `known` of a completed run. Calls: artifacts, jobs for each attempt, downloads.

        A green run of one attempt without artifacts costs one call and gives nothing: no test of it is named.
        """
        told = RunRead()
        artifacts: Sequence[ArtifactInfo] = ()
        if self.globs:
            self.meter.call()
            patterns = [glob.lower() for glob in self.globs]
            artifacts = [
                each
                for each in self.forge.artifacts(run.id)
                if any(fnmatch.fnmatchcase(each.name.lower(), pattern) for pattern in patterns)
            ]
        if not artifacts and run.attempt == 1 and run.conclusion not in _RED:
            return told
        first = max(1, run.attempt - ATTEMPTS + 1)
        listed: dict[int, Sequence[WorkflowJob]] = {}
        for number in range(first, run.attempt + 1):
            self.meter.call()
            listed[number] = self.forge.jobs(run.id, number)
        attempts = attempts_of(run, listed)
        owners = self._owners(artifacts, attempts)
        logged: set[str] = set()  # names of jobs whose failures are known from a log
        for attempt in attempts:
            mine = [each for each in artifacts if attempt_of(each, attempts) is attempt]
            if attempt.number <= known:
                owned = {owners.get(each.name) for each in mine}
                logged |= {job.name for job in attempt.jobs if job.conclusion in _RED and job.name not in owned}
                continue
            told.carried_over += attempt.copied
            taken = self._reports(run, attempt, mine, owners, group, told)
            if "" not in taken:  # an artifact of an unknown job may hold any job's tests: they would count twice
                self._logs(run, attempt, [job for job in attempt.jobs if job.name not in taken], logged, group, told)
        unplaced = sum(attempt_of(each, attempts) is None for each in artifacts)
        if unplaced:
            told.problems.append(Problem("artifacts", "were left out: nothing tells which attempt they belong to"))
        return told

    def _owners(self, artifacts: Sequence[ArtifactInfo], attempts: Sequence[Attempt]) -> dict[str, str]:
        """Artifact's name → job's name: where one attempt of the run shows it, it holds for all."""
        found: dict[str, str] = {}
        for artifact in artifacts:
            attempt = attempt_of(artifact, attempts)
            owner = owner_of(artifact, attempt.jobs) if attempt is not None else None
            if owner is not None:
                found.setdefault(artifact.name, owner.name)
        return found

    # --- reports ------------------------------------------------------------------------------------------------------

    def _reports(
        self,
        run: WorkflowRun,
        attempt: Attempt,
        artifacts: Sequence[ArtifactInfo],
        owners: dict[str, str],
        group: str,
        told: RunRead,
    ) -> set[str]:
        """Names of the jobs whose reports were read, "" among them where a report's job is not known."""
        newest = {each.name: each for each in sorted(artifacts, key=lambda each: each.id)}
        of_job: dict[str, list[ArtifactInfo]] = {}
        for name in sorted(newest)[: PER_RUN.artifacts]:
            of_job.setdefault(owners.get(name, ""), []).append(newest[name])
        if len(newest) > PER_RUN.artifacts:
            told.problems.append(
                Problem("artifacts", f"of one attempt are {PER_RUN.artifacts} at most; the rest was left")
            )
        packed, unpacked = PER_RUN.packed, PER_RUN.unpacked
        taken: set[str] = set()
        for owner, own in of_job.items():
            job = next((each for each in attempt.jobs if each.name == owner), None)
            bundles = [own] if job is not None else [[each] for each in own]
            for bundle in bundles:
                files: dict[str, Outcomes] = {}
                for artifact in bundle:
                    data = self._download(artifact, packed, told)
                    packed -= len(data)
                    prefix = f"{artifact.name}/" if len(bundle) > 1 else ""
                    limits = ArchiveLimits(total=unpacked)
                    found: list[Problem] = []
                    archive = reports(io.BytesIO(data), "artifact", found, limits) if data else ()
                    for name, stream in archive:
                        unpacked -= stream.seek(0, io.SEEK_END)
                        stream.seek(0)
                        path = prefix + name.removeprefix("artifact:")
                        green = job is not None and job.conclusion == "success"
                        files[path] = read_report(stream, "report", found, green=green)
                    told.problems += found
                if any(each.tests for each in files.values()):
                    taken.add(job.name if job is not None else "")
                title = job.name if job is not None else stable_name(bundle[0], run, attempt.number)
                place = str(job.id) if job is not None else f"artifact-{bundle[0].id}"
                whole = (job.conclusion if job is not None else run.conclusion) not in _CUT_SHORT
                for variant, outcomes in variants(files).items():
                    shown = f"{title} [{variant}]" if variant else title
                    record = _record(run, attempt, job, outcomes, group, shown, f"{place}{_suffix(variant)}", whole)
                    _keep(record, told)
        return taken

    def _download(self, artifact: ArtifactInfo, limit: int, told: RunRead) -> bytes:
        if artifact.expired:
            told.problems.append(Problem("artifact", "has expired"))
            return b""
        if artifact.size > limit:
            told.problems.append(Problem("artifact", "was not read: it is larger than what one attempt may have"))
            return b""
        self.meter.call()
        data = self.forge.download(artifact, limit)
        if isinstance(data, Missing):
            told.problems.append(Problem("artifact", f"was not read: {one_line(data.reason, 200)}"))
            return b""
        self.meter.took(len(data))
        return data

    # --- logs ---------------------------------------------------------------------------------------------------------

    def _logs(
        self,
        run: WorkflowRun,
        attempt: Attempt,
        jobs: Sequence[WorkflowJob],
        logged: set[str],
        group: str,
        told: RunRead,
    ) -> None:
        """Failed jobs, and those that passed after a log of theirs told of failures: where it names its tests."""
        wanted = [job for job in jobs if job.conclusion in _RED or (job.conclusion == "success" and job.name in logged)]
        for job in wanted[: PER_RUN.jobs]:
            self.meter.call()
            data = self.forge.job_log(job.id, PER_RUN.log)
            if isinstance(data, Missing):
                told.problems.append(Problem("log", f"was not read: {one_line(data.reason, 200)}"))
                continue
            self.meter.took(len(data))
            texts = tuple(_outputs(data, job))
            outcomes = reconcile(case for text in texts for case in read_console(text, "log").cases)
            if not outcomes.tests:
                continue
            if job.conclusion in _RED:
                logged.add(job.name)
            passes = sum(int(count) for text in texts for count in _PASSED.findall(text[-4_000:]))
            if len(outcomes.failed) >= SMALLEST and len(outcomes.failed) > max(passes, len(outcomes.tests) / 2):
                told.infrastructure += 1
                continue
            base = len(outcomes.failed) < len(outcomes.tests)  # else it names failures alone: no rate can come of that
            told.records.append(
                _record(run, attempt, job, outcomes, group, job.name, str(job.id), whole=False, base=base)
            )


def _outputs(data: bytes, job: WorkflowJob) -> Iterator[str]:
    log = read_log(data)
    if job.conclusion in _RED:
        yield from (output.text for output in failed_steps(log, job.name, job.steps))
    else:
        yield from ("\n".join(section.lines) for section in log.sections)


def _keep(record: RunRecord, told: RunRead) -> None:
    if record.whole and len(record.tests) >= SMALLEST and 2 * len(record.failed) > len(record.tests):
        told.infrastructure += 1
    elif record.tests:
        told.records.append(record)


def _record(
    run: WorkflowRun,
    attempt: Attempt,
    job: WorkflowJob | None,
    outcomes: Outcomes,
    group: str,
    title: str,
    place: str,
    whole: bool,
    base: bool = True,
) -> RunRecord:
    began = moment(job.started_at) if job is not None else None
    ended = moment(job.completed_at) if job is not None else None
    if began is None:
        began = moment(attempt.began) or moment(run.created_at) or 0.0
    return RunRecord(
        key=f"ci:{run.id}/{attempt.number}/{place}",
        source=RunSource.CI,
        group=group,
        commit=commit_of(run),
        environment=environment_of(run, title),
        attempt=attempt.number,
        at=began,
        seconds=max(0.0, ended - began) if ended is not None else sum(outcomes.durations.values()),
        tests=outcomes.tests,
        failed=outcomes.failed,
        retried=outcomes.retried,
        unknown=outcomes.unknown,
        durations=outcomes.durations,
        whole=whole,
        purpose="reports" if whole else "log" if not base else "part",
        base=base,
    )


def _suffix(variant: str) -> str:
    return f"#{one_line(variant, 120)}" if variant else ""
