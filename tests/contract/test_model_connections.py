"""One client for all requests of a model: connections are kept, broken and silent ones cost what they did."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bot.errors import ModelError, ModelFault
from tests.contract.model_cases import KEY, REQUEST
from tests.contract.openai_model import model
from tests.model_server import ModelServer, Reply, broken, chunk, error, say


def test_requests_share_a_connection() -> None:
    with ModelServer([say("one"), say("two"), say("three")], keeps=True) as server:
        asked = model(server)
        assert [asked.complete(REQUEST).text for _ in range(3)] == ["one", "two", "three"]
    assert server.connections == 1


def test_threads_share_a_model() -> None:
    with ModelServer([say("yes")] * 12, keeps=True) as server:
        asked = model(server)
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: asked.complete(REQUEST).text, range(12)))
    assert replies == ["yes"] * 12
    assert server.connections <= 4


def test_a_connection_that_broke_is_not_used_again() -> None:
    with ModelServer([say("one"), broken(say("two"), 2, reset=True), say("two")], keeps=True) as server:
        asked = model(server)
        assert asked.complete(REQUEST).text == "one"
        assert asked.complete(REQUEST).text == "two"
    assert len(server.requests) == 3


def test_a_connection_that_passed_its_deadline_is_not_used_again() -> None:
    silent = Reply((chunk("x"), ""), delay=0.05, forever=True)
    with ModelServer([say("one"), silent, say("two")], keeps=True) as server:
        asked = model(server)
        assert asked.complete(REQUEST).text == "one"
        with pytest.raises(ModelError) as caught:
            asked.complete(replace(REQUEST, seconds=0.5))
        assert caught.value.fault is ModelFault.DEADLINE
        assert asked.complete(REQUEST).text == "two"


def test_a_whole_reply_whose_stream_does_not_end_is_taken() -> None:
    reply = say("one")
    endless = replace(reply, events=(*reply.events, ""), delay=0.01, forever=True)
    with ModelServer([endless, say("two")], keeps=True) as server:
        asked = model(server)
        assert asked.complete(REQUEST).text == "one"
        assert asked.complete(REQUEST).text == "two"
    assert server.connections == 2


def test_the_key_does_not_follow_a_redirection_to_another_server() -> None:
    with ModelServer([say("one")]) as other:
        away = error(307, {}, location=f"{other.base_url}/chat/completions")
        with ModelServer([away]) as server:
            assert model(server).complete(REQUEST).text == "one"
        assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]
    assert "authorization" not in other.requests[0].headers


def test_everything_ends_with_the_model() -> None:
    with ModelServer([say("one")], keeps=True) as server:
        asked = model(server)
        asked.complete(REQUEST)
        del asked
        gc.collect()
        until = time.monotonic() + 10
        while any(thread.name == "model deadlines" for thread in threading.enumerate()):
            assert time.monotonic() < until
            time.sleep(0.01)
