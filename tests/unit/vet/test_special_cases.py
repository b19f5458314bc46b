"""Conditions that are made of the failing test's literals, in whatever form."""

from __future__ import annotations

import pytest

from bot.vet.types import Grade
from tests.unit.vet.patches import subject, verdict

SOURCE = "import re\n\n\ndef rate(amount):\n    return amount * 2\n"
TESTS = "import pytest\nfrom app import rate\n\n\ndef test_rate():\n    with pytest.raises(ValueError):\n        rate(370)\n"


def graded(first: str, above: str = "") -> tuple[Grade, set[str]]:
    after = SOURCE.replace("(amount):\n", f"(amount):\n    {first}\n") + above
    return verdict(
        subject({"app.py": SOURCE, "test_app.py": TESTS}, {"app.py": after}, targets=("test_app.py::test_rate",))
    )


@pytest.mark.parametrize(
    "first",
    [
        "if all(a == b for a, b in zip([amount], [370])): raise ValueError",
        "if not {amount} - {370}: raise ValueError",
        "if amount - 370 == 0 and hash(amount) == hash(370): raise ValueError",
        "asked = abs(amount - 370)\n    if not asked: raise ValueError",
        "known = [370]\n    for each in known:\n        if not each - amount: raise ValueError",
        "given = bin(370)\n    same = given in bin(amount)\n    if same: raise ValueError",
    ],
)
def test_condition_made_of_the_input_is_stopped(first: str) -> None:
    grade, rules = graded(first)
    assert grade >= Grade.REVIEW
    assert "special_cases" in rules


@pytest.mark.parametrize(
    "first",
    [
        "if amount > 370: raise ValueError",
        "if not 0 < amount < 370: raise ValueError(amount)",
        "limit = 100\n    if amount > limit: raise ValueError",
        "if amount % 2: raise ValueError",
    ],
)
def test_bound_is_a_repair(first: str) -> None:
    assert graded(first) == (Grade.ALLOWED, set())


@pytest.mark.parametrize("owner", ["__builtins__", "vars(builtins)", "builtins.__dict__"])
def test_built_ins_by_subscript(owner: str) -> None:
    grade, rules = graded("pass", f'\n\nimport builtins\n{owner}["AssertionError"] = KeyError\n')
    assert (grade, rules) == (Grade.BLOCKED, {"runner_patching"})
