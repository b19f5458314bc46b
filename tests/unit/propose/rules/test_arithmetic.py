"""Arithmetic operators, operands and operations."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import arithmetic
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "x = a + b  #!",
        ("x = a - b", "x = a * b", "x = b + a", "x = a", "x = b"),
        (),
    ),
    (
        "x = a / b  #!",
        ("x = a // b", "x = a * b", "x = b / a"),
        (),
    ),
    (
        "n ^= n - 1  #!",
        ("n &= n - 1", "n |= n - 1", "n = n - 1"),
        (),
    ),
    (
        "total -= x  #!",
        ("total += x",),
        (),
    ),
    (
        "total = x  #!",
        ("total += x",),
        (),
    ),
    (
        "x = -a  #!",
        ("x = a",),
        (),
    ),
    (
        "x = a + b * c  #!",
        ("x = (a + b) * c",),
        (),
    ),
    (
        "x = (a + b) * c  #!",
        ("x = a + b * c", "x = (a - b) * c"),
        ("x = ((a - b)) * c",),
    ),
    (
        "x = 1 << n  #!",
        ("x = 1 >> n",),
        (),
    ),
    (
        """\
def f(x, guess):
    while abs(x - guess) > 1:  #!
        pass
""",
        ("while abs(x - guess ** 2) > 1:",),
        (),
    ),
    (
        """\
def f(rows, k, n):
    n -= 1
    return f(rows, k)  #!
""",
        ("return f(rows, k - n)", "return f(rows, k + n)"),
        (),
    ),
    (
        "x = len(row - 1)  #!",
        ("x = len(row) - 1",),
        (),
    ),
    (
        "x = int(a) / b  #!",
        ("x = int(a / b)",),
        (),
    ),
    (
        "s = 'a %s' % name  #!",
        (),
        ("s = 'a %s' // name", "s = 'a %s' * name"),
    ),
    (
        "x = a - (b - c)  #!",
        ("x = a - (b + c)", "x = a + (b - c)"),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(arithmetic, before, wanted, unwanted)
