"""Tool calls that came as text: some endpoints take tools and hand on what the model wrote for them unread.

Read only where nothing else can be meant: `<tool_call>{…}</tool_call>` and its relatives at the beginning of a line, a
fenced block that is a call and nothing more, or a reply that is one. One odd call among them, and none is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bot.ports import JsonValue, ToolCall
from bot.propose.model.reply import fenced

_MOST = 64  # calls; as many as adapters take of one reply
# Hermes and Qwen, Mistral, Llama: what their chat templates teach them to write.
_TAG = re.compile(r"^[ \t]{0,3}(?:<tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>)", re.MULTILINE)
_CLOSED = re.compile(r"\s*(?:</tool_call>|<\|eom_id\|>|<\|im_end\|>)?\s*")
_THOUGHT = "</think>"
_MEMBERS = frozenset({"name", "arguments", "parameters", "id", "type"})
_SPACE = re.compile(r"[\s;,]*")


@dataclass(frozen=True, slots=True)
class Written:
    """The calls, and what was said before them."""

    calls: tuple[ToolCall, ...]
    before: str


def written_calls(
    text: str, tools: Collection[str], ending: Collection[str], conversation: str, position: int
) -> Written | None:
    """The calls in a reply's text; None where there is none that can be read in one way only.

    tools: names that were offered. ending: those of them that end the work, which count as the last call alone.
    conversation, position: of the reply; they enter the ids, which are the same whenever it is read again.
    """
    thought, mark, said = text.rpartition(_THOUGHT)
    try:
        found, begins = _found(said)
        made = [_call(each, tools) for each in found]
    except (ValueError, RecursionError):
        return None
    if not 0 < len(made) <= _MOST or any(name in ending for name, _ in made[:-1]):
        return None
    calls = (
        ToolCall(_id(conversation, position, number, name, arguments), name, arguments)
        for number, (name, arguments) in enumerate(made)
    )
    return Written(tuple(calls), f"{thought}{mark}{said[:begins]}".rstrip())


def _found(said: str) -> tuple[list[JsonValue], int]:
    """Values that stand where calls do, and where the first begins. ValueError where one cannot be read."""
    tags = list(_TAG.finditer(said))
    if tags:
        if len(tags) > _MOST:
            raise ValueError("more than anybody calls at once")
        ends = [tag.start() for tag in tags[1:]] + [len(said)]
        values = [
            value for tag, end in zip(tags, ends, strict=True) for value in _values(said[tag.end() : end], tag[0])
        ]
        return values, tags[0].start()
    if said.strip().startswith(("{", "[")):
        whole = _DECODER.decode(said.strip())
        return (whole if isinstance(whole, list) else [whole]), 0
    blocks = [_DECODER.decode(block.strip()) for block in fenced(said) if _may_be_call(block)]
    return blocks, said.find("```") if "```" in said else said.find("~~~")


def _may_be_call(block: str) -> bool:
    """Whether a fenced block claims to be a call: other blocks are code or diffs, and say nothing either way."""
    return block.lstrip().startswith("{") and re.search(r'"(?:arguments|parameters)"\s*:', block) is not None


def _values(content: str, tag: str) -> Iterator[JsonValue]:
    """One value behind its tag, or several; behind them the tag's end and nothing else."""
    at = _SPACE.match(content).end()  # type: ignore[union-attr]
    first = True
    while first or content.startswith("{", at):
        value, at = _DECODER.raw_decode(content, at)
        first = False
        yield from value if isinstance(value, list) else (value,)
        at = _SPACE.match(content, at).end()  # type: ignore[union-attr]
    rest = content[_CLOSED.match(content, at).end() :]  # type: ignore[union-attr]
    if rest and "</tool_call>" not in content[at:]:
        raise ValueError(f"there is more behind {tag.strip()} than a call")


def _call(value: JsonValue, tools: Collection[str]) -> tuple[str, str]:
    """Name and arguments, as JSON. ValueError where it is no call of a tool that was offered."""
    if isinstance(value, dict) and value.get("type") == "function" and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not value.keys() <= _MEMBERS or {"arguments", "parameters"} <= value.keys():
        raise ValueError("no call")
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters"))
    if isinstance(arguments, str):
        arguments = _DECODER.decode(arguments)
    if not isinstance(name, str) or name not in tools or not isinstance(arguments, dict):
        raise ValueError("no call of these tools")
    return name, json.dumps(arguments)


def _id(*seed: str | int) -> str:
    """Nine letters and digits, which every endpoint takes back (Mistral takes no others)."""
    return hashlib.sha256(json.dumps(seed).encode("ascii")).hexdigest()[:9]


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)  # many models write raw line ends into strings
