"""Reading a diff leniently: fences and prose around it, wrong counts, lost prefixes, other line ends. Nothing that was
written as a change is dropped: what cannot be understood is refused with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.patch.drafts import DraftLine, FileDraft, HunkDraft
from bot.patch.envelope import read_envelope
from bot.patch.headers import HUNK, Counts, git_paths, header_path, is_metadata, label_of, plain_paths, unquote
from bot.patch.types import Refusal
from bot.patch.wrapping import FENCE, unwrapped

LONGEST = 1 << 20
_BULLET = re.compile(r"- \S|---+$")
_MOST_BARE = 6  # lines without their mark in a row
_LONGEST_REMARK = 300  # the pattern below is not linear in blanks
_SIGNATURE = "--"  # what git format-patch writes below a patch, and its version behind it
_VERSION = re.compile(r"\d+\.\d+[\w.-]*\s*$")
_DOTS = re.compile(r"(?:#|//)?\s*(?:\.{3}|…)\s*(?:\(?(?:\w+ ?){1,4}\)?\s*(?:\.{3}|…)?)?$")
_UNFINISHED = re.compile(
    r"\s*(?:#|//|/\*|<!--|--)?\s*(?:\.{3}|…)\s*\(?\s*(?:the |all )?"
    r"(?:rest|remain|existing|unchanged|same|other|previous|original|omitted|snip)",
    re.IGNORECASE,
)


def read(text: str) -> tuple[FileDraft, ...] | Refusal:
    """The file changes that a text of unified diffs (or a simple `*** Begin Patch`) means; Refusal says what is wrong.

    text: as the author wrote it, at most 1 MiB.
    """
    if len(text) > LONGEST:
        return Refusal(f"the diff has {len(text)} characters; at most {LONGEST} are read, send a smaller change")
    if "\0" in text:
        return Refusal("the diff holds NUL characters; only changes to text can be applied")
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").removesuffix("\n").split("\n")]
    if any(line.strip() == "*** Begin Patch" or line.startswith("*** Update File:") for line in lines):
        found = read_envelope(lines)
    else:
        found = _Reader(*unwrapped(lines)).read()
    if isinstance(found, Refusal):
        return found
    for draft in found:
        for hunk in draft.hunks:
            for line in hunk.lines:
                if line.kind == "+" and _UNFINISHED.match(line.text[:_LONGEST_REMARK]):
                    return Refusal(
                        f"the added line {line.text.strip()[:120]!r} stands for code that was left out; write it all",
                        draft.path,
                    )
    return found


@dataclass(slots=True)
class _Section:
    """A file section as it is being read."""

    line: int
    old: str | None = None
    new: str | None = None
    git: tuple[str, str] | None = None
    named: bool = False
    created: bool = False
    deleted: bool = False
    renamed: bool = False
    hunks: list[HunkDraft] = field(default_factory=list)


class _Reader:
    def __init__(self, lines: list[tuple[int, str]], fenced: bool) -> None:
        self.lines = lines
        self.fenced = fenced
        self.position = 0
        self.sections: list[_Section] = []
        self.in_diff = False  # between a header and the prose after it

    def read(self) -> tuple[FileDraft, ...] | Refusal:
        while self.position < len(self.lines):
            refusal = self._step()
            if refusal is not None:
                return refusal
        drafts = []
        for section in self.sections:
            draft = _draft(section)
            if isinstance(draft, Refusal):
                return draft
            if draft is not None:
                drafts.append(draft)
        if not drafts:
            return Refusal(
                "there is no diff in it; send one: '--- a/PATH', '+++ b/PATH', then hunks that begin with '@@'"
            )
        return tuple(drafts)

    def _peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        return self.lines[index][1] if index < len(self.lines) else ""

    def _step(self) -> Refusal | None:
        number, line = self.lines[self.position]
        section = self.sections[-1] if self.sections else None
        if line.startswith("diff --git "):
            self.sections.append(_Section(number, git=git_paths(line)))
            self.in_diff = True
        elif self._at_header() or self._at_half_header():
            self._file_header(number)
            return None
        elif section is not None and HUNK.match(line) and (section.named or section.git):
            self.in_diff = True
            return self._hunk()
        elif section is not None and self.in_diff and is_metadata(line):
            return self._metadata(number, line)
        elif section is not None and self.in_diff and self._hunk_without_header(section, line):
            return self._hunk()
        elif section is not None and line[:1] in ("+", "-") and line.rstrip() != _SIGNATURE:
            # After the diff, a list in prose is let pass; whatever else looks like a change must not be lost.
            if self.fenced or not _BULLET.match(line):
                return Refusal(f"line {number} ({line[:120]!r}) looks like a change but stands outside of every hunk")
            self.in_diff = False
        elif line.strip() and not line.startswith("\\"):
            self.in_diff = False
        self.position += 1
        return None

    def _hunk_without_header(self, section: _Section, line: str) -> bool:
        return section.named and not section.hunks and line[:1] in (" ", "+", "-") and line.strip() != ""

    def _at_header(self) -> bool:
        return self._peek().startswith("--- ") and self._peek(1).startswith("+++ ")

    def _at_half_header(self) -> bool:
        """One of the two lines was left out; looked for between hunks only, for in one it may well be a change."""
        return self._peek().startswith(("--- ", "+++ ")) and HUNK.match(self._peek(1)) is not None

    def _file_header(self, number: int) -> None:
        old = new = header_path(self._peek()[4:])
        both = self._peek(1).startswith("+++ ")
        if both:
            new = header_path(self._peek(1)[4:])
        section = self.sections[-1] if self.sections else None
        if section is None or section.named or not section.git or section.hunks:
            section = _Section(number)
            self.sections.append(section)
        if both:
            section.old, section.new = old, new
        else:
            path = old.removeprefix("a/").removeprefix("b/") if old else None
            section.old = section.new = path
        section.named = True
        self.in_diff = True
        self.position += 2 if both else 1

    def _metadata(self, number: int, line: str) -> Refusal | None:
        section = self.sections[-1]
        kind, _, mode = line.rpartition(" ")
        if kind in ("new file mode", "old mode", "new mode", "deleted file mode"):
            refusal = _mode_refusal(kind, mode, number)
            if refusal is not None:
                return refusal
            section.created |= kind == "new file mode"
            section.deleted |= kind == "deleted file mode"
        elif line.startswith(("Binary files ", "GIT binary patch")):
            return Refusal(f"line {number} is a binary change; only text can be patched")
        elif line.startswith("copy "):
            return Refusal(f"line {number} copies a file; write the copy as a new file")
        elif line.startswith(("rename from ", "rename to ")):
            section.renamed = True
            side, name = line.removeprefix("rename ").split(" ", 1)
            name = unquote(name.strip())
            if side == "from":
                section.old = name
            else:
                section.new = name
        self.position += 1
        return None

    def _hunk(self) -> Refusal | None:
        section = self.sections[-1]
        number, header = self.lines[self.position]
        match = HUNK.match(header)
        claimed, label, counts = None, "", Counts(None, None)
        if match is not None:
            claimed = int(match["start"]) if match["start"] is not None else None
            label = label_of(match["section"][:_LONGEST_REMARK])
            counts = Counts.of(match)
            self.position += 1
        body = self._body(counts, created=section.named and section.old is None)
        if not body:
            return Refusal(f"the hunk at line {number} is empty", section.new or section.old or "")
        hunk = HunkDraft(tuple(body), claimed, label)
        if hunk.changes:
            section.hunks.append(hunk)
        return None

    def _body(self, counts: Counts, *, created: bool) -> list[DraftLine]:
        """Lines of a hunk. created: of a new file, where a line without its mark is prose."""
        body: list[DraftLine] = []
        while self.position < len(self.lines):
            line = self._peek()
            if line.startswith(("diff --git ", "*** ")) or HUNK.match(line) or FENCE.match(line):
                break
            if self._at_header() and not self._header_is_body(counts):
                break
            if self._at_half_header() and (not counts.open or line[4:6] in ("a/", "b/")):
                break
            if line.rstrip() == _SIGNATURE and (not counts.open or _VERSION.match(self._peek(1))):
                break
            if line.startswith("\\"):
                if body:
                    body[-1] = DraftLine(body[-1].kind, body[-1].text, body[-1].bare, unterminated=True)
                self.position += 1
                continue
            if line[:1] in (" ", "+", "-"):
                body.append(DraftLine(line[0], line[1:]))
            elif line == "":
                body.append(DraftLine(" ", "", bare=True))
            elif counts.open and not counts.unknown and not created and not is_metadata(line):
                body.append(DraftLine(" ", line, bare=True))  # the author lost the leading blank
            elif self._is_bare(line, counts, created=created):
                body.append(DraftLine(" ", line, bare=True))
            else:
                break
            counts.take(body[-1].kind)
            self.position += 1
        while body and body[-1].bare and not body[-1].text and not (counts.old == 0 and counts.new == 0):
            body.pop()  # blank lines between the hunk and what follows; at worst, a little context is lost
            counts.give_back()
        return body

    def _left_out(self, line: str) -> bool:
        """Dots at the margin with more of the hunk behind them."""
        return _DOTS.match(line[:_LONGEST_REMARK]) is not None and self._peek(1)[:1] in (" ", "+", "-")

    def _is_bare(self, line: str, counts: Counts, *, created: bool) -> bool:
        """Context without its leading blank, where the header does not promise it."""
        if line.startswith("\t") or self._left_out(line):
            return True
        return counts.unknown and not (created or is_metadata(line)) and self._goes_on()

    def _goes_on(self) -> bool:
        """Whether marked lines or another header follow soon: then a line without its mark is context, where nothing
        says how long the hunk is. (Where it was prose, the placing refuses, or leaves it out at the end.)"""
        marks = (" ", "+", "@@", "diff --git ", "--- ", *(("-",) if self.fenced else ()))
        ahead = 1
        while ahead < _MOST_BARE and not self._peek(ahead).startswith((*marks, "-")):
            ahead += 1
        return self._peek(ahead).startswith(marks)

    def _header_is_body(self, counts: Counts) -> bool:
        """A deleted "-- x" and an added "++ y" look like a file header; the promised counts tell them apart."""
        if counts.old is None or counts.new is None or counts.old < 1 or counts.new < 1:
            return False
        named = self._peek().startswith(("--- a/", "--- /dev/null")) or self._peek(1).startswith("+++ b/")
        if named and HUNK.match(self._peek(2)):
            return False
        return counts.old == counts.new == 1 or not HUNK.match(self._peek(2))


def _mode_refusal(kind: str, mode: str, number: int) -> Refusal | None:
    if kind == "deleted file mode" or (kind == "new file mode" and mode in ("100644", "0644", "644")):
        return None
    what = {"120000": "a symbolic link", "160000": "a submodule", "100755": "an executable file"}.get(
        mode, "a file mode"
    )
    return Refusal(
        f"line {number} ({kind} {mode[:12]}) would make or change {what}; only plain files (100644) are patched"
    )


def _draft(section: _Section) -> FileDraft | Refusal | None:
    if not section.named and section.git is not None:
        if section.renamed and section.old and section.new:
            return FileDraft(section.old, section.new, tuple(section.hunks))
        old, new = plain_paths(*section.git)
    else:
        old, new = (section.old, section.new) if section.renamed else plain_paths(section.old, section.new)
        if section.renamed and section.named:
            old, new = plain_paths(section.old, section.new)
    if section.created:
        old = None
    if section.deleted:
        new = None
    if old is None and new is None:
        return Refusal(f"the file section at line {section.line} names no file")
    draft = FileDraft(old, new, tuple(section.hunks), whole=section.deleted and not section.hunks)
    if not draft.hunks and old is not None and new is not None and old == new:
        return (
            None if not section.named else Refusal(f"the section of {draft.path} has no hunk with a change", draft.path)
        )
    if not draft.hunks and new is None and not section.deleted:
        return Refusal(f"the deletion of {draft.path} quotes no content; quote the file's lines with '-'", draft.path)
    return draft
