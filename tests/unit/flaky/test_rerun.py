"""Screening of modelled suites: what is found, in how many runs, and when it gives up."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from bot.evidence.types import TestId
from bot.flaky.lab import Broke, Job, NoRun, Observed, Ran
from bot.flaky.rerun import ALWAYS, Limits, screen, shuffled
from bot.flaky.statistics import Sequential
from bot.flaky.types import Failed, RunRecord, RunSource
from bot.toolchains.types import PLAIN, Conditions

Fails = Callable[[tuple[TestId, ...], int, Conditions], bool]
FAILED = Failed("f" * 64, "AssertionError", "assert False")


def identified(name: str) -> TestId:
    return TestId.from_node_id(name)


TESTS = tuple(identified(f"test_{module}.py::test_{number}") for module in "abc" for number in range(3))
FIRST, SECOND, LAST = TESTS[0], TESTS[1], TESTS[-1]


class ModelLab:
    """A suite whose tests fail by rules. hangs: tests that take their run with them. keeps_order: the runner obeys."""

    def __init__(
        self,
        fails: Mapping[TestId, Fails],
        *,
        hangs: Sequence[TestId] = (),
        keeps_order: bool = True,
        most: int = 10_000,
        broken: str = "",
        suite: tuple[TestId, ...] = (),
    ) -> None:
        self.fails, self.hangs, self.keeps_order, self.most, self.broken = fails, hangs, keeps_order, most, broken
        self.suite, self.runs = suite, 0
        self.records: list[RunRecord] = []

    def unsupported(self, conditions: Conditions) -> str:
        return ""

    def survey(self) -> Observed:
        return self.run(None, purpose="the suite")

    def rerun(self, tests: Sequence[TestId], *, purpose: str) -> Observed:
        kept = [test for test in TESTS if test in tests]
        return self._one(tuple(kept), PLAIN, purpose, base=True)

    def run(
        self, tests: Sequence[TestId] | None, conditions: Conditions = PLAIN, *, purpose: str, revision: str = ""
    ) -> Observed:
        order = TESTS if tests is None else tuple(tests)
        if not self.keeps_order:
            order = tuple(test for test in TESTS if test in order)
        return self._one(order, conditions, purpose, base=tests is None and conditions == PLAIN)

    def run_many(self, jobs: Sequence[Job]) -> tuple[Observed, ...]:
        return tuple(self.run(job.tests, job.conditions, purpose=job.purpose) for job in jobs)

    def _one(self, order: tuple[TestId, ...], conditions: Conditions, purpose: str, *, base: bool) -> Observed:
        if self.runs >= self.most:
            raise NoRun("the minutes are over")
        self.runs += 1
        if self.broken:
            return Broke(self.broken)
        for test in order:
            if test in self.hangs:
                return Broke("the run was stopped after 60 s", hung=True, test=test)
        failed = {
            test: FAILED
            for place, test in enumerate(order)
            if test in self.fails and self.fails[test](order[:place], self.runs, conditions)
        }
        record = RunRecord(
            f"rerun:s/1/{self.runs}", RunSource.RERUN, "g", "c", "e", 1, 0.0, 1.0, order, failed,
            whole=len(order) == len(TESTS), conditions=conditions, purpose=purpose, base=base,
        )  # fmt: skip
        self.records.append(record)
        self.suite = self.suite or order
        return Ran(record)


def sometimes(rate: float) -> Fails:
    chance = random.Random(1)
    return lambda before, run, conditions: chance.random() < rate


def always(before: tuple[TestId, ...], run: int, conditions: Conditions) -> bool:
    return True


def after(polluter: TestId) -> Fails:
    return lambda before, run, conditions: polluter in before


def test_each_kind_is_told_from_the_others() -> None:
    fails = {FIRST: after(LAST), SECOND: always, LAST: sometimes(0.3)}
    lab = ModelLab(fails)
    found = screen(lab, None, Limits(200))
    assert set(found.suspects) == {FIRST, LAST}
    assert found.failing == (SECOND,)
    assert found.counts[SECOND].runs == ALWAYS
    assert set(found.stable) == set(TESTS) - {FIRST, SECOND, LAST}
    assert (found.stopped, found.undecided, found.ordered) == ("", (), True)
    assert lab.runs <= Sequential().clean_runs + 2
    assert any(record.base for record in lab.records)
    assert all(record.conditions.hash_seed is not None for record in lab.records[2:] if not record.base)


def test_decided_tests_are_dropped() -> None:
    lab = ModelLab({SECOND: always})
    screen(lab, None, Limits(40))
    assert SECOND not in lab.records[-1].tests


def test_same_seed_asks_for_the_same_orders() -> None:
    first, second, other = ModelLab({}), ModelLab({}), ModelLab({})
    for lab, seed in ((first, 1), (second, 1), (other, 2)):
        screen(lab, None, Limits(9, seed))
    assert [record.tests for record in first.records] == [record.tests for record in second.records]
    assert [record.tests for record in first.records] != [record.tests for record in other.records]


def test_suspects_are_reran_alone_and_shuffled_among_all() -> None:
    lab = ModelLab({FIRST: after(LAST)})
    found = screen(lab, (FIRST,), Limits(60))
    assert found.suspects == (FIRST,)
    sizes = {len(record.tests) for record in lab.records}
    assert sizes <= {1, len(TESTS)}


@pytest.mark.parametrize(
    ("lab", "said"),
    [
        (ModelLab(dict.fromkeys(TESTS, always)), "9 of 9 tests fail at once, twice"),
        (ModelLab({}, broken="no report was written (exit 3)"), "the suite gave no report: no report was written"),
        (ModelLab({}, most=7), "the minutes are over"),
        (ModelLab({}, hangs=TESTS[:1]), "so mend or skip it first"),
    ],
)
def test_what_ends_it(lab: ModelLab, said: str) -> None:
    found = screen(lab, None, Limits(100))
    assert said in found.stopped
    assert not found.suspects


def test_hung_test_is_left_out_where_the_suite_is_known() -> None:
    lab = ModelLab({LAST: sometimes(0.3)}, hangs=[SECOND], suite=TESTS)
    found = screen(lab, None, Limits(200))
    assert found.hung == (SECOND,)
    assert found.suspects == (LAST,)
    assert any(SECOND.node_id in problem for problem in found.problems)


def test_runner_that_ignores_the_order() -> None:
    lab = ModelLab({FIRST: after(LAST)}, keeps_order=False)
    found = screen(lab, None, Limits(200))
    assert not found.ordered
    assert any("does not keep to the order" in problem for problem in found.problems)
    assert FIRST in found.stable
    assert all(record.conditions == PLAIN for record in lab.records[2:])


def test_runs_are_bounded() -> None:
    lab = ModelLab({})
    found = screen(lab, None, Limits(10))
    assert lab.runs == 10
    assert found.undecided == TESTS
    assert "10 runs" in found.stopped


def test_shuffles_keep_modules_together_or_not() -> None:
    order = shuffled(TESTS, random.Random(3), by_module=True)
    modules = [test.file for test in order]
    assert sum(one != other for one, other in itertools.pairwise(modules)) == 2
    assert sorted(order) == sorted(shuffled(TESTS, random.Random(3), by_module=False)) == sorted(TESTS)
