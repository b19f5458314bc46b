"""Forked children, each with a time limit a test: a child that hangs or dies costs its own task and nothing else."""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MOST_BYTES = 1 << 20  # that a child may say; more is noise from code that found the pipe
MEMORY_HEADROOM = 1 << 30  # bytes of address space above what the parent holds


class Ending(NamedTuple):
    """How a child ended: `said` is its last word (None where it had none), `test` the last one it began (-1: none).

    fate: "said", "timeout" or "crashed". seconds: wall clock since the fork. notes: what it said on the way.
    """

    said: dict[str, object] | None
    fate: str
    test: int
    seconds: float
    notes: tuple[dict[str, object], ...]


class Report:
    """A child's line to its parent. `begin` also restarts the processor-time limit, whose signal ends the child."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def begin(self, test: int, seconds: float) -> None:
        self._write({"test": test, "seconds": seconds})
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def note(self, **noted: Any) -> None:
        self._write({"note": noted})

    def end(self, **said: Any) -> None:
        self._write({"said": said})

    def _write(self, data: dict[str, object]) -> None:
        line = json.dumps(data).encode() + b"\n"
        while line:
            line = line[os.write(self.descriptor, line) :]


class Task(NamedTuple):
    """Work for one child: `body` runs in it; `seconds` of processor time until it begins its first test."""

    key: Any
    body: Callable[[Report], None]
    seconds: float


class Child:
    """A running child as its parent sees it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.started = time.monotonic()
        self.deadline = self.started + patience(task.seconds)
        self.test = -1
        self.said: dict[str, object] | None = None
        self.buried = False
        self.notes: list[dict[str, object]] = []
        self.scratch = tempfile.mkdtemp(prefix="grokfix-")
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 3.12 warns of threads: a child that deadlocks on them is killed
            self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(reader)
                become_child(task.seconds, self.scratch)
                task.body(Report(writer))
            finally:
                os._exit(0)  # nothing of the parent's may run on in the child, whatever was raised
        os.close(writer)
        self.reader = reader
        self.buffer = b""
        self.total = 0

    def read(self) -> bool:
        """Take what has arrived; False when there is no more to come."""
        data = os.read(self.reader, 1 << 16)
        self.total += len(data)
        if not data or self.total > MOST_BYTES:
            return False
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line.decode("utf-8", "replace"))
                if "said" in message:
                    self.said = dict(message["said"])
                    return False
                if "note" in message:
                    self.notes.append(dict(message["note"]))
                    continue
                self.test = int(message["test"])
                self.deadline = time.monotonic() + patience(float(message["seconds"]))
            except (ValueError, TypeError, KeyError):
                return False
        return True

    def finish(self, *, late: bool) -> Ending:
        """Kill what is left of it, and say how it ended. Where it said so itself, `bury` waits for its end."""
        for kill, target in ((os.killpg, self.pid), (os.kill, self.pid)):
            try:
                kill(target, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        os.close(self.reader)
        fate = "said"
        if self.said is None:
            status = self.bury()
            timer = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
            fate = "timeout" if late or timer else "crashed"
        return Ending(self.said, fate, self.test, time.monotonic() - self.started, tuple(self.notes))

    def bury(self) -> int:
        """Wait for its end and remove what it leaves; its exit status, 0 where that was done before."""
        if self.buried:
            return 0
        self.buried = True
        status = os.waitpid(self.pid, 0)[1]
        shutil.rmtree(self.scratch, ignore_errors=True)
        return status


def patience(seconds: float) -> float:
    """Wall-clock limit beside a limit of processor time: only for what sleeps or waits, on a machine that is busy."""
    return 3.0 + 4.0 * seconds


def become_child(seconds: float, scratch: str) -> None:
    """Own session, silent, limited, with a temporary directory of its own."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = scratch
    tempfile.tempdir = None


def limit_memory() -> None:
    """Bound the address space, this process's and so its children's, where the kernel tells how large it is."""
    try:
        with open("/proc/self/statm", "rb") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = held + MEMORY_HEADROOM
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def run_all(
    tasks: Iterator[Task], jobs: int, deadline: Callable[[], float], settle: Callable[[Any, Ending], None]
) -> None:
    """Run tasks, `jobs` at a time, until there are none or `deadline()` (monotonic seconds) has passed.

    settle(key, ending) is called as each one ends; what the deadline cuts off is not settled.
    """
    gc.collect()
    memory = resource.getrlimit(resource.RLIMIT_AS)
    limit_memory()
    gc.freeze()  # children then share these pages instead of copying them at their first collection
    poll = select.poll()
    running: dict[int, Child] = {}
    ended: list[Child] = []  # dying while the next one runs
    exhausted = False
    try:
        while True:
            while not exhausted and len(running) < jobs and time.monotonic() < deadline():
                task = next(tasks, None)
                if task is None:
                    exhausted = True
                    break
                child = Child(task)
                running[child.reader] = child
                poll.register(child.reader, select.POLLIN | select.POLLHUP)
            if not running or time.monotonic() >= deadline():
                return
            until = min([child.deadline for child in running.values()] + [deadline()])
            ready = poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1)
            done = [running[reader] for reader, _ in ready if not running[reader].read()]
            now = time.monotonic()
            late = [child for child in running.values() if child not in done and child.deadline <= now]
            while ended:
                ended.pop().bury()
            for child in done + late:
                poll.unregister(child.reader)
                del running[child.reader]
                settle(child.task.key, child.finish(late=child in late))
                ended.append(child)
    finally:
        for child in running.values():
            child.finish(late=True)
        for child in [*running.values(), *ended]:
            child.bury()
        gc.unfreeze()
        resource.setrlimit(resource.RLIMIT_AS, memory)
