"""Off by one."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import off_by_one
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "x = row[i]  #!",
        ("x = row[i + 1]", "x = row[i - 1]"),
        (),
    ),
    (
        "x = row[i + 1]  #!",
        ("x = row[i]", "x = row[i - 1]"),
        (),
    ),
    (
        "x = row[i - 1]  #!",
        ("x = row[i]", "x = row[i + 1]"),
        (),
    ),
    (
        "x = grid[i - 1, j]  #!",
        ("x = grid[i - 1, j - 1]", "x = grid[i, j]"),
        (),
    ),
    (
        """\
for i in range(n):  #!
    pass
""",
        ("for i in range(n + 1):", "for i in range(n - 1):", "for i in range(1, n):"),
        (),
    ),
    (
        """\
for i in range(a, b):  #!
    pass
""",
        ("for i in range(a, b + 1):", "for i in range(a + 1, b):", "for i in range(b):"),
        (),
    ),
    (
        "x = row[:n]  #!",
        ("x = row[:n - 1]", "x = row[:n + 1]", "x = row[n:]", "x = row"),
        (),
    ),
    (
        "x = row[start:end]  #!",
        ("x = row[start:end + 1]", "x = row[start + 1:end]"),
        (),
    ),
    (
        """\
if len(row) == 0:  #!
    pass
""",
        ("if len(row) <= 1:",),
        (),
    ),
    (
        """\
if n < len(row):  #!
    pass
""",
        ("if n < len(row) - 1:",),
        (),
    ),
    (
        """\
def f(row, k):
    head = row[:k]
    for x in row:  #!
        yield x
""",
        ("for x in row[k:]:", "for x in row[1:]:"),
        (),
    ),
    (
        """\
def f(a, b):
    return f(a[1:], b)  #!
""",
        ("return f(a[1:], b[1:])",),
        (),
    ),
    (
        """\
if name == 'x':  #!
    pass
""",
        (),
        ("if name == 'x' + 1:",),
    ),
    (
        """\
def f(flag):
    return True  #!
""",
        (),
        ("return True + 1",),
    ),
    (
        "mid = (lo + hi) // 2  #!",
        ("mid = (lo + hi) // 2 + 1",),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(off_by_one, before, wanted, unwanted)
