"""HTTP on loopback: a listener that reads requests, meets faults and writes answers, and ends without leaving threads."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, assert_never
from urllib.parse import parse_qsl

from tests.github_server.exchange import Problem, Request, Response
from tests.github_server.faults import Call, Cut, Delay, DoneBut, Effect, Faults, Hang, JournalEntry, Refuse

NO_WRITE = ("/graphql", "/git-upload-pack")  # a POST by its protocol only
Answer = Callable[[Request, JournalEntry], Response]


class Listener:
    """One port on loopback. `answer` is called once a request, from the request's own thread.

    Each request stands in `journal` as soon as it came, `prefix` taken off its path.
    """

    def __init__(self, answer: Answer, faults: Faults, journal: list[JournalEntry], prefix: str = "") -> None:
        self.answer = answer
        self.faults = faults
        self.journal = journal
        self.prefix = prefix
        self.closing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.listener = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Cuts what is open and waits for its threads."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connection)

    def ended(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(
                    self.command, path, dict(parse_qsl(query, keep_blank_values=True)), headers, self.read_body()
                )
                write = self.command not in ("GET", "HEAD") and not path.endswith(NO_WRITE)
                entry = JournalEntry(self.command, path.removeprefix(listener.prefix), query, write)
                listener.journal.append(entry)
                effect = listener.faults.meet(self.command, path, write)
                response = listener.do(request, entry, effect)
                with contextlib.suppress(ConnectionError):
                    if response is None:
                        self.close_connection = True
                    else:
                        self.send(response)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = handle_any

            def read_body(self) -> bytes:
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def send(self, response: Response) -> None:
                body = response.encoded()
                self.send_response(response.status)
                kind = "application/octet-stream" if isinstance(response.content, bytes) else "application/json"
                for name, value in _headers(response.headers, f"{kind}; charset=utf-8").items():
                    self.send_header(name, value)
                if response.status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD" and response.status not in (204, 304):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler

    def do(self, request: Request, entry: JournalEntry, effect: Effect | None) -> Response | None:
        """The answer with the fault's effect; None where the connection is to be cut."""
        if isinstance(effect, Refuse):
            entry.status = effect.status
            return Problem(effect.status, effect.message, headers=effect.headers).response
        if isinstance(effect, Cut) and effect.before:
            return None
        response = self.answer(request, entry)
        entry.status = response.status
        match effect:
            case None | Refuse():
                return response
            case Cut():
                entry.status = 0
                return None
            case DoneBut():
                entry.status = effect.status
                return Problem(effect.status, effect.message).response
            case Hang():
                entry.status = 0
                self.closing.wait()
                return None
            case Delay():
                time.sleep(effect.seconds)
                return response
            case Call():
                effect.callback()
                return response
        assert_never(effect)


def _headers(given: Mapping[str, str], kind: str) -> dict[str, str]:
    named = {name.lower() for name in given}
    return dict(given) if "content-type" in named else {"Content-Type": kind, **given}


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: no thread outlives its test
    block_on_close = True
    listener: Listener

    def process_request(self, request: Any, client_address: Any) -> None:
        self.listener.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.listener.ended(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; anything else is the server's own and shall be seen."""
        import sys

        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
