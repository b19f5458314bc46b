"""Values beside a literal of a test: near ones and far ones, other lengths, other letters, another expectation."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from enum import Enum
from typing import cast

_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"[A-Za-z]+")
_WORDS = 3
"""Words of one text that are exchanged one by one."""


class Kind(Enum):
    """What is otherwise in a variant."""

    NEAR = "another value"
    LENGTH = "a text or list of another length"
    LETTERS = "other letters in the same places"
    ONE = "another element in the place of 1, which code may well single out"
    WANTED = "another expectation"


Other = tuple[Kind, ast.expr]
"""What is otherwise, and the literal that stands there instead."""


def is_one(node: ast.Constant) -> bool:
    """1 or 1.0, which code may well single out."""
    return isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and node.value == 1


def others_of(node: ast.expr) -> Iterator[Other]:
    """Values beside a literal: near ones and a far one; what is neither number, text nor list stays."""
    if isinstance(node, (ast.List, ast.Tuple)):
        yield from _other_lists(node)
        return
    value = cast(ast.Constant, node).value
    near: tuple[int | float | str | bytes, ...] = ()
    length: tuple[str | bytes, ...] = ()
    letters: list[str] = []
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        near = (value + 1, value - 1, value * 2, value + 10, value / 2 if isinstance(value, float) else value // 2)
    elif isinstance(value, str):
        words = [match.span() for match in _WORD.finditer(value)][:_WORDS]
        spans = [(0, len(value)), *words] if len(words) > 1 else words
        letters = [value[:start] + _shifted(value[start:end]) + value[end:] for start, end in spans]
        length = (value + "q", "q" + value, value[:-1], value[1:], value + value, value + "qz")
        near = (_DIGIT.sub(lambda match: str((int(match[0]) + 1) % 10), value), value[::-1], value.swapcase())
    elif isinstance(value, bytes):
        length = (value + b"q", b"q" + value, value[:-1], value + value)
    one = isinstance(node, ast.Constant) and is_one(node)
    kinds = {Kind.LETTERS: letters, Kind.LENGTH: length, Kind.ONE if one else Kind.NEAR: near}
    for kind, others in kinds.items():
        yield from ((kind, ast.Constant(other)) for other in dict.fromkeys(others) if other != value)


def _other_lists(node: ast.List | ast.Tuple) -> Iterator[Other]:
    """Longer and shorter by one, by two and by all, and turned round."""
    elements = node.elts
    if elements:
        for longer in ([elements[-1]], [elements[0], elements[-1]], elements):
            yield Kind.LENGTH, _list_of(node, [*elements, *longer])
    if len(elements) > 1:
        yield Kind.LENGTH, _list_of(node, elements[:-1])
        yield Kind.NEAR, _list_of(node, elements[::-1])


def _list_of(node: ast.List | ast.Tuple, elements: list[ast.expr]) -> ast.expr:
    return type(node)([copy.deepcopy(each) for each in elements], ast.Load())


def otherwise(node: ast.expr) -> Iterator[Other]:
    """Something that the same outcome cannot equal as well."""
    more = ast.Constant("something else")
    if isinstance(node, (ast.List, ast.Tuple)):
        yield Kind.WANTED, _list_of(node, [*node.elts, more])
    elif isinstance(node, ast.Dict):
        yield Kind.WANTED, ast.Dict([*copy.deepcopy(node.keys), more], [*copy.deepcopy(node.values), more])
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield Kind.WANTED, ast.Constant(node.value + " and more")
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        yield Kind.WANTED, ast.Constant(node.value + 3)


def _shifted(text: str) -> str:
    """The next letter for each, z for a: the same kinds of characters in the same places."""
    return "".join(
        chr(ord(c) + 1) if c.isascii() and c.isalpha() and c not in "zZ" else {"z": "a", "Z": "A"}.get(c, c)
        for c in text
    )
