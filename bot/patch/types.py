"""Patches: text, parsed form, and the files they lead to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bot.ports import Overlay
from bot.workspace.types import Change


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk: starts count from 1; `lines` keep their " ", "-", "+" and carry no line end."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[str, ...]
    section: str = ""


@dataclass(frozen=True, slots=True)
class FilePatch:
    """Changes of one file; `old_path` None: it is new; `new_path` None: it is deleted."""

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        path = self.new_path or self.old_path
        assert path is not None
        return path


@dataclass(frozen=True, slots=True)
class Patch:
    """A unified diff in git's own form, as read back from git: `text` applies with `git apply` on the base commit."""

    text: str
    files: tuple[FilePatch, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a diff does not apply, for its author: quotes the lines looked for and the nearest ones that are there."""

    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A patch as git read it back after it was placed in a scratch checkout."""

    patch: Patch
    changes: tuple[Change, ...]
    overlay: Overlay
