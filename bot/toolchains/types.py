"""What a toolchain does for a language: plan the set-up, run the tests, read what they said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which conditions a test run takes place; the defaults are those of every ordinary run.

    in_order: the selection runs in exactly the order it was given in (whole-suite order is then the caller's list).
    repeat: how often each selected test runs, one after the other in one process; a test passed where all did.
    hash_seed: PYTHONHASHSEED. random_seed: seeds the language's random generators before each test.
    clock: ISO 8601 local time at which the process believes to begin; time then goes on. zone: TZ, an IANA name.
    cpu_share: share of the time in which the run's processes may work, 0 < share ≤ 1. load: busy processes beside it.
    one_core: bound to a single core. workers: parallel processes of the runner, where it can (0: none asked for).
    offline: connections beyond loopback fail at once, and are told of. network: a way out, where ordinary runs have
    none (`ports.Environment.no_network`). fresh_home: HOME and the temporary folder are
    new and empty. open_files: limit of open file descriptors, 0 = as it is. ports: TCP ports of loopback that somebody
    else holds. directory_order: "sorted", "reversed" or "" = as the file system has it.
    threads: OMP_NUM_THREADS and its relatives, 0 = as it is.
    thread_turns: "often": a thread is asked to let another run after a microsecond; "lines": and lets it run at every
    line of the project's code; "seldom": only where it waits by itself, each line taking as long as with "lines"; "" =
    as it is.
    neighbours: processes that run other tests of the suite over and over beside the selected ones, from before the
    first of these begins. beside: node ids of those tests, () = all that are not selected.
    """

    in_order: bool = False
    repeat: int = 1
    hash_seed: int | None = None
    random_seed: int | None = None
    clock: str = ""
    zone: str = ""
    cpu_share: float = 1.0
    load: int = 0
    one_core: bool = False
    workers: int = 0
    offline: bool = False
    network: bool = False
    fresh_home: bool = False
    open_files: int = 0
    ports: tuple[int, ...] = ()
    directory_order: str = ""
    threads: int = 0
    thread_turns: str = ""
    neighbours: int = 0
    beside: tuple[str, ...] = ()


PLAIN = Conditions()


@dataclass(frozen=True, slots=True)
class Touched:
    """What the observer in the box claims of a run, all of it untrusted code's word.

    hosts: "host:port" that it wanted to reach beyond loopback, refused or not ("host:0": looked up only).
    ports: loopback TCP ports that it bound by number. Only the runner's own process and what it forks is seen, no
    other program that it starts. rounds: of tests that ran more than once (`Conditions.repeat`), each round in turn:
    "p" passed, "f" failed, "s" skipped. last: the test that began last, None where nothing tells. threads: it started
    threads of the language.
    """

    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    rounds: Mapping[TestId, str] = field(default_factory=dict)
    last: TestId | None = None
    threads: bool = False


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
        conditions: Conditions = PLAIN,
        observe: bool = False,
    ) -> RunPlan:
        """Plan a run of `ids` (None: the whole suite); `spectrum` collects executed lines per test.

        conditions: those that the runner cannot bring about raise ConfigError, see `unsupported`. observe: note what
        the run reaches for (`read_touched`), at some cost in speed."""
        ...

    def unsupported(self, runtime: Runtime, conditions: Conditions) -> str:
        """Why this runner cannot bring about `conditions`, "" where it can."""
        ...

    def read(self, box: Box, execution: Execution, ids: tuple[TestId, ...] | None) -> RunResult:
        """Read the report. `problem` is set, and the report not to be believed, on: exit 0 with failures in the report,
        exit outside {0, 1}, no report, fewer ids than selected, exit 1 without a failing case."""
        ...

    def read_hits(self, box: Box) -> LineHits | None:
        """What the collector wrote, None where it wrote nothing readable."""
        ...

    def read_touched(self, box: Box) -> Touched:
        """What the observer wrote; empty where it wrote nothing readable or the runner has none."""
        ...
