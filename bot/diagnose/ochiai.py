"""Spectrum-based scores: Ochiai, ef / √(F · (ef + ep)).

F failing tests with data, ef of them and ep of the passing ones executed the line (Abreu et al., 2007). A line that no
failing test executed is not scored at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.diagnose.types import Spectrum
from bot.evidence.types import TestId


@dataclass(frozen=True, slots=True)
class LineScore:
    """A line's score in 0…1, with the counts that it comes from."""

    score: float
    failing: int
    failing_all: int
    passing: int
    passing_all: int


def line_scores(spectrum: Spectrum, targets: Iterable[TestId]) -> Mapping[tuple[str, int], LineScore]:
    """Scores by (path, line) for one cluster's tests against all that passed.

    Tests that fail for another reason are left out on both sides. Targets without data (their module could not be
    collected, or the collector ran out of time) do not count; with none left, there are no scores.
    """
    failing = [spectrum.lines[test] for test in set(targets) if test in spectrum.lines]
    passing = [files for test, files in spectrum.lines.items() if test not in spectrum.failing]
    executed: Counter[tuple[str, int]] = Counter(
        (path, line) for files in failing for path, lines in files.items() for line in lines
    )
    wanted: dict[str, set[int]] = {}
    for path, line in executed:
        wanted.setdefault(path, set()).add(line)
    passed: Counter[tuple[str, int]] = Counter()
    for files in passing:
        for path, lines in files.items():
            if path in wanted:
                passed.update((path, line) for line in lines & wanted[path])
    total = len(failing)
    return {
        place: LineScore(count / math.sqrt(total * (count + passed[place])), count, total, passed[place], len(passing))
        for place, count in executed.items()
    }
