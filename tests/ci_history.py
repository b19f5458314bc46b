"""Months of CI runs on the tests' GitHub server, seeded, with the truth of each job known.

Two jobs a run (a matrix), each with a report; some fail by chance and are run again, some are broken, some are
infrastructure's, some are copies, some are of forks, of other branches, of other workflows, and some have only a log.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.github_server import JobSpec, Repository
from tests.github_server.state import Run

DAY = 86_400
START = 1_790_000_000 // DAY * DAY  # a midnight, seconds since the epoch
JOBS = ("test (3.12)", "test (3.13)")
TESTS = tuple(f"test_{number}" for number in range(12))


@dataclass(frozen=True, slots=True)
class Truth:
    """What one job of one attempt did, by names of tests. passed, failed: what it shows."""

    passed: frozenset[str]
    failed: frozenset[str]
    group: str


@dataclass(slots=True)
class Known:
    """truth: (run, attempt, job) → what is to be found. copies, infrastructure: how many are to be told."""

    truth: dict[tuple[int, int, str], Truth] = field(default_factory=dict)
    copies: int = 0
    infrastructure: int = 0


def junit(failed: frozenset[str] | set[str], tests: tuple[str, ...] = TESTS) -> str:
    """A report of `tests`."""
    cases = []
    for name in tests:
        inner = ""
        if name in failed:
            text = f"tests/test_shop.py:3: in {name}\n    assert 1 == 2\nE   assert 1 == 2"
            inner = f'<failure message="assert 1 == 2">{text}</failure>'
        cases.append(f'<testcase classname="tests.test_shop" name="{name}" time="0.25">{inner}</testcase>')
    return f'<testsuite name="pytest" tests="{len(tests)}">{"".join(cases)}</testsuite>'


def log(failed: frozenset[str] | set[str]) -> str:
    """The log of a job whose only word is pytest's short summary."""
    lines = [f"FAILED tests/test_shop.py::{name} - assert 1 == 2" for name in sorted(failed)]
    run = ["##[group]Run pytest", "pytest", "shell: bash", "##[endgroup]"]
    end = [
        f"===== {len(failed)} failed, {len(TESTS) - len(failed)} passed in 1.00s =====",
        "##[error]Process completed with exit code 1.",
    ]
    return "\n".join((*run, "===== short test summary info =====", *lines, *end))


class History:
    """Grows a repository's runs day by day; the same seed gives the same."""

    def __init__(self, shop: Repository, seed: int = 1) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self.known = Known()
        self.serial = 0

    def day(self, number: int, runs: int) -> None:
        """`runs` runs on the day `number` after START."""
        for each in range(runs):
            self.one(START + number * DAY + (each + 1) * (DAY // (runs + 2)))

    def one(self, created: int) -> Run:
        kind = self.random.choices(
            ("green", "flaky", "broken", "down", "fork", "branch", "lint", "log"), (50, 15, 5, 3, 7, 8, 7, 5)
        )[0]
        self.serial += 1
        sha = f"{self.serial:040x}"
        if kind == "lint":
            return self.shop.add_run("lint", head_sha=sha, conclusion="success", created=created)
        if kind == "log":
            failed = self.some()
            run = self.shop.add_run(
                "tests", head_sha=sha, created=created, jobs=(JobSpec("docs"),), logs={"docs": log(failed)}
            )
            self.tell(run, "docs", failed, "branch:main", passed=frozenset())
            return run
        failures = {job: self.some() if kind in ("flaky", "broken", "fork") else frozenset() for job in JOBS[:1]}
        if kind == "down":
            failures = {job: frozenset(TESTS) for job in JOBS}
        run = self.shop.add_run(
            "tests",
            head_sha=sha,
            branch="topic" if kind in ("branch", "fork") else "main",
            event="pull_request" if kind == "fork" else "push",
            head_repository="mallory/shop" if kind == "fork" else None,
            conclusion="failure" if failures else "success",
            created=created,
            **self.attempt(failures),
        )
        group = {"fork": "fork:mallory/shop", "branch": ""}.get(kind, "branch:main")
        if kind == "down":
            self.known.infrastructure += 2
        elif group:
            for job in JOBS:
                self.tell(run, job, failures.get(job, frozenset()), group)
        if kind == "flaky":
            self.again(run, created + 3_600)
        return run

    def again(self, run: Run, started: int) -> None:
        """ "Re-run failed jobs": the first job passes, the second is copied."""
        self.shop.rerun(
            run,
            conclusion="success",
            started=started,
            artifacts={"junit-3.12": {"junit.xml": junit(set())}},
            jobs=(JobSpec(JOBS[0], "success"), JobSpec(JOBS[1], "success", copied=True)),
        )
        self.known.copies += 1
        self.tell(run, JOBS[0], frozenset(), "branch:main")

    def attempt(self, failures: dict[str, frozenset[str]]) -> dict[str, object]:
        jobs = tuple(JobSpec(job, "failure" if failures.get(job) else "success") for job in JOBS)
        artifacts = {f"junit-{job[6:-1]}": {"junit.xml": junit(failures.get(job, frozenset()))} for job in JOBS}
        return {"jobs": jobs, "artifacts": artifacts}

    def some(self) -> frozenset[str]:
        return frozenset(self.random.sample(TESTS, self.random.randint(1, 2)))

    def tell(
        self, run: Run, job: str, failed: frozenset[str], group: str, passed: frozenset[str] | None = None
    ) -> None:
        rest = frozenset(TESTS) - failed if passed is None else passed
        self.known.truth[(run.id, run.attempt, job)] = Truth(rest, failed, group)
