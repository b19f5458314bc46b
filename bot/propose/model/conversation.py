"""A conversation: messages that only grow at the end, every request afforded, recorded and charged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.budget import request_bytes
from bot.errors import ModelError, ModelFault
from bot.ports import (
    Bench,
    EventKind,
    JsonValue,
    Message,
    ModelReply,
    ModelRequest,
    Recorder,
    ReplyPart,
    ReplySchema,
    ToolCall,
    ToolSpec,
    Usage,
)
from bot.propose.model.key import request_key
from bot.propose.model.line import Line

REPLY_SECONDS = 900.0
"""A reasoning model may think for minutes before its first word."""

_NO_WORDS = "(no answer)"  # some endpoints refuse a conversation with an empty message in it


@dataclass(frozen=True, slots=True)
class TooLong:
    """The conversation does not fit the model's window any more: nothing was asked."""


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """The next request does not fit what is left of the budget: nothing was asked. `reason` says of what."""

    reason: str


class Conversation:
    """`name` is the endpoint's key for its cache, constant in a repair. Tools and schema are never given together.

    messages: what was said. spent: by this conversation.
    """

    def __init__(
        self,
        line: Line,
        recorder: Recorder,
        name: str,
        opening: tuple[Message, ...],
        *,
        tools: tuple[ToolSpec, ...] = (),
        schema: ReplySchema | None = None,
    ) -> None:
        self.messages = opening
        self.spent = Usage()
        self._line = line
        self._recorder = recorder
        self.name = name
        self._tools = tools
        self._schema = schema
        self._recorded = 0

    def append(self, *messages: Message) -> None:
        self.messages += messages

    def size(self) -> int:
        """Tokens of the next request's prompt, by estimate."""
        return self._line.budget.estimate.of(self._request(1.0))

    def ask(self, bench: Bench) -> ModelReply | TooLong | OutOfBudget:
        """The reply to what was said so far. Whoever asked appends what of it shall be remembered (`heard`).

        Raises ModelError where the endpoint fails; that is charged.
        """
        seconds = min(REPLY_SECONDS, bench.seconds_left())
        if seconds <= 0:
            return OutOfBudget("the time is over (limits.minutes)")
        request, budget = self._request(seconds), self._line.budget
        size = budget.estimate.of(request)
        if size + request.max_completion_tokens > self._line.window:
            return TooLong()
        with budget.hold(size, request.max_completion_tokens, self._line.price) as refusal:
            if refusal:
                return OutOfBudget(refusal)
            tries = budget.paid_tries(size, request.max_completion_tokens, self._line.price)
            try:
                return self._complete(replace(request, paid_tries=tries))
            except ModelError as error:
                if error.fault is ModelFault.DEADLINE and seconds < REPLY_SECONDS:
                    # It was this run's time that ended in mid-reply, and no fault of the endpoint's.
                    return OutOfBudget("the time was over before the model's reply was (limits.minutes)")
                raise

    def heard(self, reply: ModelReply, calls: tuple[ToolCall, ...] = ()) -> None:
        """Append a reply, with `calls` in place of its own; its reasoning goes back too, or endpoints' caches miss."""
        self.append(Message("assistant", reply.text or ("" if calls else _NO_WORDS), reply.reasoning, calls))
        self._recorded = len(self.messages)

    def _request(self, seconds: float) -> ModelRequest:
        return ModelRequest(
            self.messages,
            self._schema,
            self._tools,
            must_call=bool(self._tools),
            max_completion_tokens=self._line.reply_tokens,
            seconds=seconds,
            conversation=self.name,
        )

    def _complete(self, request: ModelRequest) -> ModelReply:
        model = self._line.model
        self._recorder.record(
            EventKind.REQUEST,
            model=model.name,
            conversation=self.name,
            earlier_messages=self._recorded,
            key=request_key(model.name, request),
            messages=[_as_json(message) for message in request.messages[self._recorded :]],
            tools=[tool.name for tool in request.tools],
        )
        self._recorded = len(request.messages)  # a request that fails is not told twice
        try:
            reply = model.complete(request, self._streamed)
        except ModelError as error:
            self._recorder.record(
                EventKind.REPLY, conversation=self.name, fault=error.fault.value, error=str(error), tool_calls=[]
            )
            self._charge(error.usage or Usage(requests=1))
            raise
        self._recorder.record(
            EventKind.REPLY,
            conversation=self.name,
            model=reply.model,
            provider=reply.provider,
            text=reply.text,
            reasoning=reply.reasoning,
            tool_calls=[_call(call) for call in reply.tool_calls],
            finish_reason=reply.finish_reason,
            seconds=round(reply.usage.seconds, 3),
        )
        self._charge(reply.usage)
        if reply.usage.requests == 1:  # of several tries the sum says nothing about one
            self._line.budget.estimate.learn(request_bytes(request), reply.usage.prompt_tokens)
        return reply

    def _streamed(self, part: ReplyPart, text: str) -> None:
        self._recorder.record(EventKind.STREAM, conversation=self.name, part=part.value, text=text)

    def _charge(self, usage: Usage) -> None:
        self._line.budget.charge(usage)
        self.spent += usage
        self._recorder.record(
            EventKind.USAGE,
            conversation=self.name,
            requests=usage.requests,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_usd=usage.cost_usd,
            seconds=round(usage.seconds, 3),
        )


def _as_json(message: Message) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        told["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _call(call: ToolCall) -> dict[str, JsonValue]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}
