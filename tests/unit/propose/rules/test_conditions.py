"""A condition negated, widened, narrowed or never asked."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import conditions
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def f(x, y):
    if x.ready():  #!
        pass
""",
        (
            "if not x.ready():",
            "if x.ready() and y:",
            "if x.ready() or not y:",
            "if x is None or x.ready():",
            "if x is not None and x.ready():",
        ),
        (),
    ),
    (
        """\
def f(queue):
    queue.append(1)
    while True:  #!
        pass
""",
        ("while queue:",),
        (),
    ),
    (
        """\
def f(a, b):
    if a and b:  #!
        pass
""",
        ("if a:", "if b:", "if not (a and b):", "if not a and b:"),
        (),
    ),
    (
        """\
def f(a, b, c):
    if a or b or c:  #!
        pass
""",
        ("if b or c:", "if a or b:"),
        (),
    ),
    (
        """\
if not done:  #!
    pass
""",
        ("if done:",),
        (),
    ),
    (
        """\
if limit:  #!
    pass
""",
        ("if limit is not None:",),
        (),
    ),
    (
        """\
def f(rows):
    return [x for x in rows]  #!
""",
        ("return [x for x in rows if x]",),
        (),
    ),
    (
        """\
def f(rows):
    return [x for x in rows if x]  #!
""",
        ("return [x for x in rows]",),
        (),
    ),
    (
        """\
def f(total, coins):
    first, *rest = coins
    if total < 0:  #!
        pass
""",
        ("if total < 0 or not coins:", "if total < 0 and coins:"),
        (),
    ),
    (
        """\
def f(a, b):
    if a > 1:
        return 1
    if b:  #!
        return 2
""",
        ("if b and a > 1:", "if a > 1:"),
        (),
    ),
    (
        "x = a if b == c or d else e  #!",
        ("x = a if not (b == c or d) else e", "x = a if d else e"),
        (),
    ),
    (
        "x = 1  #!",
        (),
        ("x = not 1",),
    ),
    (
        """\
def f(self):
    if self.shown:  #!
        return self.variable
""",
        ("if self.shown and self.variable is not None:", "if self.shown or self.variable:"),
        (),
    ),
    (
        """\
def f(flag, kind):
    x = isinstance(kind, int)  #!
""",
        ("x = isinstance(kind, int) and flag",),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(conditions, before, wanted, unwanted)
