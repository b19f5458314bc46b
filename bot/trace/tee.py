"""Recorders around recorders: one that feeds several, and one that redacts for those that do not themselves."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from bot.ports import EventKind, JsonValue, Recorder
from bot.trace.redact import Redactor
from bot.trace.streams import HeldStreams


class Tee:
    """Implements Recorder. The first recorder is fed first (what is shown has been written) and its numbers count."""

    def __init__(self, first: Recorder, *others: Recorder) -> None:
        self._first = first
        self._others = others

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        sequence = self._first.record(kind, **data)
        for recorder in self._others:
            recorder.record(kind, **data)
        return sequence


class Redacting:
    """Implements Recorder. Goes before a live view: on a CI machine the terminal is a public log.

    Safe to use from several threads, which the recorder behind it then need not be.
    """

    def __init__(self, recorder: Recorder, redactor: Redactor) -> None:
        self._recorder = recorder
        self._redactor = redactor
        self._streams = HeldStreams(redactor)
        self._latest = 0
        self._lock = threading.Lock()

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        with self._lock:
            if kind is EventKind.STREAM:
                for piece in self._streams.feed(data):
                    self._latest = self._pass_on(kind, piece)
                return self._latest
            for piece in self._streams.before(kind, data):
                self._pass_on(EventKind.STREAM, piece)
            self._latest = self._pass_on(kind, data)
            return self._latest

    def _pass_on(self, kind: EventKind, data: Mapping[str, JsonValue]) -> int:
        redacted = self._redactor.redact_json(data)
        assert isinstance(redacted, Mapping)
        return self._recorder.record(kind, **redacted)
