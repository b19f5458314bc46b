"""Limits: attempts, minutes, money; and what tokens cost."""

from __future__ import annotations

import pytest

from bot.budget import Budget, cost_of, load_prices, price_for
from bot.config import Price, RepairLimits
from bot.ports import Usage
from tests.fakes import FakeClock

PRICE = Price(prompt=1.0, cached=0.2, completion=2.0, long_prompt=200_000, long_factor=2.0)


def test_attempts_end_it() -> None:
    budget = Budget(RepairLimits(attempts=2), FakeClock())
    assert [budget.allows(made) for made in (0, 1)] == [True, True]
    assert budget.reason == ""
    assert not budget.allows(2)
    assert budget.reason == "2 of 2 attempts are made (limits.attempts)"


def test_minutes_end_it() -> None:
    clock = FakeClock()
    budget = Budget(RepairLimits(minutes=1.5), clock)
    assert budget.seconds_left() == 90.0
    clock.sleep(89.0)
    assert budget.allows(0)
    clock.sleep(5.0)
    assert budget.seconds_left() == 0.0
    assert not budget.allows(0)
    assert budget.reason == "1.5 minutes are over (limits.minutes)"


def test_money_ends_it() -> None:
    budget = Budget(RepairLimits(cost_usd=0.5), FakeClock())
    budget.charge(Usage(requests=1, cost_usd=0.49))
    assert budget.allows(0)
    budget.charge(Usage(requests=1, cost_usd=0.02))
    assert not budget.allows(0)
    assert budget.reason == "$0.51 of $0.50 are spent (limits.cost_usd)"
    assert budget.spent == Usage(requests=2, cost_usd=0.51)


def test_no_limit_in_money() -> None:
    budget = Budget(RepairLimits(cost_usd=None), FakeClock())
    budget.charge(Usage(cost_usd=1e6))
    assert budget.allows(0)
    assert budget.can_afford(10**6, 10**5, PRICE)


def test_no_money_still_allows_what_costs_nothing() -> None:
    budget = Budget(RepairLimits(cost_usd=0.0), FakeClock())
    assert budget.allows(0), "the search engine is free"
    assert not budget.can_afford(1, 1, PRICE)


def test_unknown_cost_is_allowed_and_shown() -> None:
    budget = Budget(RepairLimits(cost_usd=0.1), FakeClock())
    assert budget.can_afford(10**6, 10**5, None)
    budget.charge(Usage(requests=1, prompt_tokens=5, cost_usd=None))
    assert budget.cost_unknown
    assert budget.allows(0)
    budget.charge(Usage(requests=1, cost_usd=0.11))
    assert not budget.allows(0), "what is known still counts"


@pytest.mark.parametrize(
    ("spent", "prompt", "completion", "fits"),
    [
        (0.0, 100_000, 200_000, True),
        (0.0, 100_000, 200_001, False),
        (0.4, 50_000, 25_000, True),
        (0.45, 0, 30_000, False),
    ],
)
def test_worst_case_before_a_request(spent: float, prompt: int, completion: int, fits: bool) -> None:
    budget = Budget(RepairLimits(cost_usd=0.5), FakeClock())
    budget.charge(Usage(cost_usd=spent))
    assert budget.can_afford(prompt, completion, PRICE) is fits
    assert ("does not fit" in budget.reason) is not fits


@pytest.mark.parametrize(
    ("prompt", "cached", "completion", "dollars"),
    [
        (1_000_000, 0, 0, 2.0),  # long prompts cost double
        (199_999, 0, 0, 0.199999),
        (200_000, 0, 1_000_000, 4.4),
        (100_000, 50_000, 10_000, 0.08),
        (10, 1000, 0, 0.000002),  # an endpoint that counts more cached tokens than tokens
    ],
)
def test_cost_of_tokens(prompt: int, cached: int, completion: int, dollars: float) -> None:
    assert cost_of(PRICE, prompt, cached, completion) == pytest.approx(dollars)


def test_price_table_comes_with_the_package() -> None:
    prices = load_prices({"mine": PRICE, "grok-4.7": PRICE})
    assert price_for(prices, "grok-build-0.1") == PRICE
    assert price_for(prices, "x-ai/grok-build-0.1") == PRICE
    assert price_for(prices, "mine") is PRICE
    assert price_for(prices, "grok-4.7") is PRICE, "settings win"
    assert price_for(prices, "some-model") is None
