"""What git says of a checkout and of a change to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of `git diff --raw`: status A, M, D, T; modes as six octal digits, "000000" where absent.

    binary: git shows no textual diff for it. added, deleted: line counts of `--numstat` (0 for binary).
    """

    path: str
    status: str
    old_mode: str
    new_mode: str
    binary: bool = False
    added: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class ChangedRange:
    """Lines of a file (new side, both ends counted from 1, inclusive) that a diff since a good revision touched."""

    path: str
    first: int
    last: int
