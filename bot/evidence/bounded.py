"""Text gathered piece by piece whose middle is dropped once it grows past a bound."""

from __future__ import annotations


class BoundedText:
    """Keeps the head and the tail of what is added: memory is bounded by about twice `limit` characters."""

    __slots__ = ("_head", "_head_room", "_limit", "_tail", "_tail_size", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        self._head: list[str] = []
        self._head_room = self._limit // 3
        self._tail: list[str] = []
        self._tail_size = 0
        self.dropped = 0

    def add(self, piece: str) -> None:
        """Append `piece`."""
        if self._head_room > 0:
            kept = piece[: self._head_room]
            self._head.append(kept)
            self._head_room -= len(kept)
            piece = piece[len(kept) :]
        if piece:
            self._tail.append(piece)
            self._tail_size += len(piece)
            if self._tail_size > 2 * (self._limit - self._limit // 3):
                self._shorten()

    def _shorten(self) -> None:
        room = self._limit - self._limit // 3
        joined = "".join(self._tail)
        kept = joined[-room:]
        self.dropped += len(joined) - len(kept)
        self._tail = [kept]
        self._tail_size = len(kept)

    def text(self) -> str:
        """What was kept, with a mark where something was left out."""
        if self._tail_size > self._limit - self._limit // 3:
            self._shorten()
        mark = f"\n… {self.dropped:,} characters left out …\n" if self.dropped else ""
        return "".join((*self._head, mark, *self._tail))
