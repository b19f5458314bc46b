"""Another time for this process: what the language's own runtime says of the clock is moved, and goes on from there.

Only the calendar's clock moves; monotonic clocks, file times, and other programs keep theirs. `datetime.datetime` stays
the class that it is, for whoever has imported it already: its methods are replaced in place.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import settings

_UTC = datetime.timezone.utc  # noqa: UP017 (Python 3.8)
_real_time, _real_time_ns = time.time, time.time_ns
_offset = 0.0
_offset_ns = 0


class _Function:
    """Stands for a built-in function: unlike a function written in Python, it does not bind where a class holds it."""

    def __init__(self, real: Any, moved: Callable[..., Any]) -> None:
        self._moved = moved
        self.__name__ = self.__qualname__ = real.__name__
        self.__doc__ = real.__doc__
        self.__module__ = "time"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._moved(*arguments, **named)

    def __reduce__(self) -> Any:
        return getattr, (time, self.__name__)


def move(wanted: str) -> None:
    """From now on it is `wanted` (ISO 8601, local time where it names no zone)."""
    global _offset, _offset_ns  # noqa: PLW0603 (one clock a process)
    now = _real_time_ns()
    _offset_ns = round(datetime.datetime.fromisoformat(wanted).timestamp() * 1_000_000_000) - now
    _offset = _offset_ns / 1_000_000_000
    _move_time()
    _move_datetime()
    seen = datetime.datetime.now(_UTC).timestamp()
    if abs(seen - time.time()) > 60 or abs(datetime.date.today().toordinal() - _today()) > 1:
        settings.refuse("the clock of this Python cannot be moved (datetime keeps the real time)")


def _today() -> int:
    return datetime.date(*time.localtime()[:3]).toordinal()


def _now() -> float:
    return _real_time() + _offset


def _now_ns() -> int:
    return _real_time_ns() + _offset_ns


def _move_time() -> None:
    real: Any = {
        name: getattr(time, name)
        for name in ("localtime", "gmtime", "ctime", "asctime", "strftime", "clock_gettime", "clock_gettime_ns")
        if hasattr(time, name)
    }

    def localtime(secs: Any = None) -> Any:
        return real["localtime"](_now() if secs is None else secs)

    def gmtime(secs: Any = None) -> Any:
        return real["gmtime"](_now() if secs is None else secs)

    def ctime(secs: Any = None) -> Any:
        return real["ctime"](_now() if secs is None else secs)

    def asctime(*moment: Any) -> Any:
        return real["asctime"](*(moment or (localtime(),)))

    def strftime(format: str, *moment: Any) -> Any:
        return real["strftime"](format, *(moment or (localtime(),)))

    def clock_gettime(clock: int) -> Any:
        return _now() if clock == time.CLOCK_REALTIME else real["clock_gettime"](clock)

    def clock_gettime_ns(clock: int) -> Any:
        return _now_ns() if clock == time.CLOCK_REALTIME else real["clock_gettime_ns"](clock)

    for function in (localtime, gmtime, ctime, asctime, strftime, clock_gettime, clock_gettime_ns):
        if function.__name__ in real:
            setattr(time, function.__name__, _Function(real[function.__name__], function))
    time.time = _Function(_real_time, _now)
    time.time_ns = _Function(_real_time_ns, _now_ns)


def _move_datetime() -> None:
    def now(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(_now(), tz)

    def utcnow(cls: Any) -> Any:
        if sys.version_info >= (3, 12):  # as the original does
            warnings.warn(
                "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use "
                "timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC).",
                DeprecationWarning,
                stacklevel=2,
            )
        return cls.fromtimestamp(_now(), _UTC).replace(tzinfo=None)

    def today(cls: Any) -> Any:
        return cls.fromtimestamp(_now())

    _set(datetime.datetime, {"now": classmethod(now), "utcnow": classmethod(utcnow)})
    _set(datetime.date, {"today": classmethod(today)})


def _set(cls: type, methods: Mapping[str, object]) -> None:
    """Attributes of a class written in C, which setattr refuses."""
    namespace: Any = gc.get_referents(cls.__dict__)[0]
    namespace.update(methods)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))
