"""What the variants of a test say, from tables of what came of each before and after."""

from __future__ import annotations

import pytest

from bot.evidence.types import Outcome
from bot.verify.neighbours import Kind
from bot.verify.trials import Trial, assess
from bot.verify.types import GateStatus
from bot.verify.variants import Variant

PASSED = (Outcome.PASSED, "", "")
Row = tuple[Kind, int, object, int, str, str]
"""Kind, site, value, holder, message before and after: "" where it passed, "gone" where nothing was told."""


def trials(rows: list[Row]) -> list[Trial]:
    def told(message: str) -> tuple[Outcome, str, str]:
        return (Outcome.FAILED, "AssertionError", message) if message else PASSED

    return [
        Trial(Variant(f"v{n}", kind, site, value, holder), told(old), None if new == "gone" else told(new), bool(old))
        for n, (kind, site, value, holder, old, new) in enumerate(rows)
    ]


def near(changed: int, same: int, *, site: int = 0, value: object = 7, holder: int = -1) -> list[Row]:
    rows = [(Kind.NEAR, site, value, holder, f"was {n}", f"is {n}") for n in range(changed)]
    return [*rows, *((Kind.NEAR, site, value, holder, f"stays {n}", f"stays {n}") for n in range(same))]


def kinds(kind: Kind, changed: int, same: int, value: object) -> list[Row]:
    return [(kind, *row[1:]) for row in near(changed, same, value=value)]


ASKS: dict[str, tuple[list[Row], tuple[object, ...], str]] = {
    "nothing beside": (near(0, 5), (), "hardly anything"),
    "one of five": (near(1, 4), (), "hardly anything"),
    "one of five of each input": (near(1, 4) + near(1, 9, site=1), (), "hardly anything"),
    "the second run tells nothing": ([(*row[:5], "gone") for row in near(3, 0)], (), "hardly anything"),
    "every answer the same": (
        [(Kind.NEAR, 0, 7, -1, f"was {n}", "") for n in range(3)],
        (),
        "no longer hangs on an input: 3 variants",
    ),
    "equal to another expectation": (
        [*near(3, 0), (Kind.WANTED, -1, 49, -1, "48 == 52", "")],
        (),
        "another expectation",
    ),
    "one length": (kinds(Kind.LENGTH, 0, 2, "a b") + kinds(Kind.NEAR, 3, 0, "a b"), (), "another length"),
    "one word": (kinds(Kind.LETTERS, 2, 1, "Ab, cd!"), ("d!",), "a piece of the failing test's text"),
    "one element": (
        near(3, 0, holder=9) + near(0, 2, site=1, value=5, holder=9),
        (5,),
        "holds an element of the failing test's list",
    ),
    "any other element": (
        near(0, 3, holder=9) + near(0, 3, site=1, holder=9) + near(2, 0, site=9, value=None),
        (),
        "with any other element",
    ),
}


@pytest.mark.parametrize(("rows", "own", "said"), ASKS.values(), ids=ASKS)
def test_a_person_is_asked(rows: list[Row], own: tuple[object, ...], said: str) -> None:
    status, evidence = assess(trials(rows), own)
    assert status is GateStatus.REVIEW
    assert said in evidence


PASSES: dict[str, tuple[list[Row], tuple[object, ...]]] = {
    "all change": (near(5, 0), ()),
    "a boundary in one input of two": (near(0, 5) + near(2, 3, site=1), (7,)),
    "an end that repairs": (kinds(Kind.LENGTH, 1, 5, "a b") + near(3, 0, value="a b"), ()),
    "a name, whatever its length": (kinds(Kind.LENGTH, 0, 6, "apple") + near(3, 0, site=1), ()),
    "letters without a piece": (kinds(Kind.LETTERS, 2, 1, "Ab, cd!"), ()),
    "a number is no piece": (kinds(Kind.LETTERS, 2, 1, "Ab, cd!"), (7,)),
    "an element that is not in the patch": (near(3, 0, holder=9) + near(0, 2, site=1, value=5, holder=9), (6,)),
    "another expectation fails": ([*near(3, 0), (Kind.WANTED, -1, 49, -1, "48 == 52", "49 == 52")], ()),
    "another expectation was met before": ([*near(3, 0), (Kind.WANTED, -1, 49, -1, "", "")], ()),
}


@pytest.mark.parametrize(("rows", "own"), PASSES.values(), ids=PASSES)
def test_a_repair_that_reaches_further_passes(rows: list[Row], own: tuple[object, ...]) -> None:
    status, evidence = assess(trials(rows), own)
    assert status is GateStatus.PASSED
    assert "too" in evidence
