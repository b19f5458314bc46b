"""Wrong or missing return value."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import returns
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def f(a, b):
    return a  #!
""",
        ("return b", "return a, b", "return b + a", "return a or b"),
        (),
    ),
    (
        """\
def f(depth):
    depth -= 1
    return True  #!
""",
        ("return depth == 0", "return not depth", "return False"),
        (),
    ),
    (
        """\
def f(x):
    return x > 0  #!
""",
        ("return not x > 0",),
        (),
    ),
    (
        """\
def f(x):
    g(x)  #!
""",
        ("return g(x)",),
        (),
    ),
    (
        """\
def f(x):
    total = x  #!
""",
        ("return x",),
        (),
    ),
    (
        """\
def f(x):  #!
    total = x
""",
        ("return total",),
        (),
    ),
    (
        """\
def f(x):  #!
    if x:
        y = 1
        return y
    y = 2
""",
        ("return y",),
        (),
    ),
    (
        """\
def f(x):  #!
    yield x
""",
        (),
        ("return x",),
    ),
    (
        """\
def f(x):
    return  #!
""",
        ("return x", "return True"),
        (),
    ),
    (
        """\
def f(rows):
    yield rows  #!
""",
        ("yield from rows",),
        (),
    ),
    (
        """\
def f(rows):
    yield from rows  #!
""",
        ("yield rows",),
        (),
    ),
    (
        """\
async def f(rows):
    yield rows  #!
""",
        (),
        ("yield from rows",),
    ),
    (
        """\
def f(first, rest):
    return [first + x for x in rest]  #!
""",
        ("return rest + [first + x for x in rest]",),
        (),
    ),
    (
        "print(1)  #!",
        (),
        ("return print(1)",),
    ),
    (
        """\
def f(a, b):
    return a, b  #!
""",
        ("return a", "return b"),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(returns, before, wanted, unwanted)
