"""Identity, shared defaults, aliases, late closures."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import identity
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
if a is b:  #!
    pass
""",
        ("if a == b:",),
        (),
    ),
    (
        """\
if a is not 'x':  #!
    pass
""",
        ("if a != 'x':",),
        (),
    ),
    (
        """\
if a == None:  #!
    pass
""",
        ("if a is None:",),
        (),
    ),
    (
        """\
if a == 1:  #!
    pass
""",
        (),
        ("if a is 1:",),
    ),
    (
        """\
def f(x, seen=[]):  #!
    seen.append(x)
    return seen
""",
        ("def f(x, seen=None):\n    if seen is None:\n        seen = []",),
        (),
    ),
    (
        """\
def f(x, *, seen={}):  #!
    '''Text.'''
    return seen
""",
        ("def f(x, *, seen=None):\n    if seen is None:\n        seen = {}",),
        (),
    ),
    (
        """\
def f(x, seen=()):  #!
    return seen
""",
        (),
        ("def f(x, seen=None):\n    if seen is None:\n        seen = ()",),
    ),
    (
        "grid = [[0] * n] * m  #!",
        ("grid = [[0] * n for _ in range(m)]",),
        (),
    ),
    (
        """\
def f(rows):
    rows.append(1)
    return rows  #!
""",
        ("return list(rows)", "return rows.copy()"),
        (),
    ),
    (
        """\
def f(rows):
    for x in rows:
        path = []
        rows.append(path)  #!
""",
        ("rows.append(list(path))",),
        (),
    ),
    (
        """\
def f(rows):
    for x in rows:
        rows.append(lambda: x)  #!
""",
        ("rows.append(lambda x=x: x)",),
        (),
    ),
    (
        """\
def f(n):
    n -= 1
    return n  #!
""",
        (),
        ("return list(n)",),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(identity, before, wanted, unwanted)
