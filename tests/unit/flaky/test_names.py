"""Runs of CI and of ours tell of the same tests, whatever their reports call them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.evidence.types import TestId
from bot.flaky.judge import judge
from bot.flaky.names import full_names, unified
from bot.flaky.store import Store
from bot.flaky.types import Failed, Night, RunRecord, RunSource, Shard
from bot.flaky.verdict import Kind
from tests.fakes import FakeClock

FULL = TestId.from_node_id("tests/test_cart.py::TestTotals::test_sum[a-1]")
OTHER = TestId.from_node_id("tests/test_cart.py::test_empty")
FAILED = Failed("f1", "AssertionError", "assert 1 == 2")


def bare(test: TestId) -> TestId:
    """As pytest's reports name it by default."""
    return replace(test, file="")


def run(key: str, *tests: TestId, failed: tuple[TestId, ...] = (), source: RunSource = RunSource.CI) -> RunRecord:
    return RunRecord(
        key=key,
        source=source,
        group="branch:main",
        commit="c" * 40,
        environment="sandbox" if source is RunSource.RERUN else "ci",
        attempt=1,
        at=1_000.0,
        seconds=1.0,
        tests=tests,
        failed=dict.fromkeys(failed, FAILED),
        retried=frozenset(tests[:1]) - frozenset(failed),
        durations=dict.fromkeys(tests, 0.5),
    )


def test_a_run_without_files_tells_of_the_tests_that_have_them() -> None:
    ours = run("rerun:n/1/1", FULL, OTHER, source=RunSource.RERUN)
    theirs = run("ci:1/1/test", bare(OTHER), bare(FULL), failed=(bare(FULL),))
    kept, changed = unified((ours, theirs))
    assert kept is ours
    assert (changed.tests, dict(changed.failed)) == ((OTHER, FULL), {FULL: FAILED})
    assert (changed.retried, set(changed.durations)) == (frozenset({OTHER}), {FULL, OTHER})


def test_a_failure_in_ci_and_a_pass_of_ours_are_one_tests() -> None:
    environment = {"environment": "one"}
    runs = [
        replace(run(f"rerun:n/1/{n}", FULL, source=RunSource.RERUN), retried=frozenset(), **environment)
        for n in range(20)
    ]
    theirs = replace(run("ci:1/1/test", bare(FULL), failed=(bare(FULL),)), **environment)
    triage = judge(unified((*runs, theirs)), session="n", commit="c" * 40, environment="one", at=2_000.0)
    (verdict,) = triage.verdicts
    assert (verdict.test, verdict.kind) == (FULL, Kind.FLAKY)


def test_what_could_mean_two_tests_keeps_its_name() -> None:
    twin = TestId.from_node_id("other/tests/test_cart.py::test_empty")
    short = TestId("", "test_cart", "test_empty")
    assert full_names((OTHER, twin, short)) == {}
    assert full_names((FULL, TestId("", "test_other", FULL.name))) == {}


def test_two_names_in_one_run_are_two_tests() -> None:
    short = TestId("", "test_cart", "test_empty")
    theirs = run("ci:1/1/test", bare(OTHER), short, failed=(short,))
    assert unified((run("rerun:n/1/1", OTHER, source=RunSource.RERUN), theirs))[1] is theirs


def test_without_any_file_nothing_changes() -> None:
    theirs = run("ci:1/1/test", bare(OTHER))
    assert unified((theirs,)) == (theirs,)
    assert unified(()) == ()


def test_the_store_reads_runs_under_full_names(tmp_path: Path) -> None:
    clock = FakeClock()

    def here(record: RunRecord) -> RunRecord:
        return replace(record, at=clock.now())

    night = Night(
        "n",
        Shard(),
        at=clock.now(),
        commit="c" * 40,
        environment="one",
        records=(here(run("rerun:n/1/1", FULL, source=RunSource.RERUN)),),
    )
    with Store.open(tmp_path / "history.db", clock) as store:
        store.add(replace(night, session="m", records=(here(run("ci:1/1/test", bare(FULL), failed=(bare(FULL),))),)))
        store.add(night)
        assert {test for record in store.records() for test in record.tests} == {FULL}
        assert any(FULL in record.failed for record in store.records())
