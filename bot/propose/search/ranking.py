"""Which of several plausible candidates is proposed first: tests cannot tell them apart, so other things must."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.propose.search.types import Candidate

_NAME = re.compile(r"[^\W\d]\w*")
_TOP_LEVEL = re.compile(r"^\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A plausible candidate. order: its number in the generator's order; healed: other failing tests that pass with it;
    doubtful: see `is_doubtful`."""

    candidate: Candidate
    order: int
    healed: int
    doubtful: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Least first: heals most, is not doubtful, was generated earlier (likelier place, likelier change)."""
        return (-self.healed, self.doubtful, self.order)


def is_doubtful(candidate: Candidate, before: str) -> bool:
    """Whether it looks like a change that pleases weak tests: it leaves out a call that the code made, or leaves a
    name without use. Either is the right fix at times, so this only decides between plausible ones."""
    return _leaves_out_a_call(candidate, before) or _leaves_a_name_unused(candidate, before)


def _leaves_out_a_call(candidate: Candidate, before: str) -> bool:
    """By counting brackets, which is near enough for an order."""
    removed = sum(before.count("(", edit.start, edit.end) for edit in candidate.edits)
    return removed > sum(edit.replacement.count("(") for edit in candidate.edits)


def _leaves_a_name_unused(candidate: Candidate, before: str) -> bool:
    """A name that it takes away is left in one place of the top-level function or class: where it is bound."""
    removed = {name for edit in candidate.edits for name in _NAME.findall(before[edit.start : edit.end])}
    added = {name for edit in candidate.edits for name in _NAME.findall(edit.replacement)}
    gone = removed - added
    if not gone:
        return False
    low, high = min(edit.start for edit in candidate.edits), max(edit.end for edit in candidate.edits)
    starts = [match.start() for match in _TOP_LEVEL.finditer(before)]
    first = max((start for start in starts if start <= low), default=0)
    last = min((start for start in starts if start >= high), default=len(before))
    after = candidate.apply(before)[first : last + len(candidate.apply(before)) - len(before)]
    left = _NAME.findall(after)
    return any(left.count(name) == 1 for name in gone)
