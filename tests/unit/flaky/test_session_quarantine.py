"""A real session on a repository with a quarantine: it is lifted, listed tests run, a clean one is provoked again."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.flaky.quarantine import Entry, Quarantine, content_of
from bot.flaky.quarantine_proof import healed
from bot.flaky.session import Plan, hold
from bot.flaky.types import Cause, Counts, Finding, Proof, Trial
from bot.ports import Limits
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import PLAIN, Conditions
from bot.verify.bench import SandboxBench
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import MemoryRecorder

TESTS = "def test_mended():\n    assert sorted({'a', 'b'}) == ['a', 'b']\n\ndef test_flaky():\n    assert not 1\n"
MENDED, FLAKY = (TestId.from_node_id(f"test_it.py::test_{name}") for name in ("mended", "flaky"))
SEEDED = Conditions(hash_seed=3)


def test_quarantined_tests_run_and_what_was_proven_is_provoked_once_more(tmp_path: Path) -> None:
    entries = [Entry(test, "", "", "", "", "2026-01-01", "2999-01-01") for test in (MENDED, FLAKY)]
    files = {"test_it.py": TESTS}
    content = content_of(entries, Quarantine(), {})
    files |= {path: data.decode() for path, data in content.files.items() if data is not None}
    root = repositories.make(tmp_path / "repository", files)
    (tmp_path / "scratch").mkdir()
    suite = SuiteSettings(interpreter=sys.executable, test=("python", "-m", "pytest"), seconds=60)
    toolchain = PythonToolchain(suite)
    checkout = Repository.open(root, tmp_path / "scratch").checkout("HEAD")
    plan = replace(
        toolchain.plan(checkout.path, suite, isolated=False), environment={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    )
    provoked = Trial("provoked", (MENDED,), SEEDED, Counts(5, 5))
    proof = Proof(Cause.HASH_ORDER, "PYTHONHASHSEED=3", (provoked, Trial("removed", (MENDED,), PLAIN, Counts(9, 0))))
    with ProcessSandbox(tmp_path / "boxes").set_up(plan, checkout.path, Limits()) as environment:
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
            seconds_left=lambda: 100.0,
        )
        with BenchLab(bench, session="s", group="branch:main", most_runs=16, clock=lambda: 5.0) as lab:
            session = Plan("s", 5.0, runs=8, suspects=3, quarantined=(Finding(MENDED, (proof,), ()),))
            night = hold(session, lab)
    ordinary = [record for record in night.records if record.base]
    assert len(ordinary) >= 2
    assert all(set(record.failed) == {FLAKY} for record in ordinary), "the quarantine is lifted"
    [again] = [finding for finding in night.findings if finding.test == MENDED]
    assert [trial.counts for tried in again.tried for trial in tried.trials] == [Counts(10, 0)]
    assert night.findings[0] == again, "before the experiments on what still fails"
    assert healed({MENDED: 0.0}, night.records, (), [(night.at, again)]) == (), "it never failed in these runs"
