"""Reads event data, which may come from another version or another's hand: a wrong type reads as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.ports import JsonValue

_HUGE = 1 << 62  # beyond it a number is no figure of ours, and some cannot be printed


def text(data: Mapping[str, JsonValue], name: str) -> str:
    """The string at `name`, else ""."""
    value = data.get(name)
    return value if isinstance(value, str) else ""


def number(data: Mapping[str, JsonValue], name: str) -> float | None:
    """The finite number at `name`, else None."""
    value = data.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_HUGE < value < _HUGE:
        return None
    return float(value)


def count(data: Mapping[str, JsonValue], name: str) -> int | None:
    """The integer at `name`, else None."""
    value = data.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and -_HUGE < value < _HUGE else None


def flag(data: Mapping[str, JsonValue], name: str) -> bool:
    """Whether True stands at `name`."""
    return data.get(name) is True


def texts(data: Mapping[str, JsonValue], name: str) -> tuple[str, ...]:
    """The strings of the list at `name`."""
    return tuple(value for value in _items(data, name) if isinstance(value, str))


def record(data: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue] | None:
    """The object at `name`, else None."""
    value = data.get(name)
    return value if isinstance(value, Mapping) else None


def records(data: Mapping[str, JsonValue], name: str) -> tuple[Mapping[str, JsonValue], ...]:
    """The objects of the list at `name`."""
    return tuple(value for value in _items(data, name) if isinstance(value, Mapping))


def _items(data: Mapping[str, JsonValue], name: str) -> Sequence[JsonValue]:
    value = data.get(name)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def strings(value: JsonValue) -> Iterator[str]:
    """Every string in `value`, keys too, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from strings(inner)
