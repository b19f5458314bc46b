"""Claims from outcomes across commits: which tests fail in more sources than changes to the code explain."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from bot.flaky.ledger import Counter, Ledger, Run, is_change
from bot.flaky.statistics import benjamini_hochberg, binomial_tail
from bot.flaky.types import Counts

FALSE_DISCOVERIES = 0.05
LEAST_SOURCES = 2
"""One source alone is that change's own matter, whatever the arithmetic says."""
_NOISE = (0.001, 0.02)
"""Between these lies the rate, a test and source, at which tests fail because a change broke them: the suite's own mean
where it is between, so that a suite in which half the tests are flaky does not call that ordinary."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Sources of a test, and in how many it failed. holds: it survives the false discovery rate over the suite."""

    sources: Counts
    holds: bool


def claims(ledger: Ledger) -> Mapping[int, Claim]:
    """By number of the test; those that never failed are not told.

    A pull request is one source, however often it ran, and none where it failed as its branch had just done. A branch
    is one source a commit; commits in a row that fail are one failure: so looks a break that is mended later.
    """
    runs = sorted((run for run in ledger.runs if run.base and run.complete), key=lambda run: (run.at, run.key))
    sources: defaultdict[tuple[str, str], int] = defaultdict(int)
    rows: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)  # a branch's runs of one environment, by time
    for run in runs:
        if is_change(run.group):
            sources[run.group, ""] |= run.mask.value
        else:
            sources[run.group, run.commit or run.key] |= run.mask.value
            rows[run.group, run.environment].append(run)
    counter = Counter()
    for mask in sources.values():
        counter.add(mask)
    seen = counter.counts(len(ledger.tests))
    places = {id(run): place for row in rows.values() for place, run in enumerate(row)}
    counts = {}
    for number, pairs in ledger.failures.items():
        failing = [run for run, _ in pairs if id(run) in places or (run.base and run.complete and is_change(run.group))]
        if failing:
            counts[number] = Counts(seen[number], min(seen[number], _failures(ledger, number, failing, rows, places)))
    exposed = sum(seen)
    noise = min(_NOISE[1], max(_NOISE[0], sum(count.failures for count in counts.values()) / max(1, exposed)))
    tails = {number: binomial_tail(count.failures, count.runs, noise) for number, count in counts.items()}
    quiet = sum(1 for ran in seen if ran) - len(
        tails
    )  # tests that never failed are hypotheses too, and none of them falls
    rejected = benjamini_hochberg([*tails.values(), *([1.0] * quiet)], FALSE_DISCOVERIES)
    return {
        number: Claim(counts[number], falls and counts[number].failures >= LEAST_SOURCES)
        for number, falls in zip(tails, rejected, strict=False)
    }


def _failures(
    ledger: Ledger,
    number: int,
    failing: list[Run],
    rows: Mapping[tuple[str, str], list[Run]],
    places: Mapping[int, int],
) -> int:
    changes = {run.group for run in failing if is_change(run.group) and not _inherited(number, run, rows)}
    in_rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for run in failing:
        if not is_change(run.group):
            in_rows[run.group, run.environment].append(places[id(run)])
    most: defaultdict[str, int] = defaultdict(int)  # of a branch's environments the one with most breaks
    for (group, environment), row_places in in_rows.items():
        row, ordered = rows[group, environment], sorted(set(row_places))
        breaks = 1 + sum(
            any(ledger.passed(row[place], number) for place in range(before + 1, after))
            for before, after in pairwise(ordered)
        )
        most[group] = max(most[group], breaks)
    return len(changes) + sum(most.values())


def _inherited(number: int, run: Run, rows: Mapping[tuple[str, str], list[Run]]) -> bool:
    """Whether the newest run of a branch before this one failed too: the change took over what it began from."""
    for (_, environment), row in rows.items():
        if environment != run.environment:
            continue
        for before in reversed(row[: bisect_right(row, run.at, key=lambda other: other.at)]):
            if number in before.mask:
                if before.failed >> number & 1:
                    return True
                break
    return False
