"""The arithmetic that verdicts rest on; pure, standard library only. What is decided rests on Clopper-Pearson, whose
cover is never below what it claims; Wilson intervals are what people are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bot.flaky.types import Counts, Interval

CONFIDENCE = 0.95
_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
_REMEMBERED = 10_000  # bounds: a suite has many tests and few different counts
_HALVINGS = 60  # of an interval in [0, 1]: below what a float can tell
_TERMS = 10_000  # of a continued fraction that converges in about sqrt(max(a, b)) of them
_CONVERGED = 1e-15
_SMALL = 1e-300
_ROUNDING = 1e-7  # by which two equal probabilities may differ, as scipy allows for too


def wilson(counts: Counts) -> Interval:
    """95 % score interval (Wilson 1927) of the failure rate; everything where there was no run."""
    n, k = counts.runs, counts.failures
    if n == 0:
        return Interval(0.0, 1.0)
    rate, square = k / n, _Z * _Z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    return Interval(0.0 if k == 0 else max(0.0, middle - half), 1.0 if k == n else min(1.0, middle + half))


def clopper_pearson(counts: Counts, confidence: float = CONFIDENCE) -> Interval:
    """Two-sided exact interval (Clopper and Pearson 1934) of the failure rate."""
    one_sided = 1 - (1 - confidence) / 2
    return Interval(lower_bound(counts, one_sided), upper_bound(counts, one_sided))


@lru_cache(maxsize=_REMEMBERED)
def lower_bound(counts: Counts, confidence: float = CONFIDENCE) -> float:
    """One-sided Clopper-Pearson lower bound: under a lower rate so many failures are seen in at most 1 - confidence."""
    n, k = counts.runs, counts.failures
    if k == 0:
        return 0.0
    if k == n:
        return math.pow(1 - confidence, 1 / n)
    return _root(lambda rate: binomial_tail(k, n, rate) - (1 - confidence))


@lru_cache(maxsize=_REMEMBERED)
def upper_bound(counts: Counts, confidence: float = CONFIDENCE) -> float:
    """One-sided Clopper-Pearson upper bound: under a higher rate so few failures are seen in at most 1 - confidence."""
    n, k = counts.runs, counts.failures
    if n == k:
        return 1.0
    if k == 0:
        return 1 - math.pow(1 - confidence, 1 / n)
    return _root(lambda rate: binomial_tail(k + 1, n, rate) - confidence)


def binomial_tail(k: int, n: int, rate: float) -> float:
    """P(X ≥ k) of n runs that fail with `rate` each."""
    if k <= 0:
        return 1.0
    return 0.0 if k > n else _beta(k, n - k + 1, rate)


def runs_to_see(rate: float, confidence: float = CONFIDENCE) -> int:
    """Runs in which a test failing with `rate` (0 < rate ≤ 1) fails at least once: 5 % → 59."""
    if not 0 < rate <= 1:
        raise ValueError(f"a failure rate of {rate} cannot be waited for: it must be above 0 and at most 1")
    return 1 if rate == 1 else max(1, math.ceil(math.log(1 - confidence) / math.log1p(-rate)))


def clean_runs_to_prove(before: Counts, confidence: float = CONFIDENCE) -> int:
    """Clean runs after a fix that a test failing as `before` would have passed by luck in at most 1 - confidence.

    10/20 → 9, 5/20 → 28, 2/20 → 165. ValueError where it never failed: there is nothing to prove then.
    """
    return runs_to_see(lower_bound(before, confidence), confidence)


class Decision(StrEnum):
    """What a sequential test says so far."""

    CONTINUE = "continue"
    FLAKY = "flaky"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Sequential:
    """Wald's sequential probability ratio test of "fails with p0 at most" against "with p1 at least".

    alpha: chance to call a stable test flaky, beta: a flaky one stable; both hold approximately, as Wald's bounds do.
    """

    p0: float = 0.001
    p1: float = 0.05
    alpha: float = 0.01
    beta: float = 0.05

    def decide(self, counts: Counts) -> Decision:
        """By the counts alone: the order of the outcomes does not matter."""
        passes = counts.runs - counts.failures
        ratio = counts.failures * math.log(self.p1 / self.p0) + passes * math.log((1 - self.p1) / (1 - self.p0))
        if ratio >= math.log((1 - self.beta) / self.alpha):
            return Decision.FLAKY
        return Decision.STABLE if ratio <= math.log(self.beta / (1 - self.alpha)) else Decision.CONTINUE

    @property
    def clean_runs(self) -> int:
        """Runs without a failure after which a test is stable: 60 by default (Wald's bound gives 59.2)."""
        return math.ceil(math.log(self.beta / (1 - self.alpha)) / math.log((1 - self.p1) / (1 - self.p0)))


def fisher_exact(first: Counts, second: Counts) -> float:
    """Two-sided p-value that both fail with one and the same rate, margins held fixed (Fisher 1922).

    The sum of the probabilities of all tables that are no likelier than the one seen.
    """
    failures, runs = first.failures + second.failures, first.runs + second.runs
    low, high = max(0, failures - second.runs), min(failures, first.runs)
    whole = _log_choose(runs, failures)
    chances = [
        math.exp(_log_choose(first.runs, k) + _log_choose(second.runs, failures - k) - whole)
        for k in range(low, high + 1)
    ]
    seen = chances[first.failures - low]
    return min(1.0, math.fsum(chance for chance in chances if chance <= seen * (1 + _ROUNDING)))


def benjamini_hochberg(p_values: Sequence[float], rate: float = 0.05) -> tuple[bool, ...]:
    """Which hypotheses to reject so that of those rejected an expected `rate` at most are true (1995); input order."""
    count = len(p_values)
    ordered = sorted(p_values)
    limit = max((p for place, p in enumerate(ordered, 1) if p <= rate * place / count), default=-1.0)
    return tuple(p <= limit for p in p_values)


def posterior_mean(counts: Counts) -> float:
    """Expected failure rate under Jeffreys' prior Beta(½, ½)."""
    return (counts.failures + 0.5) / (counts.runs + 1)


def minutes_lost(counts: Counts, runs_a_week: float, minutes: float) -> float:
    """Minutes a week that a test costs: expected failures times the minutes of the run that each of them spoils."""
    return posterior_mean(counts) * runs_a_week * minutes


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _root(rising: Callable[[float], float]) -> float:
    """Where a function that rises over [0, 1] crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(a: int, b: int, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side of the mode
        return 1.0 - _beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a * _fraction(a, b, x)


def _fraction(a: int, b: int, x: float) -> float:
    """Continued fraction of the incomplete beta function (DLMF 8.17.22), by the modified Lentz method."""
    c, d, value = 1 / _SMALL, 1.0, 1.0
    for term in range(1, _TERMS):
        m = term // 2
        if term % 2 == 0:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / (1 + step * d or _SMALL)
        c = 1 + step / c or _SMALL
        value *= c * d
        if abs(c * d - 1) < _CONVERGED:
            break
    return value
