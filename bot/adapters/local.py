"""The process sandbox: runs on this machine, with limits and clean-up, and is *not* a sandbox.

It keeps honest tests from leaving something behind: a fresh copy of the tree a box, a scrubbed environment, limits of
file size and open files, a wall-clock limit, and every process killed, daemons too. It keeps nobody from reading this
user's files or from using the network, and says so: `isolated` is False.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bot import process
from bot.adapters import local_files
from bot.adapters.supervised import CancelSignal, Supervised
from bot.errors import ConfigError, SandboxError
from bot.ports import Cancelled, Command, Execution, Limits, Overlay, SetUp

_OPEN_FILES = 4096
_RUN_DIRECTORY = re.compile(r"grokfix-(\d+)-(\d+)-\w+")
_LOG_TAIL = 4000


class ProcessSandbox:
    """Implements bot.ports.Sandbox. `scratch` takes everything that is written; it is made where it is missing."""

    name = "process"
    isolated = False

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._signal = CancelSignal()

    def set_up(self, plan: SetUp, tree: Path, limits: Limits) -> ProcessEnvironment:
        """Copy `tree` and run `plan.commands` in the copy; without commands boxes are copied from `tree` itself."""
        if plan.services:
            raise SandboxError(
                f"the suite needs {len(plan.services)} service(s) ({plan.services[0].image}, …), which the process "
                "sandbox cannot give; use --sandbox docker"
            )
        if plan.secrets and not plan.trusted:
            raise ConfigError("set-up secrets are given on trusted commits only; remove suites[].setup_secrets")
        self._signal.check()
        run = self._new_run_directory()
        try:
            return ProcessEnvironment(run, plan, tree, limits, self._signal)
        except BaseException:
            local_files.remove_tree(run)
            raise

    def sweep(self) -> int:
        """Remove the directories of runs whose process is gone; their commands died with it."""
        swept = 0
        if not self._scratch.is_dir():
            return swept
        for directory in self._scratch.iterdir():
            match = _RUN_DIRECTORY.fullmatch(directory.name)
            if match and not _alive(int(match[1]), int(match[2])) and local_files.remove_tree(directory):
                swept += 1
        return swept

    def cancel(self) -> None:
        self._signal.set()

    def _new_run_directory(self) -> Path:
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            owner = f"grokfix-{os.getpid()}-{_start_time(os.getpid())}-"
            return Path(tempfile.mkdtemp(prefix=owner, dir=self._scratch.resolve()))
        except OSError as error:
            raise SandboxError(f"cannot write in {self._scratch}: {error}; free some space or name another") from error


class ProcessEnvironment:
    """Implements bot.ports.Environment: makes boxes from one tree, the next one ahead of its use."""

    name = "process"
    isolated = False
    no_network = ""

    def __init__(self, run: Path, plan: SetUp, tree: Path, limits: Limits, cancel: CancelSignal) -> None:
        self.description = (
            "process: runs on this machine and is NOT a sandbox (own files, network and users are within reach); "
            f"limits: files of {limits.file_size >> 20} MiB, {_OPEN_FILES} open files, wall-clock time"
        )
        self._run, self._limits, self._cancel = run, limits, cancel
        self._variables = dict(plan.environment)
        self._lock = threading.Lock()
        self._count = 0
        self._boxes: weakref.WeakSet[ProcessBox] = weakref.WeakSet()
        self._ahead: _Preparation | None = None
        self._closed = False
        self._template = tree
        if plan.commands:
            self._template = self._made_template(plan, tree)

    def open(self, overlay: Overlay | None = None, *, network: bool = False) -> ProcessBox:  # noqa: ARG002 (there anyway)
        self._cancel.check()
        with self._lock:
            ahead, self._ahead = self._ahead, None
        box = ahead.take() if ahead is not None else self._fresh_box()
        try:
            local_files.write_files(Path(box.workspace), overlay or {})
        except BaseException:
            box.close()
            raise
        return box

    def prepare(self) -> None:
        with self._lock:
            if self._ahead is None and not self._closed:
                self._ahead = _Preparation(self)

    def close(self) -> None:
        with self._lock:
            ahead, self._ahead = self._ahead, None
            self._closed = True
        if ahead is not None:
            ahead.discard()
        for box in list(self._boxes):
            box.close()
        local_files.remove_tree(self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fresh_box(self) -> ProcessBox:
        with self._lock:
            if self._closed:
                raise SandboxError("the environment is closed; set up a new one")
            self._count += 1
            place = self._run / str(self._count)
        try:
            place.mkdir()
            (place / "control").mkdir()
            (place / "tmp").mkdir()
        except OSError as error:
            raise SandboxError(f"cannot make a box in {self._run}: {error}; is the disk full?") from error
        local_files.copy_tree(self._template, place / "workspace")
        box = ProcessBox(place, self._variables, self._limits, self._cancel)
        self._boxes.add(box)
        return box

    def _made_template(self, plan: SetUp, tree: Path) -> Path:
        """The tree after the set-up commands; it lies elsewhere then than where they ran, so that an editable install,
        which names that place, fails loudly and never lets the tests import the unpatched copy."""
        self._template = tree
        box = self._fresh_box()
        secrets = self._run / "secrets"
        try:
            if plan.secrets:
                secrets.mkdir(0o700)
                local_files.write_files(secrets, plan.secrets)
            deadline = time.monotonic() + plan.seconds
            for argv in plan.commands:
                variables = {"GROKFIX_SECRETS": str(secrets)} if plan.secrets else {}
                execution = box.execute(Command(argv, max(0.0, deadline - time.monotonic()), variables))
                if execution.exit_code != 0:
                    why = (
                        f"did not end within {plan.seconds:.0f} s"
                        if execution.timed_out
                        else f"ended with exit code {execution.exit_code}"
                    )
                    raise SandboxError(
                        f"set-up command {' '.join(argv)!r} {why}; mend suites[].setup. The end of its output:\n"
                        + execution.output[-_LOG_TAIL:]
                    )
            template = self._run / "template"
            Path(box.workspace).rename(template)
            return template
        finally:
            box.close()
            if plan.secrets:
                local_files.remove_tree(secrets)


class _Preparation:
    """One box made in a thread of its own."""

    def __init__(self, environment: ProcessEnvironment) -> None:
        self._environment = environment
        self._box: ProcessBox | None = None
        self._error: SandboxError | None = None
        self._thread = threading.Thread(target=self._work, name="prepare-box")
        self._thread.start()

    def _work(self) -> None:
        try:
            self._box = self._environment._fresh_box()
        except SandboxError as error:
            self._error = error

    def take(self) -> ProcessBox:
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._box is not None
        return self._box

    def discard(self) -> None:
        self._thread.join()
        if self._box is not None:
            self._box.close()


class ProcessBox:
    """Implements bot.ports.Box: a directory with `workspace`, `control` and `tmp` (HOME and TMPDIR) in it."""

    def __init__(self, place: Path, variables: Mapping[str, str], limits: Limits, cancel: CancelSignal) -> None:
        self.workspace = str(place / "workspace")
        self.control = str(place / "control")
        self._place, self._limits, self._cancel = place, limits, cancel
        self._variables = {
            **process.minimal_environment(),
            "HOME": str(place / "tmp"),
            "TMPDIR": str(place / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        self._lock = threading.Lock()
        self._running: Supervised | None = None
        self._dead = ""

    def put(self, files: Mapping[str, bytes]) -> None:
        self._check()
        local_files.write_files(Path(self.control), files)

    def execute(self, command: Command) -> Execution:
        self._check()
        self._cancel.check()
        directory = self._directory(command.cwd)
        environment = {**self._variables, **command.environment}
        with self._lock:
            if self._running is not None:
                raise SandboxError("a command is running in this box already; open another box for a second one")
            self._running = running = Supervised(
                command.argv,
                directory,
                environment,
                self._place,
                file_size=self._limits.file_size,
                open_files=_OPEN_FILES,
                output_limit=self._limits.output,
            )
        try:
            execution = running.wait(command.seconds, self._cancel)
        except Cancelled:
            self._running = None
            self.close()
            raise
        finally:
            self._running = None
        if execution.timed_out:
            self._dead = "its command ran out of time"
        return execution

    def collect(self, path: str, *, limit: int = 64 << 20) -> bytes | None:
        if self._dead == "closed":
            self._check()
        return local_files.read_file(Path(self.control), path, limit)

    def close(self) -> None:
        self._dead = "closed"
        with self._lock:
            if self._running is not None:
                self._running.stop()
        local_files.remove_tree(self._place)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._dead:
            raise SandboxError(f"this box cannot be used any more ({self._dead}); open a fresh one")

    def _directory(self, cwd: str) -> Path:
        directory = Path(self.workspace, cwd)
        if not directory.resolve().is_relative_to(Path(self.workspace).resolve()):
            raise SandboxError(f"working directory {cwd!r} lies outside the repository; give a path below it")
        if not directory.is_dir():
            raise SandboxError(f"working directory {cwd!r} does not exist in the repository; check suites[].path")
        return directory


def _start_time(pid: int) -> int:
    """When a process began, in ticks since boot (proc(5), stat field 22); 0 where /proc does not tell."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(line[line.rfind(b")") + 1 :].split()[19])


def _alive(pid: int, start_time: int) -> bool:
    """Whether the process that began at `start_time` still runs; a later one with its number does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _start_time(pid) == start_time
