"""Limits: attempts, minutes, money; and what tokens cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bot.budget import Budget, TokenRatio, cost_of, load_prices, price_for, request_bytes, worst_price
from bot.config import ModelSettings, Price, Provider, RepairLimits
from bot.ports import Message, ModelRequest, ReplySchema, ToolCall, ToolSpec, Usage
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


def test_tokens_end_it() -> None:
    budget = Budget(RepairLimits(tokens=10_000, cost_usd=None), FakeClock())
    assert budget.can_afford(8_000, 2_000, None)
    assert not budget.can_afford(8_000, 2_001, None)
    assert budget.reason == (
        "a request of up to 10,001 tokens does not fit into the 10,000 that are left of 10,000 (limits.tokens)"
    )
    budget.charge(Usage(requests=1, prompt_tokens=7_000, cached_tokens=6_000, completion_tokens=2_000, cost_usd=None))
    assert budget.allows(0)
    assert budget.can_afford(500, 500, PRICE)
    assert not budget.can_afford(500, 501, PRICE), "cached tokens count, whatever they cost"
    budget.charge(Usage(requests=1, completion_tokens=1_500))
    assert not budget.allows(0)
    assert budget.reason == "10,500 of 10,000 tokens are spent (limits.tokens)"


def test_worst_case_is_set_aside_while_a_request_runs() -> None:
    budget = Budget(RepairLimits(tokens=10_000, cost_usd=0.01), FakeClock())
    with budget.hold(1_000, 2_000, PRICE) as refusal:  # $0.005 at worst
        assert refusal == ""
        assert budget.can_afford(1_000, 2_000, PRICE)
        with budget.hold(1_000, 2_000, PRICE) as second:
            assert second == ""
            with budget.hold(1, 1, PRICE) as third:
                assert "$0.00 that are left of $0.01" in third
            assert not budget.can_afford(1, 1, PRICE), "a refused one gave nothing back"
            with budget.hold(4_001, 0, None) as fourth:
                assert "limits.tokens" in fourth, "a price nobody knows still has tokens"
        budget.charge(Usage(requests=1, prompt_tokens=1_000, completion_tokens=10, cost_usd=0.00102))
    assert budget.can_afford(1_000, 3_900, PRICE), "what was not used is there again"
    with pytest.raises(ZeroDivisionError), budget.hold(1_000, 3_000, PRICE):
        raise ZeroDivisionError
    assert budget.can_afford(1_000, 3_900, PRICE)


def test_threads_together_do_not_spend_more_than_there_is() -> None:
    budget = Budget(RepairLimits(tokens=50_000, cost_usd=None), FakeClock())

    def ask(_: int) -> bool:
        with budget.hold(600, 400, None) as refusal:
            if not refusal:
                budget.charge(Usage(requests=1, prompt_tokens=600, completion_tokens=400, cost_usd=None))
            return not refusal

    with ThreadPoolExecutor(8) as pool:
        asked = sum(pool.map(ask, range(200)))
    assert asked <= 50
    assert budget.spent.requests == asked
    while ask(0):
        asked += 1
    assert asked == 50


def test_ratio_starts_at_three_and_is_learnt() -> None:
    ratio = TokenRatio()
    assert ratio.tokens("x" * 300, "é" * 30, "") == 120
    assert ratio.tokens("x", "y") == 2
    ratio.learn(10_000, 2_500)
    assert ratio.tokens("x" * 3_800) == pytest.approx(1_000, abs=1), "four bytes a token, less a margin"
    assert ratio.bytes_per_token == pytest.approx(3.8)
    ratio.learn(20_000, 10_000)
    assert ratio.bytes_per_token == pytest.approx(1.9), "the latest speaks for the whole conversation"


@pytest.mark.parametrize(
    ("size", "counted", "bytes_per_token"),
    [(1_000, 100, 3.0), (50_000, 0, 3.0), (50_000, 1, 6.0), (50_000, 10**9, 1.0), (50_000, -5, 3.0)],
    ids=["too-small", "nothing", "too-few", "too-many", "negative"],
)
def test_counts_that_no_tokenizer_makes_are_not_believed(size: int, counted: int, bytes_per_token: float) -> None:
    ratio = TokenRatio()
    ratio.learn(size, counted)
    assert ratio.bytes_per_token == bytes_per_token


def test_everything_a_request_sends_is_estimated() -> None:
    call = ToolCall("id", "name", "a" * 100)
    request = ModelRequest((Message("user", "x" * 100), Message("assistant", "y" * 50, "z" * 50, (call,))))
    plain = request_bytes(request)
    assert 306 <= plain <= 350
    tool = ToolSpec("tool", "d" * 200, {"type": "object"})
    assert request_bytes(replace(request, tools=(tool,))) == plain + 4 + 200 + len('{"type": "object"}')
    assert request_bytes(replace(request, schema=ReplySchema("s", {"type": "object"}))) == plain + 18
    assert TokenRatio().of(request) == -(-plain // 3)
    assert request_bytes(replace(request, messages=(Message("user", "\ud800"),))) < 20


def test_worst_price_is_the_dearest_that_may_be_asked() -> None:
    prices = {"a": Price(1.0, 0.1, 9.0), "b": Price(2.0, 0.5, 3.0, 1_000, 2.0)}
    providers = (
        Provider("second", "http://x", "", model="b"),
        Provider("third", "http://y", "", model="nobody-knows"),
        Provider("without-key", "http://z", "UNSET", model="grok-4.7"),
    )
    settings = ModelSettings("a", api_key="k", prices=prices, providers=providers)
    assert worst_price(settings) == Price(2.0, 0.5, 9.0, 1_000, 2.0)
    assert worst_price(replace(settings, providers=())) == prices["a"]
    assert worst_price(ModelSettings("nobody-knows", api_key="k")) is None
    assert worst_price(ModelSettings("a", prices=prices)) is None, "none may be asked"


def test_tries_that_may_be_paid_for() -> None:
    def tries(limits: RepairLimits, price: Price | None) -> int:
        budget = Budget(limits, FakeClock())
        with budget.hold(1_000, 2_000, price) as refusal:
            assert refusal == ""
            return budget.paid_tries(1_000, 2_000, price)

    assert tries(RepairLimits(cost_usd=None), None) == 8
    assert [tries(RepairLimits(cost_usd=dollars), PRICE) for dollars in (0.005, 0.0099, 0.01, 0.0151, 9.0)] == [
        1,
        1,
        2,
        3,
        8,
    ]
    assert tries(RepairLimits(tokens=6_100, cost_usd=None), None) == 2
    long = Price(1.0, 0.2, 0.0, long_prompt=2_000, long_factor=2.0)
    assert tries(RepairLimits(cost_usd=0.0041), long) == 4, "four requests are not one long one"
