"""The repository's files as the model may see them: what git knows at base, and the draft on top. Links stay shut."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bot.evidence.text import one_line
from bot.ports import Overlay
from bot.workspace import paths

LARGEST = 4 << 20
"""Bytes of a file that are looked at."""

_NEAR = 5  # paths of the same name that are offered for a wrong one


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text. size: bytes of the whole file; `cut` where only LARGEST of them were read."""

    path: str
    content: str
    size: int
    cut: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """Split at line feeds alone, as diffs count."""
        lines = self.content.split("\n")
        return tuple(lines[:-1] if lines[-1] == "" else lines)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is nothing to see. near: paths of the repository that may have been meant (untrusted, as all names)."""

    reason: str
    near: tuple[str, ...] = ()


class Files:
    """Files below `tree`, a clean checkout that nobody writes to, with `overlay` over it."""

    def __init__(self, tree: Path, overlay: Overlay | None = None, base: Files | None = None) -> None:
        self._tree = tree
        self._overlay = overlay or {}
        self._base = base

    def under(self, overlay: Overlay) -> Files:
        """The same files with others over them."""
        return Files(self._tree, overlay, self)

    @property
    def tree(self) -> Path:
        return self._tree

    @property
    def overlay(self) -> Overlay:
        return self._overlay

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Paths of all regular files, sorted: those of the checkout, which are the ones that git knows, and the
        overlay's. Links, and what lies behind them, are not among them."""
        found = set(self._base.paths if self._base is not None else _walk(self._tree))
        for path, content in self._overlay.items():
            (found.discard if content is None else found.add)(path)
        return tuple(sorted(found))

    def read(self, path: str) -> Text | Unreadable:
        """A text file by its repository path."""
        content = self._content(path, LARGEST)
        return content if isinstance(content, Unreadable) else _text(path, *content)

    def holding(self, word: str, limit: int) -> Iterator[Text | None]:
        """Every text file that holds `word`, by path; None, and the end, where more than `limit` bytes were read."""
        needle, left = word.encode(), limit
        for path in self.paths:
            content = self._content(path, LARGEST)
            if isinstance(content, Unreadable):
                continue
            left -= len(content[0])
            if left < 0:
                yield None
                return
            text = _text(path, *content) if needle in content[0] else None
            if isinstance(text, Text):
                yield text

    def raw(self, path: str) -> bytes | None:
        """Whole content of a regular file, None for all else."""
        content = self._content(path, -1)
        return None if isinstance(content, Unreadable) else content[0]

    def _content(self, path: str, limit: int) -> tuple[bytes, int] | Unreadable:
        """At most `limit` bytes (-1: all) and the whole size."""
        wrong = paths.problem(path)
        if wrong is not None:
            return Unreadable(f"the path {wrong}", self._namesakes(path))
        if path in self._overlay:
            content = self._overlay[path]
            if content is None:
                return Unreadable("your draft deletes it")
            return content[: None if limit < 0 else limit], len(content)
        try:
            return _read(self._tree, path, limit)
        except (FileNotFoundError, NotADirectoryError):
            return Unreadable("there is no such file in the repository", self._namesakes(path))
        except IsADirectoryError:
            return Unreadable(
                f"it is a folder; list_files with the glob '{one_line(path, 200)}/**' shows what is in it"
            )
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                return Unreadable("it is, or lies behind, a symbolic link, which is not followed; read what it means")
            return Unreadable("it is no plain file")

    def _namesakes(self, path: str) -> tuple[str, ...]:
        """Files of the same name elsewhere: tracebacks show paths of another root."""
        name = path.rpartition("/")[2].casefold()
        return tuple(other for other in self.paths if other.rpartition("/")[2].casefold() == name)[:_NEAR]


def _text(path: str, raw: bytes, size: int) -> Text | Unreadable:
    if b"\0" in raw[:8192]:
        return Unreadable(f"it is binary ({size:,} bytes); only text can be shown")
    return Text(path, raw.decode("utf-8", "replace").replace("\r\n", "\n"), size, cut=size > len(raw))


def _read(tree: Path, path: str, limit: int) -> tuple[bytes, int]:
    """Content and size; every component is opened without following a link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    *folders, name = path.split("/")
    folder = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, "a symbolic link")  # O_DIRECTORY would only say that it is no folder
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise IsADirectoryError if stat.S_ISDIR(found.st_mode) else OSError(errno.EINVAL, "not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit), found.st_size


def _walk(tree: Path) -> Iterator[str]:
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(tree / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name + "/")
                elif entry.is_file(follow_symlinks=False) and paths.problem(name) is None:
                    yield name
