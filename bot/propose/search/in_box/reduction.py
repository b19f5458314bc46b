"""The smallest call of the patched function that tells broken from fixed: recorded in failing tests, then shrunk."""

from __future__ import annotations

import inspect
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from .harness import Collected
from .job import Job, Results
from .literal import evaluate, literal, smaller
from .pool import Ending, Report, Task, run_all
from .swap import Live, Module, Swap
from .trials import SWAP_SECONDS, in_collector

MOST_TARGETS = 5  # failing tests that are listened to
BROKEN_SECONDS, FIXED_SECONDS = 0.1, 1.0  # of processor time for one call
MOST_CALLS = 60  # recorded in one test
MOST_ITEMS = 1000  # taken from a generator
REPEATS = 3


class Late(BaseException):
    """Raised by the timer in a call that takes too long."""


class Call(NamedTuple):
    """A call as literals: arguments of the constructor where it is a method (else None), of the call itself."""

    constructor: tuple[list[Any], dict[str, object]] | None
    arguments: list[Any]
    keywords: dict[str, object]


class Effect(NamedTuple):
    """What a call did. kind: "value", "changes" (it returns None; text is its arguments afterwards), "raises" (text is
    the exception's name), "hangs", or "other" (what it gave cannot be written down)."""

    kind: str
    text: str
    iterator: bool


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


def reduce(job: Job, results: Results) -> None:
    """Write {"kind": "reduced", …} for the smallest call found, or {"kind": "unreduced", "why": …}."""
    candidate = job.candidates[0]

    def work(collected: Collected) -> dict[str, object]:
        swaps = Module(candidate.path).change(candidate.edits)
        live = Live({candidate.path}, collected.ran)
        if swaps is None or len(swaps) != 1 or not live.can_swap(swaps):
            return {"why": "the fix takes effect when the module is imported, not in a call"}
        subject = find(live.functions[swaps[0].key][0])
        if isinstance(subject, str):
            return {"why": subject}
        calls = record(job, collected, subject)
        if not calls:
            return {"why": f"no failing test calls `{subject.qualname}` with plain values"}
        best = shrink(job, live, swaps, subject, calls)
        if best is None:
            return {"why": f"no recorded call of `{subject.qualname}` tells broken from fixed by its result"}
        return {"module": subject.module, "qualname": subject.qualname, "how": subject.how, "best": best}

    answer = in_collector(job, results, work)
    if "best" in answer:
        results.write("reduced", **answer)
    else:
        results.write("unreduced", why=answer.get("why", "the tests could not be run for it"))


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


def shrink(job: Job, live: Live, swaps: tuple[Swap, ...], subject: Subject, calls: list[Call]) -> Any | None:
    """In a child: the smallest telling call. What it had when it was cut off counts."""
    found: list[dict[str, object]] = []

    def settle(_key: int, ending: Ending) -> None:
        found.extend(ending.notes)

    def body(report: Report) -> None:
        signal.signal(signal.SIGVTALRM, raise_late)
        Shrinker(live, swaps, subject, report).shrink(calls)
        report.end()

    left = max(1.0, job.deadline - time.monotonic() - 1.0)
    run_all(iter([Task(0, body, left)]), 1, lambda: job.deadline, settle)
    return found[-1] if found else None


def raise_late(_signal: int, _frame: types.FrameType | None) -> None:
    raise Late


class Shrinker:
    """Greedy: take any smaller call that still tells the two apart in the same way, until there is none."""

    def __init__(self, live: Live, swaps: tuple[Swap, ...], subject: Subject, report: Report) -> None:
        self.live = live
        self.fixed = swaps
        self.broken = tuple(Swap(one.key, live.functions[one.key][0].__code__) for one in swaps)
        self.subject = subject
        self.report = report

    def shrink(self, calls: list[Call]) -> None:
        for call in calls:
            manner = self.difference(call)
            if manner is not None:
                self.descend(call, manner)
                return

    def descend(self, call: Call, manner: str) -> None:
        self.tell(call)
        shrunk = True
        while shrunk:
            shrunk = False
            for less in smaller_calls(call):
                if self.difference(less) == manner:
                    call, shrunk = less, True
                    self.tell(call)
                    break

    def difference(self, call: Call) -> str | None:
        """How the broken function fails on it ("value", "hangs", an exception's name), None: no telling, or no
        steady one."""
        manner = None
        for _ in range(REPEATS):
            fixed = self.effect(call, self.fixed, FIXED_SECONDS)
            if fixed.kind not in ("value", "changes"):
                return None
            broken = self.effect(call, self.broken, BROKEN_SECONDS)
            now = f"{broken.kind} {broken.text}" if broken.kind == "raises" else broken.kind
            if (broken.kind, broken.text) == (fixed.kind, fixed.text) or manner not in (None, now):
                return None
            manner = now
            if broken.kind == "hangs":
                break
        return manner

    def tell(self, call: Call) -> None:
        fixed, broken = self.effect(call, self.fixed, FIXED_SECONDS), self.effect(call, self.broken, BROKEN_SECONDS)
        self.report.note(
            constructor=None if call.constructor is None else written(*call.constructor),
            arguments=written(call.arguments, call.keywords),
            values=[literal(value) for value in call.arguments],
            fixed=fixed._asdict(),
            broken=broken._asdict(),
        )

    def effect(self, call: Call, swaps: tuple[Swap, ...], seconds: float) -> Effect:
        self.live.swap(swaps)
        copy = Call(*evaluate(repr(tuple(call))))
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
            try:
                value = self.reach(copy)(*copy.arguments, **copy.keywords)
                iterator = inspect.isgenerator(value) or hasattr(value, "__next__")
                if iterator:
                    value = list(islice(value, MOST_ITEMS))
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        except Late:
            return Effect("hangs", "", False)
        except Exception as error:  # noqa: BLE001 (whatever the code under repair raises is its result)
            return Effect("raises", type(error).__name__, False)
        if value is None:
            after = literal(copy.arguments)
            if after is not None and after != literal(call.arguments):
                return Effect("changes", after, False)
        text = literal(value)
        return Effect("other", "", False) if text is None else Effect("value", text, iterator)

    def reach(self, call: Call) -> Callable[..., Any]:
        holder: Any = sys.modules[self.subject.module]
        *owners, name = self.subject.qualname.split(".")
        for owner in owners:
            holder = getattr(holder, owner)
        if call.constructor is not None:
            holder = holder(*call.constructor[0], **call.constructor[1])
        reached: Callable[..., Any] = getattr(holder, name)
        return reached


def written(arguments: list[Any], keywords: dict[str, object]) -> str:
    """Arguments as they stand between the brackets of a call."""
    parts = [literal(one) or "" for one in arguments]
    return ", ".join(parts + [f"{name}={literal(one)}" for name, one in keywords.items()])


def smaller_calls(call: Call) -> Iterator[Call]:
    for index, argument in enumerate(call.arguments):
        for less in smaller(argument):
            yield call._replace(arguments=[*call.arguments[:index], less, *call.arguments[index + 1 :]])
    for name, argument in call.keywords.items():
        for less in smaller(argument):
            yield call._replace(keywords={**call.keywords, name: less})
    if call.constructor is not None:
        given, named = call.constructor
        for index, argument in enumerate(given):
            for less in smaller(argument):
                yield call._replace(constructor=([*given[:index], less, *given[index + 1 :]], named))
