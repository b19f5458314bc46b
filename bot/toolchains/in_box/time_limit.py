"""A limit for each single test: an endless loop becomes one failing test instead of a run that says nothing."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_LEAST = 1.0
_REPEAT = 1.0  # raised again where the code under test swallows it


class TimeLimitExceeded(BaseException):
    """Not an Exception, so that `except Exception` in the code under test does not swallow it."""


class TimeLimit:
    """Arms SIGALRM around a phase of a test; does nothing where the signal is in use or cannot be used.

    Every test that runs into the limit halves it, so that many endless tests still fit into the run, but never below
    ten times what the slowest passing test took, or a fiftieth of what it was.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._least = max(_LEAST, seconds / 50)
        self._slowest = 0.0
        self._armed = False
        self.exceeded = False

    def arm(self) -> None:
        if self.seconds <= 0 or threading.current_thread() is not threading.main_thread():
            return
        if not hasattr(signal, "setitimer") or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            return
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, _REPEAT)
        self._armed = True
        self.exceeded = False

    def disarm(self) -> None:
        if not self._armed:
            return
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if self.exceeded:
            self.seconds = min(self.seconds, max(self.seconds / 2, 10 * self._slowest, self._least))

    def passed(self, seconds: float) -> None:
        self._slowest = max(self._slowest, seconds)

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        __tracebackhide__ = True  # pytest: the innermost frame shown is the loop itself
        if not self._armed:
            return
        self.exceeded = True
        raise TimeLimitExceeded(f"the test did not end within its limit of {self.seconds:g} s")
