"""Assembling calls: nothing that an endpoint sends breaks it, and no way of cutting a call up changes it."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.openai_calls import ARGUMENT_BYTES, MOST_CALLS, Calls, TooManyCalls
from bot.adapters.openai_reply import Assembly
from bot.ports import JsonValue, Message, ModelRequest, ReplyPart

REQUEST = ModelRequest((Message("user", "x"),))
KEYS = ["index", "id", "function", "name", "arguments", "tool_calls", "delta", "choices", "content", "usage", "model"]
NOISE: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(['{"a": 1}', "{}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["read_file", "list_files", "run"]),
        st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=3).map(json.dumps),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(NOISE, max_size=6))
def test_noise_is_passed_over(frames: list[JsonValue]) -> None:
    assembly = Assembly(lambda part, text: None)
    calls = Calls()
    with contextlib.suppress(TooManyCalls):
        for frame in frames:
            assembly.add(frame)
            assembly.add({"choices": [{"delta": frame, "finish_reason": frame}], "usage": frame})
            assembly.add({"choices": [{"message": {"tool_calls": frame}}]}, "message")
            calls.add(frame)
    for found in (assembly.tool_calls(REQUEST), calls.done(1)):
        assert len(found) <= MOST_CALLS
        assert len({call.id for call in found}) == len(found)
        assert all(call.id.isascii() and call.id.isprintable() and call.arguments for call in found)
        assert sum(len(call.arguments) for call in found) <= ARGUMENT_BYTES + 2 * MOST_CALLS
    assembly.usage(REQUEST, "x", {}, 0.0)


@settings(max_examples=60, deadline=None)
@given(CALLS, st.integers(1, 7), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_fragments_in_any_order_of_calls_make_the_same_calls(
    wanted: list[tuple[str, str]], size: int, with_ids: bool, interleaved: bool, random: object
) -> None:
    streams = []
    for index, (name, arguments) in enumerate(wanted):
        head = {"index": index, "function": {"name": name, "arguments": ""}} | ({"id": f"c{index}"} if with_ids else {})
        pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
        streams.append([head, *({"index": index, "function": {"arguments": piece}} for piece in pieces)])
    shown: list[str] = []
    assembly = Assembly(lambda part, text: shown.append(text) if part is ReplyPart.TOOL else None)
    order = [stream.pop(0) for stream in streams]
    while any(streams):
        live = [stream for stream in streams if stream]
        order.append((random.choice(live) if interleaved else live[0]).pop(0))  # type: ignore[attr-defined]
    for part in order:
        assembly.add({"choices": [{"delta": {"tool_calls": [part]}}]})
    found = assembly.tool_calls(REQUEST)
    assert [(call.name, call.arguments) for call in found] == wanted
    assert assembly.complete, "each is whole"
    assert sum(map(len, shown)) == sum(len(name) + 1 + len(arguments) for name, arguments in wanted) + len(wanted) - 1
