"""What a failed CI run tells of its failing tests: its artifacts first, then its failed jobs' logs.

Everything is read in memory under a budget. Who ran what, on which commit, for which pull request, is the API's to
say: no artifact is asked, whatever it claims to be.
"""

from __future__ import annotations

import fnmatch
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.evidence.artifact import ArchiveLimits, reports
from bot.evidence.ci_log import FailedStep, checked_out, failed_steps, read_log
from bot.evidence.console import read_console
from bot.evidence.junit import iter_cases
from bot.evidence.matching import resolve
from bot.evidence.merge import Merger
from bot.evidence.text import one_line
from bot.evidence.types import Outcome, Problem, TestCase, TestId, TestReport
from bot.ports import ArtifactInfo, Forge, Missing, WorkflowJob, WorkflowRun

FAILURES = 20_000
"""Failing tests of one run that are kept."""
ID_LIMIT = 4_000
"""Characters of a test's id; a longer one is no test's name."""
PROBLEMS = 50
"""Problems that are told one by one."""

_FAILED = ("failure", "timed_out")
_MATRIX = re.compile(r"\(([^()]{1,300})\)$")
_PYTHON = re.compile(r"\bpy(?:thon)?-?(?=\d)")


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be fetched. packed: bytes of all artifacts as downloaded; unpacked: bytes of all reports in them.

    artifacts, jobs: how many are downloaded, each one call (and one to the blob store); log: bytes of one job's log.
    """

    packed: int = 64 << 20
    unpacked: int = 256 << 20
    artifacts: int = 12
    jobs: int = 6
    log: int = 4 << 20


@dataclass(frozen=True, slots=True)
class CiEvidence:
    """What a run says of its tests.

    report: the failing tests, and those that failed and then passed; passing ones are counted in `tests` only.
    variants: names of the jobs, matrix values in them, in which a failing test failed, where that is known.
    steps: of the failed jobs. tested_sha: 40 hex digits of the commit that the logs say was checked out (the merge, on
    a pull request); "" where they do not say or disagree. It is a claim, for the caller to compare with the API.
    """

    report: TestReport
    variants: Mapping[TestId, tuple[str, ...]] = field(default_factory=dict)
    steps: tuple[FailedStep, ...] = ()
    tested_sha: str = ""
    tests: int = 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be had or read as it should."""
        return self.report.problems


def collect(
    forge: Forge, run: WorkflowRun, artifact_globs: Sequence[str], *, budget: Budget | None = None
) -> CiEvidence:
    """Failing tests of the run's attempt, from artifacts whose names match and from the logs of its failed jobs.

    Where both tell of a test, the artifact's word is kept and the log adds the job. Artifacts: the newest of a name,
    none that an earlier attempt left, none of a matrix job that passed; smallest first. Names that match none of the
    globs (whatever their case) are not tried. Calls: jobs, artifacts, one for each download; with no globs, artifacts
    are not asked for. ForgeError is the code host's; what it cannot give (expired, gone) is a problem instead.
    """
    return _Collector(forge, run, budget or Budget()).collect(artifact_globs)


class _Collector:
    def __init__(self, forge: Forge, run: WorkflowRun, budget: Budget) -> None:
        self.forge = forge
        self.run = run
        self.budget = budget
        self.merger = Merger()
        self.kept: set[TestId] = set()
        self.failing: dict[TestId, None] = {}
        self.variants: dict[TestId, dict[str, None]] = defaultdict(dict)
        self.problems: list[Problem] = []
        self.tests = 0
        self.overflow = 0

    def collect(self, globs: Sequence[str]) -> CiEvidence:
        jobs = self.forge.jobs(self.run.id, self.run.attempt)
        if globs:
            self.read_artifacts(self.forge.artifacts(self.run.id), globs, jobs)
        self.problems += [Problem("artifacts", message) for message in self.merger.remarks()]
        steps, tested = self.read_logs([job for job in jobs if job.conclusion in _FAILED])
        if self.overflow:
            message = (
                f"{self.overflow:,} failing tests were left out: {FAILURES:,} are kept at most, "
                f"and none whose name is longer than {ID_LIMIT:,} characters"
            )
            self.problems.append(Problem("run", message))
        if len(tested) > 1:
            listed = ", ".join(sorted(commit[:12] for commit in tested))
            self.problems.append(Problem("logs", f"say that different commits were checked out: {listed}"))
        return CiEvidence(
            TestReport(self.merger.cases(), _bounded(self.problems)),
            {id: tuple(names) for id, names in self.variants.items()},
            steps,
            tested.pop() if len(tested) == 1 else "",
            self.tests,
        )

    # --- artifacts ----------------------------------------------------------------------------------------------------

    def read_artifacts(
        self, artifacts: Sequence[ArtifactInfo], globs: Sequence[str], jobs: Sequence[WorkflowJob]
    ) -> None:
        packed, unpacked = self.budget.packed, self.budget.unpacked
        for artifact, job in self.chosen(artifacts, globs, jobs):
            data: bytes | Missing
            if artifact.size > packed:
                data = Missing(f"its {artifact.size:,} bytes are more than the {packed:,} that are left for artifacts")
            else:
                data = self.forge.download(artifact, packed)
            source = f"artifact {one_line(artifact.name, 200)}"
            if isinstance(data, Missing):
                self.problems.append(Problem(source, f"was not read: {data.reason}"))
                continue
            packed -= len(data)
            found: list[Problem] = []
            archive = reports(io.BytesIO(data), source, found, ArchiveLimits(total=unpacked))
            for name, stream in archive:
                unpacked -= stream.seek(0, io.SEEK_END)
                stream.seek(0)
                for case in iter_cases(stream, name, found):
                    self.take(case, job.name if job is not None else "")
            self.problems += found

    def chosen(
        self, artifacts: Sequence[ArtifactInfo], globs: Sequence[str], jobs: Sequence[WorkflowJob]
    ) -> Iterator[tuple[ArtifactInfo, WorkflowJob | None]]:
        """Artifacts to read, those of failed jobs before the others, with the matrix job that each is named after."""
        newest: dict[str, ArtifactInfo] = {}
        for artifact in sorted(artifacts, key=lambda each: each.id):
            if not is_before(artifact.created_at, self.run.started_at):
                newest[artifact.name] = artifact
        patterns = [pattern.lower() for pattern in globs]
        named = [
            each
            for each in newest.values()
            if any(fnmatch.fnmatchcase(each.name.lower(), pattern) for pattern in patterns)
        ]
        if newest and not named:
            listed = ", ".join(one_line(name, 60) for name in list(newest)[:5])
            message = f"have no name that triggers.artifacts matches, so none was read: {listed}"
            self.problems.append(Problem("artifacts", message))
        found = [(each, job_of(each.name, jobs)) for each in named]
        wanted = [(each, job) for each, job in found if job is None or job.conclusion in _FAILED]
        wanted.sort(key=lambda pair: (pair[1] is None, pair[0].size, pair[0].id))
        read = 0
        for artifact, job in wanted:
            if artifact.expired:
                self.problems.append(Problem(f"artifact {one_line(artifact.name, 200)}", "has expired"))
            elif read < self.budget.artifacts:
                read += 1
                yield artifact, job
            else:
                name = f"artifact {one_line(artifact.name, 200)}"
                self.problems.append(Problem(name, f"was not read: {self.budget.artifacts} are read at most"))

    def take(self, case: TestCase, job: str) -> None:
        self.tests += 1
        failed = case.outcome.is_failure
        if not failed and case.outcome is not Outcome.FLAKY:
            return
        if case.id not in self.kept:
            length = len(case.id.file) + len(case.id.classname) + len(case.id.name)
            if length > ID_LIMIT or len(self.kept) >= FAILURES:
                self.overflow += 1
                return
            self.kept.add(case.id)
        self.merger.add(case)
        if failed:
            self.failing[case.id] = None
            if job:
                self.variants[case.id][job] = None

    # --- logs ---------------------------------------------------------------------------------------------------------

    def read_logs(self, jobs: Sequence[WorkflowJob]) -> tuple[tuple[FailedStep, ...], set[str]]:
        """Failing steps, and the commits that the logs say were checked out."""
        steps: list[FailedStep] = []
        tested: set[str] = set()
        for job in jobs[: self.budget.jobs]:
            name = one_line(job.name, 200)
            source = f"log of {name}"
            data = self.forge.job_log(job.id, self.budget.log)
            if isinstance(data, Missing):
                self.problems.append(Problem(source, f"was not read: {data.reason}"))
                continue
            log = read_log(data)
            self.problems += [Problem(source, message) for message in log.problems]
            tested.add(checked_out(log, self.forge.repository))
            for output in failed_steps(log, name, job.steps):
                steps.append(output.step)
                self.read_step(output.text, f"{source}, step {output.step.step}", job.name)
        if len(jobs) > self.budget.jobs:
            left = len(jobs) - self.budget.jobs
            message = f"{left:,} of {len(jobs):,} failed jobs were left out; {self.budget.jobs} are read at most"
            self.problems.append(Problem("logs", message))
        return tuple(steps), tested - {""}

    def read_step(self, text: str, source: str, job: str) -> None:
        report = read_console(text, source)
        self.problems += report.problems
        failures = report.failures()
        known = resolve([case.id for case in failures], self.failing).found
        for case in failures:
            id = known.get(case.id)
            if id is None:
                self.take(case, job)
            else:
                self.variants[id][job] = None


def job_of(name: str, jobs: Sequence[WorkflowJob]) -> WorkflowJob | None:
    """The one matrix job whose every value is in an artifact's name ("junit-3.12-ubuntu"); None where none or several.

    A job without a matrix is not looked for: its name is a word like "test", which says nothing in a name.
    """
    slug = _slug(name)
    found = [
        (len(values), job)
        for job in jobs
        if (values := _values(job.name)) and all(f"-{value}-" in slug for value in values)
    ]
    most = max((count for count, _ in found), default=0)
    best = [job for count, job in found if count == most]
    return best[0] if len(best) == 1 else None


def _values(job: str) -> tuple[str, ...]:
    """Matrix values in a job's name: "test (3.12, ubuntu-latest)"."""
    match = _MATRIX.search(job)
    return tuple(_slug(value).strip("-") for value in match[1].split(", ")) if match is not None else ()


def _slug(text: str) -> str:
    return f"-{_PYTHON.sub('', re.sub(r'[^a-z0-9.]+', '-', text.lower())).strip('-')}-"


def is_before(moment: str, other: str) -> bool:
    """Whether one ISO 8601 time lies before another; False where either is not told."""
    try:
        return datetime.fromisoformat(moment) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def _bounded(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Each problem once, short enough to be shown, and not too many."""
    short = dict.fromkeys(Problem(one_line(each.source, 300), one_line(each.message, 500)) for each in problems)
    kept = list(short)[:PROBLEMS]
    if len(short) > PROBLEMS:
        kept.append(Problem("run", f"has {len(short) - PROBLEMS:,} more problems of this kind"))
    return tuple(kept)
