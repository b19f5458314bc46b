"""Whose test it is, by CODEOWNERS of the default branch. Pure; names are data, rendered so that nobody is notified.

GitHub's rules: gitignore's patterns without `!` and without character ranges, case counts, the last line that matches
wins, and a line without owners takes them away. A line that is not understood is skipped, as GitHub does.
Source: docs.github.com, "About code owners".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, first one first."""
_MOST_BYTES = 3 << 20
_MOST_LINES = 10_000
_OWNER = re.compile(r"@[A-Za-z0-9][\w.-]{0,99}(?:/[\w.-]{1,100})?|[^\s@]{1,100}@[\w.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Owners:
    """The lines of a CODEOWNERS that are understood, in their order: pattern and owners."""

    rules: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()

    def of(self, path: str) -> tuple[str, ...]:
        """Owners of a file (POSIX path from the repository's root) as they are written ("@org/team"), () = nobody."""
        if not path or len(path) > 1_000:
            return ()
        for pattern, owners in reversed(self.rules):
            if pattern.fullmatch(path):
                return owners
        return ()


def read_owners(data: bytes) -> Owners:
    """Any bytes; GitHub does not load a file above 3 MB, and neither is it read here."""
    if len(data) > _MOST_BYTES:
        return Owners()
    rules = []
    for line in data.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
        words = re.split(r"(?<!\\)[ \t]+", re.sub(r"(?:^|(?<=[ \t]))#.*", "", line).strip())
        pattern = _pattern(words[0])
        if pattern is not None and all(_OWNER.fullmatch(owner) for owner in words[1:]):
            rules.append((pattern, tuple(words[1:])))
    return Owners(tuple(rules))


def _pattern(text: str) -> re.Pattern[str] | None:
    text = text.replace("\\ ", " ")
    parts = [part for part in text.strip("/").split("/") if part]
    if not parts or len(text) > 300 or text[0] == "!" or "[" in text or "\\" in text or parts.count("**") > 2:
        return None
    anchored = "/" in text.rstrip("/")
    regex = "" if anchored else "(?:[^/]+/)*"
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            regex += ".+" if last else "(?:[^/]+/)*"
            continue
        regex += _glob(part) + ("" if last else "/")
    if parts[-1] != "**":
        # A name matches a file, and a folder with all in it; "docs/*" only what is directly in the folder.
        below = "/.+" if text.endswith("/") else "" if anchored and parts[-1] == "*" else "(?:/.+)?"
        regex += below
    return re.compile(regex, re.DOTALL)


def _glob(part: str) -> str:
    """A name with `*` and `?` as a regular expression. Each text between stars is found where it first stands and never
    sought again (atomic), so that a hostile path cannot make matching slow."""

    def exact(text: str) -> str:
        return re.escape(text).replace(r"\?", "[^/]")

    first, *middle = re.split(r"\*+", part)
    if not middle:
        return exact(first)
    *middle, last = middle
    return exact(first) + "".join(f"(?>[^/]*?{exact(text)})" for text in middle) + f"[^/]*{exact(last)}"
