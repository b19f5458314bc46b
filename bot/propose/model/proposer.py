"""The model as a proposer: one conversation a repair, one structured request an attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from bot.budget import Budget, load_prices, price_for
from bot.config import Settings
from bot.diagnose.types import Diagnosis, Evidence
from bot.errors import ModelError
from bot.evidence.text import one_line
from bot.ports import Bench, EventKind, Message, Model, ModelReply, ModelRequest, Recorder, Usage
from bot.propose.model.context import first_message, tokens
from bot.propose.model.observe import observe
from bot.propose.model.render import prompt
from bot.propose.model.reply import SCHEMA, Answer, Unusable, read
from bot.propose.types import Attempt, NewTest, NoProposal, Proposal, StopReason
from bot.toolchains.types import Runtime

MAX_COMPLETION_TOKENS = 32_000
REPLY_SECONDS = 900.0
"""A reasoning model may think for minutes before its first word."""

_NO_WORDS = "(no answer)"  # some endpoints refuse a conversation with an empty message in it
_REASKED = 2  # useless replies in a row that are asked for again
_ROOT_CAUSE = 6_000  # characters
_STOPS = {
    "test_is_wrong": StopReason.TEST_IS_WRONG,
    "infrastructure": StopReason.INFRASTRUCTURE,
    "needs_human": StopReason.NEEDS_HUMAN,
}


class ModelProposer:
    """Implements bot.ports.Proposer for one repair: the conversation only ever grows at its end, which is what an
    endpoint's cache and the model's own memory need.

    Every request is charged to `budget` and recorded. `redact` takes secrets out of what is sent. Raises ModelError
    where the endpoint fails for good, after charging it.
    """

    name = "model"

    def __init__(
        self,
        model: Model,
        settings: Settings,
        budget: Budget,
        recorder: Recorder,
        *,
        runtime: Runtime | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._model = model
        self._instructions = settings.instructions
        self._price = price_for(load_prices(settings.model.prices), model.name)
        self._budget = budget
        self._recorder = recorder
        self._runtime = runtime
        self._redact = redact
        self._messages: tuple[Message, ...] = ()
        self._recorded = 0
        self._told = 0
        self._conversation = ""
        self._patches: dict[str, int] = {}

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        """The next proposal; NoProposal where the budget is spent, the model has none, or keeps sending nonsense."""
        if not self._messages:
            self._begin(evidence, attempts)
        else:
            self._tell(attempts)
        spent = Usage()
        problem = ""
        for _ in range(1 + _REASKED):
            request = self._request(bench)
            if isinstance(request, str):
                return NoProposal(StopReason.BUDGET, request, spent)
            reply = self._ask(request)
            spent += reply.usage
            answer = read(reply.text, reply.finish_reason)
            if isinstance(answer, Unusable):
                problem = answer.problem
            elif not answer.patch.strip():
                return NoProposal(_STOPS[answer.verdict], self._words(answer.root_cause or answer.risks), spent)
            elif before := self._patches.get(_essence(answer)):
                problem = f"patch and new test are those of attempt {before}, which did not get through"
            else:
                self._patches[_essence(answer)] = len(attempts) + 1
                return self._proposal(answer, spent)
            self._append(Message("user", prompt("again", problem=problem)))
        said = f"{1 + _REASKED} replies in a row of model {self._model.name!r} were of no use; the last one: {problem}"
        return NoProposal(StopReason.NO_CANDIDATE, said, spent)

    def _begin(self, evidence: Evidence, attempts: tuple[Attempt, ...]) -> None:
        text = first_message(
            evidence,
            attempts,
            instructions=self._instructions,
            runtime=self._runtime,
            redact=self._redact,
        )
        self._conversation = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._messages = (Message("system", prompt("system")), Message("user", text))
        self._told = len(attempts)

    def _tell(self, attempts: tuple[Attempt, ...]) -> None:
        """How the latest attempts fared; nothing where the last message is the user's already."""
        fresh = attempts[self._told :]
        self._told = len(attempts)
        for number, attempt in enumerate(fresh, len(attempts) - len(fresh) + 1):
            seen = self._redact(observe(attempt.verdict))
            self._append(Message("user", prompt("observation", number=str(number), observation=seen)))

    def _append(self, message: Message) -> None:
        self._messages += (message,)

    def _request(self, bench: Bench) -> ModelRequest | str:
        """The next request, or why it does not fit what is left of the budget."""
        seconds = min(REPLY_SECONDS, bench.seconds_left())
        if seconds <= 0:
            return "the time is over (limits.minutes)"
        size = tokens(*(message.content + message.reasoning for message in self._messages))
        if not self._budget.can_afford(size, MAX_COMPLETION_TOKENS, self._price):
            return self._budget.reason
        return ModelRequest(
            self._messages,
            SCHEMA,
            max_completion_tokens=MAX_COMPLETION_TOKENS,
            seconds=seconds,
            conversation=self._conversation,
        )

    def _ask(self, request: ModelRequest) -> ModelReply:
        new = request.messages[self._recorded :]
        self._recorder.record(
            EventKind.REQUEST,
            model=self._model.name,
            conversation=request.conversation,
            earlier_messages=self._recorded,
            messages=[{"role": message.role, "content": message.content} for message in new],
        )
        try:
            reply = self._model.complete(request)
        except ModelError as error:
            self._charge(error.usage or Usage(requests=1))
            raise
        self._recorder.record(
            EventKind.REPLY,
            model=reply.model,
            text=reply.text,
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
            seconds=round(reply.usage.seconds, 3),
        )
        self._charge(reply.usage)
        self._append(Message("assistant", reply.text or _NO_WORDS, reply.reasoning))
        self._recorded = len(self._messages)
        return reply

    def _charge(self, usage: Usage) -> None:
        self._budget.charge(usage)
        self._recorder.record(
            EventKind.USAGE,
            requests=usage.requests,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_usd=usage.cost_usd,
            seconds=round(usage.seconds, 3),
        )

    def _proposal(self, answer: Answer, spent: Usage) -> Proposal:
        test = answer.new_test
        return Proposal(
            Diagnosis(self._words(answer.root_cause), confidence=answer.confidence, risks=self._words(answer.risks)),
            answer.patch,
            None if test is None else NewTest(test.path.strip(), test.source, self._words(test.explanation)),
            self.name,
            spent,
            "" if test is not None else "the model gave no new test" + (f": {answer.risks}" if answer.risks else ""),
        )

    @staticmethod
    def _words(text: str) -> str:
        """A model's prose for a person: bounded and on one line; it is untrusted as any output."""
        return one_line(text, _ROOT_CAUSE)


def _essence(answer: Answer) -> str:
    """What makes two answers the same to the gates: the lines that change, and the new test."""
    lines = [line.rstrip() for line in answer.patch.splitlines() if line[:1] in ("+", "-")]
    return repr((lines, None if answer.new_test is None else answer.new_test.source))
