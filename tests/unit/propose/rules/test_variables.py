"""Wrong variable, swapped arguments, another expression of the function."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import variables
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def f(first, second):
    return first  #!
""",
        ("return second",),
        (),
    ),
    (
        """\
def f(a, b):
    return f(a % b, b)  #!
""",
        ("return f(b, a % b)",),
        (),
    ),
    (
        """\
def f(rows, counts):
    for x in rows:  #!
        pass
""",
        ("for x in counts:",),
        (),
    ),
    (
        """\
def f(d, i, j, k):
    return d[i, k] + d[j, k]  #!
""",
        ("return d[i, k] + d[k, j]", "return d[i, k] + d[i, k]"),
        (),
    ),
    (
        """\
def f(a, b):
    total = a  #!
    return b
""",
        ("total = b",),
        (),
    ),
    (
        """\
def f(w, e, u, v):
    e[u, v] = min(w[u], w[v])  #!
""",
        ("w[v] = min(w[u], w[v])",),
        (),
    ),
    (
        """\
def f(d, get, node):
    for distance in d:
        x = get(d, node) + 1  #!
""",
        ("x = distance + 1",),
        (),
    ),
    (
        """\
def lenght(x):
    return x

def f(x):
    return length(x)  #!
""",
        ("return lenght(x)",),
        (),
    ),
    (
        """\
def f(x):
    y = later
    return x  #!

""",
        ("return y",),
        (),
    ),
    (
        """\
def f(x):
    return x  #!
    y = 1
""",
        (),
        ("return y",),
    ),
    (
        """\
def f(a):
    return [b for b in a]  #!
""",
        ("return [a for b in a]",),
        (),
    ),
    (
        """\
def f(a):
    squares = [b for b in a]
    return a  #!
""",
        ("return squares",),
        ("return b",),
    ),
    (
        """\
def f(low, high):
    low = high  #!
    return low
""",
        ("high = low",),
        (),
    ),
    (
        "x = a if c else b  #!",
        ("x = b if c else a",),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(variables, before, wanted, unwanted)
