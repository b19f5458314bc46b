"""Missing guard, early return or base case."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import guards
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        """\
def f(items):  #!
    return items[0]
""",
        ("if not items:\n    return None", "if not items:\n    return []", "if not items:\n    return 0"),
        (),
    ),
    (
        """\
def f(n):  #!
    return n * f(n - 1)
""",
        ("if n <= 1:\n    return n", "if n <= 0:\n    return 1"),
        (),
    ),
    (
        """\
def f(n):  #!
    '''Text.'''
    return n * f(n - 1)
""",
        ("if n <= 1:\n    return n",),
        (),
    ),
    (
        """\
def f(node):
    x = node.next  #!
    return x
""",
        (
            "if not node:\n    return None",
            "if node is None:\n    return None",
            "x = node.next if node is not None else None",
        ),
        (),
    ),
    (
        """\
def f(nodes):
    for node in nodes:
        node.visit()  #!
""",
        ("if node:\n    node.visit()", "if not node:\n    continue"),
        (),
    ),
    (
        """\
def f(table, key):
    return table[key]  #!
""",
        ("return table.get(key)", "return table.get(key, 0)"),
        (),
    ),
    (
        """\
def f(table, a, b):
    return table[a, b]  #!
""",
        ("return table.get((a, b))",),
        ("return table.get(a, b)",),
    ),
    (
        "x = total / count  #!",
        ("x = total / count if count else 0",),
        (),
    ),
    (
        "x = max(rows)  #!",
        ("x = max(rows, default=0)",),
        (),
    ),
    (
        "x = next(rows)  #!",
        ("x = next(rows, None)",),
        (),
    ),
    (
        """\
for x in rows:  #!
    pass
""",
        ("for x in rows or []:",),
        (),
    ),
    (
        """\
def f(rows):
    x = g(rows)  #!
    return x
""",
        ("x = g(rows) if rows else 0",),
        (),
    ),
    (
        "x = rows[0]; y = 1  #!",
        (),
        (),
    ),
    (
        "row[0] = 1  #!",
        (),
        ("row.get(0) = 1",),
    ),
    (
        """\
def f(self):
    row = [self.name]  #!
""",
        ("row = [self.name] if self.name else []",),
        (),
    ),
    (
        """\
try:
    x = 1
except KeyError:  #!
    pass
""",
        ("except (KeyError, IndexError):", "except Exception:"),
        (),
    ),
    (
        """\
try:
    x = 1
except (KeyError, TypeError) as error:  #!
    pass
""",
        ("except (KeyError, TypeError, ValueError) as error:",),
        ("except (KeyError, TypeError, TypeError) as error:",),
    ),
    (
        """\
def f(rows):  #!
    yield rows[0]
""",
        ("if not rows:\n    return",),
        ("if not rows:\n    return None",),
    ),
    (
        "x = grid[:, 1]  #!",
        (),
        ("x = grid.get((:, 1))",),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(guards, before, wanted, unwanted)
