"""A request's key: the same for what asks the same, another for every difference that a model could see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.ports import Message, ModelRequest, ReplySchema, ToolCall, ToolSpec
from bot.propose.model.key import request_key

CALL = ToolCall("call_1", "read_file", '{"path": "a.py"}')
REQUEST = ModelRequest(
    (
        Message("system", "You repair."),
        Message("assistant", "", "I think", (CALL,)),
        Message("tool", "text", tool_call_id="call_1"),
    ),
    tools=(ToolSpec("read_file", "reads", {}),),
)


def with_message(at: int, **changes: object) -> ModelRequest:
    messages = list(REQUEST.messages)
    messages[at] = replace(messages[at], **changes)  # type: ignore[arg-type]
    return replace(REQUEST, messages=tuple(messages))


def test_key_is_pinned() -> None:
    """Traces that were recorded name it: a change here makes them unusable for replay."""
    assert request_key("m", ModelRequest((Message("user", "hi ü"),))) == (
        "7af59b00839f70da34ef06698b7ff17b7faa850f79c758e39a721960fbda0b08"
    )


@pytest.mark.parametrize(
    "same",
    [
        replace(REQUEST, seconds=1.0, max_completion_tokens=5, conversation="x", must_call=True),
        with_message(1, reasoning="other thoughts"),
        replace(REQUEST, tools=(ToolSpec("read_file", "described otherwise", {"type": "object"}),)),
    ],
)
def test_what_decides_nothing_is_left_out(same: ModelRequest) -> None:
    assert request_key("m", same) == request_key("m", REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        with_message(0, content="You repair!"),
        with_message(0, role="user"),
        with_message(1, tool_calls=(replace(CALL, id="call_2"),)),
        with_message(1, tool_calls=(replace(CALL, arguments="{}"),)),
        with_message(1, tool_calls=()),
        with_message(2, tool_call_id="call_2"),
        replace(REQUEST, tools=()),
        replace(REQUEST, schema=ReplySchema("repair", {})),
        replace(REQUEST, messages=REQUEST.messages[:-1]),
    ],
)
def test_what_a_model_could_see_counts(other: ModelRequest) -> None:
    assert request_key("m", other) != request_key("m", REQUEST)
    assert request_key("other", REQUEST) != request_key("m", REQUEST)


def test_half_a_character_has_a_key() -> None:
    assert len(request_key("m", with_message(1, content="\ud800"))) == 64
