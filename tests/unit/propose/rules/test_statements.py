"""Whole statements: missing, too many, in the wrong place."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import statements
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def f(rows):
    lines = []
    for row in rows:
        lines.append(row)
    return lines  #!
""",
        ("lines.append(rows)",),
        (),
    ),
    (
        """\
def f(start):
    seen = set()

    def visit(node):
        return node in seen  #!

    return visit(start)
""",
        ("seen.add(node)",),
        (),
    ),
    (
        """\
def f(node):
    before = None
    while node:
        after = node.next
        node.next = before
        node = after  #!
    return before
""",
        ("before = node",),
        (),
    ),
    (
        """\
def f(rows):
    n = 0
    for row in rows:
        print(row)  #!
    return n
""",
        ("n += 1", "break"),
        (),
    ),
    (
        """\
def f(a):
    a.sort()  #!
    a.pop()
""",
        ("a.pop()", ""),
        (),
    ),
    (
        """\
def f(rows):
    for row in rows:
        if row:
            x = 1
            return x  #!
""",
        ("return x",),
        (),
    ),
    (
        """\
def f(rows):
    for row in rows:
        continue  #!
""",
        ("break", "pass"),
        (),
    ),
    (
        """\
def f(a):
    if a:
        b = 1
    elif a is None:  #!
        b = 2
    return b
""",
        ("if a is None:",),
        (),
    ),
    (
        """\
def f(a, b):
    if a:
        a = 1
    if b:  #!
        b = 2
""",
        ("elif b:",),
        (),
    ),
    (
        """\
def f(a):
    if a:  #!
        b = 1
        c = 2
""",
        ("b = 1\nc = 2",),
        (),
    ),
    (
        """\
def f(a):
    for x in a:
        y = x
    print(y)  #!
""",
        ("print(y)",),
        (),
    ),
    (
        "import os  #!",
        (),
        ("",),
    ),
    (
        """\
def f():
    global x  #!
    x = 1
""",
        (),
        ("",),
    ),
    (
        """\
def f(a):
    return a  #!
""",
        ("pass",),
        ("",),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(statements, before, wanted, unwanted)
