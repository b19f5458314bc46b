"""The requests and replies of a trace, paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from bot.errors import ModelFault
from bot.ports import EventKind, JsonValue, Message, ModelReply, ToolCall, Usage
from bot.publish.fields import count, number, records, text
from bot.trace.read import SIDE_BY_SIDE, Trace, same_conversation

_Data = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Failed:
    """The request got no reply: the endpoint failed, or the run ended while it was asked."""

    fault: ModelFault
    message: str
    usage: Usage


Answer: TypeAlias = ModelReply | Failed


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it.

    sequence: number of the request's event. key: of the request (request_key), "" where an older trace has none.
    earlier: messages that the conversation had before; new: those that this request added.
    """

    sequence: int
    key: str
    model: str
    earlier: int
    new: tuple[Message, ...]
    answer: Answer


def exchanges(trace: Trace) -> tuple[Exchange, ...]:
    """Every request of the trace, in its order, with its reply and what that cost."""
    found: list[Exchange] = []
    waiting: dict[int, _Data] = {}
    for event in trace.events:
        if event.kind == EventKind.REQUEST:
            waiting[len(found)] = event.data
            found.append(_request(event.sequence, event.data))
            continue
        latest = islice(reversed(waiting.items()), SIDE_BY_SIDE)
        at = next((at for at, request in latest if same_conversation(request, event.data)), None)
        if at is None:
            continue
        if event.kind == EventKind.REPLY:
            found[at] = replace(found[at], answer=_answer(event.data))
        elif event.kind == EventKind.USAGE:
            del waiting[at]
            found[at] = replace(found[at], answer=replace(found[at].answer, usage=_usage(event.data)))
    return tuple(found)


def _request(sequence: int, data: _Data) -> Exchange:
    nothing = Failed(
        ModelFault.OTHER,
        f"the recorded request (event {sequence}) got no reply: the run ended there",
        Usage(requests=1),
    )
    new = tuple(
        Message(
            text(each, "role"),
            text(each, "content"),
            tool_calls=_calls(each),
            tool_call_id=text(each, "tool_call_id"),
        )
        for each in records(data, "messages")
    )
    return Exchange(
        sequence, text(data, "key"), text(data, "model"), count(data, "earlier_messages") or 0, new, nothing
    )


def _answer(data: _Data) -> Answer:
    fault = text(data, "fault")
    if fault:
        kind = ModelFault(fault) if fault in set(ModelFault) else ModelFault.OTHER
        return Failed(kind, text(data, "error") or "the recorded request failed", Usage(requests=1))
    return ModelReply(
        text=text(data, "text"),
        reasoning=text(data, "reasoning"),
        model=text(data, "model"),
        finish_reason=text(data, "finish_reason"),
        usage=Usage(requests=1),
        tool_calls=_calls(data),
    )


def _calls(data: _Data) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(text(each, "id"), text(each, "name"), text(each, "arguments")) for each in records(data, "tool_calls")
    )


def _usage(data: _Data) -> Usage:
    return Usage(
        count(data, "requests") or 0,
        count(data, "prompt_tokens") or 0,
        count(data, "cached_tokens") or 0,
        count(data, "completion_tokens") or 0,
        count(data, "reasoning_tokens") or 0,
        number(data, "cost_usd"),
        number(data, "seconds") or 0.0,
    )
