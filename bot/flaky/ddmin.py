"""Delta debugging with an oracle that is a test run: an answer may differ the next time, so questions are repeated.

The algorithm is ddmin of Zeller and Hildebrandt (2002), with the oracle made of several runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

MISS = 0.02
"""Chance at which one question may overlook an effect."""

_ROUNDS = 3
_MOST_REPEATS = 40


def repeats_for(rate: float, miss: float = MISS) -> int:
    """Runs until an effect that shows in `rate` of them was seen, but for a chance of `miss`; at least 2."""
    if rate >= 1.0:
        return 2
    if rate <= 0.0:
        return _MOST_REPEATS
    return min(_MOST_REPEATS, max(2, math.ceil(math.log(miss) / math.log1p(-rate))))


def ddmin(items: Sequence[Item], holds: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """A subset of `items`, in their order, that still `holds` and of which no single item can be left out.

    `holds` is taken to be true of all items, which is not asked again; every subset is asked at most once.
    """
    answers: dict[tuple[int, ...], bool] = {}

    def ask(chosen: list[int]) -> bool:
        key = tuple(chosen)
        if key not in answers:
            answers[key] = holds(tuple(items[index] for index in key))
        return answers[key]

    left, parts = list(range(len(items))), 2
    if left and ask([]):
        return ()
    while len(left) > 1:
        size = math.ceil(len(left) / parts)
        pieces = [left[start : start + size] for start in range(0, len(left), size)]
        smaller = next((piece for piece in pieces if ask(piece)), None)
        if smaller is not None:
            left, parts = smaller, 2
            continue
        if len(pieces) > 2:
            rests = ([index for index in left if index not in set(piece)] for piece in pieces)
            smaller = next((rest for rest in rests if ask(rest)), None)
            if smaller is not None:
                left, parts = smaller, max(2, len(pieces) - 1)
                continue
        if size == 1:
            break
        parts = min(len(left), 2 * len(pieces))
    return tuple(items[index] for index in left)


def minimal(items: Sequence[Item], shows: Callable[[tuple[Item, ...]], bool], rate: float) -> tuple[Item, ...] | None:
    """The minimal subset under which an effect shows, by an oracle that may err; None where none keeps its promise.

    shows: one run of a subset; whether the effect was there. rate: share of the runs of all items in which it was.
    A subset has the effect once it showed in any of so many runs that it would hardly be overlooked: without its cause
    it never shows. The result is asked again with twice the runs: it has to show it, and not without any one of its
    items. Where that fails, the search is made again with twice the runs a question, three times at most.
    """
    repeats = repeats_for(rate)
    for _ in range(_ROUNDS):

        def often(subset: tuple[Item, ...], runs: int = repeats) -> bool:
            return any(shows(subset) for _ in range(runs))

        found = ddmin(items, often)
        if not found:
            return ()
        found = _without_the_needless(found, often)
        if found and often(found):
            return found
        repeats = min(_MOST_REPEATS, 2 * repeats)
    return None


def _without_the_needless(found: tuple[Item, ...], often: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """An item whose leaving out went wrong by chance is left out now."""
    if len(found) == 1:
        return found
    for item in found:
        rest = tuple(other for other in found if other is not item)
        if rest and often(rest):
            return _without_the_needless(rest, often)
    return found
