"""What a placed hunk does to the lines of a file, and the file put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.patch.drafts import DraftLine, HunkDraft
from bot.patch.matching import Reindent, indentation


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


def splices_of(lines: list[str], hunk: Sequence[DraftLine], start: int) -> list[Splice] | None:
    """The changes of a hunk whose old lines begin at `start`; None where its indentation cannot be carried over."""
    old = [line for line in hunk if line.kind != "+"]
    pairs = [(line, lines[start + offset]) for offset, line in enumerate(old)]
    carried = carry(pairs, [line.text for line in hunk if line.kind == "+"])
    if carried is None:
        return None
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


def carry(pairs: Sequence[tuple[DraftLine, str]], added: Sequence[str]) -> Iterator[str] | None:
    """Added lines with the file's indentation; None where what they need cannot be told.

    pairs: old lines of the hunk, each with the line of the file that it stands for.
    """
    solid = [(line, theirs) for line, theirs in pairs if line.text.strip()]
    lost = [line for line, theirs in solid if line.kind == " " and _short_of_one(line.text, theirs)]
    if not lost:
        return _reindented(Reindent([(line.text, theirs) for line, theirs in pairs]), added)
    # Context without its leading blank, "    x" for "     x": the blank taken for the mark belongs to the text.
    others = [(line, theirs) for line, theirs in solid if line not in lost]
    exact = [line for line, theirs in others if line.text.rstrip() == theirs.rstrip()]
    if len(exact) < len(others):
        return _reindented(Reindent([(line.text, theirs) for line, theirs in pairs]), added)
    if any(line.kind == "-" or line.bare or indentation(line.text) for line in exact):
        # A whole hunk that stood one to the left would have those lines there as well, and would have kept its marks.
        return iter(added)
    known = {indentation(theirs) for _, theirs in solid}
    as_is = {indentation(text) for text in added if text.strip()}
    if as_is <= known or not as_is:
        return iter(added)
    moved = [f" {text}" if text.strip() else text for text in added]
    return iter(moved) if {indentation(text) for text in moved if text.strip()} <= known else None


def _short_of_one(ours: str, theirs: str) -> bool:
    return f" {ours}".rstrip() == theirs.rstrip()


def _reindented(reindent: Reindent, added: Sequence[str]) -> Iterator[str] | None:
    if not reindent.consistent:
        return None
    found = [reindent.line(text) for text in added]
    known = [text for text in found if text is not None]
    return iter(known) if len(known) == len(found) else None


def unterminated(hunk: HunkDraft) -> bool:
    return any(line.unterminated for line in hunk.lines if line.kind == "+")
