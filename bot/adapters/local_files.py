"""Files of the process sandbox: copying a tree, writing and reading below a directory that hostile code has shaped.

Everything below a box is walked by descriptor, one component at a time and never through a symbolic link: between a
check of a path and its use the code under test could put a link there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bot import process
from bot.errors import SandboxError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_PLAIN_FILE = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENODEV)


def copy_tree(source: Path, target: Path) -> None:
    """Copy directories, regular files and symbolic links with their modes and times; anything else is left out.

    `target` must not exist. Raises SandboxError (disk full, unreadable file).
    """
    try:
        _copy(os.fspath(source), os.fspath(target))
    except OSError as error:
        raise SandboxError(f"cannot copy the checkout to {target}: {error}; is the disk full?") from error


def _copy(source: str, target: str) -> None:
    os.mkdir(target, 0o700)  # noqa: PTH102 (strings: a Path per file costs more than the copy)
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)  # noqa: PTH115, PTH211
            elif entry.is_dir(follow_symlinks=False):
                _copy(entry.path, place)
            elif entry.is_file(follow_symlinks=False):
                about = entry.stat(follow_symlinks=False)
                shutil.copyfile(entry.path, place, follow_symlinks=False)
                os.chmod(place, stat.S_IMODE(about.st_mode))  # noqa: PTH101
                os.utime(place, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.chmod(target, stat.S_IMODE(os.stat(source).st_mode) | 0o700)  # noqa: PTH101, PTH116


def remove_tree(path: Path) -> bool:
    """Delete a directory whatever modes and depths it has; False where something of it is left."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except (OSError, RecursionError):
        # Read-only directories, or nested deeper than Python recurses: these two programs cope with both.
        process.run(["chmod", "-R", "u+rwX", "--", path])
        process.run(["rm", "-rf", "--", path], seconds=300.0)
    return not os.path.lexists(path)


def write_files(root: Path, files: Mapping[str, bytes | None]) -> None:
    """Write whole files below `root`, None deletes; deletions first, so that a directory can take a file's name.

    An existing file keeps its mode, a new one gets 0644; a link in the file's own place is replaced. Raises
    SandboxError for a path that leads through a symbolic link, ValueError for one that is absolute or has `..` in it
    (a defect of the caller).
    """
    for name, content in sorted(files.items(), key=lambda item: item[1] is not None):
        parts = _parts(name)
        try:
            if content is None:
                _delete(root, parts)
            else:
                _write(root, parts, content)
        except OSError as error:
            raise SandboxError(f"cannot write {name!r} in the box: {error.strerror or error}") from error


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"not a plain relative path: {name!r}")
    return parts


@contextmanager
def _parent(root: Path, parts: list[str], *, create: bool) -> Iterator[int]:
    """Descriptor of the directory that holds the last of `parts`."""
    directory = os.open(root, _DIRECTORY)
    try:
        for part in parts[:-1]:
            if create:
                try:
                    os.mkdir(part, 0o755, dir_fd=directory)
                except FileExistsError:
                    pass
            inner = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        yield directory
    finally:
        os.close(directory)


def _write(root: Path, parts: list[str], content: bytes) -> None:
    name = parts[-1]
    with _parent(root, parts, create=True) as directory:
        mode = 0o644
        try:
            about = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISREG(about.st_mode):
                mode = stat.S_IMODE(about.st_mode)
            os.unlink(name, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)


def _delete(root: Path, parts: list[str]) -> None:
    """Unlink; a directory that becomes empty goes too, as git has it."""
    try:
        with _parent(root, parts, create=False) as directory:
            os.unlink(parts[-1], dir_fd=directory)
        for depth in range(len(parts) - 1, 0, -1):
            with _parent(root, parts[:depth], create=False) as directory:
                os.rmdir(parts[depth - 1], dir_fd=directory)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def read_file(root: Path, name: str, limit: int) -> bytes | None:
    """Contents of a regular file of at most `limit` bytes below `root`; None where there is none.

    Raises SandboxError for links, FIFOs, sockets, devices, directories, and for more than `limit` bytes.
    """
    parts = _parts(name)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO without a writer must not block
    try:
        with _parent(root, parts, create=False) as directory:
            descriptor = os.open(parts[-1], flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _NOT_A_PLAIN_FILE:
            raise SandboxError(f"{name!r} in the box is not a regular file; it was not followed") from error
        raise SandboxError(f"cannot read {name!r} in the box: {error.strerror or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SandboxError(f"{name!r} in the box is not a regular file; it was not read")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise SandboxError(f"{name!r} in the box is larger than {limit} bytes; it was not read")
    return content
