"""A repository seen safely: clean checkouts, uncommitted paths, what changed since a revision."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigError
from bot.ports import Overlay
from bot.workspace import layout, work_tree
from bot.workspace.checkout import SUBMODULE, Checkout, Entry
from bot.workspace.store import Store
from bot.workspace.types import ChangedRange

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d+)\n"
)
_LARGEST_POINTER = 1024
_RANGE = re.compile(rb"@@ -\d+(?:,\d+)? \+(?P<first>\d+)(?:,(?P<count>\d+))? @@")
_LONGEST_DIFF = 2 << 20


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository whose own configuration is never read. `root`: top of its work tree; `head`: its commit's hash.

    submodules: paths of submodules at HEAD; they are never checked out, and no patch may touch them.
    """

    root: Path
    head: str
    submodules: tuple[str, ...]
    store: Store = field(repr=False)
    index: Path = field(repr=False)

    @classmethod
    def open(cls, path: Path, scratch: Path) -> Repository:
        """The repository that `path` lies in. `scratch`: a folder outside of it that takes our own store and checkouts;
        whoever made it removes it.

        ConfigError: no repository, bare, no commit yet, refs in an unsupported format, objects missing, no git.
        """
        found = layout.locate(path)
        scratch = Path(os.path.realpath(scratch))
        store = Store.create(found, scratch)
        kind = store.attempt(["cat-file", "-t", found.head])
        if kind.stdout.strip() != b"commit":
            raise ConfigError(
                f"HEAD of {found.root} names {found.head[:12]}, which is not among its objects; run `git fsck`"
            )
        index = store.temporary_index()
        submodules = _read_tree(store, index, found.head)
        return cls(found.root, found.head, submodules, store, index)

    def dirty(self) -> tuple[str, ...]:
        """Paths, sorted, that differ from HEAD or are untracked and not ignored; non-UTF-8 bytes come as `\\xNN`.

        An untracked repository inside this one is listed with a slash at its end. Not known here: the user's global
        ignore file, for global configuration is not read. In a sparse checkout absent files are not counted.
        """
        return _decoded(self._differing())

    def modified(self) -> tuple[str, ...]:
        """Those of `dirty` that HEAD knows: what is edited or deleted, without what is merely new."""
        return _decoded(self._modified())

    def checkout(self, revision: str = "HEAD", include_work_tree: bool = False) -> Checkout:
        """A new folder in the scratch space with the files of a revision, and nothing of git's.

        include_work_tree: the uncommitted state, with files that are untracked and not ignored, on top of HEAD.
        ConfigError for an unknown revision, for unreadable files, and for `include_work_tree` with another revision.
        """
        commit = self.resolve(revision)
        if include_work_tree and commit != self.head:
            raise ConfigError(f"uncommitted changes can be taken on top of HEAD only, not of {revision!r}")
        destination = Path(tempfile.mkdtemp(prefix="checkout-", dir=self.store.scratch))
        index = self.store.temporary_index()
        submodules = _read_tree(self.store, index, commit)
        dirty: tuple[str, ...] = ()
        if include_work_tree:
            names = self._differing()
            self._stage(index, names)
            dirty = _decoded(names)
        tree = self.store.git("write-tree", index=index).decode().strip()
        self.store.git("checkout-index", "--all", "--force", "--quiet", index=index, work_tree=destination)
        entries = _entries(self.store.git("ls-files", "-s", "-z", index=index))
        return Checkout(
            path=destination,
            commit=commit,
            tree=tree,
            entries=entries,
            submodules=submodules,
            large_files=self._large_files(destination, entries, tree),
            dirty=dirty,
            store=self.store,
            index=index,
        )

    def file(self, path: str) -> bytes | None:
        """Content of a regular file at HEAD, as committed; None where there is none of that name."""
        listed = self.store.attempt(["ls-tree", "-z", self.head, "--", path]).stdout
        entry = re.fullmatch(rb"100(?:644|755) blob (?P<blob>[0-9a-f]+)\t[^\0]*\0", listed)
        return None if entry is None else self.store.git("cat-file", "blob", entry["blob"].decode("ascii"))

    def resolve(self, revision: str) -> str:
        """Hash of the commit that a revision names (branch, tag, hash, `HEAD~3`); ConfigError where there is none."""
        if not revision or revision.startswith("-") or not revision.isprintable():
            raise ConfigError(f"{revision!r} cannot be a revision; give a commit, branch or tag of {self.root}")
        found = self.store.attempt(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
        value = found.stdout.decode("ascii", "replace").strip()
        if found.exit_code != 0 or not value:
            hint = "; the clone is shallow, `git fetch --unshallow` may bring it" if self.store.layout.shallow else ""
            raise ConfigError(f"no commit {revision!r} in {self.root}{hint}")
        return value

    def parents(self, revision: str) -> tuple[str, ...]:
        """Hashes of a commit's parents, also of those that a shallow clone does not have; none for a root commit."""
        commit = self.store.git("cat-file", "commit", self.resolve(revision))
        header = commit.partition(b"\n\n")[0].split(b"\n")
        return tuple(line[7:].decode("ascii") for line in header if line.startswith(b"parent "))

    def tree(self, revision: str) -> str:
        """Hash of a commit's tree: two commits with the same files have the same."""
        return self.store.git("rev-parse", f"{self.resolve(revision)}^{{tree}}").decode("ascii").strip()

    def changed_since(self, revision: str, until: Checkout | None = None) -> tuple[tuple[ChangedRange, ...], str]:
        """What changed from a (good) revision to HEAD, or to the state of a checkout: new-side ranges and unified text.

        A pure deletion counts as the line before it. Renamed files are compared with what they were. Text past 2 MiB is
        cut at a line and says so; bytes that are not UTF-8 are replaced in it. ConfigError for an unknown revision.
        """
        good = self.resolve(revision)
        target = until.tree if until is not None else self.head
        options = ("-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
        both = (good, target)
        edited = "--diff-filter=AMR"  # a change of type would come as two sections under one name
        names = _names(self.store.git("diff-tree", "-z", "--name-only", edited, *options, *both))
        bare = self.store.git("diff-tree", "-p", "-U0", edited, *options, *both)
        ranges = _ranges([os.fsdecode(name) for name in names], bare)
        text = self.store.git("diff-tree", "-p", "--src-prefix=a/", "--dst-prefix=b/", *options, *both)
        if len(text) > _LONGEST_DIFF:
            text = text[: text.rfind(b"\n", 0, _LONGEST_DIFF) + 1] + b"[the rest of this difference was cut]\n"
        return ranges, text.decode("utf-8", "replace")

    def apply_to_work_tree(self, overlay: Overlay, checkout: Checkout) -> tuple[str, ...]:
        """Write a verified overlay into the user's work tree; returns the paths written.

        ConfigError, and nothing written, where a file is not byte for byte what `checkout` had when the overlay was
        verified, or is reached through a symbolic link. A failure half-way puts back what was written.
        """
        return work_tree.write(self.root, overlay, {path: checkout.read(path) for path in overlay})

    def _differing(self) -> tuple[bytes, ...]:
        """Raw names of modified, deleted and untracked paths of the work tree."""
        index, root = self.index, self.root
        others = _names(self.store.git("ls-files", "-z", "-o", "--exclude-standard", index=index, work_tree=root))
        hidden = tuple(f"{path}/".encode("utf-8", "surrogateescape") for path in self.submodules)
        untracked = {name for name in others if not name.startswith(hidden)}
        return tuple(sorted(self._modified() | untracked))

    def _modified(self) -> set[bytes]:
        """Raw names of modified and deleted paths."""
        index, root = self.index, self.root
        self.store.attempt(["update-index", "-q", "--refresh"], index=index, work_tree=root)  # warms the stat cache
        modified = set(_names(self.store.git("ls-files", "-z", "-m", index=index, work_tree=root)))
        if self.store.layout.sparse:
            modified -= set(_names(self.store.git("ls-files", "-z", "-d", index=index, work_tree=root)))
        return modified - self._unchanged_large_files(modified)

    def _stage(self, index: Path, names: tuple[bytes, ...]) -> None:
        present: list[bytes] = []
        gone: list[bytes] = []
        for name in names:
            if name.endswith(b"/"):
                continue  # a repository inside the repository: listed as dirty, never taken along
            path = self.root / os.fsdecode(name)
            mode = path.lstat().st_mode if os.path.lexists(path) else 0
            (present if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else gone).append(name)
        for command, chosen in (("--force-remove", gone), ("--add", present)):
            stdin = b"".join(name + b"\0" for name in chosen)
            arguments = ("update-index", "--replace", command, "-z", "--stdin")
            self.store.git(*arguments, index=index, work_tree=self.root, stdin=stdin)

    def _unchanged_large_files(self, modified: set[bytes]) -> set[bytes]:
        """Modified paths whose committed blob is an LFS pointer to exactly the content in the work tree."""
        entries = _entries(self.store.git("ls-files", "-s", "-z", index=self.index))
        unchanged = set()
        for name in modified:
            entry = entries.get(os.fsdecode(name))
            path = self.root / os.fsdecode(name)
            if entry is None or path.is_symlink() or not path.is_file():
                continue
            if int(self.store.git("cat-file", "-s", entry.blob)) > _LARGEST_POINTER:
                continue
            pointer = _POINTER.fullmatch(self.store.git("cat-file", "blob", entry.blob))
            if pointer is None or path.stat().st_size != int(pointer["size"]):
                continue
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == pointer["oid"].decode():
                    unchanged.add(name)
        return unchanged

    def _large_files(self, folder: Path, entries: dict[str, Entry], tree: str) -> tuple[str, ...]:
        attributes = (folder / path for path in entries if path.rpartition("/")[2] == ".gitattributes")
        if not any(
            b"filter=lfs" in path.read_bytes() for path in attributes if path.is_file() and not path.is_symlink()
        ):
            return ()
        found = []
        for record in self.store.git("ls-tree", "-r", "-l", "-z", tree).split(b"\0"):
            description, _, name = record.partition(b"\t")
            size = description.split()[3:4]
            path = os.fsdecode(name)
            if not size or not size[0].isdigit() or int(size[0]) > _LARGEST_POINTER:
                continue
            if entries[path].mode.startswith("100") and _POINTER.fullmatch((folder / path).read_bytes()):
                found.append(path)
        return tuple(found)


def _read_tree(store: Store, index: Path, commit: str) -> tuple[str, ...]:
    """Fill an index from a commit, without its submodules; returns their paths."""
    store.git("read-tree", commit, index=index)
    entries = _entries(store.git("ls-files", "-s", "-z", index=index))
    submodules = tuple(path for path, entry in entries.items() if entry.mode == SUBMODULE)
    if submodules:
        stdin = b"".join(os.fsencode(path) + b"\0" for path in submodules)
        store.git("update-index", "--force-remove", "-z", "--stdin", index=index, work_tree=store.path, stdin=stdin)
    return submodules


def _decoded(names: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(sorted(name.decode("utf-8", "backslashreplace") for name in names))


def _entries(listing: bytes) -> dict[str, Entry]:
    entries = {}
    for record in filter(None, listing.split(b"\0")):
        description, _, name = record.partition(b"\t")
        mode, blob, _stage = description.decode().split(" ")
        entries[os.fsdecode(name)] = Entry(mode, blob)
    return entries


def _names(listing: bytes) -> list[bytes]:
    return [name for name in listing.split(b"\0") if name]


def _ranges(names: list[str], text: bytes) -> tuple[ChangedRange, ...]:
    """Read a diff without context: `names` are its files in order, for names in the text may be quoted."""
    ranges = []
    remaining = iter(names)
    path = ""
    for line in text.split(b"\n"):
        if line.startswith(b"diff --git "):
            path = next(remaining)
            continue
        match = _RANGE.match(line)
        if match is not None:
            first, count = int(match["first"]), int(match["count"] or 1)
            ranges.append(ChangedRange(path, max(first, 1), max(first + count - 1, first, 1)))
    return tuple(ranges)
