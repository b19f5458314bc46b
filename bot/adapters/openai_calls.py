"""The tool calls of one reply, put together from whole calls and from fragments, in every dialect of numbering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.ports import JsonValue, ToolCall

MOST_CALLS = 64
ARGUMENT_BYTES = 256 << 10
"""Of all calls of one reply together; more is no question to a tool."""

_NAME = 200  # characters; what is longer is no tool's name, and its beginning tells that as well
_ID = 64
_MADE_ID = 9  # hexadecimal digits: Mistral takes ids of exactly nine letters and digits, the others any


class TooManyCalls(Exception):  # noqa: N818 (translated by the adapter; never leaves this room)
    """The reply went over MOST_CALLS or ARGUMENT_BYTES; the message says which."""


@dataclass(slots=True)
class _Growing:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.arguments)


class Calls:
    """Takes the `tool_calls` of deltas and messages, of any shape; what is no call is passed over.

    Calls are told apart by `index` (xAI sends each call whole, with index 0, 1, …; others an argument at a time), by
    `id` where an endpoint numbers all of them 0, and, where there is neither, by a name that begins a new one.
    """

    def __init__(self) -> None:
        self._calls: list[_Growing] = []
        self._size = 0

    def add(self, parts: JsonValue, *, whole: bool = False) -> str:
        """The piece of text that a live view shows for these parts: names, then arguments as they come.

        whole: they are those of an answer in one piece, where every part is a call of its own.
        """
        if not isinstance(parts, list):
            return ""
        shown = ""
        for at, part in enumerate(parts):
            function = part.get("function") if isinstance(part, Mapping) else None
            if isinstance(part, Mapping) and isinstance(function, Mapping):
                separate = whole or (at > 0 and part.get("index") is None and bool(function.get("name")))
                shown += self._part(part, function, separate)
        return shown

    def _part(self, part: Mapping[str, JsonValue], function: Mapping[str, JsonValue], separate: bool) -> str:
        index, id, name = part.get("index"), _string(part.get("id")), _string(function.get("name"))
        number = index if isinstance(index, int) and not isinstance(index, bool) else None
        arguments = _arguments(function.get("arguments"))
        if not (id or name or arguments):
            return ""  # one of the empty deltas that some endpoints send by the dozen
        call, shown = None if separate else self._find(number, id, name, arguments), ""
        if call is None:
            if len(self._calls) >= MOST_CALLS:
                raise TooManyCalls(f"more than {MOST_CALLS} tool calls")
            call = _Growing(number)
            shown = "\n" if self._calls else ""
            self._calls.append(call)
        call.id = call.id or id
        if name and not call.name:
            call.name = name[:_NAME]
            shown += f"{call.name} "
        self._size += len(arguments.encode("utf-8", "replace"))
        if self._size > ARGUMENT_BYTES:
            raise TooManyCalls(f"more than {ARGUMENT_BYTES >> 10} KB of arguments to tools")
        call.arguments.append(arguments)
        return shown + arguments

    def _find(self, index: int | None, id: str, name: str, arguments: str) -> _Growing | None:
        """The call that a part goes on with; None where it begins another."""
        held = [call for call in self._calls if index is None or call.index == index]
        if not held:
            return None
        call = held[-1]
        if id and call.id:
            return next((other for other in held if other.id == id), None)
        # Without ids and with one index for all: a name beside new arguments, after finished ones, is the next call's.
        if name and call.name and arguments.startswith("{") and is_object(call.text):
            return None
        return call

    def done(self, position: int) -> tuple[ToolCall, ...]:
        """In the order they began. position: of the reply in its conversation; enters the ids made here, so that the
        same reply at the same place gets the same ids, and two places never share one."""
        calls: list[ToolCall] = []
        taken: set[str] = set()
        for number, call in enumerate(self._calls):
            id = call.id
            if not 0 < len(id) <= _ID or not (id.isascii() and id.isprintable()) or id in taken:
                seed = json.dumps([position, number, call.name, call.text])
                id = hashlib.sha256(seed.encode("ascii")).hexdigest()[:_MADE_ID]
            taken.add(id)
            calls.append(ToolCall(id, call.name, call.text or "{}"))
        return tuple(calls)

    @property
    def text(self) -> str:
        """All that the model wrote for them, for an estimate of its tokens."""
        return "".join(call.name + call.text for call in self._calls)

    @property
    def whole(self) -> bool:
        """There are calls, and the arguments of each are a JSON object: none was cut off in its middle."""
        return bool(self._calls) and all(is_object(call.text or "{}") for call in self._calls)


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object by the letter of RFC 8259 (Python alone would take NaN)."""
    try:
        return isinstance(json.loads(text, parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _string(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: JsonValue) -> str:
    """As text; some endpoints send the object itself."""
    if isinstance(value, Mapping):
        return json.dumps(value)
    return _string(value)
