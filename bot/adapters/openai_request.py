"""A request on the wire: the conversation, the tools, and the parameters that not every endpoint takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set

from bot.adapters.openai_calls import is_object
from bot.ports import JsonValue, Message, ModelRequest, ToolCall, ToolSpec

_SHOWN = 2_000  # characters of arguments that were no JSON which go back to the model
_NAME = 64  # characters of a function's name that endpoints take


def parameters_of(request: ModelRequest, refused: Set[str], longest_reply: int) -> dict[str, JsonValue]:
    """The optional parameters of `request`, save the `refused` ones. longest_reply: tokens that the endpoint takes.

    Two of them are no members of the body: "reasoning_content" (whether the messages carry it) and "strict" (whether
    the tools do).
    """
    limit = "max_tokens" if "max_completion_tokens" in refused else "max_completion_tokens"
    wanted: dict[str, JsonValue] = {
        limit: min(request.max_completion_tokens, longest_reply),
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        strict = "strict" not in refused
        wanted["tools"] = [_tool(tool, strict=strict) for tool in request.tools]
        if strict and any(_strict(tool.parameters) for tool in request.tools):
            wanted["strict"] = True
        if request.must_call:
            wanted["tool_choice"] = "required"
    elif request.schema is not None:
        schema: JsonValue = {"name": request.schema.name, "schema": request.schema.schema, "strict": True}
        wanted["response_format"] = {"type": "json_schema", "json_schema": schema}
    if any(message.reasoning for message in request.messages):
        wanted["reasoning_content"] = True
    return {name: value for name, value in wanted.items() if name not in refused}


def body_of(sent: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Those of the parameters that are members of the request's body."""
    return {name: value for name, value in sent.items() if name not in {"reasoning_content", "strict"}}


def messages_of(request: ModelRequest, *, with_reasoning: bool) -> Iterator[dict[str, JsonValue]]:
    """The conversation on the wire. The assistant's reasoning goes back: left out, xAI's prompt cache misses."""
    for message in request.messages:
        wire: dict[str, JsonValue] = {"role": message.role, "content": _content(message)}
        if with_reasoning and message.reasoning:
            wire["reasoning_content"] = sendable(message.reasoning)
        if message.tool_calls:
            wire["tool_calls"] = [_call(call) for call in message.tool_calls]
        if message.role == "tool":
            wire["tool_call_id"] = message.tool_call_id
        yield wire


def _content(message: Message) -> str | None:
    """Null where an assistant only calls tools: some endpoints refuse an empty text there, none refuses null."""
    return None if message.tool_calls and not message.content else sendable(message.content)


def _call(call: ToolCall) -> JsonValue:
    name, arguments = sendable_call(call)
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}


def sendable_call(call: ToolCall) -> tuple[str, str]:
    """Name and arguments of a call given back as the model made it. What no endpoint takes back is mended, always in
    the same way: names beyond the protocol's letters, and arguments that are no JSON object (chat templates parse
    them, and answer 500)."""
    letters = (letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in call.name)
    name = "".join(letters)[:_NAME] or "unnamed"
    arguments = call.arguments if is_object(call.arguments) else json.dumps({"not_json": call.arguments[:_SHOWN]})
    return name, sendable(arguments)


def _tool(tool: ToolSpec, *, strict: bool) -> JsonValue:
    function: dict[str, JsonValue] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    if strict and _strict(tool.parameters):
        function["strict"] = True
    return {"type": "function", "function": function}


def _strict(schema: JsonValue) -> bool:
    """Whether a schema is one that OpenAI takes as strict: of every object all members are named and required."""
    if isinstance(schema, Mapping):
        if "properties" in schema or schema.get("type") == "object":
            properties, required = schema.get("properties"), schema.get("required")
            if not isinstance(properties, Mapping) or schema.get("additionalProperties") is not False:
                return False
            if not isinstance(required, list | tuple) or set(required) != set(properties):
                return False
            if not all(map(_strict, properties.values())):
                return False
        return all(_strict(value) for name, value in schema.items() if name in {"items", "anyOf"})
    return all(map(_strict, schema)) if isinstance(schema, list | tuple) else True


def sendable(text: str) -> str:
    """Without lone surrogates, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
