"""The line to a model: what all conversations of a run share. Its budget, its window, and what it was found to take."""

from __future__ import annotations

import math

from bot.budget import Budget, worst_price
from bot.config import ModelSettings
from bot.ports import Model

REPLY_TOKENS = 32_000
"""The longest reply that is asked for; where the window is small, a quarter of that."""
_REPLY_PART = 4
_LEAST_REPLY = 256


def window_for(prompt_tokens: float) -> int:
    """Tokens of the smallest window that holds such a prompt beside the longest reply that is asked for."""
    return math.ceil(min(prompt_tokens + REPLY_TOKENS, prompt_tokens * _REPLY_PART / (_REPLY_PART - 1)))


class Line:
    """One a run; threads may share it.

    window: tokens of prompt and reply together that a request may have; it shrinks when the endpoint says so.
    takes_tools: until an endpoint refuses tools, or its model never calls one.
    """

    def __init__(self, model: Model, settings: ModelSettings, budget: Budget) -> None:
        self.model = model
        self.budget = budget
        self.price = worst_price(settings)
        self.window = settings.context
        self.takes_tools = True

    @property
    def reply_tokens(self) -> int:
        return max(_LEAST_REPLY, min(REPLY_TOKENS, self.window // _REPLY_PART))

    def narrow(self, refused_tokens: int) -> None:
        """A request of about that many tokens was too long for the endpoint: the window is smaller than was said."""
        self.window = min(self.window, max(1_000, refused_tokens * 9 // 10))
