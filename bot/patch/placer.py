"""Placing drafts on the files that are there: each hunk in exactly one place, or the whole is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.patch.choosing import choose
from bot.patch.drafts import DraftLine, FileDraft, HunkDraft
from bot.patch.indenting import Conversion, habit_of
from bot.patch.loose import DOTS, place_loosely
from bot.patch.matching import Tolerance, nearest, positions, quoted
from bot.patch.splices import Splice, join, paired, splices_of, unterminated
from bot.patch.types import Refusal
from bot.ports import Overlay
from bot.workspace import paths

MOST_HUNKS = 1_000
"""Hunks of one file that are placed: far more than a repair may change (vet). Each is looked for in the whole file."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """First line of a hunk in the file, from 0, and what it does there. equal: all places that its lines fit in."""

    start: int
    splices: Sequence[Splice]
    equal: tuple[int, ...] = ()


def place(drafts: Sequence[FileDraft], read: Callable[[str], bytes | None]) -> Overlay | Refusal:
    """Whole new contents of the files that the drafts change, or why they do not fit.

    read: content of a regular file at base by repository path, None where there is none.
    """
    overlay: dict[str, bytes | None] = {}

    def current(path: str) -> bytes | None:
        return overlay[path] if path in overlay else read(path)

    for claimed in drafts:
        for path in (claimed.old_path, claimed.new_path):
            wrong = None if path is None else paths.problem(path)
            if wrong is not None:
                return Refusal(f"the path {path!r} {wrong}", path or "")
        draft = _as_it_lies(claimed, current)
        refusal = _create(draft, current, overlay) if draft.old_path is None else _edit(draft, current, overlay)
        if refusal is not None:
            return refusal
    changed = {path: content for path, content in overlay.items() if content != read(path)}
    return changed or Refusal("the diff changes nothing: every file stays as it is")


def _as_it_lies(draft: FileDraft, read: Callable[[str], bytes | None]) -> FileDraft:
    """With prefixes a/ and b/ that turn out to be folders, or that were not taken off."""
    old = draft.old_path
    if old is None or read(old) is not None:
        return draft
    for candidate in (f"a/{old}", old.removeprefix("a/").removeprefix("b/")):
        if read(candidate) is not None:
            new = candidate if draft.new_path == old else draft.new_path
            return FileDraft(candidate, new, draft.hunks, draft.whole)
    return draft


def _create(draft: FileDraft, read: Callable[[str], bytes | None], overlay: dict[str, bytes | None]) -> Refusal | None:
    path = draft.path
    if read(path) is not None:
        return Refusal(f"{path} is to be created, but it exists; send a change against its content", path)
    lines: list[str] = []
    unterminated = False
    for hunk in draft.hunks:
        for line in hunk.lines:
            if line.kind == "-" or (line.kind == " " and line.text.strip()):
                return Refusal(
                    f"the new file {path} has the line {line.text[:120]!r} without a '+'; every line of it needs one",
                    path,
                )
            lines.append(line.text)
            unterminated = line.unterminated
    text = "\n".join(lines) + ("" if unterminated or not lines else "\n")
    overlay[path] = text.encode("utf-8", "replace")
    return None


def _edit(draft: FileDraft, read: Callable[[str], bytes | None], overlay: dict[str, bytes | None]) -> Refusal | None:
    path = draft.old_path
    assert path is not None
    content = read(path)
    if content is None:
        return Refusal(f"{path} is not a file of the repository; check the path, or create it from /dev/null", path)
    target = draft.new_path
    if draft.whole:
        overlay[path] = None
        return None
    if target is not None and target != path and read(target) is not None:
        return Refusal(f"{path} is to be renamed to {target}, which exists", target)
    if b"\0" in content:
        return Refusal(f"{path} is binary; only text can be patched", path)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refusal(f"{path} is not UTF-8 (byte {error.start}); only UTF-8 text can be patched", path)
    result = _rewrite(text, draft.hunks, path) if draft.hunks else text
    if isinstance(result, Refusal):
        return result
    if target is None:
        if result.strip():
            return Refusal(f"{path} is to be deleted, but its deletion leaves lines that were not quoted", path)
        overlay[path] = None
        return None
    if target != path:
        overlay[path] = None
    overlay[target] = result.encode("utf-8", "replace")
    return None


def _rewrite(text: str, hunks: Sequence[HunkDraft], path: str) -> str | Refusal:
    ended = text.split("\n")  # not splitlines: a form feed or U+2028 does not end a line of a diff
    terminated = ended[-1] == ""
    if terminated:
        ended.pop()
    lines = [line.removesuffix("\r") for line in ended]
    placed = _place_hunks(lines, hunks, path)
    if isinstance(placed, Refusal):
        return placed
    splices = [splice for found in placed for splice in found.splices]
    splices.sort(key=lambda splice: (splice.start, splice.end))
    for before, after in pairwise(splices):
        if after.start < before.end or (after.start == before.start and before.end == after.end):
            return Refusal(f"two hunks of {path} change the same line {after.start + 1}; send one hunk for both", path)
    return join(ended, terminated, splices)


def _place_hunks(lines: list[str], hunks: Sequence[HunkDraft], path: str) -> list[_Placed] | Refusal:
    """Each hunk by itself; then those that fit in several places, between the ones before and after them."""
    if len(hunks) > MOST_HUNKS:
        return Refusal(
            f"{path} has {len(hunks):,} hunks; at most {MOST_HUNKS:,} are placed: send one for lines that lie near",
            path,
        )
    names = [f"hunk {number} of {path}" for number in range(1, len(hunks) + 1)]
    displacements: set[int] = set()
    found: list[_Placed | Refusal] = []
    for name, hunk in zip(names, hunks, strict=True):
        placed = _place_hunk(lines, hunk, displacements, name, path)
        found.append(placed)
        if isinstance(placed, _Placed) and hunk.claimed is not None:
            displacements.add(placed.start - (hunk.claimed - 1))
    certain = [(index, each) for index, each in enumerate(found) if isinstance(each, _Placed)]
    in_order = all(before.start < after.start for (_, before), (_, after) in pairwise(certain))
    for index, each in certain if not in_order else ():
        # What else was said picked one of equal places, and the order of the hunks says another.
        against = any((other.start >= each.start) == (i < index) for i, other in certain if i != index)
        if against and len(each.equal) > 1:
            return _unclear(names[index], each.equal, [line.text for line in hunks[index].old], path)
    habit = _habit(lines, [(hunks[index], each.start) for index, each in certain])
    result: list[_Placed] = []
    for index, alone in enumerate(found):
        placed = alone
        if isinstance(placed, Refusal) and certain:
            before = [other.start + len(hunks[i].old) for i, other in certain if i < index]
            after = [other.start - len(hunks[index].old) + 1 for i, other in certain if i > index]
            between = range(max(before, default=0), min(after, default=len(lines))) if in_order else None
            placed = _place_hunk(lines, hunks[index], displacements, names[index], path, between, habit)
        if isinstance(placed, Refusal):
            return placed
        result.append(placed)
    return result


def _habit(lines: Sequence[str], placed: Sequence[tuple[HunkDraft, int]]) -> Conversion | None:
    """What the placed hunks agree on of tabs and blanks, for those whose own lines do not show it."""
    found = set()
    for hunk, start in placed:
        old = [line.text.strip() for line in hunk.old]
        if [line.strip() for line in lines[start : start + len(old)]] == old:
            found.add(habit_of(paired(lines, hunk.lines, start)))
    found -= {None}
    return found.pop() if len(found) == 1 else None


def _unclear(name: str, found: Sequence[int], wanted: Sequence[str], path: str) -> Refusal:
    where = ", ".join(str(position + 1) for position in found[:8])
    return Refusal(
        f"{name} fits in {len(found)} places (lines {where}); add unchanged lines until it fits in one."
        f" It looks for:\n{quoted(wanted)}",
        path,
    )


def _place_hunk(
    lines: list[str],
    hunk: HunkDraft,
    displacements: Collection[int],
    name: str,
    path: str,
    between: range | None = None,
    habit: Conversion | None = None,
) -> _Placed | Refusal:
    wanted = [line.text for line in hunk.old]
    if not any(text.strip() for text in wanted):
        if not lines and not any(wanted):
            added = tuple(line.text for line in hunk.lines if line.kind == "+")
            return _Placed(0, [Splice(0, 0, added, unterminated(hunk))])
        return Refusal(
            f"{name} quotes no line of the file, so its place cannot be known; add unchanged lines before and after",
            path,
        )
    for tolerance in Tolerance:
        found = positions(lines, wanted, tolerance)
        if not found:
            continue
        start = choose(lines, found, hunk, displacements, between)
        if start is None:
            return _unclear(name, found, wanted, path)
        splices = splices_of(lines, hunk.lines, start, habit)
        if splices is not None:
            return _Placed(start, splices, found)
        return Refusal(
            f"{name} fits at line {start + 1}, but its indentation is not the file's, and what its added lines need is"
            f" unclear; indent as the file does, and quote an indented line of it:\n"
            f"{quoted(lines[start : start + len(wanted)], start + 1)}",
            path,
        )
    if hunk.lines[-1].bare:  # probably a line of what followed the hunk
        body = list(hunk.lines)
        while body and body[-1].bare:
            body.pop()
        shorter = HunkDraft(tuple(body), hunk.claimed, hunk.section)
        return _place_hunk(lines, shorter, displacements, name, path, between, habit)
    loosely = place_loosely(lines, hunk)
    if loosely is not None:
        return _Placed(*loosely)
    parts = _parts(hunk)
    if len(parts) > 1:
        return _place_parts(lines, parts, name, path)
    return _not_found(lines, hunk, wanted, name, path)


def _parts(hunk: HunkDraft) -> list[HunkDraft]:
    """The hunk cut at context lines like "..." or "# ... unchanged", by which authors leave code out."""
    parts: list[list[DraftLine]] = [[]]
    for line in hunk.lines:
        if line.kind == " " and DOTS.match(line.text[:300]):
            parts.append([])
        else:
            parts[-1].append(line)
    return [HunkDraft(tuple(part), None, hunk.section) for part in parts if part]


def _place_parts(lines: list[str], parts: Sequence[HunkDraft], name: str, path: str) -> _Placed | Refusal:
    """Place the parts one after the other; each must fit in one place only behind the one before."""
    splices: list[Splice] = []
    first: int | None = None
    floor = 0
    for number, part in enumerate(parts, 1):
        if not part.changes and number == len(parts):
            break
        placed = _place_hunk(lines[floor:], part, (), f"part {number} of {name}", path)
        if isinstance(placed, Refusal):
            return placed
        splices += [Splice(s.start + floor, s.end + floor, s.lines, s.unterminated) for s in placed.splices]
        first = placed.start + floor if first is None else first
        floor += placed.start + len(part.old)
    return _Placed(first or 0, splices)


def _not_found(lines: list[str], hunk: HunkDraft, wanted: list[str], name: str, path: str) -> Refusal:
    result = [line.text for line in hunk.lines if line.kind != "-"]
    if hunk.changes and positions(lines, result, Tolerance.TRAILING):
        return Refusal(f"{name} seems to be applied already: the lines it leads to are there", path)
    message = f"{name} does not fit: these lines are not in the file one after the other:\n{quoted(wanted)}"
    near = nearest(lines, wanted)
    if near is None:
        return Refusal(f"{message}\nNothing in {path} is like them; it has {len(lines)} lines.", path)
    start, count = near
    return Refusal(f"{message}\nThe nearest that are there:\n{quoted(lines[start : start + count], start + 1)}", path)
