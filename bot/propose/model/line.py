"""The line to a model: what all conversations of a run share. Its budget, its window, and what it was found to take."""

from __future__ import annotations

from bot.budget import Budget, worst_price
from bot.config import ModelSettings
from bot.ports import Model

REPLY_TOKENS = 32_000
"""The longest reply that is asked for; where the window is small, a quarter of that."""


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
        return max(256, min(REPLY_TOKENS, self.window // 4))

    def narrow(self, refused_tokens: int) -> None:
        """A request of about that many tokens was too long for the endpoint: the window is smaller than was said."""
        self.window = min(self.window, max(1_000, refused_tokens * 9 // 10))
