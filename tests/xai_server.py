"""A scripted xAI endpoint: a real gRPC server on loopback with the vendor's own service definition.

    with XaiServer([chunks("hello"), refusal("UNAVAILABLE", "overloaded")]) as server:
        settings = ModelSettings(name="scripted", base_url=server.base_url, api_key="sk-test", kind="xai")

Answers are given in order, one a request; a request for which none is left is answered with UNIMPLEMENTED and noted in
`server.misses`: closing the server then fails the test. Import it only where xai-sdk is installed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from xai_sdk.proto import chat_pb2, chat_pb2_grpc, sample_pb2, usage_pb2

USAGE = usage_pb2.SamplingUsage(
    prompt_tokens=1000, completion_tokens=100, reasoning_tokens=50, total_tokens=1150, cached_prompt_text_tokens=200
)


@dataclass(frozen=True)
class Answer:
    """chunks: what is streamed, `delay` seconds before each. Then an error status where `code` names one."""

    chunks: tuple[chat_pb2.GetChatCompletionChunk, ...] = ()
    code: str = ""
    details: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0


@dataclass(frozen=True)
class Request:
    metadata: Mapping[str, str]
    body: chat_pb2.GetCompletionsRequest


def chunk(*, finish: str = "", usage: Any = None, model: str = "scripted-1", **delta: Any) -> Any:
    """One chunk of a stream."""
    reason = sample_pb2.FinishReason.Value(finish) if finish else 0
    output = chat_pb2.CompletionOutputChunk(delta=chat_pb2.Delta(**delta), finish_reason=reason)
    return chat_pb2.GetChatCompletionChunk(model=model, outputs=[output], usage=usage)


def calling(id: str, name: str, arguments: str) -> Any:
    """A chunk with one whole call, as xAI sends them."""
    function = chat_pb2.FunctionCall(name=name, arguments=arguments)
    return chunk(tool_calls=[chat_pb2.ToolCall(id=id, function=function)])


def refusal(code: str, details: str, **metadata: str) -> Answer:
    names = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    return Answer(code=code, details=details, metadata=names)


def role_of(message: Any) -> str:
    """As the rest of the world names it: "user", "tool" …"""
    return str(chat_pb2.MessageRole.Name(message.role)).removeprefix("ROLE_").lower()


class XaiServer(chat_pb2_grpc.ChatServicer):
    """Context manager; see the module."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.requests: list[Request] = []
        self.misses: list[str] = []
        self._answers = list(answers)
        self._server = grpc.server(ThreadPoolExecutor(2))
        chat_pb2_grpc.add_ChatServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def GetCompletionChunk(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.requests.append(Request(dict(context.invocation_metadata()), request))
        if not self._answers:
            self.misses.append(f"request {len(self.requests)} came, for which no answer is scripted")
            context.abort(grpc.StatusCode.UNIMPLEMENTED, self.misses[-1])
        answer = self._answers.pop(0)
        for each in answer.chunks:
            time.sleep(answer.delay)
            if not context.is_active():
                return
            yield each
        if answer.code:
            context.set_trailing_metadata(answer.metadata)
            context.abort(grpc.StatusCode[answer.code], answer.details)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait(10)
        if kind is None:
            assert self.misses == []
