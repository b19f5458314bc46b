"""JSON schemas of arguments: what every endpoint takes (no look-around, no lists of items, no long limits)."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports import JsonValue, ToolSpec

Schema = Mapping[str, JsonValue]


def spec(name: str, description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> ToolSpec:
    """A tool whose arguments are an object with these members and no others."""
    return ToolSpec(name, " ".join(description.split()), members(properties, required))


def members(properties: Mapping[str, Schema], required: tuple[str, ...]) -> Schema:
    needed: dict[str, JsonValue] = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def text(description: str, longest: int | None = None) -> Schema:
    """A string; `longest` at most 2048, which is the largest limit that every endpoint takes."""
    bounds: dict[str, JsonValue] = {} if longest is None else {"maxLength": longest}
    return {"type": "string", "description": " ".join(description.split()), **bounds}


def word(description: str, words: tuple[str, ...]) -> Schema:
    return {"type": "string", "description": description, "enum": list(words)}


def integer(description: str, least: int, most: int) -> Schema:
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def texts(description: str, most: int, longest: int) -> Schema:
    items: Schema = {"type": "string", "maxLength": longest}
    return {"type": "array", "description": " ".join(description.split()), "items": items, "maxItems": most}


def path(description: str = "Path of a file from the root of the repository.") -> Schema:
    return text(description, 1024)


NEW_TEST: Schema = {
    "anyOf": [
        members(
            {
                "path": path("Path of a file that does not exist yet, where the test runner collects it."),
                "source": text("The whole file."),
                "explanation": text("What it shows, in a sentence."),
            },
            ("path", "source", "explanation"),
        ),
        {"type": "null"},
    ]
}
