"""Placing a hunk whose context is not in the file line for line: dots for what lies between, hunks run together,
a blank line or a comment forgotten, an outer line that is not there.

The changes are what counts. Each run of changed lines must stand in one place: its removed lines as they are in the
file, and every line of its own beside an added one where the hunk has it. The context is evidence, read outwards from
there: all code in it must be found next to one of the changes, but for one outermost line. Of several places the one
that has more of the evidence on both sides is taken, and where none has, the hunk is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.patch.drafts import DraftLine, HunkDraft
from bot.patch.indenting import carry
from bot.patch.matching import Tolerance, key, within
from bot.patch.splices import Splice

DOTS = re.compile(r"\s*(?:#|//|/\*|--)?\s*(?:\.{3}|…)")
_SOFT = re.compile(r"\s*(?:#|//|/?\*|--|<!--|$)")
_LONGEST = 300  # characters of a line that the patterns above look at
_COMMENT = 6  # characters that a comment must keep to be known again
_MOST_SKIPPED = 3
_MOST_FORGOTTEN = 2
_MOST_PLACES = 400
_MOST_GROUPS = 60


@dataclass(frozen=True, slots=True)
class _Group:
    """A run of changed lines: hunk lines [start, end)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a group stands: its first old line is file line `at`; `pairs` maps context by hunk line to file line."""

    at: int
    above: tuple[tuple[int, int], ...]
    below: tuple[tuple[int, int], ...]


def place_loosely(lines: Sequence[str], hunk: HunkDraft) -> tuple[int, list[Splice]] | None:
    """First line and splices of a hunk; None where it stands nowhere, or not in one place only."""
    body = [_dots_are_code(line, lines) for line in hunk.lines]
    dots = {index for index, (_, stands_for_others) in enumerate(body) if stands_for_others}
    for tolerance in (Tolerance.TRAILING, Tolerance.INDENTATION):
        placed = _Loose(lines, [line for line, _ in body], dots, hunk.section, tolerance).place()
        if placed is not None:
            return placed
    return None


def _dots_are_code(line: DraftLine, lines: Sequence[str]) -> tuple[DraftLine, bool]:
    """The line, and whether it stands for what was left out: dots in the file itself are code."""
    dots = line.kind == " " and DOTS.match(line.text[:_LONGEST]) is not None
    return line, dots and not any(line.text.strip() == other.strip() for other in lines)


class _Loose:
    def __init__(
        self, lines: Sequence[str], body: list[DraftLine], dots: set[int], section: str, tolerance: Tolerance
    ) -> None:
        self.section = section
        self.lines = lines
        self.body = body
        self.dots = dots
        self.have = [key(line, tolerance) for line in lines]
        self.want = [key(line.text, tolerance) for line in body]

    def place(self) -> tuple[int, list[Splice]] | None:
        groups = list(self._groups())
        if not groups or len(groups) > _MOST_GROUPS:
            return None
        places = self._chosen([self._leading(list(self._places(group))) for group in groups])
        if places is None:
            return None
        if not self._is_in_order(groups, places) or not self._is_evident(groups, places):
            return None
        splices = []
        for group, place in zip(groups, places, strict=True):
            splice = self._splice(group, place)
            if splice is None:
                return None
            splices.append(splice)
        return places[0].at, splices

    # --- where one group stands --------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[_Group]:
        start = None
        for index, line in enumerate([*self.body, DraftLine(" ", "")]):
            if line.kind != " " and start is None:
                start = index
            elif line.kind == " " and start is not None:
                yield _Group(start, index)
                start = None

    def _old(self, group: _Group) -> list[str]:
        return [self.want[index] for index in range(group.start, group.end) if self.body[index].kind == "-"]

    def _places(self, group: _Group) -> Iterator[_Place]:
        old = self._old(group)
        above, below = self._neighbour(group.start - 1), self._neighbour(group.end)
        if not old and above is None and below is None:
            return
        found = 0
        for at in range(len(self.have) + 1):
            if self.have[at : at + len(old)] != old:
                continue
            end = at + len(old)
            fits_above = above is None or (at > 0 and self._is_beside(above, at - 1))
            fits_below = below is None or (end < len(self.have) and self._is_beside(below, end))
            # What is added beside a line must stay beside it; what takes the place of a removed line has its place.
            if not fits_above and (not old or (self.body[group.start].kind == "+" and above != 0)):
                continue
            if not fits_below and (not old or (self.body[group.end - 1].kind == "+" and below != len(self.body) - 1)):
                continue
            found += 1
            if found > _MOST_PLACES:
                return
            yield _Place(at, self._walk(group.start - 1, at - 1, -1), self._walk(group.end, end, 1))

    def _is_beside(self, index: int, position: int) -> bool:
        """The same line, or a comment that one of the two has more of."""
        want, have = self.want[index], self.have[position]
        if want == have:
            return True
        shorter, longer = sorted((want.strip(), have.strip()), key=len)
        soft = self._is_soft(index) and _SOFT.match(have[:_LONGEST]) is not None
        return soft and len(shorter) >= _COMMENT and longer.startswith(shorter)

    def _neighbour(self, index: int) -> int | None:
        inside = 0 <= index < len(self.body) and index not in self.dots
        return index if inside else None

    def _walk(self, index: int, position: int, step: int) -> tuple[tuple[int, int], ...]:
        """Context matched outwards from a change: (hunk line, file line) pairs."""
        pairs: list[tuple[int, int]] = []
        while 0 <= index < len(self.body) and self.body[index].kind == " " and index not in self.dots:
            ahead = self._ahead(index, position, step)
            if ahead is not None:
                pairs.append((index, ahead))
                position = ahead + step
            elif not self._is_soft(index):
                break
            index += step
        return tuple(pairs)

    def _ahead(self, index: int, position: int, step: int) -> int | None:
        """The file line that a context line means: the next one, or one behind blanks and comments."""
        for _ in range(_MOST_SKIPPED + 1):
            if not 0 <= position < len(self.have):
                return None
            if self.have[position] == self.want[index]:
                return position
            if not _SOFT.match(self.have[position][:_LONGEST]) or not self.want[index].strip():
                return None
            position += step
        return None

    def _is_soft(self, index: int) -> bool:
        return _SOFT.match(self.want[index][:_LONGEST]) is not None

    def _weight(self, pairs: Sequence[tuple[int, int]]) -> int:
        return sum(1 for index, _ in pairs if self.want[index].strip())

    def _leading(self, places: Sequence[_Place]) -> list[_Place]:
        """The places that none has more evidence than on either side; of several those in the block that the hunk's
        header names, where it names one."""
        weighed = [(self._weight(place.above), self._weight(place.below), place) for place in places]
        most = max((above + below for above, below, _ in weighed), default=0)
        leading = [
            place
            for above, below, place in weighed
            if above + below == most and all(above >= a and below >= b for a, b, _ in weighed)
        ]
        if len(leading) > 1:
            starts = [min([place.at, *(line for _, line in place.above)]) for place in leading]
            named = within(self.lines, starts, self.section)
            inside = [place for place, start in zip(leading, starts, strict=True) if start in named]
            leading = inside if len(inside) == 1 else leading
        return leading

    def _chosen(self, leading: list[list[_Place]]) -> list[_Place] | None:
        """One place for each group: its only one, or its only one between those of the groups before and after."""
        sure = [(number, each[0].at) for number, each in enumerate(leading) if len(each) == 1]
        places = []
        for number, each in enumerate(leading):
            first = max((at for index, at in sure if index < number), default=-1)
            end = min((at for index, at in sure if index > number), default=len(self.lines) + 1)
            left = each if len(each) == 1 else [place for place in each if first < place.at < end and sure]
            if len(left) != 1:
                return None
            places += left
        return places

    # --- all of them together ----------------------------------------------------------------------------------------

    def _is_in_order(self, groups: Sequence[_Group], places: Sequence[_Place]) -> bool:
        ends = [place.at + len(self._old(group)) for group, place in zip(groups, places, strict=True)]
        if any(end > place.at or first.at >= place.at for end, (first, place) in zip(ends, pairwise(places))):  # noqa: B905
            return False
        # A line of the hunk cannot be two lines of the file, nor a line of the file two of the hunk.
        where: dict[int, int] = {}
        for place in places:
            for index, line in (*place.above, *place.below):
                if where.setdefault(index, line) != line and not self._is_soft(index):
                    return False
        taken = [line for index, line in sorted(where.items()) if self.want[index].strip()]
        return all(before < after for before, after in pairwise(taken))

    def _is_evident(self, groups: Sequence[_Group], places: Sequence[_Place]) -> bool:
        matched = {index for place in places for index, _ in (*place.above, *place.below)}
        context = [i for i, line in enumerate(self.body) if line.kind == " " and i not in self.dots]
        missing = [index for index in context if index not in matched and self.want[index].strip()]
        solid = [index for index in missing if not self._is_soft(index)]
        outermost = {min(context, default=-1), max(context, default=-1)}
        if len(missing) - len(solid) > _MOST_FORGOTTEN or not set(solid) <= outermost or len(solid) > 1:
            return False
        for group, place in zip(groups, places, strict=True):
            weight = (
                self._weight(place.above) + self._weight(place.below) + sum(1 for t in self._old(group) if t.strip())
            )
            if weight < (3 if solid else 2):
                return False
        return True

    def _splice(self, group: _Group, place: _Place) -> Splice | None:
        changed = self.body[group.start : group.end]
        old = [line for line in changed if line.kind == "-"]
        pairs = [(self.body[index], self.lines[position]) for index, position in (*place.above, *place.below)]
        pairs += [(line, self.lines[place.at + offset]) for offset, line in enumerate(old)]
        added = carry(pairs, [line.text for line in changed if line.kind == "+"], self.lines)
        if added is None:
            return None
        end_is_open: bool | None = None
        for line in changed:
            end_is_open = (line.kind == "+") if line.unterminated else end_is_open
        return Splice(place.at, place.at + len(old), added, end_is_open)
