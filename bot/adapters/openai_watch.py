"""Calls held to their deadline and their size, at the socket: what the SDK's own time-outs do not do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx2

from bot.adapters.openai_reply import REPLY_CHARACTERS, ReplyTooLong

REPLY_BYTES = 64 * REPLY_CHARACTERS  # the frames around a few characters each are longer than the characters
_LAST = (b"data: [DONE]", b"data:[DONE]")
_LINGER = 0.25
"""Seconds that a whole reply's connection gets to end its body: only then can it be used again."""


class Deadlines:
    """Tells watches that their time is up: one thread for all calls of a model, begun with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Watch, float] = {}
        self._wakes = float("inf")
        self._running = False
        self._closed = False

    def set(self, watch: Watch, seconds: float) -> None:
        """In place of an earlier one of this watch."""
        at = time.monotonic() + seconds
        with self._changed:
            self._due[watch] = at
            if not self._running and not self._closed:
                self._running = True
                threading.Thread(target=self._run, name="model deadlines", daemon=True).start()
            if at < self._wakes:
                self._changed.notify()

    def clear(self, watch: Watch) -> None:
        """After this the watch is told nothing more."""
        with self._changed:
            self._due.pop(watch, None)

    def close(self) -> None:
        """End the thread; calls that still run keep the SDK's own time-outs only."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for watch in [watch for watch, at in self._due.items() if at <= now]:
                    del self._due[watch]
                    watch.end()
                self._wakes = min(self._due.values(), default=float("inf"))
                self._changed.wait(None if self._wakes == float("inf") else max(0.0, self._wakes - time.monotonic()))


class Watch:
    """Holds one call to its deadline and its size. The SDK's time-out is for each read: an endpoint that sends a
    little all the time, comments even, would be read for ever."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.expired = False
        self.answered = False
        self._deadlines = deadlines
        self._ends = float("inf")
        self._whole = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        """Watches what this thread asks for within it."""
        before = _WATCHING.set(self)
        self._ends = time.monotonic() + seconds
        self._deadlines.set(self, seconds)
        try:
            yield
        finally:
            self._deadlines.clear(self)
            _WATCHING.reset(before)

    def see(self, response: httpx2.Response) -> None:
        """Headers are here, the body not yet."""
        self.answered = response.is_success
        with self._lock:
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
        kept = response.http_version == "HTTP/1.1" and response.headers.get("connection", "").lower() != "close"
        response.stream = CappedStream(response.stream, self, kept=kept)
        if self.expired:
            self._shut()

    def linger(self) -> None:
        """The reply is whole: what its connection still sends is waited for a moment and not for long."""
        self._whole = True
        self._deadlines.set(self, min(_LINGER, max(0.0, self._ends - time.monotonic())))

    def release(self) -> None:
        """The connection may be another call's from here on."""
        with self._lock:
            self._socket = None

    def end(self) -> None:
        """Time is up."""
        self.expired |= not self._whole
        self._shut()

    def _shut(self) -> None:
        """End the connection under the thread that reads from it (closing alone would not wake that)."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # ended already


_WATCHING: ContextVar[Watch] = ContextVar("the watch of this thread's call")


def watched(response: httpx2.Response) -> None:
    """Event hook of a client that many calls share."""
    _WATCHING.get().see(response)


class CappedStream(httpx2.SyncByteStream):
    """A response body of at most REPLY_BYTES, error bodies too.

    kept: its connection can serve another request, if its body is read to the end. The SDK stops at the last frame, so
    that one is held back until the end has come.
    """

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, watch: Watch, *, kept: bool) -> None:
        assert isinstance(inner, httpx2.SyncByteStream)
        self._inner = inner
        self._watch = watch
        self._kept = kept

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        tail = b""
        parts = iter(self._inner)
        for part in parts:
            size += len(part)
            if size > REPLY_BYTES:
                raise ReplyTooLong
            tail = (tail + part)[-32:]
            if self._kept and tail.rstrip().endswith(_LAST):
                self._finish(parts)
            yield part

    def _finish(self, parts: Iterator[bytes]) -> None:
        """Read to the end; whatever happens there, the reply is whole."""
        self._watch.linger()
        size = 0
        try:
            for part in parts:
                size += len(part)
                if size > REPLY_BYTES:
                    return
        except httpx2.HTTPError:
            return

    def close(self) -> None:
        self._watch.release()
        self._inner.close()
