"""A host that answers as it is told, request by request, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bot.adapters.github import GitHubForge
from bot.ports import Clock
from tests.fakes import FakeClock
from tests.github_server.exchange import Request, Response
from tests.github_server.faults import Faults, JournalEntry
from tests.github_server.listener import Listener

TOKEN = "ghs_abcdefghijklmnopqrstuvwxyz0123456789"
Reply = Response | Callable[[Request], Response]


class Scripted:
    """`replies` in order, the last one for ever after; `faults` may break them."""

    def __init__(self, replies: Sequence[Reply], prefix: str) -> None:
        self.asked: list[Request] = []
        self.faults = Faults()
        self._replies = list(replies)
        self.listener = Listener(self._answer, self.faults, [], prefix)
        self.server_url = f"http://127.0.0.1:{self.listener.port}"
        self.api_url = self.server_url + prefix
        self.graphql_url = self.server_url + ("/api/graphql" if prefix else "/graphql")

    def forge(self, clock: Clock | None = None, token: str = TOKEN, graphql_url: str | None = None) -> GitHubForge:
        return GitHubForge(
            token,
            "octo/shop",
            api_url=self.api_url,
            server_url=self.server_url,
            graphql_url=self.graphql_url if graphql_url is None else graphql_url,
            clock=clock or FakeClock(),
        )

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked]

    def _answer(self, request: Request, entry: JournalEntry) -> Response:
        self.asked.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply(request) if callable(reply) else reply


@contextmanager
def scripted(*replies: Reply, prefix: str = "") -> Iterator[Scripted]:
    host = Scripted(replies, prefix)
    host.listener.start()
    try:
        yield host
    finally:
        host.listener.close()


@contextmanager
def raw_host(*scripts: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A host that speaks bytes: each connection's request head is read, then the next script (the last for ever after)
    has the connection. Gives the host's address and the heads."""
    heads: list[bytes] = []
    waiting = list(scripts)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (part := connection.recv(65_536)):
                    head += part
                if not head:
                    return
                heads.append(head)
                script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                try:
                    script(connection)
                except OSError:
                    pass  # the client has heard enough

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heads
    finally:
        with socket.create_connection(server.getsockname()):
            pass  # wakes accept, and says nothing: the thread ends
        thread.join()
        server.close()
