"""Calls of the patched function as the failing tests make them, written down as literals."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from .harness import Collected
from .job import Job
from .literal import evaluate, literal
from .pool import Ending, Report, Task, run_all
from .trials import SWAP_SECONDS

MOST_TARGETS = 5  # failing tests that are listened to
MOST_CALLS = 60  # recorded in one test


class Call(NamedTuple):
    """A call as literals: arguments of the constructor where it is a method (else None), of the call itself."""

    constructor: tuple[list[Any], dict[str, object]] | None
    arguments: list[Any]
    keywords: dict[str, object]


class Subject(NamedTuple):
    """The patched function as a test would reach it. how: "function", "static", "class" or "method"."""

    function: types.FunctionType
    module: str
    qualname: str
    how: str
    owner: type | None

    def initializer(self) -> types.FunctionType | None:
        initializer = None if self.owner is None else inspect.getattr_static(self.owner, "__init__", None)
        return initializer if isinstance(initializer, types.FunctionType) else None


def find(function: types.FunctionType) -> Any:
    """The subject for a live function, or a sentence why a test cannot reach it."""
    module = sys.modules.get(function.__module__)
    owner_name, _, name = function.__qualname__.rpartition(".")
    holder: Any = module
    for part in owner_name.split(".") if owner_name else ():
        holder = getattr(holder, part, None)
    if module is None or holder is None or not name.isidentifier():
        return f"`{function.__qualname__}` cannot be imported by its name"
    if name.startswith("__"):
        return f"`{function.__qualname__}` is called by Python itself, not by its name"
    if not owner_name:
        return Subject(function, function.__module__, name, "function", None)
    found = inspect.getattr_static(holder, name, None)
    if isinstance(found, staticmethod):
        return Subject(function, function.__module__, function.__qualname__, "static", holder)
    if isinstance(found, classmethod):
        return Subject(function, function.__module__, function.__qualname__, "class", holder)
    if isinstance(found, types.FunctionType) and inspect.isclass(holder):
        return Subject(function, function.__module__, function.__qualname__, "method", holder)
    return f"`{function.__qualname__}` is not called as a plain method"


def record(job: Job, collected: Collected, subject: Subject) -> list[Call]:
    """Calls of the subject during the failing tests whose arguments are literals, shortest first."""
    notes: list[dict[str, object]] = []

    def settle(_test: int, ending: Ending) -> None:
        notes.extend(ending.notes)

    def recording(index: int) -> Callable[[Report], None]:
        def body(report: Report) -> None:
            report.begin(index, job.limits[index])
            sys.setprofile(Recorder(subject, report))
            for _, run in collected.run_tests([index]):
                run()
            sys.setprofile(None)
            report.end()

        return body

    tasks = (Task(index, recording(index), SWAP_SECONDS) for index in range(min(job.targets, MOST_TARGETS)))
    run_all(tasks, job.jobs, lambda: job.deadline, settle)
    texts = sorted({str(note["call"]) for note in notes if "call" in note}, key=lambda text: (len(text), text))
    return [Call(*evaluate(text)) for text in texts]


class Recorder:
    """A profile function that notes the arguments of the subject's calls as they begin."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self.subject = subject
        self.report = report
        self.seen = 0
        self.code = subject.function.__code__
        initializer = subject.initializer()
        self.initializer = None if initializer is None else initializer.__code__
        self.constructors: dict[int, str | None] = {}

    def __call__(self, frame: types.FrameType, event: str, _argument: Any) -> None:
        if event != "call" or self.seen >= MOST_CALLS:
            return
        if frame.f_code is self.code:
            self.note(frame)
        elif frame.f_code is self.initializer and self.subject.how == "method":
            given = arguments_of(frame)
            if given[0] and type(given[0][0]) is self.subject.owner:
                self.constructors[id(given[0][0])] = literal((given[0][1:], given[1]))

    def note(self, frame: types.FrameType) -> None:
        positional, keywords = arguments_of(frame)
        constructor: str | None = "None"
        if self.subject.how == "method":
            if not positional or type(positional[0]) is not self.subject.owner:
                return
            nothing = None if self.initializer is not None else "([], {})"
            constructor = self.constructors.get(id(positional[0]), nothing)
        if self.subject.how in ("method", "class"):
            positional = positional[1:]
        arguments, named = literal(positional), literal(keywords)
        if constructor is not None and arguments is not None and named is not None:
            self.seen += 1
            self.report.note(call=f"({constructor}, {arguments}, {named})")


def arguments_of(frame: types.FrameType) -> tuple[list[Any], dict[str, object]]:
    """Positional and keyword arguments of a call that has just begun."""
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames
    positional = [values[name] for name in names[: code.co_argcount] if name in values]
    end = code.co_argcount + code.co_kwonlyargcount
    keywords = {name: values[name] for name in names[code.co_argcount : end] if name in values}
    if code.co_flags & inspect.CO_VARARGS:
        positional.extend(values.get(names[end], ()))
        end += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        keywords.update(values.get(names[end], {}))
    return positional, keywords
