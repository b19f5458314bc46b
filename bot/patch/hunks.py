"""A patch as separate changes, so that those which are not needed can be left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.patch.types import Applied, FilePatch, Hunk
from bot.ports import Overlay

_MARK = "\\"


@dataclass(frozen=True, slots=True)
class Unit:
    """One change that can be left out by itself: a run of removed and added lines, or a whole new or deleted file.

    index: its number within the patch, from 0. first, count: lines on the new side, counting from 1 (count 0: a pure
    deletion before line `first`). old, new: the lines without their marks. whole: the file is new or deleted.
    """

    index: int
    path: str
    first: int
    count: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    whole: bool = False
    old_unterminated: bool = False
    new_unterminated: bool = False


def units(applied: Applied) -> tuple[Unit, ...]:
    """The separate changes of a patch, in its order."""
    found: list[Unit] = []
    for file in applied.patch.files:
        if file.old_path is None or file.new_path is None or not file.hunks:
            lines = [line for hunk in file.hunks for line in hunk.lines]
            old = tuple(line[1:] for line in lines if line.startswith("-"))
            new = tuple(line[1:] for line in lines if line.startswith("+"))
            found.append(Unit(len(found), file.path, 1, len(new), old, new, whole=True))
            continue
        for hunk in file.hunks:
            found += _runs(file, hunk, len(found))
    return tuple(found)


def subset(applied: Applied, keep: Collection[int]) -> Overlay:
    """Contents of the changed files with only the units whose index is in `keep`; files left as they were are absent.

    Needs no base: what is left out is undone in the new content. Raises ValueError where the patch and its contents do
    not belong together.
    """
    overlay: dict[str, bytes | None] = {}
    by_path: dict[str, list[Unit]] = {}
    for unit in units(applied):
        by_path.setdefault(unit.path, []).append(unit)
    for path, own in by_path.items():
        dropped = [unit for unit in own if unit.index not in keep]
        if len(dropped) == len(own):
            continue
        content = applied.overlay[path]
        if content is None or not dropped:
            overlay[path] = content
        else:
            overlay[path] = _undo(content.decode("utf-8"), dropped, path).encode("utf-8")
    return overlay


def _runs(file: FilePatch, hunk: Hunk, index: int) -> list[Unit]:
    runs: list[Unit] = []
    old: list[str] = []
    new: list[str] = []
    flags = [False, False]
    position = hunk.new_start if hunk.new_count else hunk.new_start + 1
    previous = " "
    for line in (*hunk.lines, " "):
        if line.startswith("-"):
            old.append(line[1:])
        elif line.startswith("+"):
            new.append(line[1:])
            position += 1
        elif line.startswith(_MARK):
            flags = [flags[0] or previous == "-", flags[1] or previous == "+"]
        else:
            if old or new:
                first = position - len(new)
                runs.append(Unit(index + len(runs), file.path, first, len(new), tuple(old), tuple(new), False, *flags))
            old, new, flags = [], [], [False, False]
            position += 1
        previous = line[:1]
    return runs


def _undo(text: str, dropped: Sequence[Unit], path: str) -> str:
    lines = text.split("\n")
    terminated = lines[-1] == ""
    if terminated:
        lines.pop()
    # Where git took a CR off on the way in (an eol attribute), the patch's lines lack what the file's have.
    converted = "\r\n" in text and not any(line.endswith("\r") for unit in dropped for line in (*unit.old, *unit.new))
    for unit in sorted(dropped, key=lambda unit: unit.first, reverse=True):
        start = unit.first - 1
        there = lines[start : start + unit.count]
        end = "\r" if converted else ""
        if [line + end for line in unit.new] != there and list(unit.new) != there:
            raise ValueError(f"{path}: line {unit.first} is not what the patch says it becomes")
        lines[start : start + unit.count] = [line + end for line in unit.old]
        if unit.old_unterminated:
            terminated = False
        elif unit.new_unterminated:
            terminated = True
    return "\n".join(lines) + ("\n" if terminated and lines else "")
