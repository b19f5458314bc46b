"""Finding where the old lines of a hunk stand in a file: exactly, then tolerant of blanks, never by guessing."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum

_TAB = 8
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


def indentation(line: str) -> str:
    """The blanks a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def within(lines: Sequence[str], found: Sequence[int], section: str) -> tuple[int, ...]:
    """Places within the block that the hunk's section line opens, if that line stands in the file once."""
    label = section.strip()
    if len(label) < 3:
        return ()
    heads = [index for index, line in enumerate(lines) if line.strip().startswith(label)]
    if len(heads) != 1:
        return ()
    depth = len(indentation(lines[heads[0]]).expandtabs())
    end = len(lines)
    for index in range(heads[0] + 1, len(lines)):
        line = lines[index]
        if line.strip() and line.strip()[0] not in ")]}" and len(indentation(line).expandtabs()) <= depth:
            end = index
            break
    return tuple(start for start in found if heads[0] <= start < end)


class Reindent:
    """Carries the indentation of a hunk over to the file's: learned from pairs of matching lines."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        """pairs: (line of the hunk, the same line in the file); blank ones teach nothing."""
        self.known: dict[str, str] = {}
        self.consistent = True
        for hunk_line, file_line in pairs:
            if not hunk_line.strip():
                continue
            ours, theirs = indentation(hunk_line), indentation(file_line.removeprefix("\ufeff"))
            if self.known.setdefault(ours, theirs) != theirs:
                self.consistent = False

    @property
    def identity(self) -> bool:
        return all(ours == theirs for ours, theirs in self.known.items())

    def line(self, text: str) -> str | None:
        """An added line with the file's indentation; None where the pairs do not tell what it is."""
        if not text or self.identity:
            return text
        ours = indentation(text)
        if not text.strip():
            # Blanks alone: whether they were moved with the rest shows in their kind only.
            return self._converted(ours)
        if ours in self.known:
            return self.known[ours] + text[len(ours) :]
        anchors = sorted(self.known.items(), key=lambda item: abs(_width(item[0]) - _width(ours)))
        shifts = {_width(theirs) - _width(known) for known, theirs in anchors}
        tabs = any("\t" in theirs for theirs in self.known.values())
        if not tabs and len(shifts) == 1 and "\t" not in ours:
            width = _width(ours) + shifts.pop()
            return " " * width + text[len(ours) :] if width >= 0 else None
        converted = self._converted(ours)
        return None if converted is None else converted + text[len(ours) :]

    def _converted(self, ours: str) -> str | None:
        """Blanks as tabs or tabs as blanks, where all pairs agree on how many make one."""
        unit = self._spaces_per_tab()
        if unit and ours.strip(" ") == "" and len(ours) % unit == 0:
            return "\t" * (len(ours) // unit)
        unit = self._spaces_per_level()
        levels = ours.rstrip(" ")  # blanks behind tabs align, and stay
        if unit and levels and set(levels) == {"\t"}:
            return " " * (unit * len(levels)) + ours[len(levels) :]
        return None

    def _spaces_per_tab(self) -> int | None:
        """Where the hunk has blanks and the file tabs: blanks a tab."""
        return _ratio((len(ours), len(theirs)) for ours, theirs in self._mixed(" ", "\t"))

    def _spaces_per_level(self) -> int | None:
        """Where the hunk has tabs and the file blanks: blanks a tab."""
        return _ratio((len(theirs), len(ours)) for ours, theirs in self._mixed("\t", " "))

    def _mixed(self, of_hunk: str, of_file: str) -> list[tuple[str, str]]:
        pairs = [(ours, theirs) for ours, theirs in self.known.items() if ours or theirs]
        good = all(set(ours) == {of_hunk} and set(theirs) == {of_file} for ours, theirs in pairs)
        return pairs if good else []


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(_TAB))


def _ratio(pairs: Iterable[tuple[int, int]]) -> int | None:
    ratios = set()
    for many, few in pairs:
        if few == 0 or many % few:
            return None
        ratios.add(many // few)
    return ratios.pop() if len(ratios) == 1 else None
