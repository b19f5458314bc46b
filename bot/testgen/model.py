"""Tests by a model: one request a function, a strict form of reply, nothing believed of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection

from bot.errors import ModelError, ModelFault
from bot.evidence.text import head_tail, one_line, plain
from bot.ports import Bench, JsonValue, Message, ModelReply, Recorder, ReplySchema
from bot.propose.model.conversation import Conversation, OutOfBudget, TooLong
from bot.propose.model.line import Line
from bot.propose.model.render import block, fill
from bot.testgen.types import Author, Function, Place, Unwritten, Written
from bot.toolchains.types import Runtime

LONGEST = 60_000
"""Characters of a test file; more is no test of one function."""
_FUNCTION, _AROUND, _EXAMPLE, _CALLERS = 12_000, 10_000, 6_000, 2_000
_MOST_CALLERS = 8
_FENCED = re.compile(r"^[ \t]{0,3}```[\w-]*\n(.*?)^[ \t]{0,3}```", re.DOTALL | re.MULTILINE)

_TEXT: dict[str, JsonValue] = {"type": "string"}
SCHEMA = ReplySchema(
    "tests",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["source", "checks", "notes"],
        "properties": {
            "source": _TEXT,
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "what"],
                    "properties": {"name": _TEXT, "what": _TEXT},
                },
            },
            "notes": _TEXT,
        },
    },
)


class ModelWriter:
    """Implements Writer. read: text of a file of the checkout; files: its Python files; redact: takes secrets out."""

    def __init__(
        self,
        line: Line,
        recorder: Recorder,
        runtime: Runtime,
        read: Callable[[str], str | None],
        files: Collection[str],
        redact: Callable[[str], str],
        instructions: str = "",
    ) -> None:
        self._line = line
        self._recorder = recorder
        self._runtime = runtime
        self._read = read
        self._files = files
        self._redact = redact
        self._instructions = instructions

    def write(self, function: Function, place: Place, bench: Bench) -> Written | Unwritten:
        """One request. Unwritten where the budget refuses it, or the reply is of no use.

        Raises ModelError where the endpoint fails for all functions alike (key, credit, address).
        """
        opening = (
            Message("system", fill(str(__package__), "system", {})),
            Message("user", self._redact(self._request(function, place))),
        )
        talk = Conversation(self._line, self._recorder, "testgen", opening, schema=SCHEMA)
        try:
            reply = talk.ask(bench)
        except ModelError as error:
            if error.fault not in (ModelFault.MALFORMED, ModelFault.CONTEXT_TOO_LONG):
                raise
            return Unwritten(one_line(str(error), 300))
        match reply:
            case OutOfBudget(reason=reason):
                return Unwritten(reason)
            case TooLong():
                return Unwritten(
                    f"the function and its surroundings do not fit the model's window ({self._line.window:,})"
                )
            case ModelReply():
                return read_reply(reply.text)

    def _request(self, function: Function, place: Place) -> str:
        text = self._read(function.path) or ""
        lines = text.split("\n")
        own = "\n".join(lines[function.first - 1 : function.last])
        around = "\n".join([*lines[: function.first - 1], "[the function stands here]", *lines[function.last :]])
        example = self._read(place.example) if place.example else None
        values = {
            "qualname": function.qualname,
            "path": plain(function.path),
            "module": place.module,
            "top": function.qualname.partition(".")[0],
            "news": "It is new." if function.is_new else "It was altered.",
            "runner": "unittest" if place.unittest_style else self._runtime.runner,
            "python": ".".join(map(str, self._runtime.python[:2])),
            "test_path": place.path,
            "function": block(f"{function.path}:{function.first}", _cut(own, _FUNCTION)),
            "around": block(function.path, _cut(around, _AROUND)) if around.strip() else "",
            "callers": self._callers(function),
            "instructions": self._instructions,
            "example": "" if not example else block(place.example, _cut(example, _EXAMPLE)),
        }
        return fill(str(__package__), "function", values)

    def _callers(self, function: Function) -> str:
        """Lines elsewhere that call something of the function's name."""
        call = re.compile(rf"\b{re.escape(function.name)}\s*\(")
        found: list[str] = []
        for path in sorted(self._files):
            text = self._read(path) if path != function.path else None
            for number, line in enumerate((text or "").split("\n"), 1):
                if call.search(line) and not line.lstrip().startswith("def ") and len(found) < _MOST_CALLERS:
                    found.append(f"{path}:{number}: {one_line(line.strip(), 160)}")
        return block("calls", _cut("\n".join(found), _CALLERS)) if found else ""


def read_reply(text: str) -> Written | Unwritten:
    """The reply as a test file; a fence around the object, or a bare file in a fence, is read over."""
    fenced = _FENCED.search(text)
    for candidate in (text, fenced[1] if fenced else "", text[text.find("{") : text.rfind("}") + 1]):
        try:
            told = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        match told:
            case {"source": str() as source, **rest}:
                return _written(source, rest.get("checks"))
    if fenced is not None and "def test" in fenced[1]:
        return _written(fenced[1], None)
    return Unwritten("the model's reply was not in the form that was asked for")


def _written(source: str, checks: object) -> Written | Unwritten:
    if not source.strip():
        return Unwritten("the model wrote no test")
    if len(source) > LONGEST:
        return Unwritten(f"the model's file has {len(source):,} characters; {LONGEST:,} are the most for one function")
    said: dict[str, str] = {}
    for one in checks if isinstance(checks, list) else ():
        match one:
            case {"name": str() as name, "what": str() as what}:
                said[one_line(name, 200)] = one_line(what, 300)
    whole = source.encode("utf-8", "replace").decode().replace("\r\n", "\n").rstrip() + "\n"
    return Written(whole, Author.MODEL, said)


def _cut(text: str, limit: int) -> str:
    return head_tail(text, limit)
