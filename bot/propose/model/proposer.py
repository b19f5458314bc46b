"""The model as a proposer: an agent with tools where the endpoint takes them, else the one-shot form."""

from __future__ import annotations

from bot.diagnose.types import Evidence
from bot.ports import Bench, Clock, Recorder, Usage
from bot.propose.model.agent import Agent, WithoutTools
from bot.propose.model.context import Setting
from bot.propose.model.line import Line
from bot.propose.model.one_shot import OneShot
from bot.propose.model.tools.types import Desk
from bot.propose.types import Attempt, NoProposal, Proposal


class ModelProposer:
    """Implements bot.ports.Proposer for one repair. Which form is used is remembered by `line`, for the whole run.

    Every request is charged to the line's budget and recorded. protect: globs that no patch may touch. Raises
    ModelError where the endpoint fails for good, after charging it.
    """

    name = "model"

    def __init__(
        self, line: Line, recorder: Recorder, clock: Clock, setting: Setting, *, protect: tuple[str, ...] = ()
    ) -> None:
        self._line = line
        self._setting = setting
        self._protect = protect
        self._agent = Agent(line, recorder, clock, setting, self._desk)
        self._one_shot = OneShot(line, recorder, setting)

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        """The next proposal; NoProposal where the budget is spent, the model has none, or keeps sending nonsense."""
        spent = Usage()
        if self._line.takes_tools:
            found = self._agent.propose(evidence, attempts, bench)
            if not isinstance(found, WithoutTools):
                return found
            spent = found.spent
        return self._one_shot.propose(evidence, attempts, bench, spent)

    def _desk(self, bench: Bench, evidence: Evidence) -> Desk:
        return Desk(
            bench,
            evidence,
            runtime=self._setting.runtime,
            history=self._setting.history,
            protect=self._protect,
            redact=self._setting.redact,
        )
