"""Comparison and boolean operators."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import comparison
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
if a < b:  #!
    pass
""",
        ("if a <= b:", "if a > b:", "if a >= b:", "if a != b:"),
        ("if b < a:",),
    ),
    (
        """\
if a == b:  #!
    pass
""",
        ("if a != b:",),
        (),
    ),
    (
        "x = a and b or c  #!",
        ("x = a or b or c", "x = a and b and c"),
        (),
    ),
    (
        """\
if key not in table:  #!
    pass
""",
        ("if key in table:",),
        (),
    ),
    (
        """\
if value is not None:  #!
    pass
""",
        ("if value is None:",),
        ("if value is not not None:",),
    ),
    (
        "ok = 0 <= i < n  #!",
        ("ok = 0 < i < n", "ok = 0 <= i <= n"),
        (),
    ),
    (
        "ok = (a)<(b)  #!",
        ("ok = (a)<=(b)",),
        (),
    ),
    (
        "ok = (a)and(b)  #!",
        ("ok = (a) or (b)",),
        (),
    ),
    (
        "values = [x for x in row if x > limit]  #!",
        ("values = [x for x in row if x >= limit]",),
        (),
    ),
    (
        "text = 'a < b'  #!",
        (),
        ("text = 'a <= b'",),
    ),
    (
        """\
while (a  # <= kept
       < b):  #!
    pass
""",
        ("<= b):",),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(comparison, before, wanted, unwanted)
