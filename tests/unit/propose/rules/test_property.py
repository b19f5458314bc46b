"""Every candidate of every rule applies at its offsets and compiles, on odd and on real source."""

from __future__ import annotations

import argparse
import asyncio.locks
import bisect
import difflib
import heapq
import itertools
import json.decoder
import random
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.propose.search.generate import fingerprint
from bot.propose.search.rules import RULES
from bot.propose.search.source import parse, statement_at, statements_at
from bot.propose.search.types import Source
from tests.unit.propose.rules.tables import sound

SNIPPETS = [
    "@decorate(key=1)\ndef f(a, b=[], *c, d={}, **e):\n    '''Text.'''\n    return a + b[0] if a else d",
    "def f(größe, x):\n    żółw = '🐢' + größe  # …\n    return żółw[1:], x - 1",
    "def f(a, b):\n    if (n := len(a)) > 10 and not b:\n        return n\n    return f'{a!r:>{b}} {n + 1}'",
    "def f(x):\n    match x:\n        case [a, b] if a < b:\n            return a\n        case {'k': v}:\n            return v\n        case _:\n            return x.y",
    "def f(a):\n    return (\n        a.b(  # remark\n            1,\n            *a,\n            k=2,\n        )\n        + [x for x in a\n           if x]\n    )",
    "async def f(a):\n    async with a.open() as g, b:\n        async for x in g:\n            yield await x.read(1)",
    "class A:\n    size: int = 1\n    def f(self, other):\n        self.size, other.size = other.size, self.size\n        return self.size is other.size",
    "def f(a):\n    try:\n        x = a['k']; y = 1\n    except (KeyError, ValueError) as error:\n        raise TypeError('no') from error\n    else:\n        del a[0]\n    finally:\n        x = -1\n    return x, y",
    "def f(n):\n    def g(m):\n        nonlocal n\n        n -= m\n        return lambda: n\n    while n: n -= 1\n    else: n = 0\n    for i in range(n): g(i)",
    "x = 1 if not(a)else(b)or[c][0]\ny = a<b<=c!=d\nz = lambda p, q=1: (p)if(q)else(None)",
    "def f(a, k):\n    with open(a) as h:\n        if a:\n            text = h.read() \\\n                .strip()\n            return text\n        elif k:\n            pass\n    total = 0\n    for row in a:\n        total += row[k] ** 2 // 3 % 5\n    else:\n        total = ~total\n    return sum(x for x in a), {k: a[k] for k in a}, a[:, 1], a[::2]",
    "def f(a, *, b): return a if b is None else [*a, *b], {**a}, a @ b, (yield)",
    "if a: b = 1\nelif c: b = 2\nelse: b = 3",
    "def f(a):\n    global counter\n    counter = a = counter + 1\n    assert a, f'{a=}'\n    return not a == 1, '%s' % a, a if a else None",
]


def every_candidate(source: Source, lines: list[int]) -> int:
    count = 0
    for line in lines:
        for statement in statements_at(source, line):
            for rule in RULES:
                for candidate in rule.candidates(source, statement):
                    sound(source, candidate)
                    count += 1
    return count


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=2),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["    ", "\t", "  "]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
    st.integers(0, 1 << 30),
)
def test_odd_source(parts: list[str], line_end: str, unit: str, mark: str, last_line_end: bool, seed: int) -> None:
    text = "\n\n".join(parts).replace("    ", unit).replace("\n", line_end)
    source = parse("odd.py", mark + text + (line_end if last_line_end else ""))
    assert source is not None
    lines = list(range(1, len(source.offsets) + 1))
    every_candidate_of_marked(source, random.Random(seed).sample(lines, 1), mark)


def every_candidate_of_marked(source: Source, lines: list[int], mark: str) -> None:
    """`ast` refuses a byte-order mark in text that is decoded; what follows the mark has to compile."""
    for line in lines:
        for statement, rule in itertools.product(statements_at(source, line), RULES):
            for candidate in rule.candidates(source, statement):
                after = candidate.apply(source.text)
                assert after.startswith(mark)
                assert parse("odd.py", after) is not None, (candidate, after)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_each_snippet_on_every_line(snippet: str) -> None:
    source = parse("odd.py", snippet)
    assert source is not None
    assert every_candidate(source, list(range(1, len(source.offsets) + 1)))


@pytest.mark.parametrize("module", [textwrap, heapq, bisect, json.decoder, difflib, argparse, asyncio.locks])
def test_the_standard_library(module: ModuleType) -> None:
    """What does not compile is dropped before it is offered, and hardly anything is."""
    assert module.__file__ is not None
    source = parse("library.py", Path(module.__file__).read_text(encoding="utf-8"))
    assert source is not None
    made = kept = 0
    for line in random.Random(7).sample(range(1, len(source.offsets)), 12):
        statement = statement_at(source, line)
        if statement is None:
            continue
        for rule in RULES:
            candidates = list(rule.candidates(source, statement))
            for candidate in random.Random(line).sample(candidates, min(12, len(candidates))):
                edits = sorted(candidate.edits, key=lambda edit: edit.start)
                assert all(one.end <= other.start for one, other in itertools.pairwise(edits))
                made += 1
                kept += fingerprint(source, candidate) is not None
    assert made == 0 or kept / made > 0.99
