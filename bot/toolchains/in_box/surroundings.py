"""Conditions that lie around the run's process: whatever its language, they act on it from outside or are inherited.

The process forks once. The child becomes the run, in a process group of its own; the parent holds ports, keeps the
machine busy, and stops and continues the group, until the run ends.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import sys
import time

from . import neighbours, settings

PERIOD = 0.1
"""Seconds of one round of stopping and continuing: the period of a CFS quota."""
_HOME = "home"
_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")


def enter(conditions: settings.Conditions) -> None:
    """Bring about the conditions and return in the process that is to be the run; the parent never returns."""
    if conditions.zone:
        _check_zone(conditions.zone)
    if conditions.fresh_home:
        _fresh_home()
    if conditions.one_core:
        _bind_to_one_core()
    if conditions.cpu_share < 1 or conditions.load or conditions.ports or conditions.neighbours:
        _become_child(conditions)
    if conditions.open_files:
        _limit_open_files(conditions.open_files)


def _check_zone(zone: str) -> None:
    """The C library takes an unknown zone for UTC without a word."""
    if zone != "UTC" and not any(os.path.isfile(os.path.join(folder, zone)) for folder in _ZONES):
        settings.refuse(f"the time zone {zone!r} is not known here; the image needs the package tzdata")


def _fresh_home() -> None:
    home = os.path.join(settings.CONTROL, _HOME)
    temporary = os.path.join(settings.CONTROL, "tmp")
    for folder in (home, temporary):
        os.mkdir(folder, 0o700)
    os.environ["HOME"] = home
    for name in ("TMPDIR", "TMP", "TEMP"):
        os.environ[name] = temporary
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]  # without them, programs look below HOME


def _bind_to_one_core() -> None:
    if not hasattr(os, "sched_setaffinity"):
        settings.refuse("processes cannot be bound to one core on this system")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _limit_open_files(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        settings.refuse(f"{count} open files are more than the {hard} that are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


# --- the parent -----------------------------------------------------------------------------------------------------


def _become_child(conditions: settings.Conditions) -> None:
    held = [listener for port in conditions.ports for listener in _hold(port)]
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        for listener in held:
            listener.close()
        return
    try:
        os.setpgid(child, child)  # on both sides: whoever comes first
    except OSError:
        pass  # it is there already
    busy = [_busy(os.getpid()) for _ in range(conditions.load)]
    beside = neighbours.Neighbours(settings.load(), sys.argv) if conditions.neighbours else None
    try:
        status = _watch(child, conditions.cpu_share, beside)
    finally:
        for process in busy:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        if beside is not None:
            beside.end()
    # No clean-up of the interpreter: everything that is left here belongs to the run.
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def _hold(port: int) -> list[socket.socket]:
    """Listeners on the port's loopback addresses; where somebody else has it, it is held already."""
    listeners = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listener = socket.socket(family)
        except OSError:
            continue  # no such family here
        try:
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address, port))
            listener.listen()
            listeners.append(listener)
        except OSError as error:
            listener.close()
            if error.errno in (errno.EACCES, errno.EPERM):
                settings.refuse(f"port {port} cannot be held: {error.strerror}")
    return listeners


def _busy(parent: int) -> int:
    """A process that does nothing but compute; it ends by itself when its parent is gone."""
    process = os.fork()
    if process == 0:
        while os.getppid() == parent:
            for _ in range(100_000):
                pass
        os._exit(0)
    return process


def _watch(child: int, share: float, beside: neighbours.Neighbours | None) -> int:
    """Wait for `child`; its group works for `share` of each period and is stopped for the rest. Its wait status."""
    if share >= 1 and beside is None:
        return os.waitpid(child, 0)[1]
    while True:
        time.sleep(PERIOD * share)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        missing = "" if beside is None else beside.missing()
        if missing:
            _signal(child, signal.SIGKILL)
            os.waitpid(child, 0)
            settings.refuse(missing)
        if share >= 1:
            continue
        _signal(child, signal.SIGSTOP)
        try:
            time.sleep(PERIOD * (1 - share))
        finally:
            _signal(child, signal.SIGCONT)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # it is gone, or some of it has changed its user
