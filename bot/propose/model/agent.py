"""The agent: a conversation with tools that ends, for one proposal, with submit_fix or give_up.

The verdict on a submitted fix is the result of that very call, so that messages are only ever appended. A conversation
that gets nowhere, or does not fit the window any more, gives way to a fresh one that begins with what was tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bot.diagnose.types import Evidence
from bot.errors import ModelError, ModelFault
from bot.ports import Bench, Clock, Message, ModelReply, Recorder, ToolCall, Usage
from bot.propose.model import offer
from bot.propose.model.calls import ENDING, Allowance, Calls, sayable
from bot.propose.model.context import Setting
from bot.propose.model.conversation import Conversation, OutOfBudget, TooLong
from bot.propose.model.line import Line
from bot.propose.model.observe import told
from bot.propose.model.opening import Opening
from bot.propose.model.render import prompt
from bot.propose.model.reply import Answer, Unusable, read
from bot.propose.model.rounds import STALE_ROUNDS, Rounds
from bot.propose.model.tools import registry
from bot.propose.model.tools.types import Desk, Draft, Submission, Surrender, ToolResult
from bot.propose.model.written_calls import written_calls
from bot.propose.types import Attempt, NewTest, NoProposal, Proposal, StopReason

REASKED = 2
"""Useless replies in a row that are asked for again."""

REPEATS = 4
"""Times in a repair that a patch which did not get through may be submitted again."""

DRAFT = 20_000
"""Characters of a draft that a smaller conversation is handed; a longer one would fill it."""


@dataclass(frozen=True, slots=True)
class WithoutTools:
    """This endpoint or model does not work with tools: ask in the one-shot form. `spent` went into finding out."""

    spent: Usage


@dataclass(frozen=True, slots=True)
class _Owed:
    """A submitted fix whose verdict is awaited. call None: it was read from prose. later: results of further calls."""

    proposal: Proposal
    call: ToolCall | None
    later: tuple[Message, ...]


@dataclass(slots=True)
class _Round:
    """One propose(): what it was given, and what it has come to so far."""

    evidence: Evidence
    attempts: tuple[Attempt, ...]
    bench: Bench
    spent: Usage = field(default_factory=Usage)
    reasoning: list[str] = field(default_factory=list)
    idle: list[ModelReply] = field(default_factory=list)  # replies in a row that called no tool
    malformed: int = 0

    def stop(self, message: str) -> NoProposal:
        return NoProposal(StopReason.NO_CANDIDATE, message, self.spent)


_Found: TypeAlias = Proposal | NoProposal | WithoutTools


class Agent:
    """Leads the conversations of one repair. make_desk: each conversation has a desk of its own."""

    def __init__(
        self,
        line: Line,
        recorder: Recorder,
        clock: Clock,
        setting: Setting,
        make_desk: Callable[[Bench, Evidence], Desk],
    ) -> None:
        self._line = line
        self._recorder = recorder
        self._clock = clock
        self._make_desk = make_desk
        self._opening = Opening(line, recorder, setting, "work_with_tools", registry.specs())
        self._rounds = Rounds()
        self._redact = setting.redact
        self._known = 0  # attempts that were told
        self._looked = ""
        self._draft: Draft | None = None  # of a conversation that grew too long
        self._allowance = Allowance()
        self._owed: _Owed | None = None
        self._talk: Conversation | None = None
        self._calls: Calls | None = None

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> _Found:
        """The next proposal. Raises ModelError where the endpoint fails for good, after charging it."""
        self._allowance = Allowance()
        self._resume(evidence, attempts)
        round_ = _Round(evidence, attempts, bench)
        found: _Found | None = None
        while found is None:
            if self._talk is None or self._calls is None:
                draft = self._draft
                patch = "" if draft is None else draft.applied.patch.text
                talk = self._opening.begin(evidence, attempts, bench.tree, self._looked, patch)
                if talk is None:  # the window does not even hold the tools' descriptions and room to work
                    return WithoutTools(round_.spent)
                desk = self._make_desk(bench, evidence)
                desk.draft = draft
                self._talk = talk
                self._calls = Calls(desk, talk.name, self._allowance, self._recorder, self._clock)
            found = self._step(self._talk, self._calls, round_)
        return found

    # --- one request ------------------------------------------------------------------------------------------------

    def _step(self, talk: Conversation, calls: Calls, round_: _Round) -> _Found | None:
        """Ask once and act on the reply; None: go on."""
        try:
            reply = talk.ask(round_.bench)
        except ModelError as error:
            round_.spent += error.usage or Usage(requests=1)
            return self._after(error, talk, calls, round_)
        if isinstance(reply, OutOfBudget):
            return NoProposal(StopReason.BUDGET, reply.reason, round_.spent)
        if isinstance(reply, TooLong):
            self._smaller(calls)
            return None
        round_.spent += reply.usage
        round_.reasoning.append(reply.reasoning)
        written = (
            None
            if reply.tool_calls
            else written_calls(reply.text, registry.NAMES, ENDING, talk.name, len(talk.messages))
        )
        if written is not None:  # said on in the form that they should have had
            reply = replace(reply, text=written.before, tool_calls=written.calls)
        if not reply.tool_calls:
            talk.heard(reply)
            return self._without_a_call(reply, talk, calls, round_)
        round_.idle.clear()
        talk.heard(reply, sayable(reply.tool_calls))
        turn = calls.take(reply.tool_calls, as_text=written is not None)
        talk.append(*turn.results)
        if isinstance(turn.end, Submission):
            return self._submitted(turn.end, turn.call, turn.later, talk, calls, round_)
        if isinstance(turn.end, Surrender):
            return NoProposal(turn.end.kind, offer.words(turn.end.reason), round_.spent)
        return round_.stop(self._allowance.exhausted) if self._allowance.exhausted else None

    def _submitted(
        self,
        fix: Submission,
        call: ToolCall | None,
        later: tuple[Message, ...],
        talk: Conversation,
        calls: Calls,
        round_: _Round,
    ) -> Proposal | NoProposal | None:
        essence = offer.essence(fix.patch, fix.new_test)
        if before := self._rounds.offered(essence, len(round_.attempts) + 1):
            _answer(talk, calls, prompt("repeated", number=str(before)), call, later)
            if self._rounds.repeats >= REPEATS:
                return round_.stop(
                    f"the model submitted patches again that had not got through, {REPEATS} times; "
                    f"the last one was that of attempt {before}"
                )
            if self._rounds.stale >= STALE_ROUNDS:
                self._leave(calls)
            return None
        proposal = offer.proposal(
            fix.root_cause, fix.patch, fix.new_test, fix.confidence, fix.risks, round_.spent, round_.reasoning
        )
        self._owed = _Owed(proposal, call, later)
        return proposal

    def _without_a_call(self, reply: ModelReply, talk: Conversation, calls: Calls, round_: _Round) -> _Found | None:
        """An answer in the one-shot form is as good as a call. For anything else a call is asked for, and when none
        comes, a diff in the prose will do: earlier, it may have been a thought on the way."""
        round_.idle.append(reply)
        patient = len(round_.idle) <= REASKED
        readings = [read(each.text, each.finish_reason, diffs=not patient) for each in reversed(round_.idle)]
        answer = next((each for each in readings if isinstance(each, Answer)), None)
        if answer is not None:
            round_.idle.clear()
            if not answer.patch.strip():
                return offer.surrender(answer.verdict, answer.root_cause or answer.risks, round_.spent)
            written = answer.new_test
            test = None if written is None else NewTest(written.path, written.source, written.explanation)
            fix = Submission(answer.root_cause, answer.patch, test, answer.confidence, answer.risks)
            return self._submitted(fix, None, (), talk, calls, round_)
        if patient:
            talk.append(Message("user", prompt("no_call", problem=_problem(reply))))
            return None
        if not calls.answered:
            self._line.takes_tools = False
            return WithoutTools(round_.spent)
        return round_.stop(
            f"{len(round_.idle)} replies in a row of model {self._line.model.name!r} called no tool "
            f"and had no answer in them; the last one: {_problem(reply)}"
        )

    def _after(self, error: ModelError, talk: Conversation, calls: Calls, round_: _Round) -> _Found | None:
        """What can be done about a failed request; raises the error where that is nothing."""
        if error.fault is ModelFault.TOOLS_REFUSED:
            self._line.takes_tools = False
            return WithoutTools(round_.spent)
        if error.fault is ModelFault.CONTEXT_TOO_LONG:
            self._line.narrow(talk.size() + self._line.reply_tokens)
            self._smaller(calls)
            return None
        if error.fault is ModelFault.MALFORMED:
            round_.malformed += 1
            if round_.malformed <= REASKED:
                return None
            return round_.stop(f"{round_.malformed} replies could not be read; the last one: {error}")
        raise error

    # --- from one proposal to the next ------------------------------------------------------------------------------

    def _resume(self, evidence: Evidence, attempts: tuple[Attempt, ...]) -> None:
        """Tell what became of what was submitted, and what others tried meanwhile."""
        first, owed = self._known, self._owed
        self._known, self._owed = len(attempts), None
        if self._talk is None or self._calls is None:
            return
        self._calls.allowance = self._allowance
        others: list[str] = []
        seen = prompt("unjudged")
        for number, attempt in enumerate(attempts[first:], first + 1):
            if owed is not None and offer.same(attempt.proposal, owed.proposal):
                again = self._rounds.judged(attempt, number)
                seen = self._redact(told(attempt.verdict, number, again, evidence))
            else:
                others.append(self._redact(told(attempt.verdict, number, 0, evidence, attempt.proposal.patch_text)))
        if owed is not None:
            _answer(self._talk, self._calls, seen, owed.call, owed.later)
        self._talk.append(*(Message("user", text) for text in others))
        if self._rounds.stale >= STALE_ROUNDS:
            self._leave(self._calls)

    def _leave(self, calls: Calls) -> None:
        """A fresh conversation is begun at the next step; it is told what this one did."""
        self._looked, self._draft = calls.looked, None
        self._rounds.refresh()
        self._talk = self._calls = None

    def _smaller(self, calls: Calls) -> None:
        """The same work goes on, draft and all, in a conversation that begins with less."""
        self._opening.halve()
        self._leave(calls)
        draft = calls.desk.draft
        self._draft = draft if draft is not None and len(draft.applied.patch.text) <= DRAFT else None


def _answer(talk: Conversation, calls: Calls, text: str, call: ToolCall | None, later: tuple[Message, ...]) -> None:
    """Say what became of a fix: as its call's result, or to who wrote it in prose."""
    talk.append(Message("user", text) if call is None else calls.tell(call, ToolResult(text, ok=False)), *later)


def _problem(reply: ModelReply) -> str:
    answer = read(reply.text, reply.finish_reason)
    return answer.problem if isinstance(answer, Unusable) else "it is written as text"
