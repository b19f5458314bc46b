"""Tools over the wire: what is asked, every dialect of calls that comes back, and what endpoints refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.openai_calls import ARGUMENT_BYTES, MOST_CALLS
from bot.errors import ModelError, ModelFault
from bot.ports import Message, ModelReply, ModelRequest, ReplyPart, ToolCall
from tests.contract.model_cases import CALL, LIST, READ, REQUEST, WITH_TOOLS, RealClock
from tests.contract.openai_model import failure, model
from tests.model_server import USAGE, ModelServer, Reply, call, calls, chunk, error, say, unstreamed

TWO = (("read_file", '{"path": "a.py"}'), ("list_files", "{}"))


def ask(*replies: Reply, request: ModelRequest = WITH_TOOLS) -> ModelReply:
    with ModelServer(replies) as server:
        return model(server).complete(request)


def part(**function: object) -> dict[str, object]:
    return {"function": function}


def pairs(reply: ModelReply) -> list[tuple[str, str]]:
    return [(each.name, each.arguments) for each in reply.tool_calls]


# --- asking ---------------------------------------------------------------------------------------------------------


def test_tools_on_the_wire() -> None:
    with ModelServer([say("ok")]) as server:
        model(server).complete(WITH_TOOLS)
        sent = server.requests[0].body
    assert sent["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "read_file",
                "description": "Lines of a file.",
                "parameters": READ.parameters,
                "strict": True,
            },
        },
        {
            "type": "function",  # an object whose members are not all required is none that OpenAI takes as strict
            "function": {"name": "list_files", "description": "Names of files.", "parameters": LIST.parameters},
        },
    ]
    assert sent["tool_choice"] == "required"
    assert "response_format" not in sent
    assert "strict" not in sent


def test_conversation_with_calls_goes_back_as_it_came() -> None:
    messages = (
        *REQUEST.messages,
        Message("assistant", "", "I should read it", (CALL, ToolCall("call_8", "list_files", "{}"))),
        Message("tool", "1  x = 1", tool_call_id="call_7"),
        Message("tool", "", tool_call_id="call_8"),
        Message("assistant", "Now I know.", "", (CALL,)),
    )
    with ModelServer([say("ok")]) as server:
        model(server).complete(replace(WITH_TOOLS, messages=messages, must_call=False))
        sent = server.requests[0].body
    read = {"id": "call_7", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.py"}'}}
    assert sent["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "I should read it",
            "tool_calls": [
                read,
                {"id": "call_8", "type": "function", "function": {"name": "list_files", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "content": "1  x = 1", "tool_call_id": "call_7"},
        {"role": "tool", "content": "", "tool_call_id": "call_8"},
        {"role": "assistant", "content": "Now I know.", "tool_calls": [read]},
    ]
    assert "tool_choice" not in sent


@pytest.mark.parametrize(
    ("name", "arguments", "sent_name", "sent_arguments"),
    [
        ("functions.read file", "{}", "functions_read_file", "{}"),
        ("", "{}", "unnamed", "{}"),
        ("x" * 100, "{}", "x" * 64, "{}"),
        ("read_file", '{"path": ', "read_file", '{"not_json": "{\\"path\\": "}'),
        ("read_file", "[1]", "read_file", '{"not_json": "[1]"}'),
        ("read_file", '{"a": NaN}', "read_file", '{"not_json": "{\\"a\\": NaN}"}'),
        ("read_file", "z" * 5000, "read_file", json.dumps({"not_json": "z" * 2000})),
        ("read_file", '{"path": "\\ud800"}', "read_file", '{"path": "\\ud800"}'),
        ("read_file", '{"path": "\ud800"}', "read_file", '{"path": "?"}'),
    ],
)
def test_calls_that_no_endpoint_takes_back_are_mended(
    name: str, arguments: str, sent_name: str, sent_arguments: str
) -> None:
    """Chat templates parse what they are given back: bad JSON in the history is a 500 at every later request."""
    messages = (
        *REQUEST.messages,
        Message("assistant", "", "", (ToolCall("call_1", name, arguments),)),
        Message("tool", "no such tool", tool_call_id="call_1"),
    )
    with ModelServer([say("ok")]) as server:
        model(server).complete(replace(WITH_TOOLS, messages=messages))
        sent = server.requests[0].body["messages"][2]["tool_calls"][0]["function"]
    assert (sent["name"], sent["arguments"]) == (sent_name, sent_arguments)


# --- dialects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [0, 1, 5])
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "", None])
def test_whole_or_in_fragments_whatever_the_reason_for_the_end(pieces: int, finish: str | None) -> None:
    reply = ask(calls(TWO, pieces=pieces, finish=finish, text="I look."))
    assert [each.id for each in reply.tool_calls] == ["call_1", "call_2"]
    assert pairs(reply) == list(TWO)
    assert reply.text == "I look."
    assert reply.usage.requests == 1


@pytest.mark.parametrize("finish", ["", None])
def test_whole_calls_end_a_reply_without_reason_and_usage(finish: str | None) -> None:
    reply = ask(calls(TWO, finish=finish, usage=None))
    assert pairs(reply) == list(TWO)


def test_call_cut_off_in_its_arguments_is_asked_for_again() -> None:
    cut = Reply((chunk(tool_calls=[{"index": 0, "id": "a", **part(name="read_file", arguments='{"path": "a')}]),))
    reply = ask(cut, call("read_file", {"path": "a.py"}))
    assert pairs(reply) == [("read_file", '{"path": "a.py"}')]
    assert reply.usage.requests == 2


def test_call_cut_off_by_the_token_limit_is_given_as_it_is() -> None:
    reply = ask(call("read_file", '{"path": "a', finish="length"))
    assert (pairs(reply), reply.finish_reason) == ([("read_file", '{"path": "a')], "length")


def test_calls_of_an_endpoint_that_does_not_stream() -> None:
    reply = ask(calls(TWO, streamed=False, reasoning="hm"))
    assert pairs(reply) == list(TWO)
    assert reply.reasoning == "hm"


@pytest.mark.parametrize("streamed", [True, False])
def test_ids_are_made_where_none_come(streamed: bool) -> None:
    def once(request: ModelRequest) -> list[str]:
        reply = ask(calls((*TWO, TWO[1]), ids=[None] * 3, streamed=streamed), request=request)
        assert pairs(reply) == [*TWO, TWO[1]]
        return [each.id for each in reply.tool_calls]

    first, again = once(WITH_TOOLS), once(WITH_TOOLS)
    assert first == again, "the same reply at the same place has the same ids: a replay finds them again"
    later = once(replace(WITH_TOOLS, messages=(*WITH_TOOLS.messages, Message("user", "Go on."))))
    assert len({*first, *later}) == 6
    assert all(re.fullmatch("[0-9a-f]{9}", id) for id in first)


@pytest.mark.parametrize("id", ["same", "", "x" * 65, "line\nend", "\u202e"])
def test_ids_that_cannot_serve_are_replaced(id: str) -> None:
    ids = [each.id for each in ask(calls((*TWO, TWO[1]), ids=[id] * 3)).tool_calls]
    assert len(set(ids)) == 3
    assert all(each.isascii() and each.isprintable() and 0 < len(each) <= 64 for each in ids)


_DIALECTS: dict[str, list[list[object]]] = {
    "index-0-for-all-with-ids": [
        [{"index": 0, "id": "a", **part(name="read_file", arguments='{"path": "a.py"}')}],
        [{"index": 0, "id": "b", **part(name="list_files", arguments="{}")}],
    ],
    "one-chunk-without-index": [
        [{"id": "a", **part(name="read_file", arguments='{"path": "a.py"}')}, {"id": "b", **part(name="list_files")}],
    ],
    "one-chunk-without-index-or-id": [
        [part(name="read_file", arguments='{"path": "a.py"}'), part(name="list_files", arguments="{}")],
    ],
    "index-0-for-all-without-ids": [
        [{"index": 0, **part(name="read_file", arguments='{"path": "a.py"}')}],
        [{"index": 0, **part(name="list_files", arguments="{}")}],
    ],
    "name-and-id-in-each-fragment": [
        [{"index": 0, "id": "a", **part(name="read_file", arguments='{"path"')}],
        [{"index": 0, "id": "a", **part(name="read_file", arguments=': "a.py"}')}],
        [{"index": 1, "id": "b", **part(name="list_files", arguments="{}")}],
    ],
    "objects-for-arguments": [
        [{"index": 0, **part(name="read_file", arguments={"path": "a.py"})}],
        [{"index": 1, **part(name="list_files", arguments={})}],
    ],
    "interleaved": [
        [{"index": 0, "id": "a", **part(name="read_file", arguments="")}],
        [{"index": 1, "id": "b", **part(name="list_files", arguments=None)}],
        [{"index": 0, **part(arguments='{"path": ')}, {"index": 1, **part(arguments="{}")}],
        [{"index": 0, **part(arguments='"a.py"}')}],
    ],
    "empty-deltas-and-nonsense": [
        *([[]] * 30),
        [None, 7, {}, {"function": None}, {"index": True, **part(name=7, arguments=8)}],
        [{"index": 0, "id": 9, **part(name="read_file", arguments='{"path": "a.py"}')}],
        *([[{"index": 0, **part(arguments="")}]] * 30),
        [{"index": 1, "id": None, **part(name="list_files")}],
    ],
}


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_dialects_of_calls(dialect: str) -> None:
    events = [chunk(tool_calls=parts) for parts in _DIALECTS[dialect]]
    reply = ask(Reply((*events, *[chunk()] * 20, chunk(finish="tool_calls"), chunk(usage=USAGE), "[DONE]")))
    assert pairs(reply) == [("read_file", '{"path": "a.py"}'), ("list_files", "{}")]


@pytest.mark.parametrize("value", [None, 7, "x", {}, [], [[]], [{"function": {}}]])
def test_what_is_no_call_is_none(value: object) -> None:
    assert ask(Reply((chunk("text", tool_calls=value), chunk(finish="stop")))).tool_calls == ()
    assert ask(unstreamed({"content": "text", "tool_calls": value})).tool_calls == ()


def test_calls_are_streamed_as_they_come() -> None:
    parts: list[tuple[ReplyPart, str]] = []
    with ModelServer([calls(TWO, pieces=4)]) as server:
        model(server).complete(WITH_TOOLS, lambda part, text: parts.append((part, text)))
    assert {part for part, _ in parts} == {ReplyPart.TOOL}
    assert "".join(text for _, text in parts) == 'read_file {"path": "a.py"}\nlist_files {}'
    assert len(parts) > 5


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_most_calls_and_one_more() -> None:
    assert len(ask(calls([TWO[1]] * MOST_CALLS)).tool_calls) == MOST_CALLS
    fault = failure(calls([TWO[1]] * (MOST_CALLS + 1)), request=WITH_TOOLS)
    assert fault.fault is ModelFault.MALFORMED
    assert "more than 64 tool calls in one reply" in str(fault)


@pytest.mark.parametrize("forever", [False, True])
def test_endless_arguments_are_cut_off_and_charged(forever: bool) -> None:
    first = chunk(tool_calls=[{"index": 0, "id": "a", **part(name="read_file", arguments='{"path": "')}])
    more = chunk(tool_calls=[{"index": 0, **part(arguments="x" * 20_000)}])
    endless = Reply((first, more), forever=True) if forever else Reply((first, *[more] * 20))
    fault = failure(endless, request=WITH_TOOLS)
    assert fault.fault is ModelFault.MALFORMED
    assert "more than 256 KB of arguments" in str(fault)
    assert fault.usage is not None
    assert fault.usage.completion_tokens > ARGUMENT_BYTES // 4


def test_calls_forever_are_cut_off() -> None:
    events = tuple(chunk(tool_calls=[{"index": n, **part(name="list_files", arguments="{}")}]) for n in range(1000))
    assert failure(Reply(events), request=WITH_TOOLS).fault is ModelFault.MALFORMED


# --- what the endpoint does not take --------------------------------------------------------------------------------

_LOC = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"message": "No endpoints found that support tool use. To learn more, visit: x", "code": 404}}),
        (400, {"error": {"message": "registry.ollama.ai/library/gemma:latest does not support tools"}}),
        (400, {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'}),
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}),
        (400, {"message": "Function calling is not enabled for this model", "type": "invalid_request_error"}),
        (400, {"error": {"message": "`tool calling` is not supported with this model"}}),
        (400, {"error": {"message": "Unsupported parameter: 'tools' is not supported with this model."}}),
        (400, {"error": {"message": "Unrecognized request argument supplied: tools"}}),
        (400, {"error": {"message": "deepseek-reasoner does not support Function Calling"}}),
        (400, {"code": 20015, "message": "Function call is not supported for this model.", "data": None}),
        (422, {"detail": [_LOC | {"loc": ["body", "tools"]}]}),
    ],
    ids=["openrouter", "ollama", "vllm", "llama.cpp", "mistral", "groq", "openai", "openai-old", "deepseek", "silicon", "fastapi"],
)  # fmt: skip
def test_endpoint_without_tools_is_remembered(status: int, body: object) -> None:
    clock = RealClock()
    refusal = error(status, body)
    with ModelServer([refusal, say("one"), refusal]) as server:
        its_model = model(server, clock)
        caught = []
        for request in (replace(WITH_TOOLS, must_call=False), WITH_TOOLS):
            with pytest.raises(ModelError) as error_info:
                its_model.complete(request)
            caught.append(error_info.value)
        assert its_model.complete(REQUEST).text == "one", "without tools it is asked as ever"
        assert len(server.requests) == 2, "the second request with tools was not even sent"
    assert [fault.fault for fault in caught] == [ModelFault.TOOLS_REFUSED] * 2
    assert [fault.usage and fault.usage.requests for fault in caught] == [1, 0]
    assert clock.slept == []


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ({"error": {"message": "deepseek-reasoner does not support this tool_choice"}}, ["tool_choice"]),
        ({"error": "tool_choice 'required' is not supported"}, ["tool_choice"]),
        ({"error": {"message": "Invalid value: 'required'.", "param": "tool_choice"}}, ["tool_choice"]),
        ({"error": {"message": "thinking mode does not support tool_choice"}}, ["tool_choice"]),
        ({"detail": [_LOC | {"loc": ["body", "tools", 0, "function", "strict"]}]}, ["strict"]),
        ({"error": {"message": "Invalid schema for function 'read_file': 'x' is not permitted."}}, ["strict"]),
        ({"detail": [_LOC | {"loc": ["body", "stream_options"]}]}, ["stream_options"]),
    ],
)
def test_refused_part_of_the_tools_is_left_out_from_then_on(body: object, gone: list[str]) -> None:
    with ModelServer([error(400, body), *[call("list_files", {})] * 2]) as server:
        its_model = model(server)
        assert [its_model.complete(WITH_TOOLS).usage.requests for _ in range(2)] == [2, 1]
        sent = [request.body for request in server.requests]
    assert [request.tools for request in server.requests] == [("read_file", "list_files")] * 3

    def has(body: Mapping[str, Any]) -> set[str]:
        inside = body.keys() | body["tools"][0]["function"].keys()
        return {"tool_choice", "strict", "stream_options"} & inside

    assert has(sent[0]) == {"tool_choice", "strict", "stream_options"}
    assert has(sent[1]) == has(sent[2]) == has(sent[0]) - set(gone)


def test_obligation_is_dropped_before_the_tools_are() -> None:
    """vLLM without its tool parser names the choice; only what it says without one is its last word."""
    words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    fault = failure(*[error(400, {"message": words})] * 2, request=WITH_TOOLS)
    assert fault.fault is ModelFault.TOOLS_REFUSED
    assert fault.usage is not None
    assert fault.usage.requests == 2


@pytest.mark.parametrize(
    ("words", "room", "lasting"),
    [
        ("max_tokens is too large: 32000. This model supports at most 16384 completion tokens", 16384, True),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192, True),
        ("<400> Range of max_tokens should be [1, 8192]", 8192, True),
        ("max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for it", 8192, True),
        ("`max_completion_tokens` must be less than or equal to `8192`, the maximum value", 8192, True),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 8192 "
            "tokens and your request has 500 input tokens (32000 > 8192 - 500).",
            7692,
            False,
        ),
        (
            "This model's maximum context length is 8193 tokens. However, you requested 36000 tokens (4000 in the "
            "messages, 193 in the functions, and 32000 in the completion). Please reduce the length.",
            4000,
            False,
        ),
    ],
)
def test_reply_is_asked_for_as_long_as_the_endpoint_takes(words: str, room: int, lasting: bool) -> None:
    with ModelServer([error(400, {"error": {"message": words}}), say("one"), say("two")]) as server:
        its_model = model(server)
        first, second = its_model.complete(REQUEST), its_model.complete(REQUEST)
        asked = [request.body["max_completion_tokens"] for request in server.requests]
    assert (first.text, second.text, first.usage.requests) == ("one", "two", 2)
    assert asked == [32_000, room, room if lasting else 32_000]


def test_no_room_for_a_reply_is_a_context_too_long() -> None:
    words = "This model's maximum context length is 4096 tokens and your request has 4000 input tokens (32000 > 4096 - 4000)"
    assert failure(error(400, {"message": words})).fault is ModelFault.CONTEXT_TOO_LONG


@pytest.mark.parametrize("room", ["999999999", "32000"])
def test_longer_than_asked_is_no_answer(room: str) -> None:
    fault = failure(error(400, {"error": f"max_tokens is too large. It supports at most {room} completion tokens"}))
    assert fault.fault is ModelFault.OTHER
