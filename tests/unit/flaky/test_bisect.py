"""Broken or flaky: two commits in turn, and the commit that brought the failure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.flaky.bisect import Bisected, Step, regression
from bot.flaky.experiments.series import Suspect
from tests.fake_lab import FakeLab, Model, Process, test_id


def broken_from(index: int, rate: float = 1.0) -> Model:
    def model(process: Process) -> str:
        here = 10_000 if process.revision == "head" else int(process.revision.removeprefix("c"))
        return "ValueError: broken" if here >= index and process.luck.random() < rate else ""

    return model


def search(
    model: Model, commits: int, *, seed: int = 0, unprepared: tuple[str, ...] = (), most: int = 9_999
) -> tuple[Bisected, FakeLab]:
    lab = FakeLab({"test_it": model}, seed=seed, unprepared=unprepared, most_runs=most)
    steps = tuple(Step(f"c{number}", f"author {number}") for number in range(1, commits + 1))
    return regression(Suspect(test_id("test_it")), lab, good="c0", steps=steps), lab


@given(st.integers(1, 200), st.data())
@settings(max_examples=50, deadline=None)
def test_the_first_bad_commit(commits: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, commits))
    found, lab = search(broken_from(first), commits)
    assert found.regression is not None
    assert (found.regression.first_bad, found.regression.author) == (f"c{first}", f"author {first}")
    assert found.regression.p_value < 0.01
    assert lab.runs <= 20 + 3 * commits.bit_length()


def test_one_that_fails_now_and_then_is_bisected_with_more_runs() -> None:
    right = sum(
        found.regression is not None and found.regression.first_bad == "c11"
        for seed in range(20)
        for found, _ in (search(broken_from(11, 0.8), 30, seed=seed),)
    )
    assert right >= 18


def test_flaky_at_both_is_no_regression() -> None:
    found, _ = search(broken_from(0, 0.5), 30)
    assert found.regression is None and "no difference that counts" in found.why


def test_no_difference() -> None:
    found, lab = search(lambda process: "", 30)
    assert found.regression is None and lab.runs == 20


def test_a_commit_that_cannot_be_set_up_is_stepped_over() -> None:
    found, _ = search(broken_from(20), 30, unprepared=("c15", "c16"))
    assert found.regression is not None and found.regression.first_bad == "c20"
    assert found.skipped == (("c15", "c15 cannot be installed"),)


def test_where_the_first_bad_one_may_be_among_the_skipped_it_is_not_named() -> None:
    found, _ = search(broken_from(20), 30, unprepared=("c18", "c19", "c20"))
    assert found.regression is not None and found.regression.first_bad == ""
    assert [commit for commit, _ in found.skipped] == ["c18", "c19", "c20"]


@pytest.mark.parametrize(("most", "decided"), [(3, False), (21, True)])
def test_the_end_of_the_budget(most: int, decided: bool) -> None:
    found, _ = search(broken_from(20), 30, most=most)
    assert (found.regression is not None) is decided
    assert f"{most} runs are made" in found.why


def test_no_answer_at_the_green_commit() -> None:
    found, _ = search(broken_from(3), 5, unprepared=("c0",))
    assert found.regression is None and "c0 cannot be installed" in found.why


def test_nothing_between() -> None:
    assert search(broken_from(1), 0)[0].regression is None
