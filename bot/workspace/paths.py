"""Which repository paths may be written at all. Git refuses most of these itself; this is the first of two doors."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_SHORT_GIT = re.compile(r"git~\d+", re.IGNORECASE)
_LONGEST_PATH = 1024
_LONGEST_NAME = 255


def problem(path: str) -> str | None:
    """Why `path` cannot name a file of a repository, as a phrase for a person; None where it can.

    A good path is relative, POSIX, normalised, printable, and no component of it means `.git` to any file system that
    git knows of (case folding, code points that HFS+ ignores, the short and stream names of NTFS).
    """
    if not path:
        return "is empty"
    if _CONTROL.search(path):
        return "holds control characters"
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if len(encoded) > _LONGEST_PATH:
        return f"is longer than {_LONGEST_PATH} bytes"
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        return "is absolute; give it relative to the root of the repository"
    if "\\" in path:
        return "holds a backslash; separate folders with '/'"
    for name in path.split("/"):
        if name in ("", ".", ".."):
            return f"has {name!r} as a component; write the plain path from the root of the repository"
        if len(name.encode()) > _LONGEST_NAME:
            return f"has a name longer than {_LONGEST_NAME} bytes"
        if is_dot_git(name):
            return "leads into .git, which no patch may touch"
    return None


def is_dot_git(name: str) -> bool:
    """Whether some file system takes this one component for `.git`."""
    visible = "".join(character for character in name if unicodedata.category(character) != "Cf")
    plain = unicodedata.normalize("NFKC", visible).casefold().split(":", 1)[0].rstrip(". ")
    return plain == ".git" or _SHORT_GIT.fullmatch(plain) is not None


def parents(path: str) -> tuple[str, ...]:
    """Every folder above a path, nearest first: "a/b/c" → ("a/b", "a")."""
    pieces = path.split("/")
    return tuple("/".join(pieces[:count]) for count in range(len(pieces) - 1, 0, -1))
