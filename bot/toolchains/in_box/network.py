"""What this process reaches for: hosts beyond loopback, which are refused where it is to be offline, ports, threads.

Through Python's audit events (PEP 578), which every socket of the language passes, in this process and in what it
forks. Other programs that a test starts, and C libraries with sockets of their own, are not seen.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import os
import socket
import sys
import threading
from typing import Any

from . import settings

FILE = "touched.txt"
_MOST = 200  # different entries; a test that scans a network needs no complete list
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})


class Observer:
    """An audit hook. It cannot be taken away again, so it lives as long as the process."""

    def __init__(self, *, offline: bool) -> None:
        self._offline = offline
        self._path = os.path.join(settings.CONTROL, FILE)
        self._seen: set[str] = set()
        self._looked_up: set[int] = set()

    def install(self) -> None:
        sys.addaudithook(self._on_event)
        start = threading.Thread.start  # before Python 3.12 there is no event for it

        @functools.wraps(start)
        def noted(thread: threading.Thread) -> None:
            self._note("threads")
            start(thread)

        threading.Thread.start = noted  # type: ignore[method-assign, assignment]

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket."):
            return
        if event in _LOOKUPS:
            self._look_up(event, arguments)
        elif event in _SENDING:
            self._send(arguments)
        elif event == "socket.bind":
            self._bind(arguments)

    def _look_up(self, event: str, arguments: tuple[Any, ...]) -> None:
        host = _text(arguments[0])
        if is_local(host):
            return
        port = _number(arguments[1]) if event == "socket.getaddrinfo" else 0
        if not _is_address(host):  # an address needs no look-up, and what follows names it
            self._note(f"host {host}:{port}")
            self._looked_up.add(port)
            if self._offline:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def _send(self, arguments: tuple[Any, ...]) -> None:
        where, address = arguments[0], arguments[1]
        if not isinstance(address, tuple) or len(address) < 2 or where.family not in _INTERNET:
            return
        host, port = _text(address[0]), _number(address[1])
        if is_local(host):
            return
        if not (_is_address(host) and port in self._looked_up):  # the address of a name that is noted already
            self._note(f"host {host}:{port}")
        if self._offline:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    def _bind(self, arguments: tuple[Any, ...]) -> None:
        where, address = arguments[0], arguments[1]
        if isinstance(address, tuple) and len(address) >= 2 and where.family in _INTERNET and where.type & 0xF == 1:
            port = _number(address[1])
            if port:
                self._note(f"port {port}")

    def _note(self, line: str) -> None:
        if line in self._seen or len(self._seen) >= _MOST:
            return
        self._seen.add(line)
        try:  # opened anew: a test may close every descriptor that it did not open itself
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError:
            return
        try:
            os.write(descriptor, line.replace("\n", " ")[:300].encode("utf-8", "replace") + b"\n")
        except OSError:
            pass  # a full disk is the run's own affair
        finally:
            os.close(descriptor)


def is_local(host: str) -> bool:
    """Whether `host` is this machine: nothing (any address of it), loopback, or its own name."""
    if host in ("", "localhost", "ip6-localhost", "<broadcast>") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == socket.gethostname()
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or address.is_unspecified or bool(mapped and mapped.is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _text(host: Any) -> str:
    if isinstance(host, (bytes, bytearray)):
        return host.decode("utf-8", "replace")
    return host if isinstance(host, str) else ""


def _number(port: Any) -> int:
    try:
        return int(port)
    except (TypeError, ValueError):
        return {"http": 80, "https": 443}.get(_text(port), 0)
