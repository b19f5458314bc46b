"""The contract of a model, held by every implementation over real sockets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.providers import Failover
from bot.config import ModelSettings
from bot.errors import ModelFault
from bot.ports import Model
from tests.contract.model_cases import KEY, PRICES, Breaks, Endpoint, ModelCases, RealClock, Running, Said, Script
from tests.model_server import XAI_USAGE, ModelServer, Reply, broken, calls, chunk, error, say, slow

USAGE = {name: value for name, value in XAI_USAGE.items() if name != "cost_in_usd_ticks"}
REFUSALS = {
    ModelFault.AUTHENTICATION: error(400, {"code": "invalid", "error": f"Incorrect API key provided: {KEY}."}),
    ModelFault.CREDIT: error(403, {"code": "x", "error": "Your team has used all available credits."}),
    ModelFault.RATE_LIMIT: error(429, {"error": {"message": "Rate limit reached"}}),
    ModelFault.UNAVAILABLE: error(503, "<html>overloaded</html>"),
    ModelFault.CONTEXT_TOO_LONG: error(
        400, {"error": "This model's maximum prompt length is 256000 but the request contains 300000 tokens."}
    ),
    ModelFault.TOOLS_REFUSED: error(400, {"error": "registry/gemma:latest does not support tools"}),
}


def on_the_wire(script: Script) -> Reply:
    match script:
        case Said(text, reasoning, (), pause):
            return slow(say(text, reasoning=reasoning, usage=USAGE), pause)
        case Said(text, reasoning, wanted, pause):
            named = [(call.name, call.arguments) for call in wanted]
            ids = [call.id for call in wanted]
            return slow(calls(named, ids=ids, text=text, reasoning=reasoning, usage=USAGE), pause)
        case Breaks(text):
            return broken(Reply((chunk(text), chunk("never sent"))), 1, reset=True)
    return REFUSALS[script.kind]


@dataclass(frozen=True)
class OverHTTP:
    server: ModelServer
    behind_failover: bool

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.server.base_url.split(':')[2]}"

    def model(self, clock: RealClock) -> Model:
        settings = ModelSettings("scripted", self.server.base_url, "TEST_KEY", KEY)
        model = OpenAIModel(settings, clock, PRICES)
        return Failover([model], clock) if self.behind_failover else model

    def heard(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        return tuple(
            tuple(
                (
                    message["role"],
                    "".join(call["function"]["name"] for call in message.get("tool_calls", ())) or message["content"],
                )
                for message in request.body["messages"]
            )
            for request in self.server.requests
        )


@pytest.fixture(params=["openai", "failover"])
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    @contextmanager
    def running(script: Sequence[Script]) -> Iterator[Running]:
        with ModelServer([on_the_wire(each) for each in script]) as server:
            yield OverHTTP(server, request.param == "failover")

    return running


class TestModel(ModelCases):
    """Over HTTP: the adapter alone, and behind the failover."""
