"""A model's reply put together from what its endpoint streams, whatever dialect it speaks."""

from __future__ import annotations

from collections.abc import Mapping

from bot.adapters.openai_calls import Calls
from bot.budget import BYTES_PER_TOKEN, cost_of, price_for, request_bytes
from bot.config import Price
from bot.ports import JsonValue, ModelRequest, OnPart, ReplyPart, ToolCall, Usage

REPLY_CHARACTERS = 2_000_000
"""More than any model writes in one reply: what is longer never ends."""

_REASONING_FIELDS = ("reasoning_content", "reasoning")  # xAI, llama.cpp · OpenRouter; others send none
_TICKS_PER_DOLLAR = 1e10  # xAI's `cost_in_usd_ticks`
_MOST_TOKENS = 100_000_000


class ReplyTooLong(Exception):  # noqa: N818 (translated by the adapter; never leaves this room)
    """The reply went over REPLY_CHARACTERS."""


class Assembly:
    """Takes the frames of one reply as decoded JSON of any shape; what does not fit the protocol is passed over."""

    def __init__(self, on_part: OnPart | None) -> None:
        self._on_part = on_part
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._size = 0
        self._calls = Calls()
        self._usage: Mapping[str, JsonValue] = {}
        self._usage_came_last = False
        self.model = ""
        self.finish_reason = ""
        self.had_choices = False
        self.streamed = False
        """Whether anything was handed to `on_part`: what a repetition makes void."""

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def complete(self) -> bool:
        """Whether it came to its end: it says why it stopped, its last frame is the usage, or it calls tools and each
        call is whole (endpoints forget the reason then). The SDK raises nothing for a stream that just ends."""
        return bool(self.finish_reason) or self._usage_came_last or self._calls.whole

    def tool_calls(self, request: ModelRequest) -> tuple[ToolCall, ...]:
        """The calls of tools, each with an id of its own."""
        return self._calls.done(len(request.messages))

    def add(self, frame: JsonValue, part: str = "delta") -> None:
        """One frame; `part` is "message" for the single frame of an endpoint that does not stream."""
        if not isinstance(frame, Mapping):
            return
        model, usage, choices = frame.get("model"), frame.get("usage"), frame.get("choices")
        if isinstance(model, str) and model:
            self.model = model[:200]
        self._usage_came_last = isinstance(usage, Mapping)
        if isinstance(usage, Mapping):
            self._usage = usage
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return
        self.had_choices = True
        finish, delta = choices[0].get("finish_reason"), choices[0].get(part)
        if isinstance(finish, str) and finish:
            self.finish_reason = finish[:100]
        if isinstance(delta, Mapping):
            reasoning = next((delta[name] for name in _REASONING_FIELDS if delta.get(name)), None)
            reasoning = reasoning or _details(delta.get("reasoning_details"))
            self._append(self._reasoning, ReplyPart.REASONING, reasoning)
            self._append(self._text, ReplyPart.TEXT, _written(delta.get("content")))
            self._tell(ReplyPart.TOOL, self._calls.add(delta.get("tool_calls"), whole=part == "message"))

    def _append(self, parts: list[str], part: ReplyPart, value: JsonValue) -> None:
        if not isinstance(value, str) or not value:
            return
        self._size += len(value)
        if self._size > REPLY_CHARACTERS:
            raise ReplyTooLong
        parts.append(value)
        self._tell(part, value)

    def _tell(self, part: ReplyPart, text: str) -> None:
        if text and self._on_part is not None:
            self.streamed = True
            self._on_part(part, text)

    def usage(self, request: ModelRequest, asked: str, prices: Mapping[str, Price], seconds: float) -> Usage:
        """What it cost: by the endpoint's count, else (a reply that broke off) estimated from the bytes."""
        if not self._usage:
            prompt, cached = _estimate(request_bytes(request)), 0
            reasoning = _estimate(_size(self.reasoning))
            completion = reasoning + _estimate(_size(self.text)) + _estimate(_size(self._calls.text))
        else:
            prompt, completion = _count(self._usage, "prompt_tokens"), _count(self._usage, "completion_tokens")
            cached = _count(self._usage.get("prompt_tokens_details"), "cached_tokens")
            reasoning = _count(self._usage.get("completion_tokens_details"), "reasoning_tokens")
            # xAI counts reasoning beside the completion, others inside it: only the total tells which.
            if reasoning and _count(self._usage, "total_tokens") == prompt + completion + reasoning:
                completion += reasoning
        cost: float | None
        ticks = self._usage.get("cost_in_usd_ticks")
        price = price_for(prices, self.model) or price_for(prices, asked)
        if isinstance(ticks, int | float) and not isinstance(ticks, bool) and ticks >= 0:
            cost = ticks / _TICKS_PER_DOLLAR
        else:
            cost = None if price is None else cost_of(price, prompt, cached, completion)
        return Usage(1, prompt, cached, completion, reasoning, cost, seconds)


def _estimate(size: int) -> int:
    """Tokens that so many bytes have at most, roughly: what is charged where the endpoint counted nothing."""
    return -int(-size // BYTES_PER_TOKEN)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _details(details: JsonValue) -> str:
    """OpenRouter's second form of reasoning, where it stands alone: parts with a text or a summary."""
    parts = [part for part in details if isinstance(part, Mapping)] if isinstance(details, list) else []
    texts = (part.get("text") or part.get("summary") for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _written(content: JsonValue) -> JsonValue:
    """The text of a content that comes in parts ({"type": "text", "text": …}), as it is otherwise."""
    if not isinstance(content, list):
        return content
    texts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "".join(text for text in texts if isinstance(text, str))


def _count(holder: JsonValue, name: str) -> int:
    """A count that is one, else 0."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else 0
