"""Collect tests once in this process and hand them over, runnable one by one: pytest's way and unittest's way."""

from __future__ import annotations

import importlib
import os
import sys
import types
import unittest
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple


class Wanted(NamedTuple):
    """A test by the names its report gives it. name "": the whole file, which could not be collected."""

    file: str
    classname: str
    name: str


class Collected(NamedTuple):
    """What was found: for an index of the wanted tests its items; `ran` are the code objects that ran meanwhile."""

    items: dict[int, list[Any]]
    ran: set[types.CodeType]
    run: Callable[[Any, Any | None], bool]

    def run_tests(self, indices: Sequence[int]) -> Iterator[tuple[int, Callable[[], bool]]]:
        """(index, run it) in order; a wanted test that has no items fails."""
        flat = [(index, item) for index in indices for item in self.items.get(index, [None])]
        for position, (index, item) in enumerate(flat):
            following = flat[position + 1][1] if position + 1 < len(flat) else None
            yield index, self._bound(item, following)

    def _bound(self, item: Any, following: Any | None) -> Callable[[], bool]:
        return lambda: item is not None and self.run(item, following)


class Watch:
    """Notes the code objects of Python functions that run while it watches (import and collection)."""

    TOOL = 4  # a sys.monitoring id that neither coverage (1) nor profilers (2) nor debuggers (0) take

    def __init__(self) -> None:
        self.ran: set[types.CodeType] = set()
        self.monitoring: Any = getattr(sys, "monitoring", None)

    def start(self) -> None:
        if self.monitoring is None:
            sys.setprofile(lambda frame, event, _argument: self.ran.add(frame.f_code) if event == "call" else None)
            return
        self.monitoring.use_tool_id(self.TOOL, "grokfix")
        events = self.monitoring.events.PY_START
        self.monitoring.register_callback(self.TOOL, events, self._note)
        self.monitoring.set_events(self.TOOL, events)

    def _note(self, code: types.CodeType, _offset: int) -> Any:
        self.ran.add(code)
        return self.monitoring.DISABLE

    def stop(self) -> None:
        if self.monitoring is None:
            sys.setprofile(None)
            return
        self.monitoring.set_events(self.TOOL, 0)
        self.monitoring.free_tool_id(self.TOOL)


def collect(
    runner: str, arguments: Sequence[str], root: str, wanted: Sequence[Wanted], loop: Callable[[Collected], None]
) -> None:
    """Collect `wanted` and call `loop` with them, inside the runner's own session where it has one."""
    if runner == "pytest":
        with_pytest(arguments, root, wanted, loop)
    else:
        with_unittest(root, wanted, loop)


def with_pytest(
    arguments: Sequence[str], root: str, wanted: Sequence[Wanted], loop: Callable[[Collected], None]
) -> None:
    import pytest
    from _pytest.runner import runtestprotocol

    def run(item: Any, following: Any | None) -> bool:
        item.repr_failure = item._repr_failure_py = nothing  # to write a traceback takes longer than the test
        reports = runtestprotocol(item, log=False, nextitem=following)
        return len(reports) == 3 and all(report.outcome == "passed" for report in reports)

    class Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> bool:
            watch.stop()
            named: dict[tuple[str, str], list[Any]] = {}
            whole: dict[str, list[Any]] = {}
            for item in session.items:
                item.location  # noqa: B018 (worked out once, here, instead of in every fork)
                named.setdefault(report_names(item.nodeid), []).append(item)
                whole.setdefault(os.path.realpath(str(item.fspath)), []).append(item)
            loop(Collected(select(wanted, root, named, whole), watch.ran, run))
            return True

    watch = Watch()
    files = sorted({file for file in (file_of(one, root) for one in wanted) if file})
    watch.start()
    pytest.main([*arguments, *(os.path.join(root, file) for file in files)], plugins=[Plugin()])


def nothing(*_arguments: Any, **_options: Any) -> str:
    return ""


def file_of(test: Wanted, root: str) -> str:
    """The file that holds a test, "" where there is none: an inherited one is in its class's module, not where its
    function stands, and the report tells the latter."""
    parts = test.classname.split(".")
    guesses = ["/".join(parts[:end]) + ".py" for end in range(len(parts), 0, -1)]
    return next((path for path in [*guesses, test.file] if path and os.path.isfile(os.path.join(root, path))), "")


def report_names(node_id: str) -> tuple[str, str]:
    """classname and name as pytest's JUnit report (xunit1) makes them from a node id."""
    path, bracket, parameters = node_id.partition("[")
    parts = path.split("::")
    parts[0] = parts[0].replace("/", ".")
    if parts[0].endswith(".py"):
        parts[0] = parts[0][:-3]
    return ".".join(parts[:-1]), parts[-1] + bracket + parameters


def with_unittest(root: str, wanted: Sequence[Wanted], loop: Callable[[Collected], None]) -> None:
    def run(item: Any, _following: Any | None) -> bool:
        result = unittest.TestResult()
        unittest.TestSuite([item]).run(result)
        return result.testsRun == 1 and result.wasSuccessful() and not result.skipped

    key_of = importlib.import_module("grokfix_in_box.unittest_run").key_of  # the names of the toolchain's report
    watch = Watch()
    watch.start()
    named: dict[tuple[str, str], list[Any]] = {}
    whole: dict[str, list[Any]] = {}
    for name in sorted({file[:-3].replace("/", ".") for file in (file_of(one, root) for one in wanted) if file}):
        for item in flatten(load(name, root)):
            if type(item).__name__ in ("_FailedTest", "ModuleImportFailure"):
                continue
            file, classname, method = key_of(item, root)
            named.setdefault((classname, method), []).append(item)
            whole.setdefault(os.path.realpath(os.path.join(root, file)), []).append(item)
    watch.stop()
    loop(Collected(select(wanted, root, named, whole), watch.ran, run))


def load(name: str, root: str) -> unittest.TestSuite:
    """Tests of a module by its name from the root, or from its own folder where that is no package."""
    folder, _, module = name.rpartition(".")
    if folder and not os.path.isfile(os.path.join(root, folder.replace(".", "/"), "__init__.py")):
        sys.path.insert(0, os.path.join(root, folder.replace(".", "/")))
        name = module
    return unittest.TestLoader().loadTestsFromName(name)


def flatten(suite: Any) -> Iterator[Any]:
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from flatten(one)
        else:
            yield one


def select(
    wanted: Sequence[Wanted],
    root: str,
    named: dict[tuple[str, str], list[Any]],
    whole: dict[str, list[Any]],
) -> dict[int, list[Any]]:
    """Items of each wanted test: by report name, or by the end of its class name where roots differ."""
    found: dict[int, list[Any]] = {}
    for index, test in enumerate(wanted):
        items = named.get((test.classname, test.name))
        if not test.name:
            items = whole.get(os.path.realpath(os.path.join(root, test.file)))
        if items is None:
            near = [key for key in named if key[1] == test.name and same_class(key[0], test.classname)]
            items = named[near[0]] if len(near) == 1 else None
        if items:
            found[index] = items
    return found


def same_class(one: str, other: str) -> bool:
    return one.endswith("." + other) or other.endswith("." + one)
