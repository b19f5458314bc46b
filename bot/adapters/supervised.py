"""One command under supervisor.py: streamed output, time limit, cancellation, nothing left running."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from bot import process
from bot.adapters.capped import CappedOutput
from bot.errors import SandboxError
from bot.ports import Cancelled, Execution

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STOP_SECONDS = 15.0  # what killing a large tree may take
_DRAIN_SECONDS = 5.0  # a process out of reach may hold the output open; it is not waited for
_NOT_FOUND, _NOT_STARTED = 127, 126  # what a shell and Docker answer


class CancelSignal:
    """A pipe that is readable from the first `set()` on: it wakes every waiting thread at once, and a signal handler
    may set it (setting a threading.Event there may deadlock)."""

    def __init__(self) -> None:
        self.descriptor, self._write = os.pipe()
        self._set = False
        weakref.finalize(self, _close_all, self.descriptor, self._write)

    def set(self) -> None:
        if not self._set:
            self._set = True
            os.write(self._write, b"!")

    def check(self) -> None:
        if self._set:
            raise Cancelled("the run was cancelled")


def _close_all(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class _Event(Enum):
    ENDED = "ended"
    OUT_OF_TIME = "out of time"
    CANCELLED = "cancelled"


class Supervised:
    """A started command. Call `wait` exactly once; it gives everything back, whatever happens in it.

    place: the box's directory; processes are known by it where even the supervisor was killed.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        directory: Path,
        environment: Mapping[str, str],
        place: Path,
        *,
        file_size: int,
        open_files: int,
        output_limit: int,
    ) -> None:
        self._argv, self._place = argv, place
        self._output = CappedOutput(output_limit)
        self._status = bytearray()
        self._began = time.monotonic()
        self._status_pipe, status_write = os.pipe()
        supervisor = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(status_write), str(file_size), str(open_files)]
        try:
            self._child = subprocess.Popen(  # noqa: S603 (argv, no shell; bot.process cannot stream)
                [*supervisor, str(directory), *argv],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(status_write,),
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            os.close(self._status_pipe)
            raise SandboxError(f"cannot start {argv[0]!r}: {error}") from error
        finally:
            os.close(status_write)

    def stop(self) -> None:
        """Have the whole tree killed; `wait` sees it end."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(b"k")
        except (BrokenPipeError, ValueError):
            pass  # it has ended already

    def wait(self, seconds: float, cancel: CancelSignal) -> Execution:
        """Run to the end, or kill at `seconds` after the start. Raises Cancelled, and SandboxError where the
        supervisor was lost."""
        assert self._child.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._child.stdout.fileno(), selectors.EVENT_READ, self._output.write)
                selector.register(self._status_pipe, selectors.EVENT_READ, self._status.extend)
                selector.register(cancel.descriptor, selectors.EVENT_READ)
                event = self._pump(selector, self._began + seconds)
                selector.unregister(cancel.descriptor)
                if event is not _Event.ENDED:
                    self.stop()
                    self._pump(selector, time.monotonic() + _STOP_SECONDS)
                self._kill_strays()
                self._drain(selector)
        finally:
            self._give_back()
        elapsed = time.monotonic() - self._began
        if event is _Event.CANCELLED:
            raise Cancelled("the run was cancelled")
        timed_out = event is _Event.OUT_OF_TIME
        exit_code = -1 if timed_out else self._exit_code()
        return Execution(exit_code, self._output.text(), elapsed, timed_out, truncated=self._output.truncated)

    def _pump(self, selector: selectors.BaseSelector, deadline: float) -> _Event:
        """Read both pipes until the status pipe closes (the supervisor is gone), the deadline, or cancellation."""
        while (left := deadline - time.monotonic()) > 0:  # asked each time: a flood of output must not outrun it
            for key, _ in selector.select(left):
                if key.data is None:
                    return _Event.CANCELLED
                if not self._read(selector, key) and key.fd == self._status_pipe:
                    return _Event.ENDED
        return _Event.OUT_OF_TIME

    def _drain(self, selector: selectors.BaseSelector) -> None:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                self._read(selector, key)

    @staticmethod
    def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
        """Hand on what is there; False, and no longer watched, at the end of the pipe."""
        data = os.read(key.fd, 1 << 16)
        if data:
            key.data(data)
        else:
            selector.unregister(key.fd)
        return bool(data)

    def _give_back(self) -> None:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()  # the supervisor's second sign to kill everything, should it still run
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        os.close(self._status_pipe)
        self._kill_strays()

    def _kill_strays(self) -> None:
        """Where the supervisor was killed (the tests run as the same user), find what it left by its group and by the
        box's path in the environment."""
        if self._status.endswith(b"end\n"):
            return
        command = self._status.split(b"\n")[0]
        if command.isdigit():
            process.kill_group(int(command))
        marker = os.fsencode(self._place) + b"/"
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in entry.read_bytes():
                    os.kill(int(entry.parent.name), signal.SIGKILL)
            except OSError:
                continue  # gone meanwhile, or another user's

    def _exit_code(self) -> int:
        _, _, ending = self._status.decode("ascii", "replace").partition("\n")
        kind, _, number = ending.removesuffix("\nend\n").partition(" ")
        if kind == "exit":
            code = int(number)
            return code if code >= 0 else 128 - code
        if kind == "errno":
            reason = os.strerror(int(number))
            self._output.write(f"cannot run {self._argv[0]!r}: {reason}\n".encode())
            return _NOT_FOUND if int(number) == errno.ENOENT else _NOT_STARTED
        raise SandboxError(
            f"the command {self._argv[0]!r} was killed together with its supervisor; "
            "something in the tests kills processes that are not its own: run them with --sandbox docker"
        )
