"""A diff as its author wrote it, before anything is believed: what was meant to change, and where it claims to be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line of a hunk: `kind` is " ", "-" or "+"; `text` carries no line end.

    bare: the line stood without its leading blank, so `text` may be short of one.
    unterminated: a "\\ No newline at end of file" follows.
    """

    kind: str
    text: str
    bare: bool = False
    unterminated: bool = False


@dataclass(frozen=True, slots=True)
class HunkDraft:
    """One hunk. `claimed`: first old line by its header, from 1, or None. `section`: what follows the second @@."""

    lines: tuple[DraftLine, ...]
    claimed: int | None = None
    section: str = ""

    @property
    def old(self) -> tuple[DraftLine, ...]:
        return tuple(line for line in self.lines if line.kind != "+")

    @property
    def changes(self) -> bool:
        return any(line.kind != " " for line in self.lines)


@dataclass(frozen=True, slots=True)
class FileDraft:
    """Changes meant for one file; `old_path` None: it is new; `new_path` None: it is deleted; both differ: renamed.

    whole: a deletion that quotes no content.
    """

    old_path: str | None
    new_path: str | None
    hunks: tuple[HunkDraft, ...]
    whole: bool = False

    @property
    def path(self) -> str:
        path = self.new_path or self.old_path
        assert path is not None
        return path
