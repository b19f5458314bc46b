"""Finding where the old lines of a hunk stand in a file: exactly, then tolerant of blanks, never by guessing."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

from bot.patch.indenting import indentation, width

_MOST_LINES_FOR_LIKENESS = 4000
_QUOTED_LINES = 25
_QUOTED_CHARACTERS = 200


class Tolerance(IntEnum):
    """How lines are compared; line ends never matter, for the file's own are kept."""

    EXACT = 0
    TRAILING = 1  # blanks at the end of a line do not count
    INDENTATION = 2  # nor do those at its beginning; whether the shape fits is seen afterwards


def key(line: str, tolerance: Tolerance) -> str:
    """What of a line is compared."""
    if tolerance is Tolerance.EXACT:
        return line
    line = line.removeprefix("\ufeff")
    return line.rstrip() if tolerance is Tolerance.TRAILING else line.strip()


def positions(lines: Sequence[str], wanted: Sequence[str], tolerance: Tolerance) -> tuple[int, ...]:
    """Every index of `lines` (without line ends) at which all of `wanted` stands; none where `wanted` is all blank."""
    sought = [key(line, tolerance) for line in wanted]
    solid = [index for index, line in enumerate(sought) if line.strip()]
    if not solid:
        return ()
    have = [key(line, tolerance) for line in lines]
    counts = Counter(have)
    anchor = min(solid, key=lambda index: counts[sought[index]])
    found = []
    for index, line in enumerate(have):
        start = index - anchor
        if line == sought[anchor] and start >= 0 and have[start : start + len(sought)] == sought:
            found.append(start)
    return tuple(found)


def nearest(lines: Sequence[str], wanted: Sequence[str]) -> tuple[int, int] | None:
    """The stretch of `lines` (first index, count) that is most like `wanted`; None where nothing is like it."""
    where: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if line.strip():
            where.setdefault(line.strip(), []).append(index)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(wanted):
        for index in where.get(line.strip(), ())[:200]:
            votes[max(index - offset, 0)] += 1
    if votes:
        start = max(votes.items(), key=lambda item: (item[1], -item[0]))[0]
        return start, min(len(wanted), len(lines) - start)
    longest = max((line.strip() for line in wanted), key=len, default="")
    choices = list(where)[:_MOST_LINES_FOR_LIKENESS]
    close = difflib.get_close_matches(longest[:_QUOTED_CHARACTERS], choices, n=1, cutoff=0.5) if longest else []
    if not close:
        return None
    start = max(where[close[0]][0] - 2, 0)
    return start, min(max(len(wanted), 5), len(lines) - start)


def quoted(lines: Sequence[str], first: int | None = None) -> str:
    """Lines for a message, bounded, control characters escaped, numbered from `first` where it is given."""
    shown = []
    for offset, line in enumerate(lines[:_QUOTED_LINES]):
        text = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in line)
        text = text[:_QUOTED_CHARACTERS] + ("…" if len(text) > _QUOTED_CHARACTERS else "")
        shown.append(f"  | {text}" if first is None else f"{first + offset:>5} | {text}")
    if len(lines) > _QUOTED_LINES:
        shown.append(f"  … and {len(lines) - _QUOTED_LINES} more lines")
    return "\n".join(shown)


def within(lines: Sequence[str], found: Sequence[int], section: str) -> tuple[int, ...]:
    """Places within the block that the hunk's section line opens, if that line stands in the file once."""
    label = section.strip()
    if len(label) < 3:
        return ()
    heads = [index for index, line in enumerate(lines) if line.strip().startswith(label)]
    if len(heads) != 1:
        return ()
    depth = width(indentation(lines[heads[0]]))
    end = len(lines)
    for index in range(heads[0] + 1, len(lines)):
        line = lines[index]
        if line.strip() and line.strip()[0] not in ")]}" and width(indentation(line)) <= depth:
            end = index
            break
    return tuple(start for start in found if heads[0] <= start < end)
