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
from .recording import Call, Subject, find, record
from .swap import Live, Module, Swap
from .trials import in_collector

BROKEN_SECONDS, FIXED_SECONDS = 0.1, 1.0  # of processor time for one call
MOST_ITEMS = 1000  # taken from a generator
REPEATS = 3


class Late(BaseException):
    """Raised by the timer in a call that takes too long."""


class Effect(NamedTuple):
    """What a call did. kind: "value", "changes" (it returns None; text is its arguments afterwards), "raises" (text is
    the exception's name), "hangs", or "other" (what it gave cannot be written down)."""

    kind: str
    text: str
    iterator: bool


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
    """Calls with one argument left to its default, then with one argument smaller, then the same of the constructor."""
    for arguments, keywords in smaller_arguments(call.arguments, call.keywords):
        yield call._replace(arguments=arguments, keywords=keywords)
    if call.constructor is not None:
        for given in smaller_arguments(*call.constructor):
            yield call._replace(constructor=given)


def smaller_arguments(
    arguments: list[Any], keywords: dict[str, object]
) -> Iterator[tuple[list[Any], dict[str, object]]]:
    if arguments:
        yield arguments[:-1], keywords
    for name in keywords:
        yield arguments, {other: value for other, value in keywords.items() if other != name}
    for index, argument in enumerate(arguments):
        for less in smaller(argument):
            yield [*arguments[:index], less, *arguments[index + 1 :]], keywords
    for name, argument in keywords.items():
        for less in smaller(argument):
            yield arguments, {**keywords, name: less}
