"""Tool calls of a reply, carried out one after the other: counted, timed, recorded, and told where they repeat."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.evidence.text import one_line
from bot.ports import Clock, EventKind, Message, Recorder, ToolCall
from bot.propose.model.tools import registry
from bot.propose.model.tools.types import Desk, Submission, Surrender, ToolResult

CALLS = 60
"""Tool calls for one proposal; after them the model has to submit or to give up."""

RUNS = 20
"""Of these, calls that run something in the sandbox."""

_RUNNING = frozenset({"run_tests", "run_linter", "package_docs"})
ENDING = frozenset({"submit_fix", "give_up"})
_LOOKED = 60  # calls that a fresh conversation is told of


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one reply's calls.

    results: tool messages, in the order of the calls, up to the one that ended it. end: what ended it, with the call
    that did; that call's own result is still owed. later: results of the calls after it.
    """

    results: tuple[Message, ...]
    end: Submission | Surrender | None = None
    call: ToolCall | None = None
    later: tuple[Message, ...] = ()


@dataclass(slots=True)
class Allowance:
    """What calls one proposal may still make, in however many conversations.

    last_words: replies that may still follow once no calls are left.
    """

    calls: int = CALLS
    runs: int = RUNS
    last_words: int = 3

    @property
    def exhausted(self) -> str:
        """Why nothing more is to be hoped for, "" while there is."""
        if self.last_words > 0:
            return ""
        return f"the model called tools on and on: {CALLS} calls are allowed for one proposal, and it submitted none"


class Calls:
    """The calls of one conversation. `answered` counts them from the beginning."""

    def __init__(self, desk: Desk, conversation: str, allowance: Allowance, recorder: Recorder, clock: Clock) -> None:
        self.desk = desk
        self._conversation = conversation
        self.allowance = allowance
        self.answered = 0
        self._recorder = recorder
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._looked: dict[str, None] = {}

    @property
    def looked(self) -> str:
        """What was called, a line each, for a conversation that did not see it."""
        return "\n".join(list(self._looked)[-_LOOKED:])

    def take(self, calls: tuple[ToolCall, ...], *, as_text: bool = False) -> Turn:
        """Carry out the calls of one reply. as_text: they were read from its text, which the record says.

        Raises what the sandbox raises.
        """
        results: list[Message] = []
        if self.allowance.calls <= 0:
            self.allowance.last_words -= 1
        for position, call in enumerate(calls):
            self._record(call, as_text=as_text)
            began = self._clock.monotonic()
            answer = self._answer(call)
            if isinstance(answer, ToolResult):
                results.append(self.tell(call, answer, self._clock.monotonic() - began))
                continue
            what = "the fix" if isinstance(answer, Submission) else "giving up"
            late = ToolResult(f"Not carried out: {what} in the same reply ended this round.", ok=False)
            later = tuple(self._late(other, late, as_text=as_text) for other in calls[position + 1 :])
            return Turn(tuple(results), answer, call, later)
        return Turn(tuple(results))

    def tell(self, call: ToolCall, result: ToolResult, seconds: float = 0.0) -> Message:
        """A call's result as it is recorded and said."""
        self._recorder.record(
            EventKind.TOOL_RESULT,
            conversation=self._conversation,
            id=call.id,
            name=call.name,
            ok=result.ok,
            result=result.text,
            seconds=round(seconds, 3),
        )
        return Message("tool", result.text, tool_call_id=call.id)

    def _late(self, call: ToolCall, result: ToolResult, *, as_text: bool) -> Message:
        self._record(call, as_text=as_text)
        return self.tell(call, result)

    def _record(self, call: ToolCall, *, as_text: bool) -> None:
        self._recorder.record(
            EventKind.TOOL_CALL,
            conversation=self._conversation,
            id=call.id,
            name=call.name,
            arguments=call.arguments,
            **({"as_text": True} if as_text else {}),
        )

    def _answer(self, call: ToolCall) -> ToolResult | Submission | Surrender:
        self.answered += 1
        self.allowance.calls -= 1
        if call.name not in ENDING and (refusal := self._refusal(call)):
            return ToolResult(refusal, ok=False)
        draft = self.desk.draft
        answer = registry.call(call, self.desk)
        if self.desk.draft is not draft:
            self._seen.clear()  # what was looked at and run before was another code
        if isinstance(answer, ToolResult) and call.name not in ENDING:
            self._seen[_words(call)] = call.id
            self._looked.setdefault(one_line(f"{call.name} {call.arguments}", 160))
        return answer

    def _refusal(self, call: ToolCall) -> str:
        if self.allowance.calls < 0:
            return f"Not carried out: the {CALLS} calls for one proposal are spent. Call submit_fix or give_up now."
        if self.desk.bench.seconds_left() <= 0:
            return "Not carried out: the time is over."
        if before := self._seen.get(_words(call)):
            return (
                f"This is the call {one_line(before, 60)} again, word for word, and nothing has changed since: its "
                "result stands above. Look elsewhere, or change the draft."
            )
        if call.name in _RUNNING:
            self.allowance.runs -= 1
            if self.allowance.runs < 0:
                return f"Not carried out: the {RUNS} runs for one proposal are spent. Decide by what you have seen."
        return ""


def sayable(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """Calls as they may stand in the next request: arguments that are no JSON object, which some endpoints refuse to
    read again, become one that quotes them."""
    return tuple(
        call
        if _is_object(call.arguments)
        else ToolCall(call.id, call.name, json.dumps({"not_a_json_object": one_line(call.arguments, 500)}))
        for call in calls
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _words(call: ToolCall) -> str:
    """The same for calls that ask for the same."""
    try:
        arguments = json.dumps(json.loads(call.arguments), sort_keys=True)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return f"{call.name} {arguments}"
