"""The one subprocess wrapper: argv only, minimal environment, a time limit, no shell, the whole tree killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.config import process_environment
from bot.errors import BotError


@dataclass(frozen=True, slots=True)
class Completed:
    """Result of a finished process; streams are raw bytes. `exit_code` is negative where a signal ended it."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


class ProcessError(BotError):
    """A program could not be started."""


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    seconds: float = 60.0,
) -> Completed:
    """Run `argv` to its end or for `seconds`; then its process group is killed and `timed_out` is set.

    environment: the child's whole environment; None gives PATH and a C locale only, never this process's secrets.
    Raises ProcessError where the program cannot be started.
    """
    child_environment = dict(environment) if environment is not None else minimal_environment()
    try:
        child = subprocess.Popen(  # noqa: S603 (argv, no shell)
            [os.fspath(part) for part in argv],
            cwd=cwd,
            env=child_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ProcessError(f"cannot run {os.fspath(argv[0])!r}: {error}; is it installed and on PATH?") from error
    with child:
        try:
            stdout, stderr = child.communicate(stdin, timeout=seconds)
            return Completed(child.returncode, stdout, stderr)
        except BaseException as error:
            kill_group(child.pid)
            stdout, stderr = child.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                return Completed(child.returncode, stdout, stderr, timed_out=True)
            raise


def kill_group(pid: int) -> None:
    """SIGKILL to the process group that `pid` leads; silent where it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def minimal_environment() -> dict[str, str]:
    """PATH and a UTF-8 C locale: what a child needs to run, and no secret of this process."""
    return {"PATH": process_environment().get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
