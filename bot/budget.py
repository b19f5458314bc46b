"""What a run may spend, and what tokens cost: the one place where limits are checked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bot.config import ModelSettings, Price, RepairLimits
from bot.ports import Clock, ModelRequest, Usage

BYTES_PER_TOKEN = 3.0
"""Fewer bytes than an average token of code or prose has, so that an estimate errs to the dear side."""

_ROUNDING = 1e-9  # US dollars: sums of floats may miss by that
_LEAST_LEARNT = 2_000  # bytes: of a smaller request the endpoint's own wrapping is too large a part
_MARGIN = 0.95  # of the learnt ratio: the next request may hold denser text than the last
_RATIOS = (1.0, 6.0)  # bytes per token that are believed: no tokenizer does better on code, none worse on bytes
_MESSAGE_BYTES = 12  # what a chat template adds around a message: role and separators, about 4 tokens


class TokenRatio:
    """Bytes per token, learnt from what the endpoint counts: an estimate without any tokenizer.

    One object may serve several threads. Nothing here is exact; limits are checked with it, bills are not.
    """

    def __init__(self) -> None:
        self.bytes_per_token = BYTES_PER_TOKEN

    def learn(self, sent_bytes: int, prompt_tokens: int) -> None:
        """From one request of `sent_bytes` (request_bytes) that the endpoint counted as `prompt_tokens`.

        A conversation only grows, so the latest request speaks for all of it. A count that no tokenizer arrives at
        (0, or a hostile endpoint's) moves the ratio no further than _RATIOS.
        """
        if sent_bytes >= _LEAST_LEARNT and prompt_tokens > 0:
            low, high = _RATIOS
            self.bytes_per_token = min(high, max(low, sent_bytes / prompt_tokens * _MARGIN))

    def tokens(self, *texts: str) -> int:
        """Tokens of `texts`, each rounded up."""
        return sum(self._of(len(text.encode("utf-8", "replace"))) for text in texts)

    def of(self, request: ModelRequest) -> int:
        """Tokens of everything a request sends: messages, calls, tools, schema."""
        return self._of(request_bytes(request))

    def _of(self, size: int) -> int:
        return -int(-size // self.bytes_per_token)


def request_bytes(request: ModelRequest) -> int:
    """Bytes of what the model reads of a request; the wire's own quoting is left out."""
    texts = [text for message in request.messages for text in (message.content, message.reasoning)]
    texts += [
        text
        for message in request.messages
        for call in message.tool_calls
        for text in (call.id, call.name, call.arguments)
    ]
    texts += [text for tool in request.tools for text in (tool.name, tool.description, json.dumps(tool.parameters))]
    if request.schema is not None:
        texts.append(json.dumps(request.schema.schema))
    return sum(len(text.encode("utf-8", "replace")) for text in texts) + _MESSAGE_BYTES * len(request.messages)


class Budget:
    """Attempts, minutes, tokens and money of one run. All but the attempts are shared by its repairs and candidates.

    The clock starts with the object. A cost that nobody knows does not stop a run: it is allowed and shown as unknown,
    since a limit in money cannot be held against an endpoint that tells no prices (`cost_unknown`); attempts, minutes
    and tokens hold then. Threads may share it.
    """

    def __init__(self, limits: RepairLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._began = clock.monotonic()
        self._known_cost = 0.0
        self._held_cost = 0.0
        self._held_tokens = 0
        self._lock = threading.Lock()
        self.spent = Usage()
        self.estimate = TokenRatio()
        self.reason = ""
        """Why the latest question was answered with no; "" while nothing was refused."""

    def allows(self, attempts_made: int) -> bool:
        """Whether one more attempt may begin after `attempts_made` of this repair; sets `reason` where not."""
        self.reason = self._refusal(attempts_made)
        return not self.reason

    def charge(self, usage: Usage) -> None:
        """Every request is charged, the failed ones too."""
        with self._lock:
            self.spent += usage
            self._known_cost += usage.cost_usd or 0.0

    def seconds_left(self) -> float:
        """Never negative."""
        return max(0.0, self._limits.minutes * 60 - (self._clock.monotonic() - self._began))

    def can_afford(self, prompt_tokens: int, max_completion_tokens: int, price: Price | None) -> bool:
        """Whether a request's worst case fits what is left of tokens and money: nothing cached, the longest reply.

        price None (unknown): no question of money, see the class. Sets `reason` where not.
        """
        with self._lock:
            reason = self._too_dear(prompt_tokens, max_completion_tokens, price)
        self.reason = reason or self.reason
        return not reason

    @contextmanager
    def hold(self, prompt_tokens: int, max_completion_tokens: int, price: Price | None) -> Iterator[str]:
        """The worst case of one request set aside while it runs, so that candidates side by side cannot spend it twice.

        Yields "" or why it does not fit (as `can_afford`; nothing is set aside then). Charge inside the block.
        """
        cost = 0.0 if price is None else cost_of(price, prompt_tokens, 0, max_completion_tokens)
        tokens = prompt_tokens + max_completion_tokens
        with self._lock:
            reason = self._too_dear(prompt_tokens, max_completion_tokens, price)
            if reason:
                cost, tokens = 0.0, 0
            self._held_cost += cost
            self._held_tokens += tokens
        self.reason = reason or self.reason
        try:
            yield reason
        finally:
            with self._lock:
                self._held_cost -= cost
                self._held_tokens -= tokens

    def paid_tries(self, prompt_tokens: int, max_completion_tokens: int, price: Price | None, most: int = 8) -> int:
        """How often a request that is held already may be paid for in its worst case: 1 to `most`."""
        with self._lock:
            fits = (
                more
                for more in range(most - 1, 0, -1)
                if not self._too_dear(more * prompt_tokens, more * max_completion_tokens, price, more)
            )
            return 1 + next(fits, 0)

    @property
    def cost_unknown(self) -> bool:
        """Something was spent whose price is not known; totals in money are then too low."""
        return self.spent.cost_usd is None

    def _too_dear(self, prompt_tokens: int, max_completion_tokens: int, price: Price | None, requests: int = 1) -> str:
        """Why it does not fit; the tokens are those of all `requests`, equal ones, together."""
        limits, worst_tokens = self._limits, prompt_tokens + max_completion_tokens
        tokens_left = limits.tokens - self._tokens - self._held_tokens
        if worst_tokens > tokens_left:
            return (
                f"a request of up to {worst_tokens:,} tokens does not fit into the {max(0, tokens_left):,} "
                f"that are left of {limits.tokens:,} (limits.tokens)"
            )
        if limits.cost_usd is None or price is None:
            return ""
        worst = requests * cost_of(price, prompt_tokens // requests, 0, max_completion_tokens // requests)
        left = limits.cost_usd - self._known_cost - self._held_cost
        if worst <= left + _ROUNDING:
            return ""
        return (
            f"a request of up to ${worst:.2f} does not fit into the ${max(0.0, left):.2f} "
            f"that are left of ${limits.cost_usd:.2f} (limits.cost_usd)"
        )

    @property
    def _tokens(self) -> int:
        return self.spent.prompt_tokens + self.spent.completion_tokens

    def _refusal(self, attempts_made: int) -> str:
        limits = self._limits
        if attempts_made >= limits.attempts:
            return f"{attempts_made} of {limits.attempts} attempts are made (limits.attempts)"
        if self.seconds_left() <= 0:
            return f"{limits.minutes:g} minutes are over (limits.minutes)"
        if self._tokens >= limits.tokens:
            return f"{self._tokens:,} of {limits.tokens:,} tokens are spent (limits.tokens)"
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


def worst_price(settings: ModelSettings) -> Price | None:
    """What a request may cost at the dearest of the endpoints that may be asked; None where no price is known."""
    table = load_prices(settings.prices)
    known = [price for each in settings.endpoints() if (price := price_for(table, each.name)) is not None]
    if not known:
        return None
    long_prompts = [price.long_prompt for price in known if price.long_prompt is not None]
    return Price(
        max(price.prompt for price in known),
        max(price.cached for price in known),
        max(price.completion for price in known),
        min(long_prompts, default=None),
        max(price.long_factor for price in known),
    )
