"""What stands around a diff: fences, prose, an indentation of the whole. Inside it nothing is touched."""

from __future__ import annotations

import re

FENCE = re.compile(r"(```+|~~~+)")  # at the very margin: in a diff of a document they stand behind a blank
_OPENING = re.compile(r"(?P<blanks>[ \t]+)(?:diff --git |--- \S|\*\*\* Begin Patch)")

Numbered = list[tuple[int, str]]


def unwrapped(lines: list[str]) -> tuple[Numbered, bool]:
    """Numbered lines of the diff, and whether they come from fences: where a fence holds a diff, all else is prose."""
    lines = _at_the_margin(lines)
    blocks: list[Numbered] = []
    outside: Numbered = []
    fence = ""
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if fence and match and match[1].startswith(fence) and line.strip() == match[1]:
            fence = ""
        elif fence:
            blocks[-1].append((number, line))
        elif match:
            fence = match[1]
            blocks.append([])
        else:
            outside.append((number, line))
    starts = ("diff --git ", "--- ", "+++ ", "@@ ")
    chosen = [block for block in blocks if any(line.startswith(starts) for _, line in block)]
    if chosen:
        return [line for block in chosen for line in (*block, (block[-1][0] + 1, "```"))], True
    return outside, False


def _at_the_margin(lines: list[str]) -> list[str]:
    """Without the indentation of a whole diff, as under a point of a list; only where nothing opens at the margin."""
    if any(line.startswith(("diff --git ", "--- ", "+++ ", "@@", "*** ")) for line in lines):
        return lines
    opening = next((match for line in lines if (match := _OPENING.match(line[:300]))), None)
    if opening is None:
        return lines
    blanks = opening["blanks"]
    return [line.removeprefix(blanks) if line.strip() else "" for line in lines]
