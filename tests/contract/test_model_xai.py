"""The native adapter of xAI: the contract of a model, and what is its own, against a real gRPC server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from bot.adapters.xai import XaiModel
from bot.config import ModelSettings
from bot.errors import ConfigError, ModelError, ModelFault
from bot.ports import Message, Model, ReplySchema, ToolCall
from tests.contract.model_cases import (
    CALL,
    KEY,
    PRICES,
    REQUEST,
    WITH_TOOLS,
    Breaks,
    Endpoint,
    ModelCases,
    RealClock,
    Running,
    Said,
    Script,
)

pytest.importorskip("xai_sdk", reason="the extra grokfix[xai] is not installed")

from tests.xai_server import USAGE, Answer, XaiServer, calling, chunk, refusal, role_of

REFUSALS = {
    ModelFault.AUTHENTICATION: refusal("INVALID_ARGUMENT", f"Incorrect API key provided: {KEY}."),
    ModelFault.CREDIT: refusal("PERMISSION_DENIED", "Your team has used all available credits."),
    ModelFault.RATE_LIMIT: refusal("RESOURCE_EXHAUSTED", "Too many requests"),
    ModelFault.UNAVAILABLE: refusal("UNAVAILABLE", "overloaded"),
    ModelFault.CONTEXT_TOO_LONG: refusal(
        "INVALID_ARGUMENT", "This model's maximum prompt length is 256000 but the request contains 300000 tokens."
    ),
    ModelFault.TOOLS_REFUSED: refusal("INVALID_ARGUMENT", "Function calling is not supported for this model."),
}
END = chunk(finish="REASON_STOP", usage=USAGE)


def on_the_wire(script: Script) -> Answer:
    match script:
        case Said(text, reasoning, wanted, pause):
            pieces = [chunk(content=text[at : at + 40]) for at in range(0, len(text), 40)]
            thoughts = [chunk(reasoning_content=reasoning)] if reasoning else []
            called = [calling(call.id, call.name, call.arguments) for call in wanted]
            return Answer((chunk(), *thoughts, *pieces, *called, END), delay=pause)
        case Breaks(text):
            return Answer((chunk(content=text),), "UNAVAILABLE", "connection reset")
    return REFUSALS[script.kind]


@dataclass(frozen=True)
class OverGRPC:
    server: XaiServer

    @property
    def where(self) -> str:
        return self.server.base_url.removeprefix("http://")

    def model(self, clock: RealClock) -> Model:
        return model(self.server, clock)

    def heard(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        return tuple(
            tuple(
                (
                    role_of(each),
                    "".join(call.function.name for call in each.tool_calls) or each.content[0].text,
                )
                for each in request.body.messages
            )
            for request in self.server.requests
        )


def model(server: XaiServer, clock: RealClock | None = None, **settings: str) -> XaiModel:
    base = ModelSettings("scripted", server.base_url, "TEST_KEY", KEY, kind="xai")
    return XaiModel(replace(base, **settings), clock or RealClock(), PRICES)


@pytest.fixture
def endpoint() -> Endpoint:
    @contextmanager
    def running(script: Sequence[Script]) -> Iterator[Running]:
        with XaiServer([on_the_wire(each) for each in script]) as server:
            yield OverGRPC(server)

    return running


class TestXaiModel(ModelCases):
    """Over gRPC."""


def test_request_on_the_wire() -> None:
    messages = (
        *REQUEST.messages,
        Message("assistant", "I look.", "my thoughts", (CALL, ToolCall("c2", "not a name", "[1"))),
        Message("tool", "x = \ud800", tool_call_id=CALL.id),
    )
    with XaiServer([Answer((chunk(content="ok"), END))]) as server:
        model(server).complete(replace(WITH_TOOLS, messages=messages, max_completion_tokens=1234))
        sent = server.requests[0]
    assert sent.metadata["authorization"] == f"Bearer {KEY}"
    assert sent.metadata["x-grok-conv-id"] == "run-7"
    assert (sent.body.model, sent.body.max_tokens, sent.body.store_messages) == ("scripted", 1234, False)
    assert [each.function.name for each in sent.body.tools] == ["read_file", "list_files"]
    assert json.loads(sent.body.tools[0].function.parameters) == WITH_TOOLS.tools[0].parameters
    assert "REQUIRED" in str(sent.body.tool_choice)
    assert not sent.body.stop
    assert not sent.body.HasField("presence_penalty"), "reasoning models refuse it, even zero"
    assistant, result = sent.body.messages[2:]
    assert (assistant.content[0].text, assistant.reasoning_content) == ("I look.", "my thoughts")
    assert [(call.id, call.function.name, call.function.arguments) for call in assistant.tool_calls] == [
        ("call_7", "read_file", '{"path": "a.py"}'),
        ("c2", "not_a_name", '{"not_json": "[1"}'),
    ]
    assert (result.tool_call_id, result.content[0].text) == ("call_7", "x = ?")


def test_schema_on_the_wire() -> None:
    schema = ReplySchema("fix", {"type": "object", "properties": {}, "required": [], "additionalProperties": False})
    with XaiServer([Answer((chunk(content="{}"), END))]) as server:
        assert model(server).complete(replace(REQUEST, schema=schema)).text == "{}"
        body = server.requests[0].body
    assert json.loads(body.response_format.schema) == schema.schema
    assert not body.tools


def test_exact_cost_is_preferred() -> None:
    usage = type(USAGE)()
    usage.CopyFrom(USAGE)
    usage.cost_in_usd_ticks = 25_000_000
    with XaiServer([Answer((chunk(content="ok", finish="REASON_MAX_LEN", usage=usage),))]) as server:
        reply = model(server).complete(REQUEST)
    assert (reply.usage.cost_usd, reply.finish_reason) == (pytest.approx(0.0025), "length")


def test_keys_of_the_environment_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XAI_API_KEY", "XAI_MANAGEMENT_KEY"):
        monkeypatch.setenv(name, "from-environment")
    with XaiServer([Answer((chunk(content="ok"), END))]) as server:
        model(server, api_key="").complete(REQUEST)
        assert "from-environment" not in repr(server.requests[0].metadata)


def test_wait_that_the_endpoint_asks_for() -> None:
    clock = RealClock()
    with XaiServer(
        [refusal("RESOURCE_EXHAUSTED", "slow down", retry_after="7"), Answer((chunk(content="ok"), END))]
    ) as server:
        assert model(server, clock).complete(REQUEST).text == "ok"
    assert clock.slept == [7.0]


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (refusal("UNAUTHENTICATED", "no such key"), ModelFault.AUTHENTICATION, "TEST_KEY was refused"),
        (refusal("NOT_FOUND", "no model scripted"), ModelFault.NOT_FOUND, "NOT_FOUND: no model scripted"),
        (Answer((chunk(content="x" * 3_000_000),)), ModelFault.MALFORMED, "did not end its reply"),
        (Answer((chunk(content="x" * (5 << 20)),)), ModelFault.MALFORMED, "more than 4 MB in one piece"),
        (
            Answer(tuple(calling(f"c{number}", "list_files", "{}") for number in range(65))),
            ModelFault.MALFORMED,
            "more than 64 tool calls",
        ),
    ],
    ids=["key", "model", "endless", "frame", "calls"],
)
def test_what_repeating_does_not_mend(answer: Answer, kind: ModelFault, says: str) -> None:
    clock = RealClock()
    with XaiServer([answer]) as server, pytest.raises(ModelError) as caught:
        model(server, clock).complete(REQUEST)
    assert caught.value.fault is kind
    assert says in str(caught.value)
    assert clock.slept == []


def test_nobody_at_the_address() -> None:
    clock = RealClock()
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9") as caught:
        XaiModel(ModelSettings(base_url="http://127.0.0.1:9", api_key=KEY), clock, {}).complete(REQUEST)
    assert caught.value.fault is ModelFault.UNAVAILABLE
    assert clock.slept == [1.0, 4.0, 15.0], "one retry policy: the SDK's own is off"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ModelSettings(api_key="two words", api_key_env="MY_KEY"), "MY_KEY"),
        (ModelSettings(base_url="api.x.ai"), "base_url"),
    ],
)
def test_settings_that_cannot_work(settings: ModelSettings, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        XaiModel(settings, RealClock(), {})


def test_without_the_sdk_it_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xai_sdk", None)
    with pytest.raises(ConfigError, match=r"pip install 'grokfix\[xai\]'"):
        XaiModel(ModelSettings(api_key=KEY), RealClock(), {})
