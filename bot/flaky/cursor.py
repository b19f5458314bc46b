"""How far the history has been read, as JSON: what was read stays read, across nights and after a kill.

The file lies where others can write too, so it is read as strictly as it was written: what is not as expected makes
the reading of the history begin anew, which costs calls and loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.ports import JsonValue

FORMAT = "grokfix-cursor/1"
LIMIT_BYTES = 8 << 20
"""Bytes of a cursor that are read; one of a year with 1,000 runs a day has less than one."""

_SPANS = 20_000
_ETAGS = 10
_RUNS = 10_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,128}"')  # RFC 9110: it goes into a header, so nothing else may
_WORKFLOW = re.compile(r"[^\x00-\x1f\x7f/]{0,200}")


@dataclass(frozen=True, slots=True)
class Span:
    """Runs created from `since` to `until` (ISO 8601, both counted; until "*": up to now). workflow: file name, "" all.

    whole: all that it listed was read. etags: of its pages then. attempts: run → attempt up to which it was read. In
    one that is whole and has an end, runs that are not named were read at their first attempt: none can be added to it.
    """

    workflow: str
    since: str
    until: str
    whole: bool = False
    etags: tuple[str, ...] = ()
    attempts: Mapping[int, int] = field(default_factory=dict)

    def read_of(self, run: int) -> int:
        """Attempt up to which a run was read, 0: none."""
        return self.attempts.get(run, int(self.whole and self.until != "*"))


@dataclass(frozen=True, slots=True)
class Cursor:
    """of: digest of what was asked for; a cursor of another question is none."""

    of: str = ""
    spans: tuple[Span, ...] = ()


def question(repository: str, artifacts: Sequence[str]) -> str:
    """Digest of what changes the reading of every run."""
    return hashlib.sha256(json.dumps([repository.lower(), *artifacts]).encode()).hexdigest()[:16]


def dump(cursor: Cursor) -> bytes:
    """One line a span, so that a night changes few lines."""
    head = json.dumps({"format": FORMAT, "of": cursor.of, "spans": len(cursor.spans)})
    lines = [
        json.dumps(
            [
                span.workflow,
                span.since,
                span.until,
                span.whole,
                list(span.etags),
                [number for pair in sorted(span.attempts.items()) for number in pair],
            ],
            separators=(",", ":"),
        )
        for span in cursor.spans
    ]
    return "\n".join((head, *lines, "")).encode()


def load(data: bytes) -> Cursor | str:
    """The cursor, or a sentence's end that says why it is none ("is cut short"). Nothing in it makes this raise."""
    if len(data) > LIMIT_BYTES:
        return f"has {len(data):,} bytes, more than the {LIMIT_BYTES:,} that are read"
    try:
        head, *lines = [json.loads(line) for line in data.decode().split("\n") if line]
    except (ValueError, RecursionError) as error:
        return f"is no JSON Lines ({type(error).__name__})"
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        return f"does not begin with the format {FORMAT}"
    of, count = head.get("of"), head.get("spans")
    if not isinstance(of, str) or len(of) > 64 or count != len(lines) or len(lines) > _SPANS:
        return "is cut short, or was put together"
    spans: list[Span] = []
    for number, line in enumerate(lines, 2):
        span = _span(line)
        if span is None:
            return f"has a line {number} that is none of a cursor"
        spans.append(span)
    return Cursor(of, tuple(spans))


def _span(line: JsonValue) -> Span | None:
    match line:
        case [str(workflow), str(since), str(until), bool(whole), [*etags], [*numbers]]:
            pass
        case _:
            return None
    named = _WORKFLOW.fullmatch(workflow) and _TIME.fullmatch(since) and (until == "*" or _TIME.fullmatch(until))
    if not named or len(etags) > _ETAGS or len(numbers) > 2 * _RUNS or len(numbers) % 2:
        return None
    known = tuple(each for each in etags if isinstance(each, str) and (each == "" or _ETAG.fullmatch(each)))
    counted = [each for each in numbers if isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 1 << 63]
    if len(known) != len(etags) or len(counted) != len(numbers):
        return None
    return Span(workflow, since, until, whole, known, dict(zip(counted[::2], counted[1::2], strict=True)))
