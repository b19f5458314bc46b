"""The trace file: append-only, chained by hashes, on disk before `record` returns."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import BotError, ConfigError, SandboxError
from bot.ports import Clock, EventKind, JsonValue
from bot.trace.redact import Redactor
from bot.trace.streams import HeldStreams

FORMAT = "grokfix-trace/1"
LONGEST_TEXT = 1_000_000
"""Characters of one string in an event; of a longer one head and tail are kept."""

_RESERVED = frozenset({"seq", "t", "kind", "prev"})


class TraceFile:
    """Implements Recorder. Context manager; safe to use from several threads.

    Every event is handed to the operating system as one write before `record` returns: it survives this process being
    killed, not a power cut. Where the disk refuses (full, read-only, gone) the file is cut back to its last whole line,
    SandboxError is raised, and raised again by every later `record`.
    """

    def __init__(self, path: Path, header: Mapping[str, JsonValue], clock: Clock, redactor: Redactor) -> None:
        """Create `path`, which must not exist yet, and write the header; ConfigError where that cannot be done."""
        self.path = path
        self._clock = clock
        self._redactor = redactor
        self._lock = threading.Lock()
        self._began = clock.monotonic()
        self._events = 0
        self._size = 0
        self._whole = hashlib.sha256()
        self._previous = ""
        self._fault = ""
        self._streams = HeldStreams(redactor)
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unopenable(path, error) from error
        try:
            self._append({"format": FORMAT, "started": clock.now(), **header})
        except BaseException:
            self.close()
            raise

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        """Append one event, redacted, and return its sequence number (from 1).

        Pieces of a stream are held back until no secret can reach over their end (HeldStreams); the number is then that
        of the latest event in the file.
        """
        assert not _RESERVED & data.keys(), f"event data may not use the names {sorted(_RESERVED)}"
        with self._lock:
            if self._fault:
                raise SandboxError(self._fault)
            if kind is EventKind.STREAM:
                self._append_stream(self._streams.feed(data))
            else:
                self._append_stream(self._streams.before(kind, data))
                self._append_event(kind, data)
            return self._events

    @property
    def sha256(self) -> str:
        """SHA-256 (64 hex digits) of the file's bytes so far."""
        with self._lock:
            return self._whole.hexdigest()

    def close(self) -> None:
        """Idempotent; recording afterwards raises SandboxError, and so does this where the disk refuses the rest."""
        with self._lock:
            if self._descriptor < 0:
                return
            try:
                if not self._fault:
                    self._append_stream(self._streams.flush())
            finally:
                os.close(self._descriptor)
                self._descriptor = -1
                self._fault = self._fault or f"the trace {self.path} is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append_stream(self, pieces: Iterator[Mapping[str, JsonValue]]) -> None:
        for data in pieces:
            self._append_event(EventKind.STREAM, data)

    def _append_event(self, kind: EventKind, data: Mapping[str, JsonValue]) -> None:
        seconds = round(self._clock.monotonic() - self._began, 3)
        self._append({"seq": self._events + 1, "t": seconds, "kind": kind.value, "prev": self._previous, **data})
        self._events += 1

    def _append(self, record: Mapping[str, JsonValue]) -> None:
        # The chain and the counters are our own values; a secret that looks like part of a hash cannot tear them.
        own = {name: value for name, value in record.items() if name in _RESERVED or name == "format"}
        data = self._redactor.redact_json({name: value for name, value in record.items() if name not in own})
        assert isinstance(data, Mapping)
        # ASCII only: no control, bidirectional or line-separating character of hostile output is seen by who prints it.
        line = json.dumps({**own, **{name: _plain(value) for name, value in data.items()}}, allow_nan=False).encode()
        self._write(line + b"\n")
        self._previous = hashlib.sha256(line).hexdigest()
        self._whole.update(line + b"\n")
        self._size += len(line) + 1

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                pass  # the reader copes with a torn last line
            self._fault = (
                f"cannot write the trace {self.path}: {error.strerror}; its first {self._events} events are whole. "
                "Free disk space, or choose another folder with --output"
            )
            raise SandboxError(self._fault) from error


def _unopenable(path: Path, error: OSError) -> BotError:
    reason = f"cannot create the trace {path}: {error.strerror}; "
    if error.errno == errno.EEXIST:
        return ConfigError(reason + "a trace is never overwritten: choose a new folder with --output")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SandboxError(reason + "free disk space, or choose another folder with --output")
    return ConfigError(reason + "choose a writable folder with --output")


def _plain(value: JsonValue) -> JsonValue:
    """`value` in the types that json writes, its texts cut to LONGEST_TEXT (after redaction: a cut hides a secret)."""
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    return value


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters cut …]\n{text[-half:]}"
