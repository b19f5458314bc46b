"""Candidates into the box, claims out of it. A claim only sorts candidates; the gates decide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import SandboxError
from bot.evidence.types import TestId
from bot.ports import Bench, Box, Command, JsonValue
from bot.propose.search.types import Candidate
from bot.toolchains.types import Runtime, Toolchain

PACKAGE = "grokfix_search"
LAUNCH = "search.py"
GRACE_SECONDS = 20.0
"""Seconds that the worker has beyond its own deadline before its box is killed."""

PYTEST_ARGUMENTS = (
    *("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:rerunfailures"),
    *("-s", "-q", "--assert=plain", "--continue-on-collection-errors"),
)
PLUGIN_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "pytest_cov": ("--no-cov",),
    "pytest-cov": ("--no-cov",),
    "xdist": ("-n0",),
    "pytest-xdist": ("-n0",),
}


class TrialOutcome(StrEnum):
    """How a candidate fared: PLAUSIBLE passed every test it was given, INVALID does not compile in the box."""

    PLAUSIBLE = "plausible"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate's claim; `way` is "swap", "import" or "none".

    healed: other failing tests it passes. others: for each of these tests that came to an end, whether it passed.
    """

    candidate: Candidate
    outcome: TrialOutcome
    seconds: float
    way: str
    healed: int = 0
    others: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A test as the worker ran it at base: processor seconds, and whether it starts processes of its own."""

    test: TestId
    passed: bool
    hung: bool
    seconds: float
    spawns: bool


@dataclass(frozen=True, slots=True)
class Baseline:
    """The base as the worker sees it. `import_seconds`: processor time to import and collect, None: it could not."""

    tests: tuple[Measured, ...]
    import_seconds: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker is to run; `limits` are processor seconds for each of `tests`.

    The first `targets` of them fail and have to pass; the last `others` fail too, and count for a candidate that heals
    them; those between pass and belong to candidates as their `Work` says.
    set_up: processor seconds for a fresh import and collection.
    """

    tests: tuple[TestId, ...]
    targets: int
    limits: tuple[float, ...]
    set_up: float
    others: int = 0
    in_files: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A candidate with the tests (indices into the plan's) that have to pass after the targets.

    linger: seconds that the worker goes on with others when this one is plausible.
    """

    candidate: Candidate
    rest: tuple[int, ...]
    linger: float = 0.0


class Validator:
    """Runs jobs in one box, opened when first needed and again after one was lost. Context manager.

    `seconds` sums what its commands took. `fault`: what was wrong with the last job's worker, "" where nothing was.
    """

    def __init__(self, toolchain: Toolchain, runtime: Runtime, bench: Bench, jobs: int) -> None:
        self._toolchain = toolchain
        self._runtime = runtime
        self._bench = bench
        self._jobs = jobs
        self._box: Box | None = None
        self._number = 0
        self.seconds = 0.0
        self.fault = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()

    def measure(self, plan: Plan, seconds: float) -> Baseline:
        """Run each test once in a fork of its own, unchanged, for at most `seconds` in all.

        Passing tests that do not pass when they run after one another are left out."""
        tests: list[Measured] = []
        unsteady: set[TestId] = set()
        import_seconds: float | None = None
        for claim in self.run("baseline", plan, (), seconds):
            match claim:
                case {"kind": "collected", "seconds": int() | float() as taken}:
                    import_seconds = float(taken)
                case {"kind": "unsteady", "test": int() as index} if 0 <= index < len(plan.tests):
                    unsteady.add(plan.tests[index])
                case {"kind": "measured", "test": int() as index, "outcome": str() as outcome} if (
                    0 <= index < len(plan.tests)
                ):
                    tests.append(
                        Measured(
                            plan.tests[index],
                            outcome == "passed",
                            outcome == "timeout",
                            _seconds(claim),
                            claim.get("spawns") is True,
                        )
                    )
        return Baseline(tuple(one for one in tests if one.test not in unsteady), import_seconds)

    def validate(self, plan: Plan, work: Sequence[Work], seconds: float) -> tuple[Trial, ...]:
        """Try candidates in order for at most `seconds`; those that were not reached are left out."""
        trials: dict[int, Trial] = {}
        for claim in self.run("validate", plan, work, seconds):
            match claim:
                case {"kind": "trial", "key": int() as key, "outcome": str() as outcome, "way": str() as way} if (
                    0 <= key < len(work) and outcome in set(TrialOutcome)
                ):
                    trials[key] = Trial(
                        work[key].candidate, TrialOutcome(outcome), _seconds(claim), way, _count(claim), _others(claim)
                    )
        return tuple(trials[key] for key in sorted(trials))

    def run(
        self,
        mode: str,
        plan: Plan,
        work: Sequence[Work],
        seconds: float,
        extra: JsonValue = None,
    ) -> Iterator[dict[str, JsonValue]]:
        """One job; yields its claims, each an object with a "kind" and nothing else that can be relied on.

        extra: what this mode alone is told."""
        self.fault = ""
        box = self._open()
        self._number += 1
        job, results = f"job-{self._number}.json", f"results-{self._number}.jsonl"
        told = self._job(box, mode, plan, work, seconds, results) | {"extra": extra}
        box.put({job: json.dumps(told).encode()})
        base = self._toolchain.run_plan(self._runtime, box, plan.tests, seconds=seconds)
        box.put(base.files)  # its settings say where imports come from
        argv = (self._runtime.interpreter, f"{box.control}/{LAUNCH}", job)
        command = Command(argv, seconds + GRACE_SECONDS, base.command.environment, base.command.cwd)
        execution = box.execute(command)
        self.seconds += execution.seconds
        claims = box.collect(results)
        if execution.timed_out:
            self._discard()
        finished = False
        for line in (claims or b"").splitlines():
            try:
                claim = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(claim, dict) and isinstance(claim.get("kind"), str):
                finished = finished or claim["kind"] == "end"
                if claim["kind"] == "fault":
                    self.fault = "the search's worker could not collect the tests, or died while it tried candidates"
                yield claim
        if not finished:
            self.fault = f"the search's worker ended early (exit {execution.exit_code}): {execution.output[-400:]!r}"

    def _job(
        self,
        box: Box,
        mode: str,
        plan: Plan,
        work: Sequence[Work],
        seconds: float,
        results: str,
    ) -> dict[str, JsonValue]:
        plugins = [flag for name, flags in PLUGIN_ARGUMENTS.items() if name in self._runtime.plugins for flag in flags]
        return {
            "mode": mode,
            "runner": self._runtime.runner,
            "arguments": [*PYTEST_ARGUMENTS, *dict.fromkeys(plugins)],
            "root": box.workspace,
            "tests": [[test.file, test.classname, test.name] for test in plan.tests],
            "targets": plan.targets,
            "others": plan.others,
            "limits": list(plan.limits),
            "set_up": plan.set_up,
            "in_files": plan.in_files,
            "jobs": self._jobs,
            "seconds": seconds,
            "results": results,
            "candidates": [
                {
                    "key": key,
                    "path": one.candidate.path,
                    "edits": [[edit.start, edit.end, edit.replacement] for edit in one.candidate.edits],
                    "rest": list(one.rest),
                    "linger": one.linger,
                }
                for key, one in enumerate(work)
            ],
        }

    def _open(self) -> Box:
        if self._box is None:
            self._box = self._bench.open()
            self._box.put(package())
        return self._box

    def _discard(self) -> None:
        if self._box is not None:
            self._box.close()
            self._box = None


def _seconds(claim: Mapping[str, JsonValue]) -> float:
    taken = claim.get("seconds")
    return float(taken) if isinstance(taken, int | float) else 0.0


def _count(claim: Mapping[str, JsonValue]) -> int:
    healed = claim.get("healed")
    return healed if isinstance(healed, int) else 0


def _others(claim: Mapping[str, JsonValue]) -> tuple[bool, ...]:
    told = claim.get("others")
    return tuple(one is True for one in told) if isinstance(told, list) else ()


def package() -> dict[str, bytes]:
    """The worker's files by path below a box's control directory."""
    folder = Path(__file__).parent / "in_box"
    files = {f"{PACKAGE}/{file.name}": file.read_bytes() for file in sorted(folder.glob("*.py"))}
    if not files:
        raise SandboxError(f"the search's worker is missing from {folder}: reinstall grokfix")
    files[LAUNCH] = files.pop(f"{PACKAGE}/launch.py")
    return files
