"""The lab over a real sandbox: records, budget, other revisions, runs side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.errors import SandboxError
from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.flaky.lab import Broke, Job, NoRun, Ran
from bot.flaky.rerun import Limits, screen
from bot.ports import Limits as BoxLimits
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import PLAIN, Conditions
from bot.verify.bench import SandboxBench
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import MemoryRecorder

OLD = "import pytest\n\ndef test_a():\n    assert True\n"
NEW = """\
import os
import time
import pytest

dirt = []

def test_a():
    dirt.append(1)

def test_b():
    assert not dirt or "KEPT" in os.environ, f"{len(dirt)} left over"

@pytest.mark.skip
def test_c(): ...
"""
HANGS = "import os, signal, time\ndef test_x():\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n    time.sleep(60)\n"
A, B = (TestId.from_node_id(f"test_it.py::test_{name}") for name in "ab")


class Place:
    """A repository with two commits and benches at each."""

    def __init__(self, folder: Path) -> None:
        self.root = repositories.make(folder / "repository", {"test_it.py": OLD})
        self.old = repositories.git(self.root, "rev-parse", "HEAD").strip()
        self.new = repositories.commit(self.root, {"test_it.py": NEW}, "second")
        self.hanging = repositories.commit(self.root, {"test_it.py": HANGS}, "third")
        (folder / "scratch").mkdir()
        self.repository = Repository.open(self.root, folder / "scratch")
        self.sandbox = ProcessSandbox(folder / "boxes")
        self.opened: list[str] = []
        self.left = 100.0

    @contextmanager
    def bench(self, revision: str, seconds: float = 60.0) -> Iterator[SandboxBench]:
        self.opened.append(revision)
        if revision == "broken":
            raise SandboxError("set-up command 'pip' ended with exit code 1")
        suite = SuiteSettings(interpreter=sys.executable, test=("python", "-m", "pytest"), seconds=seconds)
        toolchain = PythonToolchain(suite)
        checkout = self.repository.checkout(revision)
        plan = replace(
            toolchain.plan(checkout.path, suite, isolated=False), environment={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        )
        with self.sandbox.set_up(plan, checkout.path, BoxLimits()) as environment:
            with environment.open() as box:
                runtime = toolchain.probe(box)
            yield SandboxBench(
                environment=environment,
                toolchain=toolchain,
                runtime=runtime,
                checkout=checkout,
                suite=suite,
                recorder=MemoryRecorder(),
                clock=SystemClock(),
                seconds_left=lambda: self.left,
            )


MakeLab = Callable[..., BenchLab]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def make_lab(place: Place) -> Iterator[MakeLab]:
    with ExitStack() as stack:

        def make(revision: str = "", seconds: float = 60.0, most: int = 50, **named: object) -> BenchLab:
            bench = stack.enter_context(place.bench(revision or place.new, seconds))
            lab = BenchLab(
                bench, session="s", group="local", most_runs=most, clock=lambda: 5.0, elsewhere=place.bench, **named
            )  # type: ignore[arg-type]
            return stack.enter_context(lab)

        yield make


def test_records(make_lab: MakeLab, place: Place) -> None:
    lab = make_lab()
    assert lab.suite == ()
    first = lab.survey()
    assert isinstance(first, Ran)
    assert lab.suite == first.record.tests == (A, B)
    assert (first.record.key, first.record.commit, first.record.at) == ("rerun:s/1/1", place.new, 5.0)
    assert first.record.base
    assert first.record.whole
    assert first.record.failed[B].exception == "AssertionError"
    assert first.record.failed[B].message.startswith("1 left over")
    turned = lab.run((B, A), Conditions(in_order=True), purpose="turned")
    assert isinstance(turned, Ran)
    assert turned.record.tests == (B, A)
    assert not turned.record.failed
    assert turned.record.whole
    assert not turned.record.base
    alone = lab.run((B,), purpose="alone")
    counted = lab.rerun((B,), purpose="again")
    assert isinstance(alone, Ran)
    assert isinstance(counted, Ran)
    assert (alone.record.base, counted.record.base, counted.record.whole) == (False, True, False)
    assert [record.key for record in lab.records] == [f"rerun:s/1/{number}" for number in (1, 2, 3, 4)]
    assert {record.environment for record in lab.records} == {lab.environment}
    assert isinstance(lab.run((TestId.from_node_id("test_it.py::test_gone"),), purpose="gone"), Broke)


def test_another_revision_is_set_up_once(make_lab: MakeLab, place: Place) -> None:
    lab = make_lab()
    for _ in range(2):
        old = lab.run((A,), purpose="before", revision=place.old)
        assert isinstance(old, Ran)
        assert old.record.commit == place.old
        broken = lab.run((A,), purpose="before", revision="broken")
        assert isinstance(broken, Broke)
        assert "cannot be set up" in broken.problem
    assert place.opened == [place.new, place.old, "broken"]


def test_the_budget_ends_it(make_lab: MakeLab, place: Place) -> None:
    lab = make_lab(most=1)
    lab.survey()
    with pytest.raises(NoRun, match="all 1 runs"):
        lab.survey()
    place.left = 0.0
    with pytest.raises(NoRun, match="minutes"):
        make_lab().survey()


def test_a_run_that_hangs_names_its_test(make_lab: MakeLab, place: Place) -> None:
    lab = make_lab(place.hanging, seconds=2.5)
    run = lab.survey()
    assert isinstance(run, Broke)
    assert run.hung
    assert run.test == TestId.from_node_id("test_it.py::test_x")


def test_runs_side_by_side(make_lab: MakeLab) -> None:
    with ThreadPoolExecutor(2) as executor:
        lab = make_lab(executor=executor, most=3)
        jobs = [Job((B,), PLAIN, "alone"), Job((A, B), Conditions(in_order=True), "recorded")]
        first, second = lab.run_many(jobs)
        assert isinstance(first, Ran)
        assert isinstance(second, Ran)
        assert (bool(first.record.failed), bool(second.record.failed)) == (False, True)
        with pytest.raises(NoRun):
            lab.run_many(jobs)
        assert len(lab.records) == 3


def test_screening_finds_the_victim(make_lab: MakeLab) -> None:
    found = screen(make_lab(), None, Limits(4))
    assert found.ordered
    assert found.suspects == (B,)
