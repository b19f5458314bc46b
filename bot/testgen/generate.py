"""The whole of it: which functions need tests, a writer for each, the proof of each test, and the suite at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.errors import ModelError
from bot.evidence.delta import delta
from bot.evidence.text import one_line
from bot.evidence.types import TestReport
from bot.patch.apply import apply_overlay
from bot.patch.types import Applied, Refusal
from bot.ports import RunResult
from bot.testgen.functions import changed_functions, reached
from bot.testgen.placing import place_for
from bot.testgen.proving import Prover, text_of
from bot.testgen.types import Function, Generated, Outcome, Unwritten, Writer
from bot.toolchains.types import LineHits
from bot.verify.bench import SandboxBench
from bot.vet.rules.size import MOST_FILES, MOST_LINES
from bot.workspace.checkout import Checkout
from bot.workspace.types import ChangedRange

MOST_FUNCTIONS = 30
"""Unreached functions that are taken on in one run, in the order of the change."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked: `changed` since `before` (its checkout; `since` as a person named it), judged on `bench`.

    writers: asked in turn until one writes something that is kept.
    """

    bench: SandboxBench
    since: str
    before: Checkout
    changed: tuple[ChangedRange, ...]
    writers: Sequence[Writer]
    protect: tuple[str, ...] = ()
    jobs: int = 2


def generate(task: Task) -> Generated:
    """Tests for the changed functions that no test reaches.

    A model that fails for good is not asked again; ModelError where nobody else can write and nothing was kept yet.
    """
    bench, checkout = task.bench, task.bench.checkout
    done = Generated(checkout.commit, task.since, sandbox=bench.environment.description, runner=bench.runtime.runner)

    def read(path: str) -> str | None:
        return text_of(checkout, path)

    functions = changed_functions(task.changed, read, lambda path: text_of(task.before, path))
    if not functions:
        return done
    base, hits = bench.run_with_hits(None, purpose="the suite and what it reaches", spectrum=True)
    if base.report is None and not _has_no_tests(base):
        return replace(done, problem=f"the suite cannot be run, so nothing is known of what it reaches: {base.problem}")
    if hits is None and not _has_no_tests(base):
        return replace(done, problem="the suite ran, but did not tell which lines it executed")
    covered = tuple(each for each in functions if reached(each, hits or LineHits({})))
    done = replace(done, reached=covered)
    outcomes: list[Outcome] = []
    writers = list(task.writers)
    for function in [each for each in functions if each not in covered]:
        if len(outcomes) >= MOST_FUNCTIONS:
            outcomes.append(Outcome(function, why=f"not taken on: {MOST_FUNCTIONS} functions are the most for one run"))
        elif bench.seconds_left() <= 0:
            outcomes.append(Outcome(function, why="not taken on: the time is over (limits.minutes)"))
        else:
            outcomes.append(_within(_one(task, writers, function, read, outcomes), outcomes))
    settled = Prover(bench, task.protect, task.jobs).settle(outcomes)
    return _together(replace(done, outcomes=settled), base.report, bench)


def _within(outcome: Outcome, earlier: Sequence[Outcome]) -> Outcome:
    """What would make the change longer than a person reads is left for another run."""
    kept = [each for each in (*earlier, outcome) if each.path]
    lines = sum(each.source.count("\n") for each in kept)
    if not outcome.path or (len(kept) <= MOST_FILES and lines <= MOST_LINES):
        return outcome
    why = f"left for another run: {MOST_FILES} files and {MOST_LINES} lines are the most for one change"
    return Outcome(outcome.function, why=why)


def _one(
    task: Task,
    writers: list[Writer],
    function: Function,
    read: Callable[[str], str | None],
    earlier: Sequence[Outcome],
) -> Outcome:
    """What comes of one function. A writer that fails for good leaves `writers`."""
    bench = task.bench
    place = place_for(
        function,
        bench.checkout.entries,
        read,
        [each.path for each in earlier if each.path],
        suite_path=bench.suite.path,
        unittest_style=bench.runtime.runner == "unittest",
    )
    if not all(part.isidentifier() for part in place.module.split(".")):
        return Outcome(function, why=f"{function.path} has no name that it can be imported by")
    prover = Prover(bench, task.protect, task.jobs)
    best, reasons = Outcome(function), [] if writers else ["there is nobody left to write a test"]
    for writer in tuple(writers):
        try:
            written = writer.write(function, place, bench)
        except ModelError as error:
            writers.remove(writer)
            if not writers and not any(each.kept for each in earlier):
                raise
            written = Unwritten(f"the model cannot be asked any more: {one_line(str(error), 300)}")
        if isinstance(written, Unwritten):
            reasons.append(written.why)
            continue
        judged = prover.judge(function, place, written)
        # what an earlier writer's tests showed stays: one that fails on the code as it is may have found a defect
        best = replace(judged, dropped=best.dropped + judged.dropped)
        if best.kept:
            return replace(best, remarks=best.remarks + tuple(reasons))
        reasons.append(best.why)
    return replace(best, why="; ".join(reasons))


def _together(done: Generated, before: TestReport | None, bench: SandboxBench) -> Generated:
    """All new files at once: one patch, and a suite that is no worse for it."""
    overlay = {each.path: each.source.encode() for each in done.outcomes if each.path}
    if not overlay:
        return done
    applied = apply_overlay(overlay, bench.checkout)
    if isinstance(applied, Refusal):
        return replace(done, problem=f"the new files cannot stand together: {applied.message}")
    run = bench.run(None, applied.overlay, purpose="the suite with the new tests")
    worse = _worse(before, run, applied)
    return replace(done, problem=worse) if worse else replace(done, applied=applied)


def _worse(before: TestReport | None, run: RunResult, applied: Applied) -> str:
    if run.report is None:
        return f"with the new tests the suite cannot be run: {run.problem}"
    change = delta(before or TestReport(()), run.report)
    broken = [*change.pass_to_fail, *change.vanished]
    broken += [case.id for case in run.report.failures() if case.id.file in applied.overlay]
    if not broken:
        return ""
    names = ", ".join(test.node_id for test in broken[:3])
    return f"with the new tests in the suite, {len(broken)} tests do not pass any more: {names}"


def _has_no_tests(run: RunResult) -> bool:
    """pytest and unittest end with 5 where there is nothing to run: then no function is reached, which is an answer."""
    return run.execution.exit_code == 5 and not run.execution.timed_out
