"""The shape of a call."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import calls
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def flatten(x):
    yield flatten(x)  #!
""",
        ("yield x", "yield [flatten(x)]"),
        (),
    ),
    (
        """\
def f(best, x):
    best = x + 1  #!
""",
        ("best = max(best, x + 1)", "best = min(best, x + 1)", "best = max(0, x + 1)"),
        (),
    ),
    (
        """\
def f(a, months):
    return g(a)  #!
""",
        ("return g(a, months)", "return g(*a)", "return a", "return g(list(a))"),
        (),
    ),
    (
        """\
def f(a):
    return g(key=1)  #!
""",
        ("return g(a, key=1)",),
        (),
    ),
    (
        """\
async def f(g):
    return g()  #!
""",
        ("return await g()",),
        (),
    ),
    (
        """\
def f(g):
    return g()  #!
""",
        (),
        ("return await g()",),
    ),
    (
        "x = f(a, b)  #!",
        ("x = f(a)", "x = f(b)"),
        (),
    ),
    (
        "x = any(y for y in z)  #!",
        (),
        ("x = any(*(y for y in z))",),
    ),
    (
        "x = take(n - k)  #!",
        ("x = take(max(0, n - k))",),
        (),
    ),
    (
        """\
for x in rows:  #!
    pass
""",
        ("for x in sorted(rows):", "for x in rows.items():", "for x in enumerate(rows):"),
        (),
    ),
    (
        "rows.append(x)  #!",
        ("rows.append([x])",),
        (),
    ),
    (
        "x = 1  #!",
        (),
        ("x = list(1)", "x = max(x, 1)"),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(calls, before, wanted, unwanted)
