"""Held against scipy, and against the figures that docs/flaky.md quotes."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats

from bot.flaky.statistics import (
    Decision,
    Sequential,
    benjamini_hochberg,
    binomial_tail,
    clean_runs_to_prove,
    clopper_pearson,
    fisher_exact,
    lower_bound,
    minutes_lost,
    posterior_mean,
    runs_to_see,
    upper_bound,
    wilson,
)
from bot.flaky.types import Counts, Interval

SOME = [(1, 0), (1, 1), (3, 1), (20, 0), (20, 7), (20, 20), (300, 1), (300, 299), (20_000, 3), (200_000, 71_234)]


@pytest.mark.parametrize(("runs", "failures"), SOME)
def test_intervals_and_bounds_are_scipys(runs: int, failures: int) -> None:
    counts, reference = Counts(runs, failures), stats.binomtest(failures, runs)
    exact, score = (reference.proportion_ci(0.95, method) for method in ("exact", "wilson"))
    assert clopper_pearson(counts).low == pytest.approx(exact.low, abs=1e-9)
    assert clopper_pearson(counts).high == pytest.approx(exact.high, abs=1e-9)
    assert wilson(counts).low == pytest.approx(score.low, abs=1e-9)
    assert wilson(counts).high == pytest.approx(score.high, abs=1e-9)
    greater = stats.binomtest(failures, runs, alternative="greater").proportion_ci(0.95).low
    less = stats.binomtest(failures, runs, alternative="less").proportion_ci(0.95).high
    assert lower_bound(counts) == pytest.approx(greater, abs=1e-9)
    assert upper_bound(counts) == pytest.approx(less, abs=1e-9)


def test_no_runs_say_nothing() -> None:
    assert wilson(Counts()) == Interval(0.0, 1.0)
    assert clopper_pearson(Counts()) == Interval(0.0, 1.0)
    assert lower_bound(Counts()) == 0.0
    assert upper_bound(Counts()) == 1.0


@pytest.mark.parametrize("k", [1, 5, 10])
def test_all_and_none(k: int) -> None:
    assert lower_bound(Counts(k, k)) == pytest.approx(0.05 ** (1 / k))
    assert upper_bound(Counts(k, 0)) == pytest.approx(1 - 0.05 ** (1 / k))


def test_fisher_is_scipys() -> None:
    draw = random.Random(5)
    for _ in range(200):
        a, b = draw.randint(1, 80), draw.randint(1, 80)
        x, y = draw.randint(0, a), draw.randint(0, b)
        reference = stats.fisher_exact([[x, a - x], [y, b - y]])[1]
        assert fisher_exact(Counts(a, x), Counts(b, y)) == pytest.approx(reference, abs=1e-8)
    assert fisher_exact(Counts(10, 10), Counts(10, 0)) < 1.1e-5
    assert fisher_exact(Counts(), Counts()) == 1.0


def test_tail_and_false_discoveries_are_scipys() -> None:
    draw = random.Random(6)
    for _ in range(200):
        n, rate = draw.randint(1, 500), draw.random()
        k = draw.randint(0, n + 1)
        assert binomial_tail(k, n, rate) == pytest.approx(stats.binom.sf(k - 1, n, rate), abs=1e-10)
        p_values = [draw.random() ** draw.choice([1, 8]) for _ in range(draw.randint(1, 40))]
        adjusted = stats.false_discovery_control(p_values)
        assert benjamini_hochberg(p_values) == tuple(bool(p <= 0.05) for p in adjusted)
    assert benjamini_hochberg([]) == ()


@pytest.mark.parametrize(("rate", "runs"), [(0.2, 14), (0.1, 29), (0.05, 59), (0.01, 299), (1.0, 1), (0.99, 1)])
def test_runs_to_see(rate: float, runs: int) -> None:
    assert runs_to_see(rate) == runs


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5, math.nan])
def test_what_cannot_be_waited_for(rate: float) -> None:
    with pytest.raises(ValueError, match="cannot be waited for"):
        runs_to_see(rate)


@pytest.mark.parametrize(("failures", "runs"), [(10, 9), (5, 28), (2, 165)])
def test_clean_runs_to_prove(failures: int, runs: int) -> None:
    assert clean_runs_to_prove(Counts(20, failures)) == runs


def test_what_never_failed_cannot_be_proven_mended() -> None:
    with pytest.raises(ValueError):
        clean_runs_to_prove(Counts(20, 0))


@pytest.mark.parametrize(
    ("runs", "failures", "decision"),
    [
        (0, 0, Decision.CONTINUE),
        (59, 0, Decision.CONTINUE),
        (60, 0, Decision.STABLE),
        (1, 1, Decision.CONTINUE),
        (2, 2, Decision.FLAKY),
        (20, 2, Decision.FLAKY),
        (137, 1, Decision.CONTINUE),
        (140, 1, Decision.STABLE),
    ],
)
def test_sequential(runs: int, failures: int, decision: Decision) -> None:
    assert Sequential().decide(Counts(runs, failures)) is decision
    assert Sequential().clean_runs == 60


@pytest.mark.parametrize(("rate", "wrong", "at_most"), [(0.001, Decision.FLAKY, 0.01), (0.05, Decision.STABLE, 0.05)])
def test_sequential_errs_as_seldom_as_it_says(rate: float, wrong: Decision, at_most: float) -> None:
    draw, test, times, errors = random.Random(7), Sequential(), 1_500, 0
    for _ in range(times):
        counts = Counts()
        while test.decide(counts) is Decision.CONTINUE:
            counts += Counts(1, draw.random() < rate)
        errors += test.decide(counts) is wrong
    assert errors / times <= at_most + 3 * math.sqrt(at_most * (1 - at_most) / times)


def test_minutes() -> None:
    assert posterior_mean(Counts(9, 0)) == 0.05
    assert minutes_lost(Counts(9, 0), runs_a_week=40, minutes=10) == pytest.approx(20)
