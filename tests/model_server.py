"""A scripted model server: speaks the OpenAI chat protocol over HTTP on loopback, faults included.

    with ModelServer([fix("off by one", PATCH), error(500, {})]) as server:
        settings = ModelSettings(name="scripted", base_url=server.base_url, api_key="sk-test")
        ...
        server.requests[0].body["messages"]

Builders of replies, from the plainest: `say` (text), `answer` and `fix` (the one-shot form), `call` and `calls` (tools),
`error` (a status). What they build is data: `broken` and `slow` damage any of them.

Replies are given in order, one a request. A reply with `match` that the request's text does not contain, and a request
for which no reply is left, are answered with 418 and noted in `server.misses`: closing the server then fails the test.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 200},
}
XAI_USAGE = USAGE | {  # reasoning stands beside the completion, and the exact cost is told
    "total_tokens": 1150,
    "completion_tokens_details": {"reasoning_tokens": 50},
    "cost_in_usd_ticks": 25_000_000,
}


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    events: SSE data, one frame each, sent as `data: …`; "[DONE]" is sent as it is, "" as a comment line.
    body: the whole body instead of events. match: text that the request must contain.
    cut_after: events after which the connection is cut; `reset`: with a TCP reset, else by an end of file in mid-body.
    delay: seconds before each event. forever: the last event is repeated until the client goes away.
    """

    events: tuple[str, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    match: str = ""
    cut_after: int | None = None
    reset: bool = False
    delay: float = 0.0
    forever: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def text(self) -> str:
        """Contents of all messages; an assistant's that only calls tools has none."""
        return "\n".join(message["content"] or "" for message in self.body["messages"])

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools that are offered, in their order."""
        return tuple(tool["function"]["name"] for tool in self.body.get("tools", ()))

    @property
    def results(self) -> dict[str, str]:
        """What the tools answered, by the id of the call."""
        return {
            message["tool_call_id"]: message["content"]
            for message in self.body["messages"]
            if message["role"] == "tool"
        }


def chunk(
    content: str | None = None,
    *,
    finish: str | None = None,
    usage: Mapping[str, Any] | None = None,
    model: str = "scripted-1",
    **delta: Any,
) -> str:
    """One frame of a stream; with `usage` it has no choices, as OpenAI's last one."""
    frame: dict[str, Any] = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": []}
    if usage is not None:
        frame["usage"] = usage
    else:
        if content is not None:
            delta["content"] = content
        frame["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps(frame)


def say(
    text: str,
    *,
    reasoning: str = "",
    usage: Mapping[str, Any] | None = USAGE,
    finish: str = "stop",
    model: str = "scripted-1",
    match: str = "",
) -> Reply:
    """A good reply in pieces."""
    pieces = [text[at : at + 40] for at in range(0, len(text), 40)]
    events = [chunk(role="assistant", model=model)]
    if reasoning:
        events.append(chunk(reasoning_content=reasoning, model=model))
    events += [chunk(piece, model=model) for piece in pieces]
    events.append(chunk(finish=finish, model=model))
    if usage is not None:
        events.append(chunk(usage=usage, model=model))
    return Reply((*events, "[DONE]"), match=match)


def call(
    name: str,
    arguments: Mapping[str, Any] | str,
    *,
    id: str | None = "call_1",
    text: str = "",
    reasoning: str = "",
    pieces: int = 0,
    streamed: bool = True,
    usage: Mapping[str, Any] | None = USAGE,
    finish: str | None = "tool_calls",
    model: str = "scripted-1",
    match: str = "",
) -> Reply:
    """A reply that calls one tool. arguments: a mapping, or the text that stands for it, however wrong.

    id None: the endpoint gives none. pieces: length of the fragments that the arguments come in, 0 = whole.
    streamed False: one JSON body instead of a stream. finish None: no reason is told.
    """
    return calls(
        [(name, arguments)],
        ids=[id],
        text=text,
        reasoning=reasoning,
        pieces=pieces,
        streamed=streamed,
        usage=usage,
        finish=finish,
        model=model,
        match=match,
    )


def calls(
    wanted: Sequence[tuple[str, Mapping[str, Any] | str]],
    *,
    ids: Sequence[str | None] | None = None,
    text: str = "",
    reasoning: str = "",
    pieces: int = 0,
    streamed: bool = True,
    usage: Mapping[str, Any] | None = USAGE,
    finish: str | None = "tool_calls",
    model: str = "scripted-1",
    match: str = "",
) -> Reply:
    """A reply that calls several tools at once, (name, arguments) each; ids default to call_1, call_2 …; see `call`."""
    names = [f"call_{number}" for number in range(1, len(wanted) + 1)] if ids is None else ids
    whole = [
        {"index": at, "type": "function", "function": {"name": name, "arguments": _arguments(arguments)}}
        | ({} if id is None else {"id": id})
        for at, ((name, arguments), id) in enumerate(zip(wanted, names, strict=True))
    ]
    if not streamed:
        message = {"role": "assistant", "content": text or None, "tool_calls": whole}
        message |= {"reasoning_content": reasoning} if reasoning else {}
        return unstreamed(message, finish=finish, usage=usage, model=model, match=match)
    events = [chunk(role="assistant", model=model)]
    events += [chunk(reasoning_content=reasoning, model=model)] if reasoning else []
    events += [chunk(text, model=model)] if text else []
    for each in whole:
        events += [chunk(tool_calls=[part], model=model) for part in _fragments(each, pieces)]
    events += [] if finish is None else [chunk(finish=finish, model=model)]
    events += [] if usage is None else [chunk(usage=usage, model=model)]
    return Reply((*events, "[DONE]"), match=match)


def _arguments(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _fragments(whole: dict[str, Any], pieces: int) -> list[dict[str, Any]]:
    """One call as it is sent: whole, or its name first and then its arguments, `pieces` characters at a time."""
    if not pieces:
        return [whole]
    arguments = whole["function"]["arguments"]
    head = whole | {"function": {"name": whole["function"]["name"], "arguments": ""}}
    parts = [arguments[at : at + pieces] for at in range(0, len(arguments), pieces)]
    return [head, *({"index": whole["index"], "function": {"arguments": part}} for part in parts)]


def unstreamed(
    message: Mapping[str, Any],
    *,
    finish: str | None = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    model: str = "scripted-1",
    match: str = "",
) -> Reply:
    """The whole reply in one JSON body, from an endpoint that does not stream."""
    body: dict[str, Any] = {"model": model, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    body |= {} if usage is None else {"usage": usage}
    return Reply(body=json.dumps(body).encode(), headers={"content-type": "application/json"}, match=match)


def submit(
    root_cause: str,
    patch: str,
    new_test: tuple[str, str] | None = None,
    *,
    confidence: float = 0.9,
    risks: str = "",
    **more: Any,
) -> Reply:
    """A reply that calls submit_fix; `new_test` is (path, source); `more`: see `call`."""
    arguments = json.loads(answer(root_cause, patch, new_test, confidence=confidence, risks=risks))
    del arguments["verdict"]
    return call("submit_fix", arguments, **more)


def broken(reply: Reply, after: int, *, reset: bool = False) -> Reply:
    """The same stream, whose connection is cut after so many events."""
    return replace(reply, cut_after=after, reset=reset)


def slow(reply: Reply, delay: float) -> Reply:
    """The same stream with `delay` seconds before each event."""
    return replace(reply, delay=delay)


def fix(
    root_cause: str,
    patch: str,
    new_test: tuple[str, str] | None = None,
    *,
    confidence: float = 0.9,
    risks: str = "",
    verdict: str = "fix",
    match: str = "",
) -> Reply:
    """A reply that follows the schema; `new_test` is (path, source)."""
    return say(answer(root_cause, patch, new_test, confidence=confidence, risks=risks, verdict=verdict), match=match)


def answer(
    root_cause: str,
    patch: str,
    new_test: tuple[str, str] | None = None,
    *,
    confidence: float = 0.9,
    risks: str = "",
    verdict: str = "fix",
) -> str:
    """The text of such a reply."""
    return json.dumps(
        {
            "verdict": verdict,
            "root_cause": root_cause,
            "patch": patch,
            "new_test": None
            if new_test is None
            else {"path": new_test[0], "source": new_test[1], "explanation": "fails without the fix"},
            "confidence": confidence,
            "risks": risks,
        }
    )


def error(status: int, body: object, **headers: str) -> Reply:
    """An error status; `body` is JSON unless it is text."""
    if isinstance(body, str):
        return Reply(status=status, body=body.encode(), headers={"content-type": "text/html", **headers})
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=json.dumps(body).encode(), headers={"content-type": "application/json", **names})


class ModelServer:
    """Context manager; see the module."""

    def __init__(self, replies: Sequence[Reply], *, keeps: bool = False) -> None:
        """keeps: connections are kept for more requests, and streams come in chunks."""
        self.keeps = keeps
        self.connections = 0
        self.requests: list[Request] = []
        self.misses: list[str] = []
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if kind is None:
            assert self.misses == []

    def take(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            if not self._replies:
                self.misses.append(f"request {len(self.requests)} came, for which no reply is scripted")
            elif self._replies[0].match not in json.dumps(request.body, ensure_ascii=False):
                self.misses.append(f"request {len(self.requests)} does not contain {self._replies[0].match!r}")
            else:
                return self._replies.pop(0)
            return Reply(status=418, body=self.misses[-1].encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if server.keeps else "HTTP/1.0"

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(content or b"null"),
                )
                with contextlib.suppress(ConnectionError):
                    self.answer(server.take(request))

            def answer(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in ({"content-type": "text/event-stream"} | dict(reply.headers)).items():
                    self.send_header(name, value)
                if reply.body is not None:
                    self.send_header("content-length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                    return
                if reply.cut_after is not None and not reply.reset:
                    self.send_header("content-length", "1000000")  # so that the end of file comes too early
                chunked = server.keeps and reply.cut_after is None
                if chunked:
                    self.send_header("transfer-encoding", "chunked")
                self.close_connection = not chunked
                self.end_headers()
                events = reply.events if reply.cut_after is None else reply.events[: reply.cut_after]
                for event in events:
                    self.event(event, reply, chunked=chunked)
                while reply.forever:
                    self.event(events[-1], reply, chunked=chunked)
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")
                if reply.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

            def event(self, event: str, reply: Reply, *, chunked: bool) -> None:
                time.sleep(reply.delay)
                frame = f"data: {event}\n\n".encode() if event else b": still here\n\n"
                self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame) if chunked else frame)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler
