"""A clean checkout: plain files without .git, and the differences that an overlay makes to it, in git's words."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigError
from bot.ports import Overlay
from bot.workspace import paths
from bot.workspace.store import Store
from bot.workspace.types import Change

REGULAR = "100644"
SYMLINK = "120000"
SUBMODULE = "160000"
ABSENT = "000000"
_RAW = re.compile(rb":(?P<old>\d{6}) (?P<new>\d{6}) [0-9a-f]+ [0-9a-f]+ (?P<status>[A-Z])\d*")
_DIFF = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")


@dataclass(frozen=True, slots=True)
class Entry:
    """A tracked file: `mode` six octal digits, `blob` its object id."""

    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files of `commit` (and, where asked for, the work tree's uncommitted state) at `path`; nobody writes there.

    entries: every tracked path. submodules: paths of submodules, whose files are not checked out.
    large_files: paths that are Git LFS pointers and stay so. dirty: paths that differ from the commit.
    """

    path: Path
    commit: str
    tree: str
    entries: Mapping[str, Entry] = field(repr=False)
    submodules: tuple[str, ...]
    large_files: tuple[str, ...]
    dirty: tuple[str, ...]
    store: Store = field(repr=False)
    index: Path = field(repr=False)

    def read(self, path: str) -> bytes | None:
        """Content of a regular tracked file as checked out; None for all else (symbolic links are not followed)."""
        entry = self.entries.get(path)
        if entry is None or not entry.mode.startswith("100"):
            return None
        try:
            descriptor = os.open(self.path / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def mode(self, path: str) -> str | None:
        """Mode of a tracked path, or of the symbolic link or submodule above it that hides it; None where free."""
        for name in (path, *paths.parents(path)):
            entry = self.entries.get(name)
            if entry is not None:
                return entry.mode
            if name in self.submodules:
                return SUBMODULE
        return None

    def diff(self, overlay: Overlay) -> tuple[str, tuple[Change, ...]]:
        """What git says an overlay changes: the unified text, which `git apply` takes on the commit, and the entries.

        Existing files keep their mode, new ones get 100644. ConfigError for a path that git does not take, or for
        text that is not UTF-8 (which a patch in a JSON result cannot carry).
        """
        index = self.store.temporary_index(self.index)
        try:
            records = [self._record(path, content) for path, content in sorted(overlay.items())]
            self.store.git("update-index", "-z", "--index-info", index=index, stdin=b"".join(records))
            after = self.store.git("write-tree", index=index).decode().strip()
        finally:
            index.unlink(missing_ok=True)
        text, changes = self.compare(self.tree, after)
        for change in changes:
            if change.path not in overlay:  # git makes room for a file under a file, or for one in place of a folder
                raise ConfigError(f"the overlay would displace {change.path}; a path is a file or a folder, not both")
        return text, changes

    def compare(self, before: str, after: str) -> tuple[str, tuple[Change, ...]]:
        """Difference of two trees in the store; see `diff`."""
        both = (before, after)
        raw = self.store.git("diff-tree", "-r", "-z", "--raw", *_DIFF, *both)
        counts = self.store.git("diff-tree", "-r", "-z", "--numstat", *_DIFF, *both)
        text = self.store.git(
            "diff-tree",
            "-r",
            "-p",
            "-U3",
            "--binary",
            "--full-index",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            *_DIFF,
            *both,
        )
        changes = _changes(raw, counts)
        try:
            return text.decode("utf-8"), changes
        except UnicodeDecodeError as error:
            names = ", ".join(change.path for change in changes if not change.binary)
            raise ConfigError(
                f"the change is not UTF-8 text (among {names}); only UTF-8 sources can be patched, convert it first"
            ) from error

    def _record(self, path: str, content: bytes | None) -> bytes:
        wrong = paths.problem(path)
        if wrong is not None:
            raise ConfigError(f"the path {path!r} {wrong}")
        name = path.encode()
        if content is None:
            return b"0 " + b"0" * len(self.commit) + b"\t" + name + b"\0"
        entry = self.entries.get(path)
        mode = entry.mode if entry is not None and entry.mode.startswith("100") else REGULAR
        return mode.encode() + b" " + self._blob(path, content, entry) + b"\t" + name + b"\0"

    def _blob(self, path: str, content: bytes, entry: Entry | None) -> bytes:
        # Where line ends were converted on the way out, they are converted on the way back, as `git add` does.
        # Where they were not (also: CRLF committed against the attributes), the bytes go in as they are.
        how = f"--path={path}"
        if entry is not None:
            base = self.read(path)
            if base is not None and _blob_id(base, len(self.commit)) == entry.blob:
                how = "--no-filters"
        return self.store.git("hash-object", "-w", "--stdin", how, work_tree=self.path, stdin=content).strip()


def _blob_id(content: bytes, digits: int) -> str:
    digest = hashlib.sha1(usedforsecurity=False) if digits == 40 else hashlib.sha256()
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()


def _changes(raw: bytes, counts: bytes) -> tuple[Change, ...]:
    numbers: dict[bytes, tuple[bytes, bytes]] = {}
    for record in counts.split(b"\0"):
        if record:
            added, deleted, name = record.split(b"\t", 2)
            numbers[name] = (added, deleted)
    fields = raw.split(b"\0")
    changes = []
    for header, name in zip(fields[0::2], fields[1::2], strict=False):
        match = _RAW.fullmatch(header)
        assert match is not None, header
        added, deleted = numbers.get(name, (b"0", b"0"))
        binary = added == b"-"
        changes.append(
            Change(
                path=os.fsdecode(name),
                status=match["status"].decode(),
                old_mode=match["old"].decode(),
                new_mode=match["new"].decode(),
                binary=binary,
                added=0 if binary else int(added),
                deleted=0 if binary else int(deleted),
            )
        )
    return tuple(changes)
