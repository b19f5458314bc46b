"""Only plain files are made and changed: no links, submodules, executables or changes of type."""

from __future__ import annotations

from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "file_modes"

_KINDS = {"120000": "a symbolic link", "160000": "a submodule", "100755": "an executable file"}


def check(subject: Subject) -> Iterator[Objection]:
    """By the modes that git shows; an executable file that stays one is content."""
    for change in subject.applied.changes:
        old, new = change.old_mode, change.new_mode
        if change.status not in ("A", "M", "D"):
            message = f"{change.path} changes its type from {old} to {new}"
        elif "120000" in (old, new) or "160000" in (old, new):
            message = f"{change.path} is {_KINDS[new if new in _KINDS else old]}"
        elif change.status == "A" and new != "100644":
            message = f"{change.path} is new and {_KINDS.get(new, f'of mode {new}')}"
        elif change.status == "M" and old != new:
            message = f"{change.path} changes its mode from {old} to {new}"
        else:
            continue
        yield Objection(NAME, change.path, f"{message}; only plain files are patched", Grade.BLOCKED)
