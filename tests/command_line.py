"""The command line in a process of its own, and a small project with a bug to run it on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot import process

BUGGY = {
    "shop/__init__.py": "",
    "shop/cart.py": """\
def total(prices, discount=0):
    result = 0
    for price in prices:
        result += price
    return result - discount


def cheapest(prices):
    best = prices[0]
    for price in prices:
        if price > best:
            best = price
    return best
""",
    "tests/test_cart.py": """\
from shop.cart import cheapest, total


def test_total():
    assert total([1, 2, 3]) == 6


def test_discount():
    assert total([10], 3) == 7


def test_cheapest():
    assert cheapest([3, 1, 2]) == 1


def test_cheapest_of_one():
    assert cheapest([5]) == 5
""",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
}


def grokfix(
    *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, seconds: float = 120
) -> process.Completed:
    """Run the command line in a process of its own, with no key in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
    return process.run(
        (sys.executable, "-m", "bot", *arguments),
        cwd=cwd,
        environment={**inherited, "NO_COLOR": "1", "COLUMNS": "120", **(environment or {})},
        seconds=seconds,
    )


def text(completed: process.Completed) -> str:
    return (completed.stdout + completed.stderr).decode()


def result_of(folder: Path) -> dict[str, Any]:
    loaded = json.loads((folder / "result.json").read_text())
    assert isinstance(loaded, dict)
    return loaded
