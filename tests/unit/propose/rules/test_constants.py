"""Wrong constant or initial value."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import constants
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "x = 1  #!",
        ("x = 0", "x = 2", "x = -1", "x = float('inf')"),
        ("x = 1",),
    ),
    (
        "x = -1  #!",
        ("x = -2", "x = -0"),
        ("x = --1",),
    ),
    (
        "x = True  #!",
        ("x = False",),
        (),
    ),
    (
        "x = None  #!",
        ("x = []", "x = 0"),
        (),
    ),
    (
        """\
def f(n):
    return []  #!
""",
        ("return [n]", "return [[]]", "return {}"),
        (),
    ),
    (
        """\
def f(rows):
    best = 0  #!
    for row in rows:
        best = max(best, row)
""",
        ("best = rows[0]", "best = float('-inf')"),
        (),
    ),
    (
        """\
x = {'name': 1, 'size': 2}
y = x['nmae']  #!
""",
        ("y = x['name']",),
        (),
    ),
    (
        "sep = ''  #!",
        ("sep = ' '",),
        (),
    ),
    (
        "x = s == 'Yes'  #!",
        ("x = s == 'yes'",),
        (),
    ),
    (
        "x = set()  #!",
        ("x = []",),
        (),
    ),
    (
        "x = row[0]  #!",
        ("x = row[1]", "x = row[-1]"),
        (),
    ),
    (
        "'''docstring'''  #!",
        (),
        ("''",),
    ),
    (
        "x = float('inf')  #!",
        ("x = -float('inf')",),
        (),
    ),
    (
        "x = [[]]  #!",
        ("x = []",),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(constants, before, wanted, unwanted)
