"""A project of the zoo in a real lab: its own git repository, the process sandbox, the runner of this interpreter."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.ports import Limits, SetUp
from bot.toolchains.python import PythonToolchain
from bot.verify.bench import SandboxBench
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import MemoryRecorder

ZOO = Path(__file__).parent / "zoo"
LEAN = ("python", "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:playwright", "-p", "no:anyio")
"""Plugins of our own development environment that a small project would not have: importing them takes a second a run."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a flaky test of the zoo."""

    cause: str
    polluters: tuple[str, ...] = ()
    setters: tuple[str, ...] = ()


def truths() -> Mapping[str, Mapping[TestId, Truth]]:
    """Flaky tests of each project; a control has none."""
    told = json.loads((ZOO / "truth.json").read_text())
    return {
        name: {
            TestId.from_node_id(node): Truth(
                each["cause"], tuple(each.get("polluters", ())), tuple(each.get("setters", ()))
            )
            for node, each in tests.items()
        }
        for name, tests in told.items()
    }


def zoo_files(name: str) -> dict[str, bytes | str]:
    """The project's files by path."""
    return {
        path.relative_to(ZOO / name).as_posix(): path.read_bytes()
        for path in sorted((ZOO / name).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def zoo_lab(name: str, *, minutes: float = 10.0, most_runs: int = 2_000) -> AbstractContextManager[BenchLab]:
    """A lab on the project, its suite run once."""
    return lab_of(name, zoo_files(name), minutes=minutes, most_runs=most_runs)


@contextmanager
def lab_of(
    name: str, files: Mapping[str, bytes | str], *, minutes: float = 10.0, most_runs: int = 2_000
) -> Iterator[BenchLab]:
    """The same on any files."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        repository = Repository.open(repositories.make(root / "project", files), root / "scratch")
        ends = time.monotonic() + minutes * 60
        suite = SuiteSettings(interpreter=sys.executable, test=LEAN)
        toolchain = PythonToolchain(suite)
        checkout = repository.checkout("HEAD")
        with ProcessSandbox(root / "boxes").set_up(SetUp(""), checkout.path, Limits()) as environment:
            with environment.open() as box:
                runtime = toolchain.probe(box)
            bench = SandboxBench(
                environment=environment,
                toolchain=toolchain,
                runtime=runtime,
                checkout=checkout,
                suite=suite,
                recorder=MemoryRecorder(),
                clock=SystemClock(),
                seconds_left=lambda: max(0.0, ends - time.monotonic()),
            )
            with BenchLab(bench, session=name, group="zoo", most_runs=most_runs, clock=time.time) as lab:
                lab.survey()
                yield lab
