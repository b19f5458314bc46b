"""The bench: every sandbox run of a repair goes through it, is numbered, recorded and bounded by the budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.config import SuiteSettings
from bot.evidence.types import TestId
from bot.patch.apply import apply
from bot.patch.types import Applied, Refusal
from bot.ports import Box, Clock, Command, Environment, EventKind, Execution, Overlay, Recorder, RunResult
from bot.toolchains.types import PLAIN, Conditions, LineHits, Runtime, Toolchain, Touched
from bot.workspace.checkout import Checkout

TAIL = 20_000
"""Characters of a run's output that the trace keeps."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run with what was collected beside it: executed lines and what it touched, where these were asked for."""

    result: RunResult
    hits: LineHits | None
    touched: Touched


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run is asked for. limit: seconds. expected: tests that the report has to have."""

    ids: tuple[TestId, ...] | None
    overlay: Overlay | None
    limit: float
    purpose: str
    spectrum: bool = False
    thresholds: bool = True
    conditions: Conditions = PLAIN
    observe: bool = False
    expected: tuple[TestId, ...] | None = None


class SandboxBench:
    """`ports.Bench` over one environment and one checkout."""

    def __init__(
        self,
        *,
        environment: Environment,
        toolchain: Toolchain,
        runtime: Runtime,
        checkout: Checkout,
        suite: SuiteSettings,
        recorder: Recorder,
        clock: Clock,
        seconds_left: Callable[[], float],
    ) -> None:
        self.environment = environment
        self.toolchain = toolchain
        self.runtime = runtime
        self.checkout = checkout
        self.suite = suite
        self.tree: Path = checkout.path
        self._recorder = recorder
        self._clock = clock
        self._seconds_left = seconds_left
        self._runs = itertools.count(1)  # workers count at the same time

    def seconds_left(self) -> float:
        return self._seconds_left()

    def try_patch(self, text: str) -> Applied | Refusal:
        return apply(text, self.checkout)

    def open(self, overlay: Overlay | None = None) -> Box:
        """A fresh box for a proposer's own workers; what they execute is numbered and recorded like any other run."""
        box = self.environment.open(overlay)
        self.environment.prepare()  # what the proposer finds is judged in the next one
        return _RecordedBox(box, self._record_work)

    def run(
        self,
        ids: tuple[TestId, ...] | None,
        overlay: Overlay | None = None,
        *,
        purpose: str = "probe",
        seconds: float | None = None,
        conditions: Conditions = PLAIN,
    ) -> RunResult:
        """Run `ids` (None: the suite) in a fresh box; `purpose` is a word for the trace.

        seconds: a limit of this run below the suite's own, for what a verdict can do without. conditions: ConfigError
        for those that the runner cannot bring about.
        """
        if conditions != PLAIN:
            return self.watch(ids, conditions, overlay=overlay, purpose=purpose, seconds=seconds).result
        return self.run_with_hits(ids, overlay, purpose=purpose, spectrum=False, seconds=seconds)[0]

    def unsupported(self, conditions: Conditions) -> str:
        """Why runs here cannot have `conditions`, "" where they can."""
        if conditions.network and self.environment.no_network:
            return self.environment.no_network
        return self.toolchain.unsupported(self.runtime, conditions)

    def watch(
        self,
        ids: tuple[TestId, ...] | None,
        conditions: Conditions = PLAIN,
        *,
        purpose: str,
        overlay: Overlay | None = None,
        seconds: float | None = None,
        all_reported: bool = True,
    ) -> Watched:
        """As `run`, without coverage thresholds and with an observer beside the tests.

        all_reported False: selected tests that the report lacks are no fault (ids that change from run to run).
        """
        limit = self.suite.seconds if seconds is None else min(seconds, self.suite.seconds)
        run = _Run(ids, overlay, limit, purpose, thresholds=False, conditions=conditions, observe=True)
        return self._once(replace(run, expected=ids if all_reported else None))

    def run_with_hits(
        self,
        ids: tuple[TestId, ...] | None,
        overlay: Overlay | None = None,
        *,
        purpose: str,
        spectrum: bool,
        seconds: float | None = None,
    ) -> tuple[RunResult, LineHits | None]:
        """As `run`; with `spectrum` also the executed lines per test, where the collector could tell them."""
        limit = self.suite.seconds if seconds is None else min(seconds, self.suite.seconds)
        run = _Run(ids, overlay, limit, purpose, spectrum=spectrum, expected=ids)
        first = self._once(run)
        if not _exit_one_without_failure(first.result):
            return first.result, first.hits
        # A coverage threshold ends a green run with exit 1: ask once more without thresholds before judging.
        again = replace(run, purpose=f"{purpose}, no thresholds", spectrum=False, thresholds=False)
        return self._once(again).result, first.hits

    def _once(self, run: _Run) -> Watched:
        run_id = self._started(run.purpose)
        began = self._clock.monotonic()
        with self.environment.open(run.overlay, network=run.conditions.network) as box:
            self.environment.prepare()  # the next box is made while this one works
            plan = self.toolchain.run_plan(
                self.runtime,
                box,
                run.ids,
                seconds=max(1.0, min(run.limit, self._seconds_left())),
                spectrum=run.spectrum,
                coverage_thresholds=run.thresholds,
                conditions=run.conditions,
                observe=run.observe,
            )
            box.put(plan.files)
            execution = box.execute(plan.command)
            result = replace(self.toolchain.read(box, execution, run.expected), run_id=run_id)
            hits = self.toolchain.read_hits(box) if run.spectrum else None
            touched = self.toolchain.read_touched(box) if run.observe else Touched()
        took = self._clock.monotonic() - began
        report = result.report
        self._recorder.record(
            EventKind.SANDBOX_RUN,
            phase="finished",
            run_id=run_id,
            purpose=run.purpose,
            tests=0 if report is None else len(report),
            failed=0 if report is None else len(report.failures()),
            failing=[] if report is None else [case.id.node_id for case in report.failures()][:50],
            exit_code=execution.exit_code,
            seconds=round(execution.seconds, 3),
            box_seconds=round(took - execution.seconds, 3),
            timed_out=execution.timed_out,
            oom_killed=execution.oom_killed,
            problem=result.problem,
            output=_tail(execution.output),
        )
        return Watched(result, hits, touched)

    def _started(self, purpose: str) -> str:
        run_id = f"run-{next(self._runs):04d}"
        self._recorder.record(EventKind.SANDBOX_RUN, phase="started", run_id=run_id, purpose=purpose)
        return run_id

    def _record_work(self, execute: Callable[[], Execution]) -> Execution:
        purpose = "candidates"
        run_id = self._started(purpose)
        execution = execute()
        self._recorder.record(
            EventKind.SANDBOX_RUN,
            phase="finished",
            run_id=run_id,
            purpose=purpose,
            exit_code=execution.exit_code,
            seconds=round(execution.seconds, 3),
            timed_out=execution.timed_out,
            oom_killed=execution.oom_killed,
        )
        return execution


class _RecordedBox:
    """Implements Box: the box within, whose executions are recorded."""

    def __init__(self, box: Box, record: Callable[[Callable[[], Execution]], Execution]) -> None:
        self._box = box
        self._record = record
        self.workspace = box.workspace
        self.control = box.control

    def put(self, files: Mapping[str, bytes]) -> None:
        self._box.put(files)

    def execute(self, command: Command) -> Execution:
        return self._record(lambda: self._box.execute(command))

    def collect(self, path: str, *, limit: int = 64 << 20) -> bytes | None:
        return self._box.collect(path, limit=limit)

    def close(self) -> None:
        self._box.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _tail(output: str) -> str:
    """The last whole lines: a cut inside a line could leave half a secret, which nobody would recognise."""
    if len(output) <= TAIL:
        return output
    cut = output[-TAIL:]
    return cut[cut.find("\n") + 1 :]


def _exit_one_without_failure(result: RunResult) -> bool:
    return result.execution.exit_code == 1 and result.report is not None and not result.report.failures()
