"""Reads a unified diff for showing it: what each line is, and how much each file changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")


class LineKind(StrEnum):
    """What a line of a diff is; the values serve as class names."""

    FILE = "file"
    META = "meta"
    HUNK = "hunk"
    ADDED = "added"
    REMOVED = "removed"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class FileStat:
    """How many lines of one file come and go."""

    path: str
    added: int
    removed: int


def diff_lines(text: str) -> Iterator[tuple[LineKind, str]]:
    """Each line with its kind. Hunk counts tell a removed line that begins with "-- " from a file header."""
    old = new = 0
    for line in text.removesuffix("\n").split("\n"):
        if old > 0 or new > 0:
            kind = {"+": LineKind.ADDED, "-": LineKind.REMOVED, "\\": LineKind.META}.get(line[:1], LineKind.CONTEXT)
            old -= kind in (LineKind.REMOVED, LineKind.CONTEXT)
            new -= kind in (LineKind.ADDED, LineKind.CONTEXT)
            yield kind, line
        elif hunk := _HUNK.match(line):
            old, new = (int(each) if each is not None else 1 for each in hunk.groups())
            yield LineKind.HUNK, line
        elif line.startswith("diff --git "):
            yield LineKind.FILE, line
        else:
            yield LineKind.META, line


def diff_stats(text: str) -> tuple[FileStat, ...]:
    """Files in the order of the diff; one without hunks (binary, mode only) counts 0 lines."""
    stats: list[list[str | int]] = []
    for kind, line in diff_lines(text):
        if kind is LineKind.FILE:
            stats.append([_path(line), 0, 0])
        elif kind is LineKind.META and line.startswith("+++ ") and not stats:
            stats.append([line[4:].removeprefix("b/"), 0, 0])
        elif stats and kind is LineKind.ADDED:
            stats[-1][1] = int(stats[-1][1]) + 1
        elif stats and kind is LineKind.REMOVED:
            stats[-1][2] = int(stats[-1][2]) + 1
    return tuple(FileStat(str(path), int(added), int(removed)) for path, added, removed in stats)


def _path(line: str) -> str:
    """The path in `diff --git a/PATH b/PATH`: both alike, for our diffs are made without rename detection."""
    names = line.removeprefix("diff --git ")
    half = names[len(names) // 2 + 1 :]
    return half.strip('"').removeprefix("b/")
