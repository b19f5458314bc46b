"""What a function does today, call by call: its result, or the exception that it raises itself, and the lines it ran.

The calls are the engine's, made of small values, and nobody meant them: a call that would write a file, start a program
or open a connection is broken off before it does.
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys
import types
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from .job import Job, Results
from .literal import evaluate, literal
from .pool import Ending, Report, Task, run_all

CALL_SECONDS = 0.2  # of processor time
SECONDS = 20.0  # of processor time for all calls of one pass
MOST_ITEMS = 200  # taken from a generator
MOST_CHARACTERS = 400  # of a result: a longer one makes no readable test
PASSES = 2  # a result that differs between processes is none

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
REFUSED = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown"),
    *("os.truncate", "os.utime", "os.setxattr", "os.removexattr", "os.kill", "os.killpg", "os.system", "os.exec"),
    *("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.chdir", "os.putenv", "os.unsetenv", "pty.spawn"),
    *("subprocess.", "socket.", "shutil.", "ctypes.", "tempfile.", "signal.", "sqlite3.", "webbrowser.", "urllib."),
)


class Refused(BaseException):
    """The call wanted to do something to the world."""


class Late(BaseException):
    """The call took too long."""


class Guard:
    """An audit hook, which cannot be taken away again: it looks only while `armed`."""

    def __init__(self) -> None:
        self.armed = False
        self.tripped = False
        sys.addaudithook(self.look)

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if writes or event.startswith(REFUSED):
            self.tripped = True  # code that swallows the exception is found out all the same
            raise Refused


class Target(NamedTuple):
    """A function as its callers reach it. how: "function", "static", "class" or "method"."""

    holder: Any
    name: str
    how: str
    code: types.CodeType


class Effect(NamedTuple):
    """did: "value", "changes" (text: the positional arguments afterwards), "raises" (text: the exception's name; own:
    where it is defined, "" for a built-in; line: where the function itself raised it, 0 elsewhere)."""

    did: str
    text: str
    iterator: bool = False
    own: str = ""
    line: int = 0


def characterise(job: Job, results: Results) -> None:
    """Write {"kind": "called", "call": index, …} for the calls that behave the same in every process; {"kind":
    "unreached", "why": …} where the function cannot be had."""
    told: list[dict[int, dict[str, object]]] = []

    def settle(_key: Any, ending: Ending) -> None:
        told.append({})
        for note in ending.notes:
            index = note.get("call")
            if isinstance(index, int):
                told[-1][index] = note
            elif "why" in note and not any(told):
                results.write("unreached", why=note["why"])

    tasks = (Task(number, passing(job.extra), SECONDS) for number in range(PASSES))
    run_all(tasks, 1, lambda: job.deadline, settle)
    for index, note in (told[0] if len(told) == PASSES else {}).items():
        if all(one.get(index) == note for one in told):
            results.write("called", **note)


def passing(extra: Any) -> Callable[[Report], None]:
    def body(report: Report) -> None:
        sys.dont_write_bytecode = True
        try:
            target = find(extra["module"], extra["qualname"])
        except Exception as error:  # noqa: BLE001 (importing the project runs whatever it likes)
            report.note(why=f"`{extra['module']}` cannot be imported alone: {type(error).__name__}")
            report.end()
            return
        if target is None:
            report.note(why=f"`{extra['qualname']}` is not a plain function of `{extra['module']}`")
            report.end()
            return
        guard = Guard()
        signal.signal(signal.SIGVTALRM, raise_late)
        for index, call in enumerate(extra["calls"]):
            lines: set[int] = set()
            effect = call_once(target, call, guard, lines)
            if effect is not None:
                report.note(call=index, lines=sorted(lines), **effect._asdict())
        report.end()

    return body


def find(module: str, qualname: str) -> Target | None:
    holder: Any = importlib.import_module(module)
    *owners, name = qualname.split(".")
    for owner in owners:
        holder = getattr(holder, owner)
    found = inspect.getattr_static(holder, name, None)
    how = "method" if owners else "function"
    if isinstance(found, (staticmethod, classmethod)):
        how = "static" if isinstance(found, staticmethod) else "class"
        found = found.__func__
    plain = found
    while hasattr(plain, "__wrapped__"):
        plain = plain.__wrapped__
    if not callable(found) or not isinstance(plain, types.FunctionType):
        return None
    return Target(holder, name, how, plain.__code__)


def raise_late(_signal: int, _frame: types.FrameType | None) -> None:
    raise Late


def call_once(target: Target, call: Any, guard: Guard, lines: set[int]) -> Effect | None:
    """The effect of a call; None: nothing that a test could say."""
    constructor, arguments, keywords = evaluate(call)

    def trace(frame: types.FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code is not target.code:
            return None

        def on_line(inner: types.FrameType, event: str, _argument: Any) -> Any:
            if event == "line":
                lines.add(inner.f_lineno)
            return on_line

        return on_line

    before = literal(arguments)
    guard.tripped, guard.armed = False, True
    signal.setitimer(signal.ITIMER_VIRTUAL, CALL_SECONDS, 0.05)
    sys.settrace(trace)
    try:
        holder = target.holder
        if target.how == "method":
            holder = holder(*constructor[0], **constructor[1])
        value = getattr(holder, target.name)(*arguments, **keywords)
        iterator = inspect.isgenerator(value) or hasattr(value, "__next__")
        if iterator:
            value = list(islice(value, MOST_ITEMS))
    except (Refused, Late):
        return None
    except Exception as error:  # noqa: BLE001 (whatever the code raises is its behaviour)
        return None if guard.tripped else raised(error, target)
    except BaseException:  # noqa: BLE001 (SystemExit and its kind end nothing here)
        return None
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        guard.armed = False
    if guard.tripped:
        return None
    after = literal(arguments)
    if value is None and after is not None and after != before:
        return Effect("changes", after) if len(after) <= MOST_CHARACTERS else None
    text = literal(value)
    return None if text is None or len(text) > MOST_CHARACTERS else Effect("value", text, iterator)


def raised(error: Exception, target: Target) -> Effect:
    trace, line = error.__traceback__, 0
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code is target.code else 0
        trace = trace.tb_next
    kind = type(error)
    return Effect("raises", kind.__qualname__, False, "" if kind.__module__ == "builtins" else kind.__module__, line)
