"""Pieces of a reply on their way into a trace or onto a screen: redacted as one text, however small they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bot.ports import EventKind, JsonValue, ReplyPart
from bot.trace.redact import Redactor, StreamRedactor

_ENDS = frozenset({EventKind.REQUEST, EventKind.REPLY, EventKind.USAGE, EventKind.OUTCOME})
"""A reply is over where one of these comes."""

_OWNERS = ("repair", "conversation")

_Data = Mapping[str, JsonValue]


class HeldStreams:
    """Turns `stream` events as the model sends them into those that may be seen: fewer, later, without secrets.

    Pieces are joined by repair, conversation and part. What is held back comes before the event that ends the reply.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._open: dict[str, tuple[_Data, StreamRedactor]] = {}

    def before(self, kind: EventKind, data: _Data) -> Iterator[_Data]:
        """Data of the stream events that are due before an event of another kind."""
        if kind in _ENDS:
            yield from self._end(data)

    def feed(self, data: _Data) -> Iterator[_Data]:
        """Data of the stream events that one of them makes due; a restart is one itself."""
        if data.get("part") == ReplyPart.RESTART:
            yield from self._end(data)
            yield data
            return
        piece = data.get("text")
        owner = {name: value for name, value in data.items() if name != "text"}
        lane = json.dumps(owner, sort_keys=True, default=str)
        _, stream = self._open.setdefault(lane, (owner, StreamRedactor(self._redactor)))
        if safe := stream.feed(piece if isinstance(piece, str) else ""):
            yield {**owner, "text": safe}

    def flush(self) -> Iterator[_Data]:
        """All that is held back: nothing more will come."""
        yield from self._end({})

    def _end(self, data: _Data) -> Iterator[_Data]:
        for lane, (owner, stream) in list(self._open.items()):
            if all(owner.get(name, data.get(name)) == data.get(name, owner.get(name)) for name in _OWNERS):
                del self._open[lane]
                if rest := stream.flush():
                    yield {**owner, "text": rest}
