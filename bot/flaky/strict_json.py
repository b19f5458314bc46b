"""Values out of JSON that anybody may have written, each held against its type and range."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from bot.flaky.nights_clean import TEXT
from bot.flaky.types import Counts

LINE_BYTES = 8 << 20
"""JSON takes up to 20 times its size in memory; a line of this size at a time does not matter."""
_MOST = 2.0**53

T = TypeVar("T")
Enumeration = TypeVar("Enumeration", bound=StrEnum)
Fields = dict[str, object]


class MalformedError(ValueError):
    """Not as it is written by us; the message says where and why."""


def parse(line: bytes, number: int) -> object:
    if len(line) > LINE_BYTES:
        raise MalformedError(f"line {number} has more than {LINE_BYTES} bytes")
    try:
        value: object = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"line {number} is no JSON") from error
    return value


def _refuse(name: str) -> object:
    raise ValueError(name)


def an_object(value: object, name: str) -> Fields:
    if not isinstance(value, dict):
        raise MalformedError(f"{name} must be an object")
    return value


def take(value: Fields, name: str) -> object:
    if name not in value:
        raise MalformedError(f"{name} is missing")
    return value[name]


def a_list(value: object, name: str, count: int | None = None) -> list[object]:
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise MalformedError(f"{name} must be a list" + ("" if count is None else f" of {count}"))
    return value


def rows(value: Fields, name: str, count: int) -> list[list[object]]:
    return [a_list(row, name, count) for row in a_list(take(value, name), name)]


def a_string(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > TEXT:
        raise MalformedError(f"{name} must be a text of at most {TEXT} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MalformedError(f"{name} has half a character") from error
    return value


def text(value: Fields, name: str) -> str:
    return a_string(take(value, name), name)


def boolean(value: Fields, name: str) -> bool:
    found = take(value, name)
    if not isinstance(found, bool):
        raise MalformedError(f"{name} must be true or false")
    return found


def a_real(value: object, name: str, low: float = -_MOST, high: float = _MOST) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise MalformedError(f"{name} must be a number from {low:g} to {high:g}")
    return value if isinstance(value, float) else float(value)


def number(value: Fields, name: str, low: float = -_MOST, high: float = _MOST) -> float:
    return a_real(take(value, name), name, low, high)


def integers(value: object, name: str, *, low: int = 0, high: int = int(_MOST), count: int | None = None) -> list[int]:
    found = [item for item in a_list(value, name, count) if isinstance(item, int) and not isinstance(item, bool)]
    if found != value or any(not low <= item <= high for item in found):
        raise MalformedError(f"{name} must hold whole numbers from {low} to {high}")
    return found


def integer(value: Fields, name: str) -> int:
    return integers([take(value, name)], name)[0]


def counts(value: Fields, name: str) -> Counts:
    runs, failures = integers(take(value, name), name, count=2)
    if failures > runs:
        raise MalformedError(f"{name}: more failures than runs")
    return Counts(runs, failures)


def enumerated(value: Fields, name: str, kind: type[Enumeration]) -> Enumeration:
    word = text(value, name)
    if word not in list(kind):
        raise MalformedError(f"{name} must be one of {', '.join(kind)}")
    return kind(word)


def one_of(value: object, name: str, among: Sequence[T]) -> T:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(among):
        raise MalformedError(f"{name} names what there is not")
    return among[value]


def pick(value: Fields, name: str, among: Sequence[T]) -> T:
    return one_of(take(value, name), name, among)


def picks(value: Fields, name: str, among: Sequence[T]) -> tuple[T, ...]:
    return tuple(one_of(item, name, among) for item in a_list(take(value, name), name))
