"""The paths and the header lines of diffs, as git, diff(1) and language models write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OCTAL_OR_ESCAPE = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_TIMESTAMP = re.compile(
    r"(?:\t.*|\s+\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*|\s+\((?:original|revision|working|new|old)[^)]*\))$"
)
_LONGEST_HEADER = 4096  # no path is longer, and the patterns above are not linear in blanks
_PREFIXES = (
    *(("a/", "b/"), ("i/", "w/"), ("c/", "i/"), ("c/", "w/"), ("o/", "w/")),
    *(("./", "./"), ("old/", "new/"), ("before/", "after/"), ("original/", "modified/")),
)
_GIT = re.compile(r'diff --git (?P<old>"(?:[^"\\]|\\.)*"|\S.*?) (?P<new>"(?:[^"\\]|\\.)*"|\S.*)$')
_EXTENDED = re.compile(
    r"(?:index [0-9a-fA-F]+\.\.|(?:dis)?similarity index |Index: |={20,}|Binary files |GIT binary patch)"
)
HUNK = re.compile(
    r"@@+(?:\s*-(?P<start>\d{1,9})(?:,(?P<old>\d{1,9}))?\s+\+\d{1,9}(?:,(?P<new>\d{1,9}))?\s*@@+)?(?P<section>.*)$"
)


def unquote(name: str) -> str:
    """A path from git's C-style quotes (octal bytes are UTF-8), or the path itself where it has none."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name

    def byte(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code, 8) & 0xFF) if len(code) == 3 else _ESCAPES.get(code, code)

    if not name.isascii():
        return _OCTAL_OR_ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), name[1:-1])
    return _OCTAL_OR_ESCAPE.sub(byte, name[1:-1]).encode("latin-1").decode("utf-8", "replace")


def header_path(text: str) -> str | None:
    """The path of a "--- " or "+++ " line (what follows the mark); None for /dev/null and its kin."""
    text = text[:_LONGEST_HEADER]
    name = text.strip() if text.lstrip().startswith('"') else _TIMESTAMP.sub("", text).strip()
    name = unquote(name.strip("`"))
    return None if name in ("/dev/null", "dev/null", "nul", "NUL") else name


def plain_paths(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Both paths without the prefixes a/ b/ (or git's mnemonic ones), where they have them."""
    for old_prefix, new_prefix in _PREFIXES:
        fits_old = old is None or old.startswith(old_prefix)
        fits_new = new is None or new.startswith(new_prefix)
        if fits_old and fits_new:
            return (
                None if old is None else old.removeprefix(old_prefix),
                None if new is None else new.removeprefix(new_prefix),
            )
    if old is not None and new is not None and old != new:
        if new == f"b/{old}":
            return old, old
        if old == f"a/{new}" or old in (f"{new}.orig", f"{new}.old", f"{new}.bak"):
            return new, new
    return old, new


def git_paths(line: str) -> tuple[str, str] | None:
    """Both raw paths of a "diff --git" line; None where it cannot be told where the first one ends."""
    rest = line.removeprefix("diff --git ")
    half = len(rest) // 2  # unquoted and unchanged names are equally long, whatever blanks they hold
    if len(rest) % 2 and rest[half] == " " and rest[:half][1:] == rest[half + 1 :][1:]:
        return rest[:half], rest[half + 1 :]
    match = _GIT.match(line)
    return (unquote(match["old"]), unquote(match["new"])) if match else None


def is_metadata(line: str) -> bool:
    """A line of git's extended header."""
    modes = ("new file mode ", "deleted file mode ", "old mode ", "new mode ")
    return line.startswith((*modes, "rename from ", "rename to ", "copy from ", "copy to ")) or bool(
        _EXTENDED.match(line)
    )


def label_of(section: str) -> str:
    """What follows the second @@, without signs that stand for the numbers where those were left out."""
    signs, marks, rest = section.partition("@@")
    return (rest if marks and not signs.strip("-+,. ") else section).replace("@@", "").strip(" .")


@dataclass(slots=True)
class Counts:
    """Lines that a hunk's header still promises; None where it promised nothing."""

    old: int | None
    new: int | None

    @classmethod
    def of(cls, match: re.Match[str]) -> Counts:
        if match["start"] is None:
            return cls(None, None)
        return cls(int(match["old"] or 1), int(match["new"] or 1))

    def take(self, kind: str) -> None:
        if self.old is not None and kind in " -":
            self.old -= 1
        if self.new is not None and kind in " +":
            self.new -= 1

    def give_back(self) -> None:
        """Undo `take` of a context line."""
        if self.old is not None and self.new is not None:
            self.old, self.new = self.old + 1, self.new + 1

    @property
    def open(self) -> bool:
        """Whether more lines were promised."""
        return (self.old or 0) > 0 or (self.new or 0) > 0

    @property
    def unknown(self) -> bool:
        return self.old is None
