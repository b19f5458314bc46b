"""Which of several plausible candidates is proposed first: tests cannot tell them apart, so other things must."""

from __future__ import annotations

from dataclasses import dataclass

from bot.propose.search.types import Candidate


@dataclass(frozen=True, slots=True)
class Found:
    """A plausible candidate. order: its number in the generator's order; healed: other failing tests that pass with it;
    takes_work: see `takes_work_away`."""

    candidate: Candidate
    order: int
    healed: int
    takes_work: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Least first: heals most, takes no work away, was generated earlier (likelier place, likelier change)."""
        return (-self.healed, self.takes_work, self.order)


def takes_work_away(candidate: Candidate, before: str) -> bool:
    """Whether it leaves out a call that the code made: the commonest way to please weak tests (plausible patches of
    Kali's kind, which only delete), though at times the right one. Brackets are counted, which is near enough for an
    order."""
    removed = sum(before.count("(", edit.start, edit.end) for edit in candidate.edits)
    return removed > sum(edit.replacement.count("(") for edit in candidate.edits)
