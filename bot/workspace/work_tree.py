"""Writing into the user's work tree: all or nothing, never over an edit, never through a symbolic link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bot.errors import ConfigError
from bot.ports import Overlay
from bot.workspace import paths


def write(root: Path, overlay: Overlay, expected: Mapping[str, bytes | None]) -> tuple[str, ...]:
    """Make `overlay` true below `root` if every path still holds `expected` (None: is absent); returns the paths.

    ConfigError names every path that is otherwise, before anything is written.
    """
    reasons = [f"{path}: {reason}" for path in sorted(overlay) if (reason := _obstacle(root, path, expected[path]))]
    if reasons:
        raise ConfigError(
            "the fix was not written, for the work tree is not what was verified:\n  "
            + "\n  ".join(reasons)
            + "\nCommit or set aside these edits and apply fix.patch by hand with `git apply --3way`."
        )
    done: list[str] = []
    try:
        for path, content in sorted(overlay.items()):
            done.append(path)
            _replace(root, path, content, expected[path])
    except BaseException as error:
        for path in reversed(done):
            _put_back(root, path, overlay[path], expected[path])
        if isinstance(error, OSError):
            raise ConfigError(
                f"cannot write {done[-1]} in {root}: {error.strerror or error}; nothing was changed"
            ) from error
        raise
    return tuple(done)


def _obstacle(root: Path, path: str, expected: bytes | None) -> str | None:
    wrong = paths.problem(path)
    if wrong is not None:
        return f"the path {wrong}"
    try:
        with _folder(root, path, create=False) as folder:
            found = _read(folder, path.rpartition("/")[2])
    except FileNotFoundError:
        found = None
    except OSError as error:
        return f"is reached through a link or a file, or cannot be read ({error.strerror or error})"
    if found == expected:
        return None
    if expected is None:
        return "exists already"
    return "is gone" if found is None else "was edited meanwhile"


def _read(folder: int, name: str) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return file.read()


def _replace(root: Path, path: str, content: bytes | None, expected: bytes | None) -> None:
    name = path.rpartition("/")[2]
    with _folder(root, path, create=content is not None) as folder:
        if _read(folder, name) != expected:  # looked at a moment ago; an editor may have saved since
            raise OSError(0, "it was edited just now")
        if content is None:
            os.unlink(name, dir_fd=folder)
            return
        mode = 0o644 if expected is None else stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        temporary = f".{name[:100]}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if expected is not None:
                    os.fchmod(descriptor, mode)
            if expected is None:
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)  # fails where the name is taken
            else:
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            if _present(folder, temporary):
                os.unlink(temporary, dir_fd=folder)


def _put_back(root: Path, path: str, written: bytes | None, expected: bytes | None) -> None:
    """Undo one write, if it happened: only what we wrote ourselves is replaced."""
    try:
        with _folder(root, path, create=False) as folder:
            if _read(folder, path.rpartition("/")[2]) != written or written == expected:
                return
        _replace(root, path, expected, written)
    except OSError:
        return  # the disk that failed the write fails the undo: the error raised says where


def _present(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _folder(root: Path, path: str, *, create: bool) -> Iterator[int]:
    """Descriptor of the folder that holds `path`, reached without following a link below `root`."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(root, flags)
    try:
        for name in path.split("/")[:-1]:
            if create and not _present(descriptor, name):
                os.mkdir(name, dir_fd=descriptor)
            inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
