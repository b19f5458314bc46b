"""Wrong method, attribute or function of the same family."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import members
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "rows.append(x)  #!",
        ("rows.extend(x)", "rows = x"),
        (),
    ),
    (
        "x = queue.pop()  #!",
        ("x = queue.popleft()", "x = queue"),
        (),
    ),
    (
        """\
for k in table.keys():  #!
    pass
""",
        ("for k in table.items():", "for k in table.values():"),
        (),
    ),
    (
        "x = any(rows)  #!",
        ("x = all(rows)",),
        (),
    ),
    (
        "x = min(a, b)  #!",
        ("x = max(a, b)",),
        (),
    ),
    (
        "x = sorted(rows)  #!",
        ("x = reversed(rows)",),
        (),
    ),
    (
        "s.strip()  #!",
        ("s = s.strip()", "s.lstrip()"),
        (),
    ),
    (
        "x = rows.sort()  #!",
        ("x = sorted(rows)",),
        (),
    ),
    (
        """\
class A:
    def __init__(self):
        self.width = 1
        self.height = 2

    def area(self):
        return self.width * self.width  #!
""",
        ("return self.width * self.height",),
        (),
    ),
    (
        """\
class A:
    def __init__(self):
        self.size = 1

    def get(self):
        return size  #!
""",
        ("return self.size",),
        (),
    ),
    (
        """\
def f(node, other):
    if node.outgoing and other.incoming:
        return node.outgoing  #!
""",
        ("return node.incoming",),
        (),
    ),
    (
        "x = rows.keys  #!",
        ("x = rows.keys()",),
        (),
    ),
    (
        "a[k].update(b)  #!",
        ("a[k] = b",),
        (),
    ),
    (
        "x = s.issupperset(t)  #!",
        ("x = s.issuperset(t)",),
        (),
    ),
    (
        "self.rows[0] = x  #!",
        ("self.rows.append(x)",),
        (),
    ),
    (
        "x = hasattr(a, 'b')  #!",
        ("x = getattr(a, 'b', None)",),
        (),
    ),
    (
        "x = y  #!",
        (),
        ("x = y()",),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(members, before, wanted, unwanted)
