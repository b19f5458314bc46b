"""What a placed hunk does to the lines of a file, and the file put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.patch.drafts import DraftLine, HunkDraft
from bot.patch.indenting import Conversion, carry


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace file lines [start, end) by `lines` (without line ends)."""

    start: int
    end: int
    lines: tuple[str, ...]
    unterminated: bool | None = None  # None: nothing is said about the end of the file


def join(ended: list[str], terminated: bool, splices: Sequence[Splice]) -> str:
    """The file with its splices; added lines take the line end of the line before them (else of the one after)."""
    result: list[str] = []
    position = 0
    count = len(ended)
    final_newline = terminated or not ended
    for splice in splices:
        result += ended[position : splice.start]
        neighbours = [*ended[splice.start : splice.end], *ended[max(splice.start - 1, 0) : splice.start + 1]]
        # The last line without a newline says nothing of line ends.
        known = [line for line in neighbours if terminated or line is not ended[-1]]
        end = "\r" if known and known[0].endswith("\r") else ""
        if splice.start == count and not terminated and result and end:
            result[-1] = result[-1].removesuffix("\r") + "\r"
        result += [line + end for line in splice.lines]
        position = splice.end
        if splice.unterminated is not None and splice.end == count:
            final_newline = not splice.unterminated
    result += ended[position:]
    if not result:
        return ""
    if not final_newline:
        result[-1] = result[-1].removesuffix("\r")
    return "\n".join(result) + ("\n" if final_newline else "")


def splices_of(
    lines: list[str], hunk: Sequence[DraftLine], start: int, habit: Conversion | None = None
) -> list[Splice] | None:
    """The changes of a hunk whose old lines begin at `start`; None where its indentation cannot be carried over.

    habit: what other hunks show of tabs and blanks.
    """
    moved = carry(paired(lines, hunk, start), [line.text for line in hunk if line.kind == "+"], lines, habit)
    if moved is None:
        return None
    carried = iter(moved)
    splices: list[Splice] = []
    position = start
    removed, added = 0, list[str]()
    unterminated: bool | None = None

    def flush() -> None:
        nonlocal removed, unterminated
        if removed or added:
            end = position
            splices.append(Splice(end - removed, end, tuple(added), unterminated))
        removed, unterminated = 0, None
        added.clear()

    for line in hunk:
        if line.kind == " ":
            flush()
            position += 1
        elif line.kind == "-":
            if added:
                flush()
            position += 1
            removed += 1
            unterminated = False if line.unterminated else unterminated
        else:
            added.append(next(carried))
            unterminated = True if line.unterminated else unterminated
    flush()
    return splices


def paired(lines: Sequence[str], hunk: Sequence[DraftLine], start: int) -> list[tuple[DraftLine, str]]:
    """The old lines of a hunk that begin at `start`, each with the line of the file that it stands for."""
    old = [line for line in hunk if line.kind != "+"]
    return list(zip(old, lines[start : start + len(old)], strict=True))


def unterminated(hunk: HunkDraft) -> bool:
    return any(line.unterminated for line in hunk.lines if line.kind == "+")
