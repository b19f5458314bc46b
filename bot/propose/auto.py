"""Engine `auto`: search first, for its share of the budget; then the model, which is told what search tried."""

from __future__ import annotations

from bot.diagnose.types import Evidence
from bot.ports import Bench, Proposer
from bot.propose.types import Attempt, NoProposal, Proposal


class AutoProposer:
    """`ports.Proposer` that asks `first` until it has nothing more to offer, then `second`."""

    name = "auto"

    def __init__(self, first: Proposer, second: Proposer) -> None:
        self._current = first
        self._second = second

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        offer = self._current.propose(evidence, attempts, bench)
        if isinstance(offer, NoProposal) and self._current is not self._second:
            self._current = self._second
            return self._second.propose(evidence, attempts, bench)
        return offer
