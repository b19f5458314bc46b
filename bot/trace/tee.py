"""Recorders around recorders: one that feeds several, and one that redacts for those that do not themselves."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports import EventKind, JsonValue, Recorder
from bot.trace.redact import Redactor


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
    """Implements Recorder. Goes before a live view: on a CI machine the terminal is a public log."""

    def __init__(self, recorder: Recorder, redactor: Redactor) -> None:
        self._recorder = recorder
        self._redactor = redactor

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        redacted = self._redactor.redact_json(data)
        assert isinstance(redacted, Mapping)
        return self._recorder.record(kind, **redacted)
