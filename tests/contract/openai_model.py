"""The adapter on a scripted server: asking once, and failing once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.adapters.openai import OpenAIModel
from bot.config import ModelSettings
from bot.errors import ModelError
from bot.ports import ModelReply, ModelRequest
from tests.contract.model_cases import KEY, PRICES, REQUEST, RealClock
from tests.fakes import FakeClock
from tests.model_server import ModelServer, Reply


def model(server: ModelServer, clock: RealClock | FakeClock | None = None, **settings: str) -> OpenAIModel:
    base = ModelSettings(name="scripted", base_url=server.base_url, api_key_env="TEST_KEY", api_key=KEY)
    return OpenAIModel(replace(base, **settings), clock or RealClock(), PRICES)


def complete(*replies: Reply, request: ModelRequest = REQUEST, clock: RealClock | None = None) -> ModelReply:
    with ModelServer(replies) as server:
        return model(server, clock).complete(request)


def failure(*replies: Reply, request: ModelRequest = REQUEST, clock: RealClock | None = None) -> ModelError:
    with ModelServer(replies) as server, pytest.raises(ModelError) as caught:
        model(server, clock).complete(request)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert f"127.0.0.1:{server.base_url.split(':')[2]}" in str(caught.value), "an error says where"
    return caught.value
