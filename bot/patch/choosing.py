"""Which of several equal places a hunk means: what else its author said, where it does not contradict itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from bot.patch.drafts import HunkDraft
from bot.patch.matching import within

_CONTEXT = 3
"""Lines of context before a change as tools write them: by so much a claim is off where some were left out."""
_HEAD = re.compile(r"[A-Za-z_$]")  # git's own rule for the line that it writes behind the second @@
_LABEL = 80  # bytes of it that git writes


def choose(
    lines: Sequence[str],
    found: Sequence[int],
    hunk: HunkDraft,
    displacements: Collection[int],
    between: range | None = None,
) -> int | None:
    """The one place among equals that the hunk's own claims single out; None where they do not, or disagree.

    displacements: by how much the claims of the hunks before were off. between: first lines that the hunks before and
    after leave to this one. A claim counts where it names one of the places exactly: the nearest is a guess, and so is
    a claim beside others that contradict each other.
    """
    if len(found) == 1:
        return found[0]
    if any(line.unterminated for line in hunk.old):
        at_end = [start for start in found if start + len(hunk.old) == len(lines)]
        if len(at_end) == 1:
            return at_end[0]
    picked = {start for start in found if between and start in between}
    picked = picked if len(picked) == 1 else set()
    claimed = None if hunk.claimed is None else hunk.claimed - 1
    expected = None
    if claimed is not None and len(displacements) <= 1:
        expected = claimed + next(iter(displacements), 0)
        picked |= {expected} & {*found}
    if claimed is not None and _is_label(lines, claimed, hunk.section):
        # Number and label belong together, as only somebody who has the file writes them: both are the true hunk's,
        # and lines can only be missing at its beginning.
        here = [start for start in found if claimed <= start <= claimed + _CONTEXT]
        picked |= {here[0]} if len(here) == 1 else set()
    else:
        inside = within(lines, found, hunk.section)
        if len(inside) == 1:
            # Git's label is the function above the hunk, an author's the one within: the number must not speak for
            # another place.
            near = [start for start in found if expected is not None and abs(start - expected) <= _CONTEXT]
            picked |= {inside[0], *near}
        elif inside and not picked <= {*inside}:
            return None
    if len(picked) != 1 or (between is not None and not picked <= {*between}):
        return None
    return picked.pop()


def _is_label(lines: Sequence[str], position: int, section: str) -> bool:
    """Whether git would write that section behind the header of a hunk which begins at line `position`, from 0."""
    label = section.strip()
    above = next((line for line in reversed(lines[:position]) if _HEAD.match(line)), "")
    return bool(label) and position <= len(lines) and above[:_LABEL].strip() == label
