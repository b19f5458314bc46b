"""A unified diff side by side. On a narrow screen the style sheet turns it into one column, removed before added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import TypeAlias

from bot.publish.diff import LineKind, diff_lines
from bot.publish.untrusted import bounded, html, one_line

_CHARACTERS = 200_000
_START = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})")
_PATH = re.compile(r"diff --git (?:\"?a/.*?) \"?b/(.*?)\"?$")

HunkNote: TypeAlias = Callable[[str], str]
"""HTML that stands beside a hunk, given the path of its file; that path is untrusted."""

_Line: TypeAlias = tuple[int, str]


def side_by_side(patch: str, prefix: str, note: HunkNote | None = None) -> str:
    """HTML of `patch`; hunks are anchors `prefix-1`, `prefix-2`, … Long patches are cut, and that is said."""
    return f'<div class="diff" tabindex="0">{"".join(_parts(patch, prefix, note))}</div>'


def _parts(patch: str, prefix: str, note: HunkNote | None) -> Iterator[str]:
    path, hunk, old, new = "", 0, 0, 0
    removed: list[_Line] = []
    added: list[_Line] = []
    said: tuple[str, ...] = ()
    for kind, line in diff_lines(bounded(patch, _CHARACTERS, whole="the trace")):
        if kind not in (LineKind.REMOVED, LineKind.ADDED) and (removed or added):
            yield _block("change", removed, added)
            removed, added = [], []
        match kind:
            case LineKind.REMOVED:
                removed.append((old, line))
                old += 1
            case LineKind.ADDED:
                added.append((new, line))
                new += 1
            case LineKind.CONTEXT:
                yield _block("same", [(old, line)], [(new, line)])
                old, new = old + 1, new + 1
            case LineKind.HUNK:
                hunk += 1
                start = _START.match(line)
                old, new = (int(each) for each in start.groups()) if start else (0, 0)
                yield f'<p class="hunk stop" id="{prefix}-{hunk}" tabindex="-1">{html(line)}</p>'
                yield note(path) if note is not None else ""
            case LineKind.FILE:
                path = _path(line)
                said = (f"--- a/{path}", f"+++ b/{path}", "--- /dev/null", "+++ /dev/null")  # by this line already
                yield f'<p class="file">{html(one_line(path, 300))}</p>'
            case LineKind.META:
                if said and (line.startswith("index ") or line in said):
                    continue
                if line.startswith("+++ ") and line != "+++ /dev/null":
                    path = line[4:].removeprefix("b/").split("\t", 1)[0]
                yield f'<p class="meta">{html(line) or " "}</p>'
    if removed or added:
        yield _block("change", removed, added)


def _path(line: str) -> str:
    match = _PATH.match(line)
    return match[1] if match else line.removeprefix("diff --git ")


def _block(name: str, removed: list[_Line], added: list[_Line]) -> str:
    cells = [
        _cell("old", LineKind.REMOVED if name == "change" else LineKind.CONTEXT, one)
        + _cell("new", LineKind.ADDED if name == "change" else LineKind.CONTEXT, other)
        for one, other in zip_longest(removed, added)
    ]
    return f'<div class="{name}">{"".join(cells)}</div>'


def _cell(side: str, kind: LineKind, line: _Line | None) -> str:
    if line is None:
        return f'<b class="{side} none"></b><span class="{side} none"></span>'
    return f'<b class="{side}">{line[0]}</b><span class="{side} {kind}">{html(line[1]) or " "}</span>'
