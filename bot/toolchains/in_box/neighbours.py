"""Other tests of the suite, run over and over by processes of their own beside the tests that are looked at.

Each neighbour is a run like this one, from a control directory of its own, that never comes to its end. The tests that
are looked at wait until all neighbours have come to their first test.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import settings

_FOLDER = "neighbour-"
_READY = "ready-"
_READY_SECONDS = 120.0
_POLL = 0.01


class Neighbours:
    """Those of one run; its watching parent starts them, looks after them and ends them."""

    def __init__(self, run: settings.RunSettings, arguments: list[str]) -> None:
        self._processes = [_start(number, arguments) for number in range(run.conditions.neighbours)]

    def missing(self) -> str:
        """Why one of them will never run its tests, "" where all do or still may."""
        for number, process in enumerate(self._processes):
            code = process.poll()
            if code is not None and not os.path.exists(_ready(settings.CONTROL, number)):
                return f"the tests beside it could not be run: their process ended with {code} before the first of them"
        return ""

    def end(self) -> None:
        for process in self._processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # gone, and with it all that it started
            process.wait()


def _start(number: int, arguments: list[str]) -> subprocess.Popen[bytes]:
    folder = os.path.join(settings.CONTROL, f"{_FOLDER}{number}")
    os.mkdir(folder)
    package = os.path.basename(os.path.dirname(os.path.abspath(__file__)))
    shutil.copytree(os.path.join(settings.CONTROL, package), os.path.join(folder, package))
    launch = os.path.join(folder, os.path.basename(arguments[0]))
    shutil.copyfile(arguments[0], launch)
    with open(os.path.join(settings.CONTROL, "run.json"), encoding="utf-8") as stream:
        told = json.load(stream)
    own = ("neighbours", "repeat", "in_order", "load", "cpu_share", "ports")  # of the run itself, or around it
    told["conditions"] = {name: value for name, value in told["conditions"].items() if name not in own}
    told.update(neighbour_of=settings.CONTROL, number=number, observe=False)
    with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as stream:
        json.dump(told, stream)
    # The interpreter's own options (-W error) are in no argument list of the program.
    whole = list(getattr(sys, "orig_argv", [sys.executable, *arguments]))
    at = whole.index(arguments[0])
    command = [sys.executable, *whole[1:at], launch, *arguments[1:]]
    return subprocess.Popen(  # noqa: S603 (our own program and its arguments)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ready(control: str, number: int) -> str:
    return os.path.join(control, f"{_READY}{number}")


def wait_for_all(count: int) -> None:
    """Return once every neighbour has come to its first test."""
    until = time.monotonic() + _READY_SECONDS
    while not all(os.path.exists(_ready(settings.CONTROL, number)) for number in range(count)):
        if time.monotonic() > until:
            settings.refuse(f"the tests beside it had not begun after {_READY_SECONDS:.0f} s")
        time.sleep(_POLL)


def announce(run: settings.RunSettings) -> None:
    """Tell the run beside which this one works that its tests begin."""
    with open(_ready(run.neighbour_of, run.number), "w", encoding="utf-8"):
        pass


def forever(items: list[Any], again: Callable[[Any], Any]) -> NoReturn:
    """Round after round of copies, until somebody ends this process."""
    following = [again(item) for item in items]
    while True:
        round_, following = following, [again(item) for item in items]
        for place, item in enumerate(round_):
            then = round_[place + 1] if place + 1 < len(round_) else following[0]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)
