"""Repeated delta debugging: the minimal set is found exactly, also where single answers are wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.flaky.ddmin import ddmin, minimal, repeats_for


@st.composite
def hidden_sets(draw: st.DrawFn) -> tuple[int, frozenset[int]]:
    size = draw(st.integers(1, 60))
    wanted = draw(st.frozensets(st.integers(0, size - 1), min_size=1, max_size=3))
    return size, wanted


@given(hidden_sets())
def test_the_hidden_set_is_found(problem: tuple[int, frozenset[int]]) -> None:
    size, wanted = problem
    assert ddmin(range(size), lambda chosen: wanted <= set(chosen)) == tuple(sorted(wanted))


@given(hidden_sets(), st.floats(0.3, 1.0), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_an_effect_that_shows_now_and_then_only(problem: tuple[int, frozenset[int]], rate: float, seed: int) -> None:
    """What is found has the effect, always; that it is minimal is a matter of chance, see below."""
    size, wanted = problem
    chance = random.Random(seed)
    found = minimal(range(size), lambda chosen: wanted <= set(chosen) and chance.random() < rate, rate)
    assert found is None or wanted <= set(found)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("rate", [1.0, 0.7, 0.4])
def test_how_often_it_is_minimal_in_spite_of_noise(size: int, rate: float) -> None:
    right = 0
    for seed in range(40):
        chance = random.Random(seed)
        wanted = set(chance.sample(range(40), size))
        shows = lambda chosen: wanted <= set(chosen) and chance.random() < rate  # noqa: B023, E731
        right += minimal(range(40), shows, rate) == tuple(sorted(wanted))
    assert right >= (40 if rate == 1.0 else 36)


@given(hidden_sets(), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_alternatives_one_of_them_is_found(problem: tuple[int, frozenset[int]], seed: int) -> None:
    """Any one item of the set does it: one item is found."""
    size, wanted = problem
    found = ddmin(range(size), lambda chosen: bool(wanted & set(chosen)))
    assert len(found) == 1 and found[0] in wanted


@given(st.integers(2, 400), st.integers(0, 399))
def test_one_polluter_costs_a_logarithm(size: int, place: int) -> None:
    asked: list[int] = []
    wanted = place % size
    ddmin(range(size), lambda chosen: bool(asked.append(1)) or wanted in chosen)
    assert len(asked) <= 2 * size.bit_length() + 2


def test_what_shows_without_any_item_is_no_order() -> None:
    assert minimal(range(10), lambda chosen: True, 1.0) == ()


def test_nothing_that_stands_is_said_so() -> None:
    answers = iter([True, *[False] * 100_000])
    assert minimal(range(4), lambda chosen: bool(chosen) and next(answers), 1.0) is None


@pytest.mark.parametrize(("rate", "runs"), [(1.0, 2), (0.9, 2), (0.5, 6), (0.1, 38), (0.0, 40)])
def test_runs_of_a_question(rate: float, runs: int) -> None:
    assert repeats_for(rate) == runs
