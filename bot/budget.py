"""What a run may spend, and what tokens cost: the one place where limits are checked."""

from __future__ import annotations

from collections.abc import Mapping

from bot.config import Price, RepairLimits
from bot.ports import Clock, Usage

_ROUNDING = 1e-9  # US dollars: sums of floats may miss by that


class Budget:
    """Attempts, minutes and money of one run. Money and time are shared by its repairs, attempts counted for each.

    The clock starts with the object. A cost that nobody knows does not stop a run: it is allowed and shown as unknown,
    since a limit in money cannot be held against an endpoint that tells no prices (`cost_unknown`).
    """

    def __init__(self, limits: RepairLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._began = clock.monotonic()
        self._known_cost = 0.0
        self.spent = Usage()
        self.reason = ""
        """Why the latest question was answered with no; "" while nothing was refused."""

    def allows(self, attempts_made: int) -> bool:
        """Whether one more attempt may begin after `attempts_made` of this repair; sets `reason` where not."""
        self.reason = self._refusal(attempts_made)
        return not self.reason

    def charge(self, usage: Usage) -> None:
        """Every request is charged, the failed ones too."""
        self.spent += usage
        self._known_cost += usage.cost_usd or 0.0

    def seconds_left(self) -> float:
        """Never negative."""
        return max(0.0, self._limits.minutes * 60 - (self._clock.monotonic() - self._began))

    def can_afford(self, prompt_tokens: int, max_completion_tokens: int, price: Price | None) -> bool:
        """Whether a request's worst case fits what is left of the money: nothing cached, the longest reply.

        price None (unknown): yes, see the class. Sets `reason` where not.
        """
        limit = self._limits.cost_usd
        if limit is None or price is None:
            return True
        worst = cost_of(price, prompt_tokens, 0, max_completion_tokens)
        left = limit - self._known_cost
        if worst <= left + _ROUNDING:
            return True
        self.reason = (
            f"a request of up to ${worst:.2f} does not fit into the ${max(0.0, left):.2f} "
            f"that are left of ${limit:.2f} (limits.cost_usd)"
        )
        return False

    @property
    def cost_unknown(self) -> bool:
        """Something was spent whose price is not known; totals in money are then too low."""
        return self.spent.cost_usd is None

    def _refusal(self, attempts_made: int) -> str:
        limits = self._limits
        if attempts_made >= limits.attempts:
            return f"{attempts_made} of {limits.attempts} attempts are made (limits.attempts)"
        if self.seconds_left() <= 0:
            return f"{limits.minutes:g} minutes are over (limits.minutes)"
        if limits.cost_usd is not None and self._known_cost > 0 and self._known_cost >= limits.cost_usd:
            return f"${self._known_cost:.2f} of ${limits.cost_usd:.2f} are spent (limits.cost_usd)"
        return ""


def cost_of(price: Price, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
    """US dollars of one request; `prompt_tokens` includes the cached ones, `completion_tokens` the reasoning."""
    cached = min(cached_tokens, prompt_tokens)
    cost = (prompt_tokens - cached) * price.prompt + cached * price.cached + completion_tokens * price.completion
    if price.long_prompt is not None and prompt_tokens >= price.long_prompt:
        cost *= price.long_factor
    return cost / 1e6


def load_prices(overrides: Mapping[str, Price]) -> Mapping[str, Price]:
    """The dated price table that comes with this program (prices.yml), with `overrides` (settings) above it."""
    from importlib import resources

    import yaml

    table = yaml.safe_load(resources.files("bot").joinpath("prices.yml").read_text(encoding="utf-8"))
    return {name: Price(**price) for name, price in table["models"].items()} | dict(overrides)


def price_for(prices: Mapping[str, Price], model: str) -> Price | None:
    """Price of a model by its name, with or without a gateway's vendor prefix ("x-ai/"); None where unknown."""
    return prices.get(model) or prices.get(model.rpartition("/")[2])
