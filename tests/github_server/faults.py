"""Faults that tests put in the way of requests, and the journal of what was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answered with this status before anything is done."""

    status: int
    message: str = "injected"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is cut: after it was done, or (`before`) without doing it."""

    before: bool = False


@dataclass(frozen=True, slots=True)
class DoneBut:
    """It is done, and answered with this status all the same."""

    status: int = 500
    message: str = "injected"


@dataclass(frozen=True, slots=True)
class Hang:
    """It is done, and never answered: the connection stands until the client or the server gives up."""


@dataclass(frozen=True, slots=True)
class Delay:
    """It is done and answered after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """It is done, then `callback` is called (kill the client, move a branch), then it is answered."""

    callback: Callable[[], None]


Effect = Refuse | Cut | DoneBut | Hang | Delay | Call


@dataclass(slots=True)
class Fault:
    """method: an HTTP method, WRITE for every write, or "" for all. path: a regular expression searched in the path.

    It strikes at the `nth` fitting request and at the `times - 1` after it. `seen`: fitting requests so far.
    """

    method: str
    path: str
    effect: Effect
    nth: int = 1
    times: int = 1
    seen: int = 0

    def fits(self, method: str, path: str, write: bool) -> bool:
        right = self.method in ("", method) or (self.method == "WRITE" and write)
        return right and re.search(self.path, path) is not None


@dataclass(slots=True)
class JournalEntry:
    """One request of the journal. status 0: not answered. host: api, git, blobs or graphql.

    path: as sent, without the API's prefix. login: whose token it was, "" where it was not read.
    """

    method: str
    path: str
    query: str
    write: bool
    host: str = "api"
    login: str = ""
    conditional: bool = False
    status: int = 0

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' + self.query if self.query else ''} {self.status}"


class Faults:
    """The faults of a server; a request meets the first that strikes."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def meet(self, method: str, path: str, write: bool) -> Effect | None:
        with self._lock:
            struck = None
            for fault in self._faults:
                if fault.fits(method, path, write):
                    fault.seen += 1
                    if struck is None and fault.nth <= fault.seen < fault.nth + fault.times:
                        struck = fault.effect
            return struck
