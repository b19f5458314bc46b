"""What every implementation of bot.ports.Model must do, whatever protocol it speaks: the cases of its contract.

An `Endpoint` is a scripted server that the model under test really talks to. Its script is in no protocol's words:
each implementation's test says what `Said`, `Refuses` and `Breaks` look like on its own wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import pytest

from bot.config import Price
from bot.errors import ModelError, ModelFault
from bot.ports import Message, Model, ModelReply, ModelRequest, ReplyPart, ToolCall, ToolSpec, Usage

KEY = "sk-very-secret-key-0123456789"
PRICES = {"scripted-1": Price(prompt=1.0, cached=0.5, completion=10.0)}
REQUEST = ModelRequest((Message("system", "Be brief."), Message("user", "What is wrong?")), conversation="run-7")
READ = ToolSpec(
    "read_file",
    "Lines of a file.",
    {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    },
)
LIST = ToolSpec("list_files", "Names of files.", {"type": "object", "properties": {}, "additionalProperties": False})
WITH_TOOLS = replace(REQUEST, tools=(READ, LIST), must_call=True)
CALL = ToolCall("call_7", "read_file", '{"path": "a.py"}')


class RealClock:
    """Real time, but waiting for a retry takes none; what was waited is kept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True)
class Said:
    """A good reply of model scripted-1: 1000 prompt tokens, 200 of them cached, 150 of completion, 50 of these spent
    on reasoning. pause: seconds between the pieces."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    pause: float = 0.0


@dataclass(frozen=True)
class Refuses:
    """An error in the protocol's own words, of this kind; it quotes the key where it is about the key."""

    kind: ModelFault


@dataclass(frozen=True)
class Breaks:
    """`text` arrives, then the connection is gone."""

    text: str


Script: TypeAlias = Said | Refuses | Breaks


class Running(Protocol):
    """An endpoint while it runs."""

    where: str  # what an error has to name: address and port

    def model(self, clock: RealClock) -> Model: ...

    def heard(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """(role, text) of every message of every request; a message that calls tools has their names as its text."""
        ...


Endpoint: TypeAlias = Callable[[Sequence[Script]], AbstractContextManager[Running]]
Parts: TypeAlias = list[tuple[ReplyPart, str]]


def joined(parts: Parts, wanted: ReplyPart) -> str:
    return "".join(text for part, text in parts if part is wanted)


class ModelCases:
    """Inherit, and give a fixture `endpoint`."""

    def ask(
        self, endpoint: Endpoint, *script: Script, request: ModelRequest = REQUEST
    ) -> tuple[ModelReply, Parts, tuple[tuple[tuple[str, str], ...], ...]]:
        parts: Parts = []
        with endpoint(script) as running:
            reply = running.model(RealClock()).complete(request, lambda part, text: parts.append((part, text)))
            return reply, parts, running.heard()

    def fails(self, endpoint: Endpoint, *script: Script, request: ModelRequest = REQUEST) -> ModelError:
        with endpoint(script) as running, pytest.raises(ModelError) as caught:
            running.model(RealClock()).complete(request)
        assert KEY not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert running.where in str(caught.value), "an error says where"
        assert caught.value.usage is not None
        assert caught.value.usage.requests >= 1
        return caught.value

    def test_text_and_reasoning(self, endpoint: Endpoint) -> None:
        text = "The comparison is off by one; ü. " * 20
        reply, parts, heard = self.ask(endpoint, Said(text, "let me think"))
        assert (reply.text, reply.reasoning, reply.tool_calls) == (text, "let me think", ())
        assert (joined(parts, ReplyPart.TEXT), joined(parts, ReplyPart.REASONING)) == (text, "let me think")
        assert len(parts) > 3, "as it comes"
        assert heard == ((("system", "Be brief."), ("user", "What is wrong?")),)

    def test_what_it_cost(self, endpoint: Endpoint) -> None:
        reply, _, _ = self.ask(endpoint, Said("ok", "hm"))
        cost = (800 * 1.0 + 200 * 0.5 + 150 * 10.0) / 1e6
        assert replace(reply.usage, seconds=0.0) == Usage(1, 1000, 200, 150, 50, pytest.approx(cost))
        assert reply.usage.seconds > 0
        assert reply.model == "scripted-1"
        assert reply.provider

    def test_calls(self, endpoint: Endpoint) -> None:
        calls = (CALL, ToolCall("call_8", "list_files", "{}"))
        reply, parts, _ = self.ask(endpoint, Said("I look.", "hm", calls), request=WITH_TOOLS)
        assert reply.tool_calls == calls
        assert (reply.text, reply.reasoning) == ("I look.", "hm")
        assert joined(parts, ReplyPart.TOOL) == 'read_file {"path": "a.py"}\nlist_files {}'

    def test_results_of_calls_go_back(self, endpoint: Endpoint) -> None:
        messages = (
            *REQUEST.messages,
            Message("assistant", "", "hm", (CALL,)),
            Message("tool", "1  x = 1\n", tool_call_id=CALL.id),
        )
        reply, _, heard = self.ask(endpoint, Said("ok"), request=replace(WITH_TOOLS, messages=messages))
        assert reply.text == "ok"
        assert heard[0][2:] == (("assistant", "read_file"), ("tool", "1  x = 1\n"))

    @pytest.mark.parametrize(
        "kind",
        [
            ModelFault.AUTHENTICATION,
            ModelFault.CREDIT,
            ModelFault.CONTEXT_TOO_LONG,
            ModelFault.TOOLS_REFUSED,
        ],
    )
    def test_refusals_are_told_apart_and_not_repeated(self, endpoint: Endpoint, kind: ModelFault) -> None:
        fault = self.fails(endpoint, Refuses(kind), request=replace(WITH_TOOLS, must_call=False))
        assert fault.fault is kind
        assert fault.usage is not None
        assert fault.usage.requests == 1

    @pytest.mark.parametrize("kind", [ModelFault.RATE_LIMIT, ModelFault.UNAVAILABLE])
    def test_what_passes_is_repeated_and_then_told(self, endpoint: Endpoint, kind: ModelFault) -> None:
        reply, parts, heard = self.ask(endpoint, Refuses(kind), Said("mended"))
        assert (reply.text, reply.usage.requests, len(heard)) == ("mended", 2, 2)
        assert ReplyPart.RESTART not in [part for part, _ in parts], "nothing had been streamed"
        fault = self.fails(endpoint, *[Refuses(kind)] * 4)
        assert fault.fault is kind
        assert fault.usage is not None
        assert fault.usage.requests == 4

    def test_broken_stream_is_void_and_both_tries_are_charged(self, endpoint: Endpoint) -> None:
        reply, parts, _ = self.ask(endpoint, Breaks("half of " * 50), Said("mended"))
        assert reply.text == "mended"
        assert reply.usage.requests == 2
        assert reply.usage.completion_tokens > 150 + 50, "what had come is charged by estimate"
        kinds = [part for part, _ in parts]
        restart = kinds.index(ReplyPart.RESTART)
        assert joined(parts[:restart], ReplyPart.TEXT).startswith("half of ")
        assert joined(parts[restart:], ReplyPart.TEXT) == "mended"
        assert kinds.count(ReplyPart.RESTART) == 1

    def test_broken_stream_is_not_paid_for_beyond_the_budget(self, endpoint: Endpoint) -> None:
        once, twice = (replace(REQUEST, paid_tries=tries) for tries in (1, 2))
        fault = self.fails(endpoint, Breaks("half of "), request=once)
        assert fault.usage is not None
        assert (fault.usage.requests, fault.fault) == (1, ModelFault.UNAVAILABLE)
        assert "does not fit into the budget" in str(fault)
        down = Refuses(ModelFault.UNAVAILABLE)
        reply, _, _ = self.ask(endpoint, down, Breaks("half of "), down, Said("mended"), request=twice)
        assert reply.text == "mended", "what costs nothing is repeated as ever"

    def test_deadline(self, endpoint: Endpoint) -> None:
        slow = Said("word " * 200, pause=0.4)
        fault = self.fails(endpoint, slow, request=replace(REQUEST, seconds=0.5))
        assert fault.fault is ModelFault.DEADLINE
        assert fault.usage is not None
        assert fault.usage.requests == 1

    def test_cause_is_told_when_the_last_word_is_an_error(self, endpoint: Endpoint) -> None:
        fault = self.fails(endpoint, Breaks("half"), Refuses(ModelFault.CREDIT))
        assert fault.fault is ModelFault.CREDIT
        assert fault.usage is not None
        assert fault.usage.requests == 2
