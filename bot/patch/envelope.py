"""The `*** Begin Patch` form that some models write in place of a unified diff."""

from __future__ import annotations

import re

from bot.patch.drafts import DraftLine, FileDraft, HunkDraft
from bot.patch.types import Refusal

_FILE = re.compile(r"\*\*\* (?P<action>Add|Update|Delete) File: (?P<path>.+?)\s*$")
_MOVE = re.compile(r"\*\*\* Move to: (?P<path>.+?)\s*$")


def read_envelope(lines: list[str]) -> tuple[FileDraft, ...] | Refusal:
    """File changes of a patch in that form; Refusal names the line that does not belong."""
    drafts: list[FileDraft] = []
    position = 0
    seen = False
    while position < len(lines):
        line = lines[position]
        match = _FILE.match(line)
        if match is None:
            if seen and line[:1] in ("+", "-") and line.strip("+- "):
                return Refusal(f"line {position + 1} ({line[:120]!r}) looks like a change but belongs to no file")
            if line.strip() == "*** End Patch":
                seen = False
            position += 1
            continue
        seen = True
        end = position + 1
        while end < len(lines) and not _FILE.match(lines[end]) and lines[end].strip() != "*** End Patch":
            end += 1
        draft = _file(match["action"], match["path"].strip("`\"' "), lines[position + 1 : end], position + 2)
        if isinstance(draft, Refusal):
            return draft
        drafts.append(draft)
        position = end
    if not drafts:
        return Refusal("the patch between '*** Begin Patch' and '*** End Patch' names no file")
    return tuple(drafts)


def _file(action: str, path: str, body: list[str], first: int) -> FileDraft | Refusal:
    if action == "Delete":
        if any(line[:1] in ("+", "-") for line in body):
            return Refusal(f"{path} is to be deleted and changed at once", path)
        return FileDraft(path, None, (), whole=True)
    new_path: str | None = path
    hunks: list[HunkDraft] = []
    current: list[DraftLine] = []
    section = ""
    for number, line in enumerate(body, first):
        move = _MOVE.match(line)
        if move is not None:
            new_path = move["path"].strip("`\"' ")
        elif line.startswith("@@"):
            _close(hunks, current, section)
            current = []
            section = line.strip("@ ").strip()
        elif line.startswith("*** End of File") or line.startswith(("```", "~~~")):
            continue
        elif line[:1] in (" ", "+", "-"):
            current.append(DraftLine(line[0], line[1:]))
        elif line == "":
            current.append(DraftLine(" ", "", bare=True))
        elif action == "Update":
            current.append(DraftLine(" ", line, bare=True))
        else:
            return Refusal(f"line {number} ({line[:120]!r}) of the new file {path} does not begin with '+'", path)
    _close(hunks, current, section)
    if not hunks and new_path == path:
        return Refusal(f"the section of {path} changes nothing", path)
    return FileDraft(None if action == "Add" else path, new_path, tuple(hunks))


def _close(hunks: list[HunkDraft], lines: list[DraftLine], section: str) -> None:
    while lines and lines[-1].bare and not lines[-1].text:
        lines.pop()
    if any(line.kind != " " for line in lines):
        hunks.append(HunkDraft(tuple(lines), None, section))
