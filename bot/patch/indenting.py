"""The indentation of added lines, carried over from a hunk's to the file's.

Authors write a hunk a level too far to the left, in tabs for blanks, or lose the blank that marks context, which looks
much alike. Every rule that explains all quoted lines is tried; where several do, the one under which the added lines
stand where the file's lines do is taken, and where that is no answer, none is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.patch.drafts import DraftLine

_TAB = 8


@dataclass(frozen=True, slots=True)
class Shift:
    """So many blanks or tabs more than the hunk has."""

    character: str
    by: int

    def of(self, ours: str) -> str | None:
        if not self.by:
            return ours
        depth, rest = _split(ours, self.character)
        if depth + self.by < 0 or (rest and (not depth or self.character == " ")):
            return None
        return self.character * (depth + self.by) + rest  # blanks behind tabs align, and stay


@dataclass(frozen=True, slots=True)
class Conversion:
    """Blanks for the hunk's tabs, or tabs for its blanks: so many blanks a tab."""

    hunk: str
    blanks: int

    def of(self, ours: str) -> str | None:
        depth, rest = _split(ours, self.hunk)
        if self.hunk == "\t":
            return None if rest and not depth else " " * (self.blanks * depth) + rest
        return None if rest or depth % self.blanks else "\t" * (depth // self.blanks)


Rule = Shift | Conversion


@dataclass(frozen=True, slots=True)
class Pair:
    """The indentation of one line in the hunk and in the file. firm: the hunk's is as its author wrote it; that of
    context may have lost a blank, taken for the mark."""

    ours: str
    theirs: str
    firm: bool

    def follows(self, rule: Rule) -> bool:
        return rule.of(self.ours) == self.theirs or (not self.firm and rule.of(f" {self.ours}") == self.theirs)


def carry(
    pairs: Sequence[tuple[DraftLine, str]], added: Sequence[str], lines: Sequence[str], habit: Conversion | None = None
) -> tuple[str, ...] | None:
    """Added lines with the file's indentation; None where what they need cannot be told.

    pairs: old lines of the hunk, each with the line of the file that it stands for. lines: the whole file. habit: what
    another hunk of the file shows of tabs and blanks, for one whose own lines show nothing.
    """
    known = _pairs(pairs)
    if all(pair.ours == pair.theirs == "" for pair in known):
        return _without_evidence(added, lines, habit)
    if all(pair.ours == pair.theirs for pair in known):
        return tuple(added)
    rules = _rules(known)
    if not rules:
        return _looked_up(known, added)
    results = {moved: rule for rule in rules if (moved := _carried(rule, added)) is not None}
    home = _home(known, lines)
    if len(results) > 1:
        return home.of_one(tuple(results))
    for moved, rule in results.items():
        as_it_stands = all(rule.of(pair.ours) == pair.theirs for pair in known)
        if as_it_stands or home.count(moved) or not any(text.strip() for text in added):
            return moved
    return None


def habit_of(pairs: Sequence[tuple[DraftLine, str]]) -> Conversion | None:
    """The one conversion of tabs and blanks that explains these lines; None where there is none."""
    found = [rule for rule in _rules(_pairs(pairs)) if isinstance(rule, Conversion)]
    return found[0] if len(found) == 1 else None


def indentation(line: str) -> str:
    """The blanks a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(blanks: str) -> int:
    """Columns of an indentation."""
    return len(blanks.expandtabs(_TAB))


def _pairs(pairs: Iterable[tuple[DraftLine, str]]) -> list[Pair]:
    found = (
        Pair(indentation(line.text), indentation(theirs.removeprefix("\ufeff")), line.bare or line.kind != " ")
        for line, theirs in pairs
        if line.text.strip()
    )
    return list(dict.fromkeys(found))


def _split(blanks: str, character: str) -> tuple[int, str]:
    rest = blanks.lstrip(character)
    return len(blanks) - len(rest), rest


def _rules(pairs: Sequence[Pair]) -> list[Rule]:
    """Every rule that explains all pairs; where one does as they stand, blanks may still be lost in all of them."""
    ours, theirs = {*"".join(pair.ours for pair in pairs)}, {*"".join(pair.theirs for pair in pairs)}
    found: set[Rule] = set()
    for pair in pairs:
        for lost in (0,) if pair.firm else (0, 1):
            blanks, depth = f"{' ' * lost}{pair.ours}", len(pair.theirs)
            if "\t" in ours | theirs:
                found.add(Shift("\t", _split(pair.theirs, "\t")[0] - _split(blanks, "\t")[0]))
            else:
                found.add(Shift(" ", depth - len(blanks)))
            if ours <= {" "} and theirs == {"\t"} and depth and blanks and len(blanks) % depth == 0:
                found.add(Conversion(" ", len(blanks) // depth))
            if ours == {"\t"} and theirs == {" "} and pair.ours and depth % len(pair.ours) == 0:
                found.add(Conversion("\t", depth // len(pair.ours)))
    return [rule for rule in found if all(pair.follows(rule) for pair in pairs)]


def _carried(rule: Rule, added: Sequence[str]) -> tuple[str, ...] | None:
    found: list[str] = []
    for text in added:
        blanks = indentation(text)
        if text and not text.strip() and isinstance(rule, Shift) and rule.by:
            return None  # of blanks alone, only their kind shows whether they were moved with the rest
        moved = rule.of(blanks) if text else ""
        if moved is None:
            return None
        found.append(moved + text[len(blanks) :])
    return tuple(found)


def _looked_up(pairs: Sequence[Pair], added: Sequence[str]) -> tuple[str, ...] | None:
    """Where no rule explains the pairs: only what was seen."""
    known: dict[str, str] = {}
    for pair in pairs:
        if known.setdefault(pair.ours, pair.theirs) != pair.theirs:
            return None
    found = [known.get(indentation(text)) if text else "" for text in added]
    if any(blanks is None or (text and not text.strip()) for blanks, text in zip(found, added, strict=True)):
        return None
    return tuple(f"{blanks}{text[len(indentation(text)) :]}" for blanks, text in zip(found, added, strict=True))


def _without_evidence(added: Sequence[str], lines: Sequence[str], habit: Conversion | None) -> tuple[str, ...] | None:
    """The quoted lines stand at the margin: added lines are taken as they are, unless they are indented with what the
    whole file is not."""
    ours = {indentation(text)[:1] for text in added if text.strip()} - {""}
    theirs = {indentation(line)[:1] for line in lines if line.strip()} - {""}
    if not theirs or ours & theirs or not ours:
        return tuple(added)
    return _carried(habit, added) if habit is not None and ours == {habit.hunk} else None


@dataclass(frozen=True, slots=True)
class _Home:
    """Where lines of the file stand: at known widths, and at multiples of its step."""

    known: frozenset[int]
    step: int

    def of_one(self, choices: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
        """The only one whose outermost lines stand at home, for deeper ones may align with something; where another
        has more lines at home, they must stand where quoted lines do."""
        inside = [lines for lines in choices if self._holds(_outermost(lines))]
        if len(inside) != 1:
            return None
        most = max(self.count(lines) for lines in choices)
        sure = _outermost(inside[0]) in self.known or self.count(inside[0]) == most
        return inside[0] if sure else None

    def count(self, lines: Iterable[str]) -> int:
        return sum(self._holds(width(indentation(line))) for line in lines if line.strip())

    def _holds(self, columns: int) -> bool:
        return columns in self.known or bool(self.step and columns % self.step == 0)


def _outermost(lines: Iterable[str]) -> int:
    return min((width(indentation(line)) for line in lines if line.strip()), default=0)


def _home(pairs: Sequence[Pair], lines: Sequence[str]) -> _Home:
    columns = [width(indentation(line)) for line in lines if line.strip()]
    steps = Counter(after - before for before, after in pairwise(columns) if after > before)
    step = min(steps, key=lambda size: (-steps[size], size), default=0)
    return _Home(frozenset(width(pair.theirs) for pair in pairs), step)
