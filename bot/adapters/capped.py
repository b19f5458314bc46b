"""Output of unknown length in bounded memory: its head and its tail."""

from __future__ import annotations

from collections import deque


class CappedOutput:
    """Collects at most `limit` bytes: the first half of the limit as it came, then always the latest half."""

    def __init__(self, limit: int) -> None:
        self._head_room = limit - limit // 2
        self._tail_limit = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._dropped = 0

    @property
    def truncated(self) -> bool:
        return self._dropped > 0

    def write(self, data: bytes) -> None:
        if self._head_room > len(self._head):
            room = self._head_room - len(self._head)
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size > self._tail_limit:
            oldest = self._tail.popleft()
            excess = self._tail_size - self._tail_limit
            self._tail_size -= min(excess, len(oldest))
            self._dropped += min(excess, len(oldest))
            if excess < len(oldest):
                self._tail.appendleft(oldest[excess:])

    def data(self) -> bytes:
        """What was kept, as it came; a line of its own says how many bytes were left out."""
        gap = f"\n[… {self._dropped} bytes of output left out …]\n".encode() if self._dropped else b""
        return bytes(self._head) + gap + b"".join(self._tail)

    def text(self) -> str:
        """The same as UTF-8, invalid bytes replaced."""
        return self.data().decode("utf-8", "replace")
