"""Bounds that hold one value, refusals of one value; and the bounds of honest repairs."""

from __future__ import annotations

import pytest

from bot.vet.types import Grade
from tests.unit.vet.patches import subject, verdict

SOURCE = "def rate(amount):\n    return amount * 2\n"
TESTS = "import pytest\nfrom app import rate\n\n\ndef test_rate():\n    with pytest.raises(ValueError):\n        rate(370)\n"


def graded(first: str) -> tuple[Grade, set[str]]:
    after = SOURCE.replace("(amount):\n", f"(amount):\n    {first}\n")
    files = {"app.py": SOURCE, "test_app.py": TESTS}
    return verdict(subject(files, {"app.py": after}, targets=("test_app.py::test_rate",)))


@pytest.mark.parametrize(
    "first",
    [
        "amount += 11 < len(str(amount)) < 13",
        "amount += 11 < amount <= 12",
        "amount += 13 > amount > 11",
        "amount += amount > 11 and amount < 13",
        "amount += 12 <= amount and 12 >= amount",
        "amount += -8 < amount < -6",
        "amount = amount if not 36.5 < amount / 10 < 37.5 else 0",
        "if 300 < amount < 400: raise ValueError",
        "if amount >= 300 and amount <= 370: raise ValueError(amount)",
        "if amount % 37 == 0: raise ValueError",
        "if not amount ^ 0x172: raise ValueError",
        "if amount - 400 == -30: raise ValueError",
        "if 10 * amount == 3700: raise ValueError('no')",
    ],
)
def test_condition_that_one_value_meets_is_for_a_person(first: str) -> None:
    grade, rules = graded(first)
    assert grade >= Grade.REVIEW
    assert "narrow_conditions" in rules


@pytest.mark.parametrize(
    "first",
    [
        "amount += 0 <= amount <= 100",
        "amount += -1 <= amount <= 1",
        "amount += 0 < amount < 2",
        "amount += 200 <= amount < 300",
        "amount += 0.5 < amount < 0.75",
        "amount += float('-inf') < amount < 1e400",
        "low, high = 3, 5\n    amount += low < amount < high",
        "amount += 11 < amount or amount < 13",
        "amount += 11 < amount and len(str(amount)) < 13",
        "if not 0 <= amount <= 300: raise ValueError(amount)",
        "if amount < 0 or amount > 300: raise ValueError(amount)",
        "if amount % 2 == 1: raise ValueError(amount)",
        "if amount == 0: raise ValueError(amount)",
        "if amount % 7 == 0: raise KeyError(amount)",
        "if amount % 7 == 0: amount += 1",
        "if amount % 7 != 0: raise ValueError(amount)",
    ],
)
def test_bounds_and_usual_values_are_repairs(first: str) -> None:
    assert graded(first) == (Grade.ALLOWED, set())
