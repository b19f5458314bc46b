"""Reads a trace back and checks its chain; a torn, cut or tampered file is read as far as it goes, and said so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.trace.file import FORMAT

LONGEST_LINE = 64 << 20
"""Bytes of one line that are still read."""
SIDE_BY_SIDE = 64
"""Open requests among which a reply's is looked for: more conversations than run at once."""
_DEEPEST = 70


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `line` counts from 1 in the file, `seconds` from the start of the run. `kind` is text, for a later
    version may know more kinds."""

    line: int
    sequence: int
    seconds: float
    kind: str
    data: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace as found. `broken_at`: the first line whose `prev` or `seq` does not follow from the line before, None
    where the chain holds. `torn`: the last line was cut in the middle. `problems` says all of it for a person.
    `sha256` is of the whole file."""

    header: Mapping[str, JsonValue]
    events: tuple[Event, ...]
    sha256: str
    broken_at: int | None = None
    torn: bool = False
    problems: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)


def same_conversation(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> bool:
    """Whether the data of two events may belong to one conversation: what both of them name is the same."""
    return all(one[name] == other[name] for name in ("repair", "conversation") if name in one and name in other)


def read_trace(path: Path) -> Trace:
    """Read the trace at `path`; ConfigError where it cannot be opened or is no trace of a known format."""
    try:
        with path.open("rb") as stream:
            return _read(path, stream)
    except OSError as error:
        raise ConfigError(f"cannot read the trace {path}: {error.strerror}; check the path") from error


def _read(path: Path, stream: BinaryIO) -> Trace:
    whole = hashlib.sha256()
    first = stream.readline(LONGEST_LINE + 1)
    whole.update(first)
    header = _parse(first)
    if header is None or header.get("format") != FORMAT:
        raise ConfigError(
            f"{path} is not a grokfix trace: its first line does not say {FORMAT!r}; "
            "a trace is the trace.jsonl of a run's output folder"
        )
    events: list[Event] = []
    problems: list[str] = []
    previous = hashlib.sha256(first.removesuffix(b"\n")).hexdigest()
    broken_at: int | None = None
    torn = not first.endswith(b"\n")
    line_number = 1
    while line := stream.readline(LONGEST_LINE + 1):
        line_number += 1
        whole.update(line)
        if len(line) > LONGEST_LINE:
            problems.append(f"line {line_number} is longer than {LONGEST_LINE >> 20} MiB: nothing after it is read")
            for rest in iter(lambda: stream.read(1 << 20), b""):
                whole.update(rest)
            break
        torn = not line.endswith(b"\n")
        record = _parse(line)
        event = _event(line_number, record) if record is not None else None
        if record is None or event is None:
            if not torn:
                problems.append(f"line {line_number} is not an event")
                broken_at = broken_at or line_number
        else:
            events.append(event)
            if broken_at is None and (record.get("prev") != previous or event.sequence != line_number - 1):
                broken_at = line_number
                problems.append(
                    f"the chain breaks at line {line_number}: what stands before it is not what was written there"
                )
        previous = hashlib.sha256(line.removesuffix(b"\n")).hexdigest()
    if torn:
        problems.append(f"the last line ({line_number}) is torn: the run was killed or the disk was full")
    return Trace(header, tuple(events), whole.hexdigest(), broken_at, torn, tuple(problems))


def _parse(line: bytes) -> Mapping[str, JsonValue] | None:
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # hostile nesting ends in the latter
        return None
    return value if isinstance(value, dict) and not _deep(value) else None


def _deep(value: JsonValue) -> bool:
    """Whether containers nest deeper than any writer of ours nests them, and than a renderer could follow."""
    level: list[JsonValue] = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(each, dict | list) for each in level)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _event(line: int, record: Mapping[str, JsonValue]) -> Event | None:
    sequence, seconds, kind = record.get("seq"), record.get("t"), record.get("kind")
    if not (type(sequence) is int and isinstance(seconds, int | float) and isinstance(kind, str)):
        return None
    if not 0 <= seconds < 1e12:  # 1e999 reads as infinity
        return None
    data = {name: value for name, value in record.items() if name not in ("seq", "t", "kind", "prev")}
    return Event(line, sequence, float(seconds), kind, data)
