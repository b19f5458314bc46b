"""Reading a repository's own files without git: where its objects lie, what its refs say.

Everything here is hostile input: sizes are bounded, names and hashes are checked, only regular files are read, and the
repository's configuration is not looked at. Formats: gitrepository-layout(5), "packed-refs" and "alternates" there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ConfigError

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_LARGEST = 64 << 20
_MOST_REFS = 500_000
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """A repository as its files describe it.

    root: top of the work tree. head: the commit's hash (40 or 64 hex digits). objects: object folders, own first.
    refs: name → hash. shallow: hashes where history is cut. exclude: text of info/exclude.
    sparse: the work tree may hold a part of the files only.
    """

    root: Path
    head: str
    objects: tuple[Path, ...]
    refs: tuple[tuple[str, str], ...]
    shallow: tuple[str, ...]
    exclude: bytes
    sparse: bool

    @property
    def object_format(self) -> str:
        return "sha1" if len(self.head) == 40 else "sha256"


def locate(path: Path) -> Layout:
    """The repository that `path` lies in. ConfigError where there is none, it is bare, or it has no commit yet."""
    start = Path(os.path.realpath(path))
    if not start.exists():
        raise ConfigError(f"{path} does not exist; give the path of a git checkout")
    for root in (start, *start.parents):
        marker = root / ".git"
        if os.path.lexists(marker):
            return _read(root, _git_dir(marker))
        if (root / "objects").is_dir() and (root / "refs").is_dir() and (root / "HEAD").is_file():
            raise ConfigError(f"{root} is a bare repository (or a .git folder); give the path of a checkout with files")
    raise ConfigError(f"{path} is not inside a git repository; run `git init` and commit first, or give another path")


def _git_dir(marker: Path) -> Path:
    if marker.is_dir():
        return marker
    content = _text(marker)
    if content is None or not content.startswith("gitdir:"):
        raise ConfigError(f"{marker} is neither a folder nor a file with a 'gitdir:' line; is the checkout damaged?")
    target = marker.parent / content.removeprefix("gitdir:").strip()
    if not target.is_dir():
        raise ConfigError(f"{marker} points to {target}, which is not there; repair the worktree or submodule first")
    return Path(os.path.realpath(target))


def _read(root: Path, git_dir: Path) -> Layout:
    common = _text(git_dir / "commondir")
    common_dir = Path(os.path.realpath(git_dir / common.strip())) if common else git_dir
    objects = common_dir / "objects"
    if not objects.is_dir():
        raise ConfigError(f"{git_dir} has no objects folder; it is not a git repository, or it is damaged")
    if (common_dir / "reftable").is_dir():
        raise ConfigError(
            f"{root} keeps its refs in the reftable format, which is not supported;"
            " run `git refs migrate --ref-format=files` on a clone"
        )
    refs = _refs(common_dir)
    head = _resolve(git_dir, "HEAD", refs, 0)
    if head is None:
        raise ConfigError(f"{root} has no commit yet, or its HEAD is damaged; commit the code first")
    shallow = (_text(common_dir / "shallow") or "").split()
    return Layout(
        root=root,
        head=head,
        objects=tuple(dict.fromkeys(_alternates(objects, 0))),
        refs=tuple(sorted((name, value) for name, value in refs.items() if len(value) == len(head))),
        shallow=tuple(line for line in shallow if _HASH.fullmatch(line)),
        exclude=_bytes(common_dir / "info" / "exclude") or b"",
        sparse=(git_dir / "info" / "sparse-checkout").is_file(),
    )


def _refs(common_dir: Path) -> dict[str, str]:
    refs: dict[str, str] = {}
    for line in (_text(common_dir / "packed-refs") or "").split("\n"):
        value, _, name = line.partition(" ")
        if _HASH.fullmatch(value) and _good_name(name):
            refs[name] = value
    symbolic: dict[str, str] = {}
    for name, path in _loose(common_dir):
        content = (_text(path) or "").strip()
        if _HASH.fullmatch(content):
            refs[name] = content
        elif content.startswith("ref:"):
            symbolic[name] = content.removeprefix("ref:").strip()
    for name, target in symbolic.items():  # refs/remotes/origin/HEAD; a longer chain is nobody's habit
        if target in refs:
            refs[name] = refs[target]
    return refs


def _loose(common_dir: Path) -> Iterator[tuple[str, Path]]:
    count = 0
    for folder, _, names in os.walk(common_dir / "refs"):
        for file_name in names:
            count += 1
            if count > _MOST_REFS:
                raise ConfigError(f"{common_dir} has more than {_MOST_REFS} loose refs; run `git pack-refs --all`")
            path = Path(folder) / file_name
            name = path.relative_to(common_dir).as_posix()
            if _good_name(name):
                yield name, path


def _good_name(name: str) -> bool:
    """git-check-ref-format(1), and no replacement refs: those change what a commit says."""
    return (
        _REF.fullmatch(name) is not None
        and not name.startswith("refs/replace/")
        and ".." not in name
        and "@{" not in name
        and all(part and not part.startswith(".") and not part.endswith((".lock", ".")) for part in name.split("/"))
    )


def _resolve(git_dir: Path, name: str, refs: dict[str, str], depth: int) -> str | None:
    path = git_dir / name
    content = (_text(path) or "").strip() if name == "HEAD" or name.startswith("refs/worktree/") else refs.get(name, "")
    if _HASH.fullmatch(content):
        return content
    if content.startswith("ref:") and depth < _DEEPEST:
        target = content.removeprefix("ref:").strip()
        return _resolve(git_dir, target, refs, depth + 1) if _good_name(target) else None
    return None


def _alternates(objects: Path, depth: int) -> Iterator[Path]:
    folder = Path(os.path.realpath(objects))
    if "\n" in str(folder):
        raise ConfigError(f"the object folder {str(folder)!r} has a line break in its path; move the repository")
    yield folder
    if depth >= _DEEPEST:
        return
    for line in (_text(folder / "info" / "alternates") or "").split("\n"):
        if line and not line.startswith(("#", '"')) and (folder / line).is_dir():
            yield from _alternates(folder / line, depth + 1)


def _text(path: Path) -> str | None:
    content = _bytes(path)
    return None if content is None else os.fsdecode(content)


def _bytes(path: Path) -> bytes | None:
    """A regular file's content; None where there is none. Non-blocking, for a FIFO in its place must not hang us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than {_LARGEST >> 20} MiB; this does not look like a git repository")
        return file.read(_LARGEST)
