"""A request's name: what makes two requests the same to whoever replays them."""

from __future__ import annotations

import hashlib
import json

from bot.ports import JsonValue, ModelRequest


def request_key(model_name: str, request: ModelRequest) -> str:
    """SHA-256, in hex, of the canonical JSON of a request (bot/trace: `request.key`).

    Reasoning, deadline, limits and the conversation's name are left out: they change no decision that a replay must
    find again. Of the tools and the schema the name counts. `model_name` is the one asked for, not the one served.
    """
    messages: list[JsonValue] = [
        [
            message.role,
            message.content,
            message.tool_call_id,
            [[call.id, call.name, call.arguments] for call in message.tool_calls],
        ]
        for message in request.messages
    ]
    content: dict[str, JsonValue] = {
        "model": model_name,
        "messages": messages,
        "tools": [tool.name for tool in request.tools],
        "schema": "" if request.schema is None else request.schema.name,
    }
    # ASCII escapes: a lone surrogate, which a model may send in arguments, has no UTF-8 of its own.
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
