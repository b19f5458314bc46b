"""Prompts: files with named places, filled strictly; untrusted text in blocks that it cannot end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources

from bot.evidence.text import head_tail, plain
from bot.propose.model.steady import steady

_COMMENT = re.compile(r"\A<!--.*?-->\s*", re.DOTALL)
_SECTION = re.compile(r"^\{\{#(\w+)\}\}\n(.*?)^\{\{/\1\}\}\n", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_LIKE_A_MARK = re.compile(r"<(?=[\s/]*data\b)", re.IGNORECASE)


def prompt(name: str, **values: str) -> str:
    """Text of `prompts/NAME.md` with every `{{place}}` filled; `{{#place}}` … `{{/place}}` goes where it is empty.

    Values are put in as they are and never looked at for places again. ValueError where a place has no value or a
    value no place: a prompt and its code must not drift apart.
    """
    return fill(str(__package__), name, values)


def fill(package: str, name: str, values: Mapping[str, str]) -> str:
    """As `prompt`, for the prompts of another package."""
    text = resources.files(package).joinpath("prompts", f"{name}.md").read_text(encoding="utf-8")
    text = _COMMENT.sub("", text)
    places = set(_PLACE.findall(text)) | {match[1] for match in _SECTION.finditer(text)}
    if places != values.keys():
        raise ValueError(
            f"prompt {name!r}: places without a value {sorted(places - values.keys())}, "
            f"values without a place {sorted(values.keys() - places)}"
        )
    text = _SECTION.sub(lambda match: match[2] if values[match[1]] else "", text)
    return _PLACE.sub(lambda match: values[match[1]], text).strip() + "\n"


def block(name: str, content: str) -> str:
    """Code in a block: verbatim, since a patch must match it. The mark holds a hash of the content, which no content
    can hold itself."""
    return _block(name, content)


def speech(name: str, content: str, limit: int) -> str:
    """What a program or stranger said, in a block of at most `limit` characters: terminal codes gone, what differs
    from run to run masked, hidden characters visible, what looks like a block's mark escaped for the eye as well."""
    return _block(name, _LIKE_A_MARK.sub("&lt;", plain(head_tail(steady(content), limit))))


def _block(name: str, content: str) -> str:
    mark = "data-" + hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    label = re.sub(r"[^\w./:\[\] -]", "?", plain(name))[:200]
    return f'<{mark} name="{label}">\n{content.rstrip(chr(10))}\n</{mark}>'
