"""Imports that are missing."""

from __future__ import annotations

import pytest

from bot.propose.search.rules import imports
from tests.unit.propose.rules.tables import check

# before (the line marked `#!` is the faulty one), changes that must be offered, changes that must not
TABLE: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (
        "x = math.floor(1.5)  #!",
        ("import math",),
        (),
    ),
    (
        "x = defaultdict(list)  #!",
        ("from collections import defaultdict",),
        (),
    ),
    (
        """\
'''Text.'''
from __future__ import annotations
x = Path('a')  #!
""",
        ("from pathlib import Path",),
        (),
    ),
    (
        """\
import math
x = math.floor(1.5)  #!
""",
        (),
        ("import math",),
    ),
    (
        """\
from everything import *
x = math.floor(1.5)  #!
""",
        (),
        ("import math",),
    ),
    (
        """\
def f(math):
    return math.floor(1)  #!
""",
        (),
        ("import math",),
    ),
    (
        "x = unknown.thing  #!",
        (),
        ("import unknown",),
    ),
    (
        "x = len([])  #!",
        (),
        (),
    ),
]


@pytest.mark.parametrize(("before", "wanted", "unwanted"), TABLE)
def test_table(before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    check(imports, before, wanted, unwanted)
