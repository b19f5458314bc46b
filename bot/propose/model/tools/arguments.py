"""A call's arguments: text that should be a JSON object → values that hold to the tool's schema, or what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeGuard

from bot.evidence.text import one_line
from bot.ports import JsonValue, ToolSpec

LONGEST = 400_000
"""Characters of one call's arguments: no patch that could be accepted is longer."""

_INTEGER = re.compile(r"[+-]?\d{1,9}")
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Arguments:
    """Validated members. An optional member that is absent (or null) has the default asked for."""

    values: Mapping[str, JsonValue] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def integer(self, name: str, default: int) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def number(self, name: str) -> float | None:
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        return tuple(item for item in value if isinstance(item, str)) if _is_list(value) else ()

    def object(self, name: str) -> Arguments | None:
        value = self.values.get(name)
        return Arguments(value) if isinstance(value, Mapping) else None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why arguments cannot be used, as a sentence that says what to send."""

    message: str


def read_arguments(text: str, spec: ToolSpec) -> Arguments | Wrong:
    """Read and validate. Forgiven: a number in quotes, one string for a list of strings, null for an absent member.

    Refused: text over LONGEST, what is no JSON object, members the schema does not know or that do not fit, NUL and
    half characters (lone surrogates), which no file, path or patch can hold.
    """
    if len(text) > LONGEST:
        return Wrong(f"the arguments are {len(text):,} characters long; at most {LONGEST:,} are read")
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        members = ", ".join(_members(spec.parameters)) or "none"
        why = one_line(str(error), 120)
        return Wrong(f"the arguments are no JSON object ({why}); send one object with the members: {members}")
    try:
        checked = _check(value, spec.parameters, "the arguments")
    except _Misfit as misfit:
        return Wrong(str(misfit))
    return Arguments(checked) if isinstance(checked, Mapping) else Arguments()


class _Misfit(Exception):  # noqa: N818 (ends the walk; its text is for the model)
    pass


def _decode(text: str) -> JsonValue:
    if not text.strip():
        return {}  # what some endpoints send for a call without arguments
    value = _loads(text)
    if isinstance(value, str):
        value = _loads(value)  # JSON within JSON: some models quote the whole object once more
    if not isinstance(value, Mapping):
        raise ValueError(f"it is {_kind(value)}")
    return value


def _loads(text: str) -> JsonValue:
    def no_number(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number of JSON")

    # strict=False: many models write raw line ends into their strings.
    value: JsonValue = json.loads(text, strict=False, parse_constant=no_number)
    return value


def _check(value: JsonValue, schema: Mapping[str, JsonValue], where: str) -> JsonValue:
    """`value` as the schema wants it. Of JSON schema: type, anyOf with null, enum, bounds, items, members."""
    variants = schema.get("anyOf")
    if _is_list(variants):
        if value is None:
            return None
        schema = next(item for item in variants if isinstance(item, Mapping) and item.get("type") != "null")
    match schema.get("type"):
        case "object":
            return _object(value, schema, where)
        case "array":
            return _array(value, schema, where)
        case "integer" | "number" as kind:
            return _numeric(value, schema, where, whole=kind == "integer")
        case "boolean":
            words = {"true": True, "false": False}
            value = words.get(value.strip().lower(), value) if isinstance(value, str) else value
            return value if isinstance(value, bool) else _misfit(where, "true or false", value)
        case _:
            return _string(value, schema, where)


def _object(value: JsonValue, schema: Mapping[str, JsonValue], where: str) -> JsonValue:
    if not isinstance(value, Mapping):
        _misfit(where, "an object", value)
    members = _members(schema)
    unknown = [name for name in value if name not in members]
    if unknown:
        names = ", ".join(repr(one_line(name, 40)) for name in unknown[:3])
        raise _Misfit(f"{where} may not hold {names}; known members: {', '.join(members) or 'none'}")
    required = schema.get("required")
    missing = [name for name in required if isinstance(name, str) and name not in value] if _is_list(required) else []
    if missing:
        raise _Misfit(f"{where} must hold {', '.join(map(repr, missing))}")
    optional = {name for name in members if not _is_list(required) or name not in required}
    return {
        name: _check(member, members[name], f"{name!r}")
        for name, member in value.items()
        if member is not None or name not in optional
    }


def _array(value: JsonValue, schema: Mapping[str, JsonValue], where: str) -> JsonValue:
    if isinstance(value, str):
        value = [value] if value else []
    if not _is_list(value):
        _misfit(where, "a list", value)
    most, items = schema.get("maxItems"), schema.get("items")
    if isinstance(most, int) and len(value) > most:
        raise _Misfit(f"{where} holds {len(value):,} items; at most {most} are taken")
    if not isinstance(items, Mapping):
        return value
    return [_check(item, items, f"item {number} of {where}") for number, item in enumerate(value, 1)]


def _numeric(value: JsonValue, schema: Mapping[str, JsonValue], where: str, *, whole: bool) -> JsonValue:
    wanted = "a whole number" if whole else "a number"
    if isinstance(value, str) and (_INTEGER if whole else _NUMBER).fullmatch(value.strip()):
        value = int(value) if whole else float(value)
    if whole and isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        _misfit(where, wanted, value)
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and value < least:
        raise _Misfit(f"{where} must be at least {least}")
    if isinstance(most, int | float) and value > most:
        raise _Misfit(f"{where} must be at most {most}")
    return value


def _string(value: JsonValue, schema: Mapping[str, JsonValue], where: str) -> JsonValue:
    if not isinstance(value, str):
        _misfit(where, "a string", value)
    most, words = schema.get("maxLength"), schema.get("enum")
    if isinstance(most, int) and len(value) > most:
        raise _Misfit(f"{where} is {len(value):,} characters long; at most {most} are taken")
    if _is_list(words) and value not in words:
        raise _Misfit(f"{where} must be one of {', '.join(map(str, words))}")
    if "\0" in value:
        raise _Misfit(f"{where} holds a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _Misfit(f"{where} holds half of a character (a lone surrogate)") from None
    return value


def _misfit(where: str, wanted: str, value: JsonValue) -> NoReturn:
    raise _Misfit(f"{where} must be {wanted}, not {_kind(value)}")


def _kind(value: JsonValue) -> str:
    kinds = ((bool, "true or false"), (str, "a string"), (int | float, "a number"), (Mapping, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null" if value is None else "a list")


def _members(schema: Mapping[str, JsonValue]) -> dict[str, Mapping[str, JsonValue]]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {name: member for name, member in properties.items() if isinstance(member, Mapping)}


def _is_list(value: JsonValue) -> TypeGuard[Sequence[JsonValue]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
