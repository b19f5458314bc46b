"""The vet rules once more, on the files as the code host has them: what the bundle says of its patch counts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigError
from bot.evidence.test_paths import is_test_path
from bot.evidence.types import TestId
from bot.patch.apply import apply
from bot.patch.reader import read
from bot.patch.types import Applied, Refusal
from bot.ports import FileWrite, Forge, TreeEntry
from bot.vet import vet
from bot.vet.rules import flaky_masking
from bot.vet.rules.size import MOST_FILES
from bot.vet.subject import Subject
from bot.vet.types import Flake, Grade, Objection
from bot.workspace import paths
from bot.workspace.from_files import EXECUTABLE, File, repository_of

MOST_TARGET_FILES = 5
"""Files of failing tests that the rules are shown; each costs one call."""
_PLAIN = ("100644", EXECUTABLE)


@dataclass(frozen=True, slots=True)
class Refused:
    """The patch does not go out; `reason` is a sentence, made from untrusted text."""

    reason: str


@dataclass(frozen=True, slots=True)
class Vetted:
    """A patch that may go out: the files as the commit shall have them, what the rules say, the tree before it.

    same: the patch reads back to the letter as it was verified; False where it was verified on another commit (a merge)
    and its hunks fit on this one too.
    """

    files: Mapping[str, FileWrite] = field(repr=False)
    objections: tuple[Objection, ...]
    tree: Mapping[str, TreeEntry] = field(repr=False)
    same: bool

    @property
    def grade(self) -> Grade:
        return max((each.grade for each in self.objections), default=Grade.ALLOWED)


class Tree:
    """The files of one commit, each asked for once: the listing costs a call, and so does every blob."""

    def __init__(self, forge: Forge, commit: str) -> None:
        self.commit = commit
        self._forge = forge
        self._entries: Mapping[str, TreeEntry] | None = None
        self._blobs: dict[str, bytes] = {}

    @property
    def entries(self) -> Mapping[str, TreeEntry]:
        if self._entries is None:
            self._entries = self._forge.tree(self.commit)
        return self._entries

    def file(self, path: str) -> File | None:
        """A plain file; None where there is none."""
        entry = self.entries.get(path)
        if entry is None or entry.mode not in _PLAIN:
            return None
        if entry.sha not in self._blobs:
            self._blobs[entry.sha] = self._forge.blob(entry.sha)
        return File(self._blobs[entry.sha], entry.mode)


def revet(
    patch: str,
    targets: Sequence[TestId],
    tree: Tree,
    protect: tuple[str, ...],
    scratch: Path,
    flake: Flake | None = None,
) -> Vetted | Refused:
    """Apply `patch` to the commit of `tree`, in a scratch repository that holds what it touches, and hold it against
    every rule.

    targets: the failing tests, whose files the rules read. protect: globs that no patch may touch. scratch: a folder of
    the caller's. flake: where the targets fail only sometimes; its polluters are another job's word, so that what is
    added to their files goes to a person. ForgeError where the code host does not answer.
    """
    touched = _touched(patch)
    if isinstance(touched, Refusal):
        return Refused(f"the patch cannot be read: {touched.message}")
    if len(touched) > MOST_FILES:
        return Refused(f"the patch touches {len(touched)} files; at most {MOST_FILES} may be changed")
    for path in touched:
        obstacle = _obstacle(path, tree.entries)
        if obstacle is not None:
            return Refused(obstacle)
    test_files = list(dict.fromkeys(test.file for test in targets if test.file.endswith(".py")))[:MOST_TARGET_FILES]
    wanted = dict.fromkeys((*touched, *(path for path in test_files if paths.problem(path) is None)))
    try:
        checkout = repository_of(
            {path: file for path in wanted if (file := tree.file(path)) is not None}, scratch
        ).checkout()
        applied = apply(patch, checkout)
    except ConfigError as error:
        return Refused(f"the patch cannot be placed on {tree.commit[:12]}: {error}")
    if isinstance(applied, Refusal):
        return Refused(f"the patch does not apply to {tree.commit[:12]}: {applied.message}")
    new_tests = tuple(each.path for each in applied.changes if each.status == "A" and is_test_path(each.path))
    objections = vet(Subject(applied, checkout.read, tuple(targets), new_tests, protect, flake))
    objections += () if flake is None else tuple(_in_polluters(applied, flake))
    blocked = [each for each in objections if each.grade is Grade.BLOCKED]
    if blocked:
        return Refused("a rule forbids it: " + "; ".join(f"{each.rule}: {each.message}" for each in blocked[:5]))
    modes = {each.path: each.new_mode for each in applied.changes}
    files = {
        path: FileWrite(content) if content is None else FileWrite(content, modes[path])
        for path, content in applied.overlay.items()
    }
    return Vetted(files, objections, tree.entries, same=applied.patch.text == patch)


def _in_polluters(applied: Applied, flake: Flake) -> Iterator[Objection]:
    """What the rules let pass there, they let pass because of a proof that was made elsewhere."""
    files = {test.file for test in flake.polluters}
    for change in applied.changes:
        if change.path in files and change.status != "A":
            message = f"{change.path} holds a test that leaves something behind, and the patch adds what puts it back"
            yield Objection(flaky_masking.NAME, change.path, message, Grade.REVIEW)


def _touched(patch: str) -> tuple[str, ...] | Refusal:
    drafts = read(patch)
    if isinstance(drafts, Refusal):
        return drafts
    named: Iterator[str | None] = (path for draft in drafts for path in (draft.old_path, draft.new_path))
    return tuple(dict.fromkeys(path for path in named if path is not None))


def _obstacle(path: str, entries: Mapping[str, TreeEntry]) -> str | None:
    """What only the whole tree can tell, for the scratch repository holds a part of it."""
    wrong = paths.problem(path)
    if wrong is not None:
        return f"the path {path!r} {wrong}"
    for above in paths.parents(path):
        if above in entries:
            return f"{path} lies behind {above}, which is no folder; nothing is written through it"
    entry = entries.get(path)
    if entry is not None and entry.mode not in _PLAIN:
        return f"{path} is no plain file (mode {entry.mode}); nothing else is patched"
    if entry is None and any(name.startswith(f"{path}/") for name in entries):
        return f"{path} is a folder; a file cannot take its name"
    return None
