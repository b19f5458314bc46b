"""What a repository tells those who change it: AGENTS.md, CONTRIBUTING.md. Which commit's, the caller decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.propose.model.render import speech

FILES = ("AGENTS.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md")
"""Repository paths that are read, in the order in which they are shown."""

CHARACTERS = 6_000  # of one file


def read_guidance(read: Callable[[str], bytes | None]) -> dict[str, str]:
    """Texts by path of those of FILES that `read` has; bytes that are not UTF-8 are replaced."""
    found = {path: read(path) for path in FILES}
    return {path: content.decode("utf-8", "replace") for path, content in found.items() if content is not None}


def render(guidance: Mapping[str, str], characters: int, redact: Callable[[str], str]) -> str:
    """One data block a file, in the order of FILES whatever order the mapping has; at most `characters` each."""
    return "\n\n".join(
        speech(path, redact(guidance[path]), characters) for path in FILES if guidance.get(path, "").strip()
    )
