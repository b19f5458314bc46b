"""Gets a fix onto a branch, once: what an earlier run left there is taken up, a person's work is not touched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.ports import Denied, FileWrite, Forge, TreeEntry
from bot.publish.commit_message import is_ours


@dataclass(frozen=True, slots=True)
class Fix:
    """A commit to be: `files` on the tree of `base`, the commit that was verified. `tree` is that commit's listing."""

    base: str
    tree: Mapping[str, TreeEntry] = field(repr=False)
    files: Mapping[str, FileWrite] = field(repr=False)
    message: str
    fingerprint: str

    def wanted(self) -> Mapping[str, TreeEntry]:
        """Listing of the commit to be; blob ids as git computes them (SHA-1)."""
        tree = dict(self.tree)
        for path, file in self.files.items():
            if file.content is None:
                tree.pop(path, None)
            else:
                digest = hashlib.sha1(b"blob %d\0" % len(file.content) + file.content, usedforsecurity=False)
                tree[path] = TreeEntry(file.mode, digest.hexdigest())
        return tree


@dataclass(frozen=True, slots=True)
class Pushed:
    """The fix is on the branch, at `sha`. `changed`: it was not there before."""

    sha: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Occupied:
    """The branch holds what is not ours; `reason` is a sentence of ours, without markup."""

    reason: str


Push: TypeAlias = Pushed | Occupied | Denied


def push(forge: Forge, branch: str, fix: Fix, head: str | None = None) -> Push:
    """Make `branch` stand at the fix on its base; safe to repeat after a crash at any point.

    head: where the branch stands, None where that is not known. A branch that is there already moves forward by a
    commit that has both for parents, so its pull request shows the fix alone.
    """
    if head is None:
        made = forge.create_commit(fix.base, fix.files, fix.message)
        if isinstance(made, Denied):
            return made
        created = forge.create_branch(branch, made)
        if isinstance(created, Denied):
            return created
        if created:
            return Pushed(made, changed=True)
        head = forge.branch(branch)
        if head is None:
            return Occupied(f"the branch {branch} came and went while it was written; the next run tries again")
    return _move(forge, branch, fix, head)


def commit_onto(forge: Forge, branch: str, fix: Fix) -> Push:
    """The fix as one commit on a branch of somebody else's that stands at its base (or at this very commit of ours)."""
    head = forge.branch(branch)
    if head is not None and head != fix.base and _standing(forge, head, fix) is _CURRENT:
        return Pushed(head, changed=False)
    made = forge.create_commit(fix.base, fix.files, fix.message)
    if isinstance(made, Denied):
        return made
    moved = forge.move_branch(branch, made)
    if isinstance(moved, Denied):
        return moved
    if not moved:
        return Occupied(f"{branch} moved on at the last moment, so nothing was pushed to it")
    return Pushed(made, changed=True)


_CURRENT = "current"
_BEHIND = "behind"
_MERGED = "merged"
_FOREIGN = "foreign"


def _move(forge: Forge, branch: str, fix: Fix, head: str) -> Push:
    standing = _standing(forge, head, fix)
    if standing is _CURRENT:
        return Pushed(head, changed=False)
    if standing is _FOREIGN:
        return Occupied(f"somebody else has committed to {branch}, and their work is not overwritten")
    # A branch whose commits are in the base already is simply moved up to it.
    made = forge.create_commit(fix.base, fix.files, fix.message, None if standing is _MERGED else head)
    if isinstance(made, Denied):
        return made
    moved = forge.move_branch(branch, made)
    if isinstance(moved, Denied):
        return moved
    if not moved:
        return Occupied(f"somebody else pushed to {branch} at the same moment; the next run looks again")
    return Pushed(made, changed=True)


def _standing(forge: Forge, head: str, fix: Fix) -> str:
    """What a branch holds, seen from the fix: one or two calls."""
    comparison = forge.compare(fix.base, head)
    if comparison is None or comparison.ahead_by > len(comparison.commits):
        return _FOREIGN
    if not all(is_ours(commit.message, fix.fingerprint) for commit in comparison.commits):
        return _FOREIGN
    if comparison.ahead_by == 0:
        return _MERGED
    if comparison.behind_by == 0 and forge.tree(head) == fix.wanted():
        return _CURRENT
    return _BEHIND
