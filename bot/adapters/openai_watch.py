"""One call held to its deadline and its size, at the socket: what the SDK's own time-outs do not do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from bot.adapters.openai_reply import REPLY_CHARACTERS, ReplyTooLong

REPLY_BYTES = 64 * REPLY_CHARACTERS  # the frames around a few characters each are longer than the characters


class Watch:
    """Holds one call to its deadline and its size. The SDK's time-out is for each read: an endpoint that sends a
    little all the time, comments even, would be read for ever."""

    def __init__(self) -> None:
        self.expired = False
        self.answered = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(max(0.0, seconds), self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def see(self, response: httpx2.Response) -> None:
        """Event hook: headers are here, the body not yet."""
        self.answered = response.is_success
        with self._lock:
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
        response.stream = CappedStream(response.stream)
        if self.expired:
            self._shut()

    def _expire(self) -> None:
        self.expired = True
        self._shut()

    def _shut(self) -> None:
        """End the connection under the thread that reads from it (closing alone would not wake that)."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # ended already


class CappedStream(httpx2.SyncByteStream):
    """A response body of at most REPLY_BYTES, error bodies too."""

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> None:
        assert isinstance(inner, httpx2.SyncByteStream)
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._inner:
            size += len(part)
            if size > REPLY_BYTES:
                raise ReplyTooLong
            yield part

    def close(self) -> None:
        self._inner.close()
