"""Engine `auto`: search first, for its share of the budget; then the model, which is told what search tried."""

from __future__ import annotations

from dataclasses import replace

from bot.diagnose.types import Evidence
from bot.ports import Bench, Proposer
from bot.propose.types import Attempt, NoProposal, Proposal


class AutoProposer:
    """`ports.Proposer` that asks `first` until it has nothing more to offer, then `second`."""

    name = "auto"

    def __init__(self, first: Proposer, second: Proposer) -> None:
        self._current = first
        self._second = second
        self._learned = ""

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        told = replace(evidence, learned=self._learned)
        offer = self._current.propose(told, attempts, bench)
        if isinstance(offer, NoProposal) and self._current is not self._second:
            self._current = self._second
            self._learned = offer.message
            return self._second.propose(replace(evidence, learned=self._learned), attempts, bench)
        return offer
