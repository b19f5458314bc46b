"""The lab over a real sandbox: every run becomes a record, is charged to the budget and is named by its number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from bot.errors import ConfigError, SandboxError
from bot.evidence.failures import read_failure
from bot.evidence.text import one_line
from bot.evidence.types import Outcome, Phase, TestCase, TestId
from bot.flaky.lab import Broke, Job, NoRun, Observed, Ran
from bot.flaky.types import Failed, RunRecord, RunSource, Shard
from bot.toolchains.types import PLAIN, Conditions, Touched
from bot.verify.bench import SandboxBench

_MESSAGE = 300


class BenchLab:
    """Implements Lab. Close it (or use it as a context manager) to give back the environments of other revisions.

    session, shard: what its records are named by. group: what counts as one source, see RunRecord. most_runs: how many
    runs it may do. environment: a name of the place, "" = from the bench. suite: the tests in their recorded order,
    where they are known from elsewhere. elsewhere: opens a bench at another revision; set up once, kept until `close`.
    executor: runs independent jobs side by side; None does them one after the other, for in the process sandbox runs
    share the machine.
    """

    def __init__(
        self,
        bench: SandboxBench,
        *,
        session: str,
        group: str,
        most_runs: int,
        clock: Callable[[], float],
        shard: Shard | None = None,
        environment: str = "",
        suite: tuple[TestId, ...] = (),
        elsewhere: Callable[[str], AbstractContextManager[SandboxBench]] | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._bench = bench
        self._session, self._shard = session, shard or Shard()
        self._group, self._most_runs, self._now = group, most_runs, clock
        self.environment = environment or _place(bench)
        self._suite = suite
        self._elsewhere, self._executor = elsewhere, executor
        self._others: dict[str, SandboxBench | str] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._count = 0
        self._records: dict[int, RunRecord] = {}

    @property
    def suite(self) -> tuple[TestId, ...]:
        """All tests in their recorded order; empty before the first whole run (`survey`)."""
        return self._suite

    @property
    def runs(self) -> int:
        """Runs so far, those that broke included."""
        return self._count

    @property
    def commit(self) -> str:
        """What is tested: the commit, and where the work tree differs from it, that too."""
        return _commit(self._bench)

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """What was seen so far, in the order in which the runs were begun."""
        with self._lock:
            return tuple(self._records[number] for number in sorted(self._records))

    def unsupported(self, conditions: Conditions) -> str:
        return self._bench.unsupported(conditions)

    def survey(self) -> Observed:
        """The suite under ordinary conditions; the first one that gives a report settles `suite`."""
        return self.run(None, purpose="the suite")

    def run(
        self, tests: Sequence[TestId] | None, conditions: Conditions = PLAIN, *, purpose: str, revision: str = ""
    ) -> Observed:
        """See Lab. Of these runs only the plain ones of the whole suite are counted for rates (`RunRecord.base`)."""
        chosen = None if tests is None else tuple(tests)
        return self._observe(Job(chosen, conditions, purpose, revision), base=chosen is None and conditions == PLAIN)

    def rerun(self, tests: Sequence[TestId], *, purpose: str) -> Observed:
        """A plain run of a selection, in the order in which the runner takes it, that is counted for rates."""
        return self._observe(Job(tuple(tests), PLAIN, purpose), base=True)

    def run_many(self, jobs: Sequence[Job]) -> tuple[Observed, ...]:
        """See Lab. Runs that load or hold back the machine are done alone: beside others they would act on those too.

        NoRun where one of them could not be done; what the others showed is among the records.
        """
        if self._executor is None or any(_needs_the_machine(job.conditions) for job in jobs):
            return tuple(self._job(job) for job in jobs)
        futures = [self._executor.submit(self._job, job) for job in jobs]
        try:
            return tuple(future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()
            for future in futures:
                if not future.cancelled():
                    future.exception()  # wait: nothing goes on behind the caller's back

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _job(self, job: Job) -> Observed:
        return self.run(job.tests, job.conditions, purpose=job.purpose, revision=job.revision)

    def _observe(self, job: Job, *, base: bool) -> Observed:
        number = self._charged()
        bench = self._bench_at(job.revision)
        if isinstance(bench, str):
            return Broke(bench)
        conditions, tests = job.conditions, job.tests
        if tests is None and conditions.in_order:
            tests = self._suite or None
        whole = tests is None or (bool(self._suite) and set(tests) >= set(self._suite))
        at = self._now()
        # Whole suites lose and gain tests whose names change from run to run; that is no fault of the run.
        watched = bench.watch(tests, conditions, purpose=job.purpose, all_reported=not whole)
        result = watched.result
        if result.report is None:
            return self._broken(result.problem, watched.touched, timed_out=result.execution.timed_out)
        uncollected = [case for case in result.report if case.phase is Phase.COLLECTION]
        if uncollected and (not whole or len(uncollected) == len(result.report)):
            where = one_line(f"{uncollected[0].id.node_id}: {uncollected[0].message}", 300)
            return Broke(f"tests could not be collected, the first in {where}")
        record = self._record(bench, number, job, at, result.execution.seconds, result.report.cases, whole, base)
        with self._lock:
            self._records[number] = record
            if job.tests is None and not job.revision and not self._suite:
                self._suite = record.tests
        return Ran(record, watched.touched)

    def _charged(self) -> int:
        """The number of a run that may take place; raises NoRun where it may not."""
        with self._lock:
            if self._count >= self._most_runs:
                raise NoRun(f"all {self._most_runs} runs of the session are used up")
            if self._bench.seconds_left() <= 0:
                raise NoRun("the minutes of the session are over")
            self._count += 1
            return self._count

    def _broken(self, problem: str, touched: Touched, *, timed_out: bool) -> Broke:
        if timed_out and self._bench.seconds_left() <= 0:
            where = one_line(touched.last.node_id, 200) if touched.last is not None else "a run, before its first test"
            raise NoRun(f"the minutes of the session were over in the middle of {where}")
        return Broke(one_line(problem, 400) or "the run gave no report", hung=timed_out, test=touched.last)

    def _bench_at(self, revision: str) -> SandboxBench | str:
        """The bench of another commit, or why there is none; asked for once."""
        if not revision or revision == self._bench.checkout.commit:
            return self._bench
        with self._opening:
            if revision not in self._others:
                self._others[revision] = self._opened(revision)
            return self._others[revision]

    def _opened(self, revision: str) -> SandboxBench | str:
        if self._elsewhere is None:
            return "other commits cannot be run here"
        try:
            return self._stack.enter_context(self._elsewhere(revision))
        except (ConfigError, SandboxError) as error:
            return f"{revision[:12]} cannot be set up: {one_line(str(error), 300)}"

    def _record(
        self,
        bench: SandboxBench,
        number: int,
        job: Job,
        at: float,
        seconds: float,
        cases: Sequence[TestCase],
        whole: bool,
        base: bool,
    ) -> RunRecord:
        ran = [case for case in cases if case.outcome is not Outcome.SKIPPED and case.phase is not Phase.COLLECTION]

        def is_project(path: str) -> bool:
            return bench.checkout.read(path) is not None

        return RunRecord(
            key=f"rerun:{self._session}/{self._shard.number}/{number}",
            source=RunSource.RERUN,
            group=self._group,
            commit=_commit(bench),
            environment=self.environment,
            attempt=1,
            at=at,
            seconds=seconds,
            tests=tuple(case.id for case in ran),
            failed={case.id: _failed(case, is_project) for case in ran if case.outcome.is_failure},
            # A foreign runner's own retry: what its report says of it cannot be held against anything else.
            unknown=frozenset(case.id for case in ran if case.outcome is Outcome.FLAKY),
            durations={case.id: case.seconds for case in ran if case.seconds},
            whole=whole,
            conditions=job.conditions,
            purpose=job.purpose,
            base=base,
        )


def _failed(case: TestCase, is_project: Callable[[str], bool]) -> Failed:
    failure = read_failure(case, is_project)
    return Failed(failure.fingerprint, one_line(failure.exception, 200), one_line(failure.message, _MESSAGE))


def _commit(bench: SandboxBench) -> str:
    checkout = bench.checkout
    return f"{checkout.commit}-dirty-{checkout.tree[:12]}" if checkout.dirty else checkout.commit


def _place(bench: SandboxBench) -> str:
    runtime = bench.runtime
    python = ".".join(map(str, runtime.python[:2]))
    return f"{bench.environment.name}, Python {python}, {runtime.runner} {runtime.pytest}".rstrip()


def _needs_the_machine(conditions: Conditions) -> bool:
    held_back = conditions.cpu_share < 1 or conditions.one_core
    return bool(held_back or conditions.load or conditions.neighbours or conditions.ports)
