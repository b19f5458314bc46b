"""How often threads take turns: a race within a process shows when they do so in the middle of things.

The interpreter lets a thread work for 5 ms before it asks it to let another run, which most tests never reach.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import CodeType, FrameType
from typing import Any

_OFTEN = 1e-6
_SELDOM = 1.0
_YIELD = 1e-5  # seconds: longer than another thread needs to take the lock of the interpreter
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)

_sleep, _now = time.sleep, time.perf_counter  # the real ones, whatever the clock of the tests is


class Turns:
    """Asked before and after each test; threads that were there before it keep their own pace."""

    def __init__(self, how: str, workspace: str) -> None:
        sys.setswitchinterval(_SELDOM if how == "seldom" else _OFTEN)
        self._traces = how != "often"
        self._pause = _sleep if how == "lines" else _compute
        self._prefixes = tuple({path + os.sep for path in (os.path.abspath(workspace), os.path.realpath(workspace))})
        self._known: dict[CodeType, bool] = {}

    def begin(self) -> None:
        if self._traces and sys.gettrace() is None:  # somebody else's stays
            threading.settrace(self._on_call)
            sys.settrace(self._on_call)

    def end(self) -> None:
        if sys.gettrace() == self._on_call:
            sys.settrace(None)
            threading.settrace(None)

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            # By the name alone: to ask the file system lets other threads run, in the middle of what is watched.
            path = code.co_filename
            known = path.startswith(self._prefixes) and not any(part in path for part in _INSTALLED)
            self._known[code] = known
        return self._on_line if known else None

    def _on_line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and threading.active_count() > 1:
            self._pause(_YIELD)
        return self._on_line


def _compute(seconds: float) -> None:
    """As long as a pause, without letting another thread run."""
    until = _now() + seconds
    while _now() < until:
        pass
