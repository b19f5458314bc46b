"""Two texts of a file → a unified diff that `git apply` takes."""

from __future__ import annotations

import difflib


def unified(path: str, before: str, after: str, context: int = 3) -> str:
    """Diff of one existing file, "" where nothing differs. Lines end at "\\n" alone, as git counts them."""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}", n=context)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Lines with their ends; str.splitlines would also cut at form feeds and other separators."""
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])
