"""Reads result.json back: the inverse of `bot.result.to_json`, strict, for the file may come from a hostile hand.

The types are the schema: every field has to be there and nothing else, each of its type. What JSON allows and no writer
of ours writes (a name twice, NaN, 1e999, a number as text) is refused.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import NoReturn, TypeVar, cast, get_args, get_origin, get_type_hints

from bot.errors import ConfigError
from bot.evidence.types import TestId
from bot.ports import JsonValue
from bot.result import FORMAT, Result

LONGEST = 16 << 20
"""Characters of a result.json that are read."""

_LONGEST_ID = 4_000
_HASH = re.compile(r"(?:[0-9a-f]{64})?")
_COMMIT = re.compile(r"(?:[0-9a-f]{40}(?:[0-9a-f]{24})?)?")
_PATTERNS = {
    "Result.commit": _COMMIT,
    "Result.trace_sha256": _HASH,
    "RepairResult.fingerprint": _HASH,
    "Gate.patch_sha256": _HASH,
}
_LEAST = {"AttemptResult.number": 1, "Objection.line": 1}  # all other numbers start at 0

_Value = TypeVar("_Value")


class _Fault(ValueError):  # noqa: N818 (a value's fault, turned into ConfigError before it leaves)
    """What is wrong, and at which place of the file."""


def from_json(text: str) -> Result:
    """The result in `text`; ConfigError says what is not as `to_json` writes it, and where."""
    try:
        return _read(text)
    except _Fault as fault:
        raise ConfigError(
            f"result.json is not what grokfix writes: {fault}; only an unedited file of the same version can be read"
        ) from fault


def _read(text: str) -> Result:
    if len(text) > LONGEST:
        raise _Fault(f"it has {len(text):,} characters, more than {LONGEST:,}")
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _Fault("its values are nested too deeply") from error
    except _Fault:
        raise
    except ValueError as error:
        raise _Fault(f"it is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise _Fault("it is not an object")
    if data.pop("format", None) != FORMAT:
        raise _Fault(f"its format is not {FORMAT!r}")
    if "cost_usd" not in data:
        raise _Fault("cost_usd is missing")
    cost = data.pop("cost_usd")
    result = _instance(Result, data, "result")
    if result.cost_usd != cost:
        raise _Fault("cost_usd is not usage.cost_usd")
    return result


def _once(pairs: Sequence[tuple[str, JsonValue]]) -> Mapping[str, JsonValue]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _Fault("an object has a name twice")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise _Fault(f"{name} is not JSON")


@cache
def _fields(kind: Callable[..., object]) -> Mapping[str, object]:
    assert isinstance(kind, type) and dataclasses.is_dataclass(kind), f"{kind} has no place in a result"
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in dataclasses.fields(kind)}


def _instance(kind: type[_Value], value: JsonValue, where: str) -> _Value:
    if not isinstance(value, dict):
        raise _Fault(f"{where} is not an object")
    fields = _fields(cast(Callable[..., object], kind))
    if value.keys() != fields.keys():
        odd = sorted(value.keys() ^ fields.keys())[0]
        raise _Fault(f"{where} {'has the unknown name' if odd in value else 'lacks'} {odd[:60]!r}")
    return kind(
        **{
            name: _value(wanted, value[name], f"{where}.{name}", f"{kind.__name__}.{name}")
            for name, wanted in fields.items()
        }
    )


def _value(wanted: object, value: JsonValue, where: str, field: str) -> object:
    """`value` as the annotation `wanted` says. `field` is "Type.name", where the type alone does not say enough."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is UnionType:
        if value is None:
            return None
        (only,) = (each for each in inner if each is not NoneType)
        return _value(only, value, where, field)
    if origin is tuple:
        if not isinstance(value, list):
            raise _Fault(f"{where} is not a list")
        return tuple(_value(inner[0], each, f"{where}[{index}]", field) for index, each in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _Fault(f"{where} is not an object")
        return {name: _value(inner[1], each, f"{where}.{name[:60]}", field) for name, each in value.items()}
    assert isinstance(wanted, type), f"{wanted} has no place in a result"
    if wanted is TestId:
        return _test(value, where)
    if issubclass(wanted, StrEnum):
        return _member({each.value: each for each in wanted}.get, value, where)
    if issubclass(wanted, IntEnum):
        return _member({each.name.lower(): each for each in wanted}.get, value, where)
    if dataclasses.is_dataclass(wanted):
        return _instance(cast(type[object], wanted), value, where)
    return _scalar(wanted, value, where, field)


def _test(value: JsonValue, where: str) -> TestId:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_ID:
        raise _Fault(f"{where} is not a test's node id")
    return TestId.from_node_id(value)


def _member(find: Callable[[str], object | None], value: JsonValue, where: str) -> object:
    found = find(value) if isinstance(value, str) else None
    if found is None:
        raise _Fault(f"{where} is none of the words that it may be")
    return found


def _scalar(wanted: type, value: JsonValue, where: str, field: str) -> object:
    if wanted is str and isinstance(value, str):
        pattern = _PATTERNS.get(field)
        if pattern is not None and pattern.fullmatch(value) is None:
            raise _Fault(f"{where} is no hash")
        return value
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted not in (int, float) or isinstance(value, bool) or not isinstance(value, int | float):
        raise _Fault(f"{where} is not of the type {wanted.__name__}")
    if wanted is int and not isinstance(value, int):
        raise _Fault(f"{where} is not a whole number")
    if not _LEAST.get(field, 0) <= value < 1 << 53:  # false for NaN and infinity too
        raise _Fault(f"{where} is not a number that can be meant")
    if field == "RepairResult.confidence" and value > 1:
        raise _Fault(f"{where} is more than 1")
    return value if wanted is int else float(value)
