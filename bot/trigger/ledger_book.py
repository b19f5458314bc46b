"""The ledger as files: one JSON line an attempt in a file a month, changed in place; what cannot be read is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.errors import ConfigError
from bot.trigger.data_branch import Read
from bot.trigger.entry import Entry


class Book:
    """The months that count: this one and the one before (two reads). Older attempts are history."""

    def __init__(self, read: Read, now: float) -> None:
        self._read = read
        today = datetime.fromtimestamp(now, UTC)
        before = today.replace(day=1) - timedelta(days=1)
        self._months = {_path(month): _lines(read(_path(month))) for month in (f"{before:%Y-%m}", f"{today:%Y-%m}")}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Oldest first, else as they stand; of two lines of one attempt, which only a hand could write, the last."""
        found = {entry.attempt: entry for lines in self._months.values() for _, entry in lines if entry is not None}
        return tuple(sorted(found.values(), key=lambda entry: entry.begun))

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, for the log."""
        return tuple(
            f"{count} line(s) of {path} cannot be read and do not count; the next write moves them to {_aside(path)}"
            for path, lines in self._months.items()
            if (count := sum(entry is None for _, entry in lines))
        )

    def find(self, attempt: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.attempt == attempt), None)

    def written(self, entries: tuple[Entry, ...]) -> Mapping[str, bytes]:
        """The files as they are with these lines in place of the attempts' old ones, or at the end."""
        files: dict[str, bytes] = {}
        for path, lines in self._months.items():
            new = {entry.attempt: entry for entry in entries if _path(_month(entry)) == path}
            if not new:
                continue
            kept: list[bytes] = []
            for raw, entry in lines:
                if entry is not None and entry.attempt in new:
                    if (changed := new.pop(entry.attempt)) == entry:
                        kept.append(raw)
                    else:
                        kept.append(_line(changed))
                elif entry is not None:
                    kept.append(raw)
            kept += [_line(entry) for entry in new.values()]
            files[path] = _joined(kept)
            if corrupt := [raw for raw, entry in lines if entry is None]:
                before = self._read(_aside(path)) or b""
                files[_aside(path)] = before + (b"\n" if before[-1:] not in {b"", b"\n"} else b"") + _joined(corrupt)
        return files


def _lines(content: bytes | None) -> list[tuple[bytes, Entry | None]]:
    return [(raw, _entry(raw)) for raw in (content or b"").split(b"\n") if raw.strip()]


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
    return f"{datetime.fromtimestamp(entry.begun, UTC):%Y-%m}"


def _path(month: str) -> str:
    return f"ledger/{month}.jsonl"


def _aside(path: str) -> str:
    return path.replace("ledger/", "ledger/corrupt-")
