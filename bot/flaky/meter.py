"""What reading the history may cost: calls of the code host, bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass

from bot.ports import Clock, Forge


class Stopped(Exception):  # noqa: N818 (a control-flow signal: what was read stays read)
    """No more may be read this night; the message says why, as a whole sentence's end."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """calls: requests of the API. reserve: requests of the hour that are left to others (a job's own token has 1,000 an
    hour for the whole repository). packed: bytes of artifacts and logs. seconds: of time."""

    calls: int = 600
    reserve: int = 200
    packed: int = 2 << 30
    seconds: float = 900.0


class Meter:
    """Counts, and stops what would pass the allowance. A call of the port counts as one request, a download too."""

    def __init__(self, forge: Forge, allowance: Allowance, clock: Clock) -> None:
        self._forge = forge
        self._allowed = allowance
        self._clock = clock
        self._began = clock.monotonic()
        self.calls = 0
        self.packed = 0

    def call(self) -> None:
        """Before each call."""
        left = self._forge.calls_left()
        if self.calls >= self._allowed.calls:
            raise Stopped(f"the {self._allowed.calls:,} calls that one session may make are over")
        if left is not None and left <= self._allowed.reserve:
            raise Stopped(f"only {left:,} calls of this hour's limit are left, and {self._allowed.reserve:,} are kept")
        if self._clock.monotonic() - self._began > self._allowed.seconds:
            raise Stopped(f"the {self._allowed.seconds:,.0f} s for reading the history are over")
        self.calls += 1

    def free(self) -> None:
        """The last call was answered "not modified", which the host does not count."""
        self.calls -= 1

    def took(self, size: int) -> None:
        """After each download."""
        self.packed += size
        if self.packed > self._allowed.packed:
            raise Stopped(f"the {self._allowed.packed:,} bytes that one session may download are over")
