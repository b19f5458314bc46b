"""Values as Python source, where they are plain enough to come back the same, and smaller values of the same kind."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

MOST_CHARACTERS = 4000


def literal(value: Any) -> str | None:
    """Source that evaluates to an equal value of the same types; None where there is none, or it is long."""
    text = render(value, 0)
    if text is None or len(text) > MOST_CHARACTERS:
        return None
    return text


def render(value: Any, depth: int) -> str | None:
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else None
    if depth > 20 or kind not in (list, tuple, set, dict) or len(value) > 1000:
        return None
    if kind is dict:
        pairs = [(render(key, depth + 1), render(one, depth + 1)) for key, one in value.items()]
        if any(key is None or one is None for key, one in pairs):
            return None
        return "{" + ", ".join(f"{key}: {one}" for key, one in pairs) + "}"
    parts = [render(one, depth + 1) for one in value]
    texts = [part for part in parts if part is not None]
    if len(texts) < len(parts):
        return None
    if kind is list:
        return "[" + ", ".join(texts) + "]"
    if kind is tuple:
        return "(" + ", ".join(texts) + ("," if len(texts) == 1 else "") + ")"
    return "{" + ", ".join(sorted(texts)) + "}" if texts else None


def evaluate(text: str) -> Any:
    return ast.literal_eval(text)


def smaller(value: Any) -> Iterator[Any]:
    """Values one step smaller, boldest first. A sign is kept: shrinking shall not leave what the code is for."""
    kind = type(value)
    if kind in (list, tuple, str, bytes):
        yield from shorter(value)
        if kind in (list, tuple):
            for index, one in enumerate(value):
                for less in smaller(one):
                    yield kind([*value[:index], less, *value[index + 1 :]])
    elif kind is dict:
        for key in value:
            yield {other: one for other, one in value.items() if other != key}
        for key, one in value.items():
            for less in smaller(one):
                yield {**value, key: less}
    elif kind is set:
        for one in sorted(value, key=repr):
            yield value - {one}
    elif kind is int:
        yield from smaller_integer(value)
    elif kind is float and value != 0.0:
        yield from (float(less) for less in smaller_integer(int(value)))
        if value != float(int(value)):
            yield float(int(value))


def smaller_integer(value: int) -> Iterator[int]:
    sign = -1 if value < 0 else 1
    size = abs(value)
    tried = set()
    for less in (0, 1, size // 2, size - 1):
        if 0 <= less < size and less not in tried:
            tried.add(less)
            yield sign * less


def shorter(value: Any) -> Iterator[Any]:
    """Without halves, then quarters, … then single elements (the moves of delta debugging)."""
    length = len(value)
    size = (length + 1) // 2 if length > 1 else length
    while size >= 1:
        for start in range(0, length, size):
            yield value[:start] + value[start + size :]
        size //= 2
