"""The ledger as files: one JSON line an attempt, changed in place; what is old or cannot be read is kept aside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.errors import ConfigError
from bot.trigger.data_branch import Read
from bot.trigger.entry import Entry

LIVE = "ledger/attempts.jsonl"
"""The attempts that count: one file, for each costs a call whenever the ledger is read."""
CORRUPT = "ledger/corrupt.jsonl"
KEPT = 62 * 86_400.0
"""Seconds after which an attempt is history: its line moves to the file of its month."""


class Book:
    """The live attempts (one read), and where their lines go."""

    def __init__(self, read: Read, now: float) -> None:
        self._read = read
        self._now = now
        self._lines = [(raw, _entry(raw)) for raw in _split(read(LIVE))]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Oldest first, else as they stand; of two lines of one attempt, which only a hand could write, the last."""
        found = {entry.attempt: entry for _, entry in self._lines if entry is not None}
        return tuple(sorted(found.values(), key=lambda entry: entry.begun))

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, for the log."""
        count = sum(entry is None for _, entry in self._lines)
        if not count:
            return ()
        return (f"{count} line(s) of {LIVE} cannot be read and do not count; the next write moves them to {CORRUPT}",)

    def find(self, attempt: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.attempt == attempt), None)

    def written(self, entries: tuple[Entry, ...]) -> Mapping[str, bytes]:
        """The files as they are with these lines in place of the attempts' old ones, or at the end."""
        new = {entry.attempt: entry for entry in entries}
        moved: dict[str, list[bytes]] = {}
        kept: list[bytes] = []
        for raw, entry in self._lines:
            if entry is None:
                moved.setdefault(CORRUPT, []).append(raw)
            elif entry.attempt in new:
                changed = new.pop(entry.attempt)
                kept.append(raw if changed == entry else _line(changed))
            elif entry.begun < self._now - KEPT:
                moved.setdefault(_month(entry), []).append(raw)
            else:
                kept.append(raw)
        kept += [_line(entry) for entry in new.values()]
        return {LIVE: _joined(kept), **{path: self._with(path, lines) for path, lines in moved.items()}}

    def _with(self, path: str, lines: list[bytes]) -> bytes:
        known = _split(self._read(path))
        return _joined([*known, *(raw for raw in lines if raw not in known)])


def _split(content: bytes | None) -> list[bytes]:
    return [raw for raw in (content or b"").split(b"\n") if raw.strip()]


def _entry(raw: bytes) -> Entry | None:
    from bot.trigger import wire

    try:
        return wire.read_entry(raw.decode())
    except (ConfigError, UnicodeDecodeError):
        return None


def _line(entry: Entry) -> bytes:
    from bot.trigger import wire

    return json.dumps(wire.entry_data(entry), separators=(",", ":"), allow_nan=False).encode()


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _month(entry: Entry) -> str:
    return f"ledger/{datetime.fromtimestamp(entry.begun, UTC):%Y-%m}.jsonl"
