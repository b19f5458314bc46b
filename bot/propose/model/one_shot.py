"""The one-shot form, for endpoints and models without tools: a structured request an attempt, one JSON object back."""

from __future__ import annotations

from bot.diagnose.types import Evidence
from bot.errors import ModelError, ModelFault
from bot.ports import Bench, Message, Recorder, Usage
from bot.propose.model import offer
from bot.propose.model.context import Setting
from bot.propose.model.conversation import Conversation, OutOfBudget, TooLong
from bot.propose.model.line import Line
from bot.propose.model.observe import told
from bot.propose.model.opening import Opening
from bot.propose.model.render import prompt
from bot.propose.model.reply import SCHEMA, Answer, read
from bot.propose.model.rounds import STALE_ROUNDS, Rounds
from bot.propose.types import Attempt, NewTest, NoProposal, Proposal, StopReason

_REASKED = 2  # useless replies in a row that are asked for again


class OneShot:
    """One conversation a repair, a whole answer in every reply."""

    def __init__(self, line: Line, recorder: Recorder, setting: Setting) -> None:
        self._line = line
        self._redact = setting.redact
        self._opening = Opening(line, recorder, setting, "work_in_one_answer", schema=SCHEMA)
        self._rounds = Rounds()
        self._known = 0
        self._talk: Conversation | None = None

    def propose(
        self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench, spent: Usage
    ) -> Proposal | NoProposal:
        """The next proposal; NoProposal where the budget is spent, the model has none, or keeps sending nonsense.

        spent: what this proposal has cost already. Raises ModelError where the endpoint fails for good.
        """
        self._tell(evidence, attempts)
        problem = ""
        reasoning: list[str] = []
        useless = 0
        while useless <= _REASKED:
            talk = self._talk or self._opening.begin(evidence, attempts, bench.tree)
            if talk is None:
                return NoProposal(StopReason.NO_CANDIDATE, self._too_small(), spent)
            self._talk = talk
            try:
                reply = talk.ask(bench)
            except ModelError as error:
                spent += error.usage or Usage(requests=1)
                if error.fault is ModelFault.CONTEXT_TOO_LONG:
                    self._line.narrow(talk.size() + self._line.reply_tokens)
                    self._smaller()
                    continue
                if error.fault is not ModelFault.MALFORMED:
                    raise
                problem, useless = str(error), useless + 1
                continue
            if isinstance(reply, OutOfBudget):
                return NoProposal(StopReason.BUDGET, reply.reason, spent)
            if isinstance(reply, TooLong):
                self._smaller()
                continue
            spent += reply.usage
            reasoning.append(reply.reasoning)
            talk.heard(reply)
            answer = read(reply.text, reply.finish_reason)
            if isinstance(answer, Answer):
                if not answer.patch.strip():
                    return offer.surrender(answer.verdict, answer.root_cause or answer.risks, spent)
                before = self._rounds.offered(offer.essence(answer.patch, _test(answer)), len(attempts) + 1)
                if not before:
                    return offer.proposal(
                        answer.root_cause,
                        answer.patch,
                        _test(answer),
                        answer.confidence,
                        answer.risks,
                        spent,
                        reasoning,
                    )
                problem = f"patch and new test are those of attempt {before}, which did not get through"
            else:
                problem = answer.problem
            useless += 1
            talk.append(Message("user", prompt("again", problem=problem)))
        said = f"{useless} replies in a row of model {self._line.model.name!r} were of no use; the last one: {problem}"
        return NoProposal(StopReason.NO_CANDIDATE, said, spent)

    def _tell(self, evidence: Evidence, attempts: tuple[Attempt, ...]) -> None:
        """How the latest attempts fared; a conversation that begins is told of all of them anyway."""
        first, self._known = self._known, len(attempts)
        if self._talk is None:
            return
        for number, attempt in enumerate(attempts[first:], first + 1):
            again = self._rounds.judged(attempt, number)
            seen = self._redact(told(attempt.verdict, number, again, evidence))
            self._talk.append(Message("user", f"{seen}\n{prompt('whole_answer')}"))
        if self._rounds.stale >= STALE_ROUNDS:
            self._rounds.refresh()
            self._talk = None

    def _smaller(self) -> None:
        self._opening.halve()
        self._talk = None

    def _too_small(self) -> str:
        return (
            f"model {self._line.model.name!r} cannot be asked: the least that has to be said of this failure needs a "
            f"window of about {self._opening.least:,} tokens, and it has {self._line.window:,} (model.context, or what "
            "the endpoint said); set model.context to its real size, or choose a model with a longer one"
        )


def _test(answer: Answer) -> NewTest | None:
    written = answer.new_test
    return None if written is None else NewTest(written.path, written.source, written.explanation)
