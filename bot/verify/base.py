"""The base run: what fails before anything is changed, and whether it fails every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.errors import ConfigError
from bot.evidence.failures import read_failure
from bot.evidence.matching import resolve, select
from bot.evidence.network import wants_network
from bot.evidence.text import one_line
from bot.evidence.types import Cluster, Failure, TestCase, TestId, TestReport
from bot.ports import RunResult
from bot.toolchains.types import LineHits
from bot.verify.bench import SandboxBench
from bot.verify.proof import counted
from bot.verify.types import Gate, GateName, GateStatus
from bot.vet.types import Flake

RERUNS = 2
"""Reruns of the failing tests: with the base run that makes three sightings before anything is spent."""


@dataclass(frozen=True, slots=True)
class Base:
    """What the base run showed.

    failures: failing in the base run and in every rerun, and wanted. flaky: failing in some runs only, with the
    number of failures in runs. absent: wanted but not failing here, each with what was seen instead.
    provoked: how often the failing tests failed, in a sentence, where that took a provocation; "" where it took none.
    """

    report: TestReport
    run_ids: tuple[str, ...]
    output: str
    exit_code: int
    seconds: float
    hits: LineHits | None
    failures: tuple[Failure, ...]
    flaky: tuple[tuple[TestId, int, int], ...]
    absent: tuple[tuple[TestId, str], ...]
    wanted: tuple[TestCase, ...]
    provoked: str = ""

    def gate(self, targets: Iterable[TestId]) -> Gate:
        """The `reproduced` gate of one repair."""
        if self.provoked:
            return Gate(GateName.REPRODUCED, GateStatus.PASSED, self.provoked, self.run_ids)
        count = len(tuple(targets))
        runs = len(self.run_ids)
        evidence = f"{counted(count)} failed in {runs} of {runs} runs at base, with the same exception type each time"
        differing = self._differing_messages()
        if differing:
            evidence += f"; the message differs from the report's in {differing}"
        return Gate(GateName.REPRODUCED, GateStatus.PASSED, evidence, self.run_ids)

    def _differing_messages(self) -> int:
        reported = {case.id: case.message.strip() for case in self.wanted if case.message.strip()}
        here = {failure.case.id: failure.case.message.strip() for failure in self.failures}
        return sum(1 for test, message in reported.items() if test in here and here[test] != message)


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged against: one cluster at one base. flake: set where the cluster fails only sometimes."""

    cluster: Cluster
    base: Base
    protect: tuple[str, ...]
    is_project: Callable[[str], bool]
    flake: Flake | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """The base run gave no report that can be believed; `output` is its tail."""

    problem: str
    run_ids: tuple[str, ...]
    output: str


def measure(
    bench: SandboxBench,
    wanted: tuple[TestCase, ...] | None,
    selectors: tuple[str, ...],
    is_project: Callable[[str], bool],
    *,
    spectrum: bool,
) -> Base | Unusable:
    """Run the suite at base, then the failing wanted tests again, each time in a fresh box.

    wanted: failing cases of a report (None: all that fail here); a case without a message or traceback goes by its id
    alone. selectors: a person's words that narrow it down; ConfigError for one that names no test.
    """
    run, hits = bench.run_with_hits(None, purpose="base", spectrum=spectrum)
    report = run.report
    if report is None or (run.problem and not report.failures()):
        return Unusable(run.problem or "no report was written", (run.run_id,), run.execution.output)
    failing = {case.id: case for case in report.failures()}
    absent: list[tuple[TestId, str]] = []
    reported: dict[TestId, TestCase] = {}
    if wanted is not None:
        reported, absent = _match(wanted, report, failing, is_project)
        failing = {test: case for test, case in failing.items() if test in reported}
    if selectors:
        selection = select(selectors, report.by_id())
        if selection.missing:
            names = ", ".join(map(repr, selection.missing))
            raise ConfigError(
                f"no test of the suite matches {names}; give a node id as pytest prints it, a file or a name"
            )
        chosen = set(selection.ids)
        failing = {test: case for test, case in failing.items() if test in chosen}
        absent = [(test, seen) for test, seen in absent if test in chosen]
    seen = dict.fromkeys(failing, 1)
    reruns = _rerun(bench, seen, failing, is_project) if failing else ()
    runs = 1 + len(reruns)
    failures = tuple(read_failure(case, is_project) for test, case in failing.items() if seen[test] == runs)
    flaky = tuple((test, seen[test], runs) for test in failing if seen[test] < runs)
    return Base(
        report=report,
        run_ids=(run.run_id, *(rerun.run_id for rerun in reruns)),
        output=run.execution.output,
        exit_code=run.execution.exit_code,
        seconds=run.execution.seconds,
        hits=hits,
        failures=failures,
        flaky=flaky,
        absent=tuple(absent),
        wanted=tuple(reported.values()),
    )


def _match(
    wanted: tuple[TestCase, ...],
    report: TestReport,
    failing: dict[TestId, TestCase],
    is_project: Callable[[str], bool],
) -> tuple[dict[TestId, TestCase], list[tuple[TestId, str]]]:
    """Reported failures by the id they have here, and those that are not reproduced, with what was seen instead."""
    here = report.by_id()
    resolution = resolve((case.id for case in wanted), here)
    matched: dict[TestId, TestCase] = {}
    absent: list[tuple[TestId, str]] = []
    for case in wanted:
        test = resolution.found.get(case.id)
        if test is None:
            absent.append((case.id, "there is no such test in this checkout"))
        elif test not in failing:
            absent.append((test, f"it is {here[test].outcome.value} here"))
        else:
            expected = read_failure(case, is_project) if case.message or case.traceback else None
            seen = read_failure(failing[test], is_project)
            if expected is not None and expected.exception and seen.exception not in ("", expected.exception):
                absent.append((test, f"it fails here with {seen.exception}, the report says {expected.exception}"))
            elif expected is not None and wants_network(seen.message) and not wants_network(expected.message):
                absent.append((test, f"it fails here for want of a network ({one_line(seen.message, 120)})"))
            else:
                matched[test] = case
    return matched, absent


def _rerun(
    bench: SandboxBench,
    seen: dict[TestId, int],
    failing: dict[TestId, TestCase],
    is_project: Callable[[str], bool],
) -> tuple[RunResult, ...]:
    """Rerun `failing` and count in `seen` the runs in which each failed with the exception of the base run.

    A rerun that broke off without a report says nothing of any test and is left out.
    """
    tests = tuple(failing)
    runs = []
    for number in range(1, RERUNS + 1):
        run = bench.run(tests, purpose=f"base, rerun {number} of {RERUNS}")
        if run.report is None:
            continue
        runs.append(run)
        cases = run.report.by_id()
        for test in tests:
            case = cases.get(test)
            if case is not None and case.outcome.is_failure:
                same = read_failure(case, is_project).exception == read_failure(failing[test], is_project).exception
                seen[test] += int(same)
    return tuple(runs)
