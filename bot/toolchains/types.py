"""What a toolchain does for a language: plan the set-up, run the tests, read what they said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.config import SuiteSettings
from bot.evidence.types import TestId
from bot.ports import Box, Command, Execution, RunResult, SetUp


@dataclass(frozen=True, slots=True)
class Runtime:
    """What stands in a box: probed once per environment. `runner` is "pytest" or "unittest"."""

    interpreter: str
    python: tuple[int, int, int]
    runner: str
    pytest: str = ""
    plugins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A test run ready to go: files for the box's control directory, and the command."""

    files: Mapping[str, bytes]
    command: Command


@dataclass(frozen=True, slots=True)
class LineHits:
    """Lines executed per test, as the collector in the box claims: test → path → line numbers."""

    lines: Mapping[TestId, Mapping[str, frozenset[int]]]


class Toolchain(Protocol):
    """One language's test runner."""

    @property
    def name(self) -> str: ...

    def plan(self, tree: Path, suite: SuiteSettings, *, isolated: bool) -> SetUp:
        """Image, set-up commands and cache-key files for the checkout; ConfigError where nothing fits."""
        ...

    def probe(self, box: Box) -> Runtime:
        """What the environment has; ConfigError where tests cannot run there, saying what is missing."""
        ...

    def run_plan(
        self,
        runtime: Runtime,
        box: Box,
        ids: tuple[TestId, ...] | None,
        *,
        seconds: float,
        spectrum: bool = False,
        coverage_thresholds: bool = True,
    ) -> RunPlan:
        """Plan a run of `ids` (None: the whole suite); `spectrum` collects executed lines per test."""
        ...

    def read(self, box: Box, execution: Execution, ids: tuple[TestId, ...] | None) -> RunResult:
        """Read the report. `problem` is set, and the report not to be believed, on: exit 0 with failures in the report,
        exit outside {0, 1}, no report, fewer ids than selected, exit 1 without a failing case."""
        ...

    def read_hits(self, box: Box) -> LineHits | None:
        """What the collector wrote, None where it wrote nothing readable."""
        ...
