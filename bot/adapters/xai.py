"""xAI's models through its own SDK (the extra grokfix[xai]): gRPC instead of HTTP, the same port and the same rules.

What comes over the wire is brought into the shape of chat completions, so that one assembly, one reading of faults and
one retry policy serve both adapters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.adapters.openai_calls import TooManyCalls
from bot.adapters.openai_faults import Fault, place, redact, status_fault
from bot.adapters.openai_reply import REPLY_CHARACTERS, Assembly, ReplyTooLong
from bot.adapters.openai_request import sendable, sendable_call
from bot.adapters.repeating import Failed, repeated
from bot.config import ModelSettings, Price
from bot.errors import ConfigError, ModelFault
from bot.ports import Clock, JsonValue, Message, ModelReply, ModelRequest, OnPart, Usage

if TYPE_CHECKING:
    import grpc
    from xai_sdk.proto import chat_pb2

_NO_KEY = "no-key"  # without one the SDK would take XAI_API_KEY from the environment, which may be another endpoint's
_FRAME_BYTES = 4 << 20
_TOO_LARGE = "Received message larger than max"
_CHANNEL = [
    ("grpc.enable_retries", 0),  # retries are `repeated`'s, never stacked
    ("grpc.max_receive_message_length", _FRAME_BYTES),
]
# The nearest status of HTTP for each code of gRPC (google.rpc.Code names them); what is not here is an overload: 503.
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
}


class XaiModel:
    """Implements bot.ports.Model. `prices`: US dollars by model name (bot.budget.load_prices).

    `settings.base_url` names the host; http:// is a plain connection (a server of one's own). ConfigError where the
    SDK is not installed, or for an address or key that no request could be sent with. Threads may share it.
    """

    def __init__(self, settings: ModelSettings, clock: Clock, prices: Mapping[str, Price]) -> None:
        try:
            import xai_sdk  # noqa: F401 (found out here, before anything has been spent)
        except ImportError as error:
            raise ConfigError("kind xai needs xAI's SDK: pip install 'grokfix[xai]', or say kind: openai") from error
        key = settings.api_key.strip()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigError(f"{settings.api_key_env} holds white space or characters no key has; set it again")
        url = urlsplit(settings.base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ConfigError(f"base_url is {settings.base_url!r}; it must begin with https:// or http://")
        self.name = settings.name
        self._plain = url.scheme == "http"
        self._host = f"{url.hostname}:{url.port}" if url.port else url.hostname
        self._provider = settings.provider or url.hostname
        self._settings = replace(settings, api_key=key)
        self._clock = clock
        self._prices = prices

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        """`request.seconds` bounds all tries together; before a repeated one streams again, `on_part` gets RESTART.

        Raises ModelError for what repeating does not mend.
        """
        deadline = self._clock.monotonic() + request.seconds
        return repeated(
            lambda: self._once(request, deadline, on_part),
            lambda _: False,  # one vendor, one protocol: nothing is optional
            deadline,
            self._clock,
            on_part,
            paid_tries=request.paid_tries,
        )

    def _once(self, request: ModelRequest, deadline: float, on_part: OnPart | None) -> ModelReply | Failed:
        import grpc

        began = self._clock.monotonic()
        assembly = Assembly(on_part)
        answered = False
        fault = None
        try:
            for frame in self._frames(request, max(0.1, deadline - began)):
                answered = True
                assembly.add(frame)
        except grpc.RpcError as error:
            fault = self._fault_of(error, request, answered)
        except ReplyTooLong:
            fault = self._unusable(f"did not end its reply within {REPLY_CHARACTERS:,} characters")
        except TooManyCalls as error:
            fault = self._unusable(f"sent {error} in one reply")
        seconds = self._clock.monotonic() - began
        if fault is None and not (assembly.had_choices and assembly.complete):
            fault = Fault(
                f"{place(self._settings)} cut its reply off: no reason for its end came",
                True,
                kind=ModelFault.UNAVAILABLE,
            )
        if fault is None or answered:
            usage = assembly.usage(request, self.name, self._prices, seconds)
        else:
            usage = Usage(requests=1, seconds=seconds)
        if fault is not None:
            return Failed(fault, usage, assembly.streamed)
        return ModelReply(
            assembly.text,
            assembly.reasoning,
            assembly.model or self.name,
            assembly.finish_reason,
            usage,
            assembly.tool_calls(request),
            self._provider,
        )

    def _frames(self, request: ModelRequest, seconds: float) -> Iterator[JsonValue]:
        """The chunks of one streamed reply, as frames of chat completions. seconds: of the whole stream."""
        import xai_sdk

        with xai_sdk.Client(
            api_key=self._settings.api_key or _NO_KEY,
            api_host=self._host,
            metadata=(("x-grok-conv-id", request.conversation),) if request.conversation else None,
            channel_options=_CHANNEL,
            timeout=seconds,
            use_insecure_channel=self._plain,
        ) as client:
            chat = client.chat.create(
                model=self.name,
                messages=[_message(message) for message in request.messages],
                max_tokens=request.max_completion_tokens,
                store_messages=False,
                **_shape(request),
            )
            for _, chunk in chat.stream():
                yield _frame(chunk.proto)

    def _fault_of(self, error: grpc.RpcError, request: ModelRequest, answered: bool) -> Fault:
        code, details = error.code().name, str(error.details() or "")
        if code == "DEADLINE_EXCEEDED":
            what = f"did not finish its reply within {request.seconds:.0f} s"
            return Fault(f"{place(self._settings)} {what}", False, kind=ModelFault.DEADLINE)
        if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE in details:  # said by this side's own channel
            return self._unusable(f"sent more than {_FRAME_BYTES >> 20} MB in one piece")
        if answered and code not in _STATUS:
            what = redact(f"broke off its reply ({code}: {details})", self._settings)
            return Fault(f"{place(self._settings)} {what}", True, kind=ModelFault.UNAVAILABLE)
        headers = {name: value for name, value in error.trailing_metadata() or () if isinstance(value, str)}
        return status_fault(_STATUS.get(code, 503), headers, details, self._settings, self._clock.now(), called=code)

    def _unusable(self, what: str) -> Fault:
        return Fault(f"{place(self._settings)} {what}", False, kind=ModelFault.MALFORMED)


def _message(message: Message) -> chat_pb2.Message:
    from xai_sdk.proto import chat_pb2

    calls = []
    for call in message.tool_calls:
        name, arguments = sendable_call(call)
        function = chat_pb2.FunctionCall(name=name, arguments=arguments)
        calls.append(chat_pb2.ToolCall(id=call.id, type=chat_pb2.TOOL_CALL_TYPE_CLIENT_SIDE_TOOL, function=function))
    given = {"tool_call_id": message.tool_call_id} if message.role == "tool" else {}
    given |= {"reasoning_content": sendable(message.reasoning)} if message.reasoning else {}
    return chat_pb2.Message(
        role=f"ROLE_{message.role.upper()}",
        content=[chat_pb2.Content(text=sendable(message.content))],
        tool_calls=calls,
        **given,
    )


def _shape(request: ModelRequest) -> dict[str, object]:
    """Tools or a schema, as the SDK takes them."""
    from xai_sdk.chat import tool
    from xai_sdk.proto import chat_pb2

    if request.tools:
        tools = [tool(each.name, each.description, dict(each.parameters)) for each in request.tools]
        return {"tools": tools, "tool_choice": "required" if request.must_call else "auto"}
    if request.schema is not None:
        schema = json.dumps(request.schema.schema)
        return {"response_format": chat_pb2.ResponseFormat(format_type=chat_pb2.FORMAT_TYPE_JSON_SCHEMA, schema=schema)}
    return {}


def _frame(chunk: chat_pb2.GetChatCompletionChunk) -> JsonValue:
    """A chunk in the shape that Assembly reads."""
    from xai_sdk.proto import sample_pb2

    frame: dict[str, JsonValue] = {"model": chunk.model, "choices": []}
    if chunk.outputs:
        output = chunk.outputs[0]
        calls: list[JsonValue] = [
            {"id": call.id, "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in output.delta.tool_calls
        ]
        delta: JsonValue = {
            "content": output.delta.content,
            "reasoning_content": output.delta.reasoning_content,
            "tool_calls": calls,
        }
        finish = sample_pb2.FinishReason.Name(output.finish_reason) if output.finish_reason else ""
        reason = _REASONS.get(finish, finish.lower())
        frame["choices"] = [{"index": 0, "delta": delta, "finish_reason": reason}]
    if chunk.HasField("usage"):
        usage = chunk.usage
        frame["usage"] = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_prompt_text_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        } | ({"cost_in_usd_ticks": usage.cost_in_usd_ticks} if usage.cost_in_usd_ticks else {})
    return frame


_REASONS = {
    "REASON_STOP": "stop",
    "REASON_MAX_LEN": "length",
    "REASON_MAX_CONTEXT": "length",
    "REASON_TOOL_CALLS": "tool_calls",
}
