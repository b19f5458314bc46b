"""Try candidates: the tests are imported and collected once, every candidate runs in a fork of that.

nursery (runner imported, project not) ─┬─ collector (project imported, tests collected) ─┬─ child: swapped functions
                                        └─ child: candidate imported anew                 └─ …
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from .files import replaced
from .harness import Collected, collect
from .job import CandidateJob, Job, Results
from .pool import Ending, Report, Task, run_all
from .swap import Live, Module, Swap, apply, substitute

SWAP_SECONDS = 2.0  # of processor time to put a swap in place: far more than it takes


class Stopper:
    """When to stop: at the job's deadline, or as soon after a plausible candidate as that one says."""

    def __init__(self, job: Job) -> None:
        self.deadline = job.deadline
        self.lingers = {candidate.key: candidate.linger for candidate in job.candidates}

    def __call__(self) -> float:
        return self.deadline

    def plausible(self, key: int) -> None:
        self.deadline = min(self.deadline, time.monotonic() + self.lingers[key])


def baseline(job: Job, results: Results) -> None:
    """Run every test once in a fork of its own, unchanged: outcome, seconds, and whether it starts processes.

    Then those that passed run one after the other, as they will for a candidate: one that fails there leans on the
    order of the suite, or on a test that is not among them, and cannot judge anything.
    """

    def work(collected: Collected) -> dict[str, object]:
        passing: list[int] = []

        def settle(test: int, ending: Ending) -> None:
            said = ending.said or {}
            if said.get("passed") and test >= job.targets:
                passing.append(test)
            results.write(
                "measured",
                test=test,
                outcome="passed" if said.get("passed") else ending.fate if ending.said is None else "failed",
                seconds=said.get("seconds", ending.seconds),
                spawns=bool(said.get("spawns")),
            )

        tasks = (Task(index, measuring(job, collected, index), SWAP_SECONDS) for index in sorted(collected.items))
        run_all(tasks, job.jobs, lambda: job.deadline, settle)
        passing.sort()

        def unsteady(_key: int, ending: Ending) -> None:
            for note in ending.notes:
                results.write("unsteady", test=note.get("unsteady"))

        run_all(iter([Task(0, in_a_row(job, collected, passing), SWAP_SECONDS)]), 1, lambda: job.deadline, unsteady)
        return {}

    in_collector(job, results, work)


def in_a_row(job: Job, collected: Collected, tests: Sequence[int]) -> Callable[[Report], None]:
    def body(report: Report) -> None:
        for index, run in collected.run_tests(tests):
            report.begin(index, job.limits[index])
            if not run():
                report.note(unsteady=index)

    return body


SPAWNING = re.compile(r"subprocess\.Popen$|os\.(exec|posix_spawn|spawn|system)$")


def measuring(job: Job, collected: Collected, index: int) -> Callable[[Report], None]:
    def body(report: Report) -> None:
        spawns: list[str] = []
        sys.addaudithook(lambda event, _arguments: spawns.append(event) if SPAWNING.match(event) else None)
        report.begin(index, job.limits[index])
        started = time.process_time()
        passed = all(run() for _, run in collected.run_tests([index]))
        report.end(passed=passed, seconds=time.process_time() - started, spawns=bool(spawns))

    return body


def validate(job: Job, results: Results) -> None:
    """Try every candidate; those that cannot be swapped into the running process are imported anew."""
    modules = {path: read(path) for path in {candidate.path for candidate in job.candidates}}
    anew = [candidate for candidate in job.candidates if modules[candidate.path] is not None]
    stopper = Stopper(job)
    if not job.in_files:

        def work(collected: Collected) -> dict[str, object]:
            return {"anew": swap_all(job, results, collected, modules, stopper), "deadline": stopper.deadline}

        answer = in_collector(job, results, work)
        told, until = answer.get("anew"), answer.get("deadline")
        left = set(told) if isinstance(told, list) else set()
        stopper.deadline = min(stopper.deadline, until if isinstance(until, float) else stopper.deadline)
        anew = [candidate for candidate in anew if candidate.key in left]
    import_all(job, results, anew, modules, stopper)


def read(path: str) -> Module | None:
    try:
        return Module(path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def swap_all(
    job: Job, results: Results, collected: Collected, modules: dict[str, Module | None], stopper: Stopper
) -> list[int]:
    """Try by swapping; returns the keys of those that need a fresh import after all."""
    if any(index not in collected.items for index in range(job.targets)):
        return [candidate.key for candidate in job.candidates]  # a target that cannot even be collected
    live = Live(set(modules), collected.ran)
    anew: list[int] = []

    def tasks() -> Iterator[Task]:
        for candidate in job.candidates:
            module = modules[candidate.path]
            try:
                swap = None if module is None else module.change(candidate.edits)
            except (SyntaxError, ValueError, RecursionError):
                module = None
            if module is None:
                results.write("trial", key=candidate.key, outcome="invalid", healed=0, seconds=0.0, way="none")
            elif swap is not None and live.can_swap(swap):
                yield Task(candidate.key, swapping(candidate, swap), SWAP_SECONDS)
            else:
                anew.append(candidate.key)

    def swapping(candidate: CandidateJob, swap: tuple[Swap, ...]) -> Callable[[Report], None]:
        def body(report: Report) -> None:
            live.swap(swap)
            run_candidate(job, collected, candidate, report)

        return body

    run_all(tasks(), job.jobs, stopper, settling(results, stopper, "swap"))
    return anew


def import_all(
    job: Job,
    results: Results,
    candidates: Sequence[CandidateJob],
    modules: dict[str, Module | None],
    stopper: Stopper,
) -> None:
    """Try by a fresh import in a fork of this process, which has imported the runner and nothing of the project."""
    if job.runner == "pytest" and candidates:
        import pytest  # noqa: F401 (so that each child need not)

    def importing(candidate: CandidateJob, text: str) -> Callable[[Report], None]:
        def body(report: Report) -> None:
            substitute(candidate.path, text)
            collect(
                job.runner,
                job.arguments,
                job.root,
                job.wanted,
                lambda collected: run_candidate(job, collected, candidate, report),
            )

        return body

    def tasks() -> Iterator[Task]:
        for candidate in candidates:
            module = modules[candidate.path]
            if module is not None:
                text = apply(module.text, candidate.edits)
                if job.in_files:
                    with replaced(candidate.path, text):
                        yield Task(candidate.key, importing(candidate, text), job.set_up)
                else:
                    yield Task(candidate.key, importing(candidate, text), job.set_up)

    # A file holds one candidate at a time; the pool asks for the next task when the one before it has ended.
    run_all(tasks(), 1 if job.in_files else job.jobs, stopper, settling(results, stopper, "import"))


def run_candidate(job: Job, collected: Collected, candidate: CandidateJob, report: Report) -> None:
    """In the child: the failing tests first, then the rest, up to the first that does not pass; then the others."""
    for index, run in collected.run_tests([*range(job.targets), *candidate.rest]):
        report.begin(index, job.limits[index])
        if not run():
            report.end(passed=False)
            return
    report.note(passed=True)  # from here on it is plausible, whatever becomes of the others
    for index, run in collected.run_tests(range(len(job.wanted) - job.others, len(job.wanted))):
        report.begin(index, job.limits[index])
        report.note(healed=run())
    report.end(passed=True)


def settling(results: Results, stopper: Stopper, way: str) -> Callable[[int, Ending], None]:
    def settle(key: int, ending: Ending) -> None:
        outcome = "failed" if ending.fate == "said" else ending.fate
        if any(note.get("passed") is True for note in ending.notes):
            outcome = "plausible"
            stopper.plausible(key)
        others = [note["healed"] for note in ending.notes if "healed" in note]
        results.write(
            "trial",
            key=key,
            outcome=outcome,
            healed=sum(1 for one in others if one is True),
            others=others,
            seconds=round(ending.seconds, 4),
            way=way,
        )

    return settle


def in_collector(job: Job, results: Results, work: Callable[[Collected], dict[str, object]]) -> dict[str, object]:
    """Collect in a fork, do `work` there, and bring back its answer ({} where it was lost, which is written down)."""
    reader, writer = os.pipe()
    if job.runner == "pytest":
        import pytest  # noqa: F401 (once, here, for all that is forked)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.setsid()
            started = time.process_time()

            def loop(collected: Collected) -> None:
                results.write(
                    "collected", tests=sorted(collected.items), seconds=round(time.process_time() - started, 4)
                )
                answer = work(collected)
                os.write(writer, json.dumps(answer).encode())
                os._exit(0)  # the session's own end may not happen twice

            collect(job.runner, job.arguments, job.root, job.wanted, loop)
        finally:
            os._exit(1)
    os.close(writer)
    answer = read_answer(reader, job.deadline + 5.0)
    os.close(reader)
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    status = os.waitpid(pid, 0)[1]
    if answer is None:
        results.write("fault", message="the tests could not be collected in one process", status=status)
    return answer or {}


def read_answer(reader: int, deadline: float) -> dict[str, object] | None:
    import select

    data = b""
    while time.monotonic() < deadline:
        if not select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        more = os.read(reader, 1 << 16)
        if not more:
            try:
                answer: dict[str, object] = json.loads(data.decode("utf-8", "replace"))
            except ValueError:
                return None
            return answer
        data += more
    return None
