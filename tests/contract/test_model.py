"""The model's adapter over a real socket, against every ill a scripted endpoint can do (SECURITY case 51)."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_reply import REPLY_CHARACTERS
from bot.config import ModelSettings
from bot.errors import ConfigError, ModelError, ModelFault
from bot.ports import Message, ReplySchema, Usage
from tests.contract.model_cases import KEY, REQUEST, RealClock
from tests.contract.openai_model import complete, failure, model
from tests.model_server import USAGE, ModelServer, Reply, chunk, error, say

SCHEMA = ReplySchema("fix", {"type": "object", "properties": {}, "required": [], "additionalProperties": False})


# --- good replies ---------------------------------------------------------------------------------------------------


def test_reply_is_assembled() -> None:
    parts: list[str] = []
    text = "The comparison is off by one. " * 20
    with ModelServer([say(text, reasoning="let me think")]) as server:
        reply = model(server).complete(REQUEST, lambda part, text: parts.append(text))
    assert (reply.text, reply.reasoning, reply.model, reply.finish_reason) == (
        text,
        "let me think",
        "scripted-1",
        "stop",
    )
    assert "".join(parts) == "let me think" + text
    usage = replace(reply.usage, seconds=0.0)
    assert usage == Usage(1, 1000, 200, 100, 0, pytest.approx((800 * 1.0 + 200 * 0.5 + 100 * 10.0) / 1e6))
    assert reply.usage.seconds > 0


def test_request_on_the_wire() -> None:
    request = replace(
        REQUEST,
        messages=(*REQUEST.messages, Message("assistant", "A patch.", "my thoughts"), Message("user", "It failed.")),
        schema=SCHEMA,
        max_completion_tokens=1234,
    )
    with ModelServer([say("ok")]) as server:
        model(server).complete(request)
        sent = server.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["x-grok-conv-id"] == "run-7"
    assert sent.body == {
        "model": "scripted",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 1234,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "fix", "schema": SCHEMA.schema, "strict": True},
        },
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is wrong?"},
            {"role": "assistant", "content": "A patch.", "reasoning_content": "my thoughts"},
            {"role": "user", "content": "It failed."},
        ],
    }, "nothing else: reasoning models refuse stop and penalties, even zero"


def test_nothing_of_the_machines_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "authorization: from-environment\nx-from: from-environment")
    with ModelServer([say("ok")]) as server:
        model(server).complete(REQUEST)
        assert "from-environment" not in repr(server.requests)
        assert "stainless" not in repr(server.requests[0].headers), "nor is the machine described"


def test_no_key_is_needed_where_none_is_asked_for() -> None:
    with ModelServer([say("ok")]) as server:
        assert model(server, api_key="").complete(REQUEST).text == "ok"
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("events", "text", "reasoning"),
    [
        ([chunk(reasoning_content="a"), chunk("b"), chunk(finish="stop")], "b", "a"),
        ([chunk(reasoning="a", reasoning_details=[{}]), chunk("b"), chunk(finish="stop")], "b", "a"),
        ([chunk(reasoning_content="a", reasoning="a"), chunk("b"), chunk(finish="stop")], "b", "a"),
        ([chunk(reasoning_details=[{"text": "a"}, 7, {"summary": "c"}]), chunk("b", finish="stop")], "b", "ac"),
        ([json.dumps({"choices": [{"delta": {"content": [{"text": "b"}, {"x": 1}]}}]}), chunk(finish="x")], "b", ""),
        ([*[chunk()] * 30, chunk(""), chunk("b"), *[chunk()] * 30, chunk(finish="stop")], "b", ""),
        (["", chunk("b"), "", chunk(finish="stop"), ""], "b", ""),
        ([chunk("b", finish="stop")], "b", ""),
        ([chunk("b"), chunk(usage=USAGE)], "b", ""),
        ([json.dumps(7), json.dumps([1]), json.dumps("x"), "{}", chunk("b"), chunk(finish="stop")], "b", ""),
        (
            ['{"choices": null}', '{"choices": [null]}', '{"choices": [{"delta": null}]}', chunk("b", finish="x")],
            "b",
            "",
        ),
        (['{"choices": [{"delta": {"content": 7}}]}', '{"choices": 7, "model": 7}', chunk("b", finish="x")], "b", ""),
    ],
    ids=[
        "xai",
        "openrouter",
        "both",
        "details-alone",
        "content-in-parts",
        "empty-deltas",
        "comments",
        "one-frame",
        "no-finish",
        "not-objects",
        "nulls",
        "types",
    ],
)
def test_dialects_of_the_stream(events: list[str], text: str, reasoning: str) -> None:
    reply = complete(Reply((*events, "[DONE]")))
    assert (reply.text, reply.reasoning) == (text, reasoning)


def test_server_that_does_not_stream_is_understood() -> None:
    whole = {
        "model": "scripted-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    reply = complete(
        Reply(body=json.dumps(whole).encode(), headers={"content-type": "application/json; charset=utf-8"})
    )
    assert (reply.text, reply.finish_reason, reply.usage.prompt_tokens) == ("hello", "stop", 1000)


def test_text_broken_off_at_the_token_limit_is_a_reply() -> None:
    reply = complete(say('{"root_cause": "it', finish="length"))
    assert (reply.text, reply.finish_reason) == ('{"root_cause": "it', "length")


@pytest.mark.parametrize("finish", ["stop", "content_filter"])
def test_empty_reply_is_a_reply_and_charged(finish: str) -> None:
    reply = complete(say("", finish=finish))
    assert (reply.text, reply.finish_reason, reply.usage.prompt_tokens) == ("", finish, 1000)


# --- what it cost ---------------------------------------------------------------------------------------------------

_REASONED = {"completion_tokens_details": {"reasoning_tokens": 50}}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE | _REASONED | {"total_tokens": 1150}, (1000, 200, 150, 50)),  # beside the completion (xAI)
        (USAGE | _REASONED | {"total_tokens": 1100}, (1000, 200, 100, 50)),  # inside it
        (USAGE | _REASONED | {"total_tokens": None}, (1000, 200, 100, 50)),
        (USAGE | {"prompt_tokens_details": None}, (1000, 0, 100, 0)),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": -5}}, (1000, 0, 100, 0)),
        (USAGE | {"prompt_tokens": "many", "completion_tokens": 1e99}, (0, 200, 0, 0)),
        ({}, None),
    ],
    ids=["beside", "inside", "no-total", "null-details", "negative", "nonsense", "empty"],
)
def test_tokens_are_folded(usage: dict[str, object], expected: tuple[int, ...] | None) -> None:
    used = complete(say("ok", usage=usage)).usage
    if expected is not None:
        counts = (used.prompt_tokens, used.cached_tokens, used.completion_tokens, used.reasoning_tokens)
        assert counts == expected
    assert used.requests == 1


def test_usage_may_come_beside_the_last_choice() -> None:
    """OpenRouter's last frame has choices as well."""
    last = json.loads(chunk(finish="stop")) | {"usage": USAGE}
    used = complete(Reply((chunk("ok"), json.dumps(last), "[DONE]"))).usage
    assert (used.prompt_tokens, used.cached_tokens, used.completion_tokens) == (1000, 200, 100)


def test_the_endpoints_own_cost_is_preferred() -> None:
    assert complete(say("ok", usage=USAGE | {"cost_in_usd_ticks": 25_000_000})).usage.cost_usd == pytest.approx(0.0025)


def test_unknown_price_is_unknown() -> None:
    reply = complete(say("ok", model="other"))
    assert reply.model == "other"
    assert reply.usage.cost_usd is None


def test_missing_usage_is_estimated() -> None:
    used = complete(say("x" * 300, usage=None)).usage
    assert used.completion_tokens == 100
    assert used.prompt_tokens > 5
    assert used.cost_usd is not None
    assert used.cost_usd > 0.001


_LASTING = set(ModelFault) - {ModelFault.RATE_LIMIT, ModelFault.UNAVAILABLE, ModelFault.DEADLINE}


# --- what goes wrong and stays wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (error(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}), ["401", "[key]", "TEST_KEY"]),
        (error(400, {"code": "x", "error": f"Incorrect API key provided: {KEY}."}), ["400", "[key]", "TEST_KEY"]),
        (error(403, {"error": "no credits left: your team has used all available credits"}), ["403", "out of credit"]),
        (
            error(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
            ["credit"],
        ),
        (error(402, {"error": {"message": "requires more credits"}}), ["out of credit"]),
        (error(403, {"error": "model is not for you"}), ["403", "may not use", "'scripted'"]),
        (error(404, {"error": "The model scripted does not exist"}), ["404", "does not exist", "model.name"]),
        (error(404, "<html><body>nginx</body></html>"), ["404", "an HTML page", "/v1"]),
        (
            error(
                400, {"error": "This model's maximum prompt length is 256000 but the request contains 300000 tokens."}
            ),
            ["256000", "longer context"],
        ),
        (error(400, {"error": {"type": "exceed_context_size_error", "message": "too big"}}), ["longer context"]),
        (error(400, {"detail": [{"msg": "temperature is wrong"}]}), ["400", "temperature is wrong"]),
        (error(400, [{"error": {"message": "as a list"}}]), ["as a list"]),
        (error(400, "plain words \x1b[31m\r\n::error::x"), ["plain words"]),
        (error(400, {"error": {"message": "y" * 100_000}}), ["yyy", "…"]),
        (Reply(status=400, body=b""), ["400", "without a word"]),
        (error(418, {}), ["418"]),
        (error(307, {}), ["307"]),
        (Reply(body=b"<html>log in</html>", headers={"content-type": "text/html"}), ["text/html", "check its path"]),
        (Reply(body=b"[" * 200_000, headers={"content-type": "application/json"}), ["application/json"]),
    ],
)
def test_what_repeating_does_not_mend_is_told_at_once(reply: Reply, says: list[str]) -> None:
    clock = RealClock()
    fault = failure(reply, clock=clock)
    assert [words for words in says if words not in str(fault)] == []
    assert not {"\x1b", "\r"} & set(str(fault))
    assert clock.slept == []
    assert fault.fault in _LASTING
    assert fault.usage is not None
    assert fault.usage.requests == 1


def test_missing_key_is_called_missing() -> None:
    with (
        ModelServer([error(401, {"error": "no key"})]) as server,
        pytest.raises(ModelError, match="TEST_KEY is not set"),
    ):
        model(server, api_key="").complete(REQUEST)


def test_reply_that_never_ends_is_cut_off_and_charged() -> None:
    endless = Reply((chunk("x" * 20_000),), forever=True)
    fault = failure(endless)
    assert "did not end its reply" in str(fault)
    assert fault.usage is not None
    assert fault.usage.completion_tokens > REPLY_CHARACTERS // 4
    assert fault.usage.cost_usd is not None
    assert fault.usage.cost_usd > 1.0


@pytest.mark.parametrize(
    "reply",
    [
        Reply((chunk("x"),), forever=True, delay=0.05),
        Reply(("",), forever=True, delay=0.05),
        Reply((chunk("x"), chunk("y")), delay=30.0),
        Reply(status=500, headers={"content-type": "application/json"}, events=(chunk("x"),), forever=True, delay=0.05),
    ],
    ids=["drip", "comments-only", "silence", "endless-error-body"],
)
def test_deadline_is_for_the_whole_reply(reply: Reply) -> None:
    before = time.monotonic()
    fault = failure(reply, request=replace(REQUEST, seconds=0.6))
    assert 0.5 < time.monotonic() - before < 10.0
    assert "did not finish its reply within" in str(fault)
    assert fault.usage is not None
    assert fault.usage.requests == 1


# --- what goes wrong for a while ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ill",
    [
        error(408, {"error": "slow"}),
        error(409, {"error": "locked"}),
        error(429, {"error": "Rate limit reached; see https://x/account/billing for more"}),
        error(500, {"error": {"message": "boom"}}),
        error(502, "<html>bad gateway</html>"),
        error(529, ""),
        Reply((chunk("half of"), chunk(" it")), cut_after=1),
        Reply((chunk("half of"), chunk(" it")), cut_after=1, reset=True),
        Reply((chunk("half of it"),)),
        Reply(()),
        Reply((chunk("half"), '{"error": {"message": "overloaded"}}')),
        Reply((chunk("half"), '{"error": "overloaded"}')),
        Reply((chunk("half"), "{not json"),),
        Reply(body=b'{"error": "overloaded"}', headers={"content-type": "application/json"}),
        Reply(body=b'{"choices": null, "usage": null}', headers={"content-type": "application/json"}),
        Reply((chunk(usage=USAGE), "[DONE]")),
    ],
    ids=[
        *("408", "409", "429", "500", "502-html", "529-empty", "cut", "reset", "no-end", "nothing", "error-frame"),
        *("error-frame-xai", "bad-frame", "error-with-200", "choices-null", "no-choice"),
    ],
)  # fmt: skip
def test_repeated_and_charged_each_time(ill: Reply) -> None:
    clock = RealClock()
    reply = complete(ill, say("mended"), clock=clock)
    assert reply.text == "mended"
    assert reply.usage.requests == 2
    assert clock.slept == [1.0]


def test_gives_up_after_four_tries() -> None:
    clock = RealClock()
    fault = failure(*[error(503, {"error": "down"})] * 4, clock=clock)
    assert clock.slept == [1.0, 4.0, 15.0]
    assert "503" in str(fault)
    assert "down" in str(fault)
    assert fault.usage is not None
    assert (fault.usage.requests, fault.usage.cost_usd) == (4, 0.0)


def test_broken_replies_are_charged_by_estimate() -> None:
    fault = failure(*[Reply((chunk("z" * 3000),))] * 4)
    assert "cut its reply off" in str(fault)
    assert fault.usage is not None
    assert fault.usage.completion_tokens == 4000
    assert fault.usage.cost_usd is not None
    assert fault.usage.cost_usd >= 0.04


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.2"}, 1.0),
        ({"retry_after_ms": "2500"}, 2.5),
        ({"retry_after": "Fri, 15 Jan 2027 08:00:09 GMT"}, 9.0),
        ({"retry_after": "Fri, 15 Jan 1999 08:00:09 GMT"}, 1.0),
        ({"retry_after": "soon"}, 1.0),
        ({"retry_after": "-3"}, 1.0),
    ],
)
def test_retry_after(headers: dict[str, str], waited: float) -> None:
    clock = RealClock()
    assert complete(error(429, {"error": "slow down"}, **headers), say("ok"), clock=clock).text == "ok"
    assert clock.slept == [waited]


def test_wait_beyond_the_deadline_is_not_begun() -> None:
    clock = RealClock()
    fault = failure(error(429, {"error": "slow down"}, retry_after="3600"), clock=clock)
    assert "3600 s would pass" in str(fault)
    assert clock.slept == []


def test_lasting_error_in_the_stream_is_not_repeated() -> None:
    clock = RealClock()
    frame = json.dumps({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    assert "exceeded your current quota" in str(failure(Reply((chunk("half"), frame)), clock=clock))
    assert clock.slept == []


def test_endpoint_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        settings = ModelSettings(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", api_key=KEY)
        with pytest.raises(ModelError, match=r"cannot be reached.*check model.base_url") as caught:
            OpenAIModel(settings, RealClock(), {}).complete(REQUEST)
    assert caught.value.usage is not None
    assert caught.value.usage.requests == 4


# --- what the endpoint does not know --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "gone", "instead"),
    [
        ("response_format json_schema is not supported", "response_format", None),
        ("Structured outputs are not available for this model", "response_format", None),
        ("Unknown parameter: stream_options", "stream_options", None),
        ("Unsupported parameter: max_completion_tokens", "max_completion_tokens", "max_tokens"),
    ],
)
def test_refused_parameter_is_left_out_from_then_on(words: str, gone: str, instead: str | None) -> None:
    request = replace(REQUEST, schema=SCHEMA)
    with ModelServer([error(400, {"error": words}), say("one"), say("two")]) as server:
        its_model = model(server)
        first, second = its_model.complete(request), its_model.complete(request)
        sent = [request.body for request in server.requests]
    assert (first.text, second.text) == ("one", "two")
    assert (first.usage.requests, second.usage.requests) == (2, 1)
    assert [gone in body for body in sent] == [True, False, False]
    if instead is not None:
        assert [instead in body for body in sent] == [False, True, True]


def test_refused_reasoning_is_left_out() -> None:
    request = replace(REQUEST, messages=(*REQUEST.messages, Message("assistant", "x", "thought"), Message("user", "y")))
    with ModelServer(
        [error(400, {"error": {"message": "reasoning_content is not allowed here"}}), say("ok")]
    ) as server:
        assert model(server).complete(request).text == "ok"
        assert ["thought" in json.dumps(request.body) for request in server.requests] == [True, False]


def test_refusal_of_what_was_not_sent_is_a_fault() -> None:
    assert "schema" in str(failure(error(400, {"error": "your schema is wrong"})))


# --- settings that cannot work --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["sk two words", "sk-\u00e4", "sk-\nx"])
def test_impossible_key_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError, match="MY_KEY") as caught:
        OpenAIModel(ModelSettings(api_key=key, api_key_env="MY_KEY"), RealClock(), {})
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.x.ai/v1", "ftp://x/v1", "https://", "file:///etc/passwd"])
def test_impossible_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.base_url"):
        OpenAIModel(ModelSettings(base_url=url), RealClock(), {})


def test_key_pasted_with_its_line_end_works() -> None:
    with ModelServer([say("ok")]) as server:
        model(server, api_key=f"{KEY}\n").complete(REQUEST)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
