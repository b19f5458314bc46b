"""A model's reply put together from what its endpoint streams, whatever dialect it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.budget import cost_of, price_for
from bot.config import Price
from bot.ports import JsonValue, ModelRequest, OnPart, ReplyPart, Usage

REPLY_CHARACTERS = 2_000_000
"""More than any model writes in one reply: what is longer never ends."""

BYTES_PER_TOKEN = 3
"""Fewer bytes than an average token of code or prose has, so that an estimate errs to the dear side."""

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
        self._usage: Mapping[str, JsonValue] = {}
        self._usage_came_last = False
        self.model = ""
        self.finish_reason = ""
        self.had_choices = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def complete(self) -> bool:
        """Whether it came to its end: it says why it stopped, or its last frame is the usage. The SDK raises nothing
        for a stream that just ends."""
        return bool(self.finish_reason) or self._usage_came_last

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
            reasoning = next((delta[name] for name in _REASONING_FIELDS if delta.get(name)), "")
            self._append(self._reasoning, ReplyPart.REASONING, reasoning)
            self._append(self._text, ReplyPart.TEXT, delta.get("content"))

    def _append(self, parts: list[str], part: ReplyPart, value: JsonValue) -> None:
        if not isinstance(value, str) or not value:
            return
        self._size += len(value)
        if self._size > REPLY_CHARACTERS:
            raise ReplyTooLong
        parts.append(value)
        if self._on_part is not None:
            self._on_part(part, value)

    def usage(self, request: ModelRequest, asked: str, prices: Mapping[str, Price], seconds: float) -> Usage:
        """What it cost: by the endpoint's count, else (a reply that broke off) estimated from the bytes."""
        if not self._usage:
            prompt = estimate_tokens(*(message.content + message.reasoning for message in request.messages))
            reasoning = estimate_tokens(self.reasoning)
            completion, cached = reasoning + estimate_tokens(self.text), 0
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


def estimate_tokens(*texts: str) -> int:
    """Tokens that `texts` have at most, roughly, without the model's own tokenizer."""
    return sum(-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts)


def _count(holder: JsonValue, name: str) -> int:
    """A count that is one, else 0."""
    value = holder.get(name) if isinstance(holder, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else 0


def messages_of(request: ModelRequest, *, with_reasoning: bool) -> Iterable[dict[str, str]]:
    """The conversation on the wire. The assistant's reasoning goes back: left out, xAI's prompt cache misses."""
    for message in request.messages:
        wire = {"role": message.role, "content": _sendable(message.content)}
        if with_reasoning and message.reasoning:
            wire["reasoning_content"] = _sendable(message.reasoning)
        yield wire


def _sendable(text: str) -> str:
    """Without lone surrogates, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
