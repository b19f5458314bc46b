"""Executed lines per test. Product and test code of the workspace only; lines run by an import count for no test.

On Python 3.12 and later through `sys.monitoring` (PEP 669): every location reports once per test and is then switched
off, so a hot loop costs nothing. Before 3.12 through `sys.settrace`, for a bounded time.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from types import CodeType, FrameType, FunctionType
from typing import Any

from . import settings

FORMAT = "grokfix-lines/1"
_MOST_CELLS = 4_000_000  # (test, file, line) cells; beyond it tests are left out, which bounds memory and the file
_OPTIMIZED = 0x1  # CO_OPTIMIZED: set for functions, not for the bodies of modules and classes, which imports run
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


class _Store:
    """What was executed, test by test; equal line sets are kept once."""

    def __init__(self, workspace: str) -> None:
        self.prefix = os.path.realpath(workspace) + os.sep
        self.files: dict[str, int] = {}
        self.sets: dict[tuple[int, ...], int] = {}
        self.tests: list[list[Any]] = []
        self.cells = 0
        self._known: dict[str, str | None] = {}

    def relative(self, filename: str) -> str | None:
        """Workspace-relative path of a code object's file, None where it lies outside or was installed."""
        try:
            return self._known[filename]
        except KeyError:
            path = None
            if not filename.startswith("<"):
                real = os.path.realpath(filename)
                if real.startswith(self.prefix) and not any(part in real for part in _INSTALLED):
                    path = real[len(self.prefix) :].replace(os.sep, "/")
            self._known[filename] = path
            return path

    def add(self, test: tuple[str, str, str], hits: set[tuple[str, int]]) -> None:
        by_file: dict[str, list[int]] = {}
        for filename, line in hits:
            path = self.relative(filename)
            if path is not None:
                by_file.setdefault(path, []).append(line)
        self.cells += sum(map(len, by_file.values()))
        if self.cells > _MOST_CELLS:
            return
        row = []
        for path, lines in by_file.items():
            key = tuple(sorted(set(lines)))
            row.append(
                [self.files.setdefault(path, len(self.files)), self.sets.setdefault(key, len(self.sets))],
            )
        self.tests.append([*test, row])

    def write(self) -> None:
        told = {"format": FORMAT, "files": list(self.files), "sets": list(self.sets), "tests": self.tests}
        settings.write("lines.json", json.dumps(told, separators=(",", ":")))


class MonitoringCollector:
    """`sys.monitoring` (3.12 and later)."""

    def __init__(self, workspace: str) -> None:
        self._store = _Store(workspace)
        self._monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 (absent before 3.12)
        self._tool: int | None = None
        self._hits: set[tuple[str, int]] = set()

    def start(self) -> None:
        monitoring = self._monitoring
        events = monitoring.events
        # 3 and 4 carry no name in PEP 669; the named ones are taken only where no such tool has them
        for tool in (3, 4, monitoring.COVERAGE_ID, monitoring.PROFILER_ID):
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, "grokfix")
                self._tool = tool
                break
        else:
            return
        monitoring.register_callback(tool, events.LINE, self._on_line)
        monitoring.register_callback(tool, events.PY_START, self._on_one_line)
        # Functions are switched on one by one, as the code that defines them is executed. A global PY_START event
        # would find them too, but is switched on again for everything, pytest included, before every test: 25 % more.
        sys.addaudithook(self._on_audit)
        for function in gc.get_objects():
            if isinstance(function, FunctionType):
                self._discover(function.__code__)

    def begin(self) -> None:
        self._hits.clear()
        if self._tool is not None:
            self._monitoring.restart_events()

    def end(self, test: tuple[str, str, str]) -> None:
        hits, self._hits = self._hits, set()
        self._store.add(test, hits)

    def stop(self) -> None:
        if self._tool is not None:
            for event in (self._monitoring.events.LINE, self._monitoring.events.PY_START):
                self._monitoring.register_callback(self._tool, event, None)
            self._monitoring.free_tool_id(self._tool)
            self._tool = None  # an audit hook cannot be removed; without a tool it does nothing
        self._store.write()

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """A module about to be executed: Python raises the audit event "exec" with its code."""
        if event == "exec" and self._tool is not None and isinstance(arguments[0], CodeType):
            self._discover(arguments[0])

    def _discover(self, code: CodeType) -> None:
        if self._store.relative(code.co_filename) is not None:
            self._watch(code)

    def _watch(self, code: CodeType) -> None:
        """Lines of `code` and the functions inside it report from now on."""
        if code.co_flags & _OPTIMIZED and self._tool is not None:
            events = self._monitoring.events
            # a body on the line of its `def` or `lambda` shares it with the start of the frame: no LINE event comes
            one_line = {line for _, _, line in code.co_lines() if line} == {code.co_firstlineno}
            self._monitoring.set_local_events(self._tool, code, events.PY_START if one_line else events.LINE)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._watch(constant)

    def _on_one_line(self, code: CodeType, _offset: int) -> Any:
        return self._on_line(code, code.co_firstlineno)

    def _on_line(self, code: CodeType, line: int) -> Any:
        self._hits.add((code.co_filename, line))
        return self._monitoring.DISABLE


class TracingCollector:
    """`sys.settrace` (before 3.12), until `seconds` of tests have been traced."""

    def __init__(self, workspace: str, seconds: float) -> None:
        self._store = _Store(workspace)
        self._left = seconds
        self._began: float | None = None
        self._hits: set[tuple[str, int]] = set()

    def start(self) -> None:
        """Nothing to prepare: tracing is switched on for each test."""

    def begin(self) -> None:
        if self._left <= 0 or sys.gettrace() is not None:  # a debugger or coverage tool keeps its place
            return
        self._hits = set()
        self._began = time.monotonic()
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)

    def end(self, test: tuple[str, str, str]) -> None:
        if self._began is None:
            return
        sys.settrace(None)
        threading.settrace(None)
        self._left -= time.monotonic() - self._began
        self._began = None
        self._store.add(test, self._hits)

    def stop(self) -> None:
        self._store.write()

    def _on_call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if not code.co_flags & _OPTIMIZED or self._store.relative(code.co_filename) is None:
            return None
        filename = code.co_filename
        add = self._hits.add

        def on_line(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "line":
                add((filename, frame.f_lineno))
            return on_line

        return on_line


def collector(run: settings.RunSettings) -> MonitoringCollector | TracingCollector:
    if sys.version_info >= (3, 12):
        return MonitoringCollector(run.workspace)
    return TracingCollector(run.workspace, run.line_seconds)
