"""A model's reply, read tolerantly: JSON alone, in fences, in prose; or no JSON and a diff in fences."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from bot.evidence.text import one_line
from bot.ports import JsonValue, ReplySchema

_FENCE = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})")
_DIFF = re.compile(r"^(diff --git |--- [^\n]+\n\+\+\+ )", re.MULTILINE)
_STARTS = 40  # positions at which a JSON object may begin that are tried, so that "{{{{…" costs nothing
_PROSE = 4000

_TEXT: dict[str, JsonValue] = {"type": "string"}
SCHEMA = ReplySchema(
    "repair",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["verdict", "root_cause", "patch", "new_test", "confidence", "risks"],
        "properties": {
            "verdict": {"type": "string", "enum": ["fix", "test_is_wrong", "infrastructure", "needs_human"]},
            "root_cause": _TEXT,
            "patch": _TEXT,
            "new_test": {
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["path", "source", "explanation"],
                        "properties": {"path": _TEXT, "source": _TEXT, "explanation": _TEXT},
                    },
                    {"type": "null"},
                ]
            },
            "confidence": {"type": "number"},
            "risks": _TEXT,
        },
    },
)


def _text(value: object) -> object:
    """Lists of sentences are joined, null is nothing; half a character (a lone surrogate escape) is no text."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "\n".join(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _share(value: object) -> float | None:
    """A confidence as 0.9, "0.9", "90 %" or 90; what is none is None rather than a reason to lose the patch."""
    if isinstance(value, str):
        match = re.search(r"\d+(?:\.\d+)?", value[:50])
        if match is None:
            return None
        value = float(match[0]) / (100.0 if "%" in value else 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(0.0, min(1.0, value / 100.0 if 1.0 < value <= 100.0 else float(value)))


def _verdict(value: object) -> object:
    word = re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else ""
    return word if word in ("test_is_wrong", "infrastructure", "needs_human") else "fix"


Text: TypeAlias = Annotated[str, BeforeValidator(_text)]


class WrittenTest(BaseModel):
    """A new test as the model wrote it."""

    model_config = ConfigDict(frozen=True)
    path: Text = ""
    source: Text = ""
    explanation: Text = ""


def _test(value: object) -> object:
    """Anything that is no object is no test."""
    return value if isinstance(value, dict) and value.get("path") and value.get("source") else None


class Answer(BaseModel):
    """A usable reply. `patch` is "" only where the verdict needs none."""

    model_config = ConfigDict(frozen=True)
    verdict: Annotated[Literal["fix", "test_is_wrong", "infrastructure", "needs_human"], BeforeValidator(_verdict)] = (
        "fix"
    )
    root_cause: Text = ""
    patch: Text = ""
    new_test: Annotated[WrittenTest | None, BeforeValidator(_test)] = None
    confidence: Annotated[float | None, BeforeValidator(_share)] = None
    risks: Text = ""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A reply that no reading can use; `problem` is a phrase for the model and for a person."""

    problem: str


def read(text: str, finish_reason: str, *, diffs: bool = True) -> Answer | Unusable:
    """The first reading that has something to judge. Never raises, whatever `text` is.

    diffs: whether a diff without any JSON around it is an answer.
    """
    unusable = None
    for content in _objects(text):
        if not content.keys() & {"patch", "root_cause", "verdict"}:
            continue
        try:
            answer = Answer.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            unusable = unusable or Unusable(f"member {one_line(where, 60)!r} is not as described: {first['msg']}")
            continue
        if answer.patch.strip() or answer.verdict != "fix":
            return answer
        unusable = Unusable("it says `fix` and its patch is empty")
    if unusable is None and diffs and (diff := _bare_diff(text)):
        before = text[: _DIFF.search(text).start()]  # type: ignore[union-attr]
        return Answer(root_cause=one_line(before.replace("```diff", ""), _PROSE), patch=diff)
    if unusable is not None:
        return unusable
    if not text.strip():
        why = f" (it ended with {one_line(finish_reason, 40)!r})" if finish_reason not in ("", "stop") else ""
        return Unusable(f"it is empty{why}")
    if finish_reason == "length":
        return Unusable("it was cut off at the limit of its length before the JSON object ended: think and write less")
    return Unusable("there is neither a JSON object nor a diff in it")


def _objects(text: str) -> Iterator[dict[str, object]]:
    """JSON objects in `text`: all of it, then fenced blocks, then wherever one begins."""
    yield from _decoded(text.strip())
    for block in fenced(text):
        yield from _decoded(block.strip())
    decoder = json.JSONDecoder(strict=False)
    at = -1
    for _ in range(_STARTS):
        at = text.find("{", at + 1)
        if at < 0:
            return
        try:
            content, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            yield content
        at = end - 1


def fenced(text: str) -> Iterator[str]:
    """Contents of fenced blocks, an unclosed one too. Line by line: one pattern would be quadratic in hostile text."""
    fence = ""
    content: list[str] = []
    for line in text.splitlines(keepends=True):
        match = _FENCE.match(line)
        if not fence:
            fence, content = (match[1], []) if match else ("", [])
        elif match and match[1].startswith(fence) and not line.strip().strip(fence[0]):
            yield "".join(content)
            fence = ""
        else:
            content.append(line)
    if fence:
        yield "".join(content)


def _decoded(text: str) -> Iterator[dict[str, object]]:
    try:
        content = json.loads(text, strict=False)  # many models write raw line ends into their strings
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        yield content


def _bare_diff(text: str) -> str:
    """Fenced diffs, joined; else everything from the first line that begins one."""
    if diffs := [block for block in fenced(text) if _DIFF.search(block)]:
        return "".join(diffs)
    match = _DIFF.search(text)
    return text[match.start() :] if match else ""
