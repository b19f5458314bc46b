"""Broken or flaky: the newest commit and one that was green, run in turn; then the commit that brought it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.flaky.ddmin import repeats_for
from bot.flaky.experiments.series import Seen, Series, Suspect
from bot.flaky.lab import Lab, NoRun
from bot.flaky.statistics import fisher_exact, lower_bound
from bot.flaky.types import Counts, Regression

_BELIEVED = 0.01
_EACH = 10  # runs at each of the two commits: 10/10 against 0/10 is a regression beyond doubt
_MOST = 20  # where the first ten differ, but not beyond doubt
_MISS = 0.02


@dataclass(frozen=True, slots=True)
class Step:
    """A commit between good (not included) and bad (the last), by first parents, oldest first."""

    commit: str
    author: str = ""


@dataclass(frozen=True, slots=True)
class Bisected:
    """What came of it. regression None: the two commits do not differ, and `why` says so with the counts.

    skipped: commits at which no run gave an answer, with the reason; the first bad one may be among them.
    """

    regression: Regression | None
    why: str
    skipped: tuple[tuple[str, str], ...] = ()


def regression(suspect: Suspect, lab: Lab, *, good: str, steps: Sequence[Step]) -> Bisected:
    """Runs the test at `good` and at the last of `steps` in turn; where they differ (Fisher's exact test), the first
    bad commit is searched for by halves, each commit run as often as the failure's rate asks for.

    The end of the lab's budget during the search keeps what was found: a regression without `first_bad`.
    """
    if not steps:
        return Bisected(None, "no commit lies between the last green one and this one")
    bad = steps[-1].commit
    series = Series(lab, suspect)
    try:
        at_good, at_bad = _interleaved(series, good, bad)
    except NoRun as over:
        return Bisected(None, f"not decided: {over}")
    p_value = fisher_exact(at_bad, at_good)
    counts = (
        f"{at_bad.failures} of {at_bad.runs} failed at {bad[:12]}, {at_good.failures} of {at_good.runs} at {good[:12]}"
    )
    if not at_good.runs or not at_bad.runs:
        return Bisected(None, f"no answer at one of the two commits: {series.problem}")
    if p_value > _BELIEVED or _rate(at_bad) <= _rate(at_good):
        return Bisected(None, f"no difference that counts: {counts} (p = {p_value:.2g})")
    found = Regression(suspect.test, good, bad, at_good, at_bad, p_value)
    if at_good.failures:
        return Bisected(found, f"{counts}; not bisected: it fails at the green commit too, only less often")
    try:
        first, skipped = _first_bad(series, steps, repeats_for(lower_bound(at_bad), _MISS))
    except NoRun as over:
        return Bisected(found, f"{counts}; the search for the commit ended: {over}")
    if first is None:
        return Bisected(found, f"{counts}; the commits between could not be run", skipped)
    step = steps[first]
    done = Regression(suspect.test, good, bad, at_good, at_bad, p_value, step.commit, step.author)
    return Bisected(done, f"{counts}; it came with {step.commit[:12]}", skipped)


def _interleaved(series: Series, good: str, bad: str) -> tuple[Counts, Counts]:
    """In turn, so that what changes on the machine meanwhile strikes both."""
    at_good, at_bad = Counts(), Counts()
    for made in range(1, _MOST + 1):
        at_bad += _counts(_once(series, bad))
        at_good += _counts(_once(series, good))
        if made == 2 and not (at_good.runs and at_bad.runs):
            break
        same = at_bad.failures <= at_good.failures
        if made >= _EACH and (same or fisher_exact(at_bad, at_good) <= _BELIEVED):
            break
    return at_good, at_bad


def _first_bad(series: Series, steps: Sequence[Step], repeats: int) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    """Index of the first commit at which it fails. A commit without an answer is stepped over, to its neighbours."""
    skipped: dict[int, str] = {}
    low, high = -1, len(steps) - 1  # low is good, high is bad
    while high - low > 1:
        middle = low + (high - low) // 2
        between = [index for index in range(low + 1, high) if index not in skipped]
        if not between:
            break
        index = min(between, key=lambda each: abs(each - middle))
        fails = _fails(series, steps[index].commit, repeats)
        if fails is None:
            skipped[index] = series.problem
        elif fails:
            high = index
        else:
            low = index
    doubtful = any(low < index < high for index in skipped)
    told = tuple((steps[index].commit, why) for index, why in sorted(skipped.items()))
    return (None if doubtful else high), told


def _fails(series: Series, commit: str, repeats: int) -> bool | None:
    """Whether it fails at `commit` in any of `repeats` runs; None where none gave an answer. Another failure is none:
    the commit may be broken in its own way."""
    answered = False
    for _ in range(repeats):
        seen = _once(series, commit)
        if seen is Seen.FAILED:
            return True
        answered = answered or seen is Seen.PASSED
        if seen is Seen.NOTHING and not answered:
            return None
    return False if answered else None


def _once(series: Series, commit: str) -> Seen:
    return series.read(series.lab.run((series.test,), purpose=f"bisect: {commit[:12]}", revision=commit))


def _counts(seen: Seen) -> Counts:
    return Counts(1, int(seen is Seen.FAILED)) if seen in (Seen.PASSED, Seen.FAILED) else Counts()


def _rate(counts: Counts) -> float:
    return counts.failures / counts.runs if counts.runs else 0.0
