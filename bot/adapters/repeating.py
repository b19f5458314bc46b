"""One request, repeated within its deadline: the one retry policy of every model's adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.adapters.openai_faults import Fault
from bot.errors import ModelError
from bot.ports import Clock, ModelReply, OnPart, ReplyPart, Usage

PAUSES = (1.0, 4.0, 15.0)
"""Seconds before each repetition: one more than these are the tries."""

_MOST_MENDED = 8  # parameters left out one after the other, before an endpoint is believed to want none of this


@dataclass(frozen=True, slots=True)
class Failed:
    """One call that failed. streamed: something of it had been handed on, which a repetition makes void."""

    fault: Fault
    usage: Usage
    streamed: bool


def repeated(
    once: Callable[[], ModelReply | Failed],
    mended: Callable[[Fault], bool],
    deadline: float,
    clock: Clock,
    on_part: OnPart | None,
    *,
    paid_tries: int,
) -> ModelReply:
    """The first good reply, charged with all that went before; `on_part` gets RESTART before a repeated stream.

    mended: whether asking again at once, differently, may help. deadline: of all tries, in the clock's monotonic
    seconds. paid_tries: see bot.ports.ModelRequest. Raises ModelError for what repeating does not mend.
    """
    spent = Usage()
    pauses = iter(PAUSES)
    mendings = paid = 0
    while True:
        outcome = once()
        spent += outcome.usage
        if isinstance(outcome, ModelReply):
            return replace(outcome, usage=spent)
        fault = outcome.fault
        paid += bool(outcome.usage.prompt_tokens)
        if mendings < _MOST_MENDED and mended(fault):
            mendings += 1
        else:
            pause = next(pauses, None) if fault.retryable else None
            if pause is None:
                raise ModelError(fault.message, usage=spent, fault=fault.kind)
            if paid >= paid_tries:
                message = f"{fault.message} (asking once more does not fit into the budget, or was paid often enough)"
                raise ModelError(message, usage=spent, fault=fault.kind)
            wait = max(pause, fault.wait or 0.0)
            if wait >= deadline - clock.monotonic():
                message = f"{fault.message} (waiting {wait:.0f} s would pass this request's deadline)"
                raise ModelError(message, usage=spent, fault=fault.kind)
            clock.sleep(wait)
        if outcome.streamed and on_part is not None:
            on_part(ReplyPart.RESTART, "")
