"""Files into and out of containers: tar archives in, bounded regular files out."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from docker.errors import NotFound

from bot.adapters.docker_engine import UID, Engine
from bot.errors import SandboxError
from bot.ports import Overlay

CHUNK = 1 << 20
CLOSING = bytes(2 * tarfile.BLOCKSIZE)
NOT_REGULAR = 0x8F280000  # the type bits of Go's io/fs.FileMode
DIRECTORY = 0x80000000


@dataclass(slots=True)
class Packed:
    """A packed tree, for many boxes: an unlinked tar that ends after `end` bytes, without the closing blocks.

    paths: its files and links, relative. executables: those that may be run. size: their bytes.
    """

    file: IO[bytes]
    paths: tuple[str, ...]
    executables: frozenset[str]
    size: int
    end: int

    def chunks(self, more: bytes = CLOSING) -> Iterator[bytes]:
        """The archive and then `more`, a whole tar whose entries win; several threads may read at once."""
        offset = 0
        while chunk := os.pread(self.file.fileno(), min(CHUNK, self.end - offset), offset):
            offset += len(chunk)
            yield chunk
        yield more

    @contextlib.contextmanager
    def appending(self) -> Iterator[tarfile.TarFile]:
        """Add entries at the end."""
        self.file.seek(self.end)
        with tarfile.open(fileobj=self.file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            yield archive
            self.end = archive.offset
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def pack_tree(root: Path) -> Packed:
    """Pack the regular files, directories and symbolic links below `root`, owned by the box's user.

    Links are packed as links, never followed; FIFOs, sockets and devices are left out.
    """
    if not root.is_dir():
        raise SandboxError(f"there is no checkout at {root}; nothing can be put into the sandbox")
    packed = Packed(tempfile.TemporaryFile(prefix="grokfix-tree-"), (), frozenset(), 0, 0)  # noqa: SIM115 (closed by Packed)
    paths: list[str] = []
    executables: set[str] = set()
    try:
        with packed.appending() as archive:
            for path in _walk(root):
                relative = path.relative_to(root).as_posix()
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode):
                    archive.addfile(_entry(relative, tarfile.DIRTYPE, mode=0o755, mtime=status.st_mtime))
                elif stat.S_ISLNK(status.st_mode):
                    link = _entry(relative, tarfile.SYMTYPE, mode=0o777, mtime=status.st_mtime)
                    link.linkname = os.readlink(path)  # noqa: PTH115 (as it is, not normalised)
                    archive.addfile(link)
                    paths.append(relative)
                elif stat.S_ISREG(status.st_mode):
                    with path.open("rb") as source:
                        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
                        if mode == 0o755:
                            executables.add(relative)
                        entry = _entry(relative, tarfile.REGTYPE, mode=mode, mtime=status.st_mtime)
                        entry.size = os.fstat(source.fileno()).st_size
                        archive.addfile(entry, source)
                    paths.append(relative)
                    packed.size += entry.size
    except OSError as error:
        packed.close()
        raise SandboxError(f"the checkout at {root} cannot be packed for the sandbox: {error}") from error
    packed.paths = tuple(paths)
    packed.executables = frozenset(executables)
    return packed


def split(overlay: Overlay) -> tuple[dict[str, bytes], list[str]]:
    """What an overlay writes, and what it deletes."""
    written = {relative_path(path): content for path, content in overlay.items() if content is not None}
    return written, [relative_path(path) for path, content in overlay.items() if content is None]


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in folders:  # links to directories are among them; os.walk does not enter those
            yield Path(folder, name)
        for name in sorted(files):
            yield Path(folder, name)


def pack_files(
    files: Mapping[str, bytes], *, uid: int = UID, mode: int = 0o644, executables: Set[str] = frozenset()
) -> bytes:
    """A tar of whole files by relative path, with the folders above them; as new as now.

    In GNU's format, whose long and non-ASCII names every tar understands, BusyBox's too.
    """
    buffer = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            relative_path(path)
            for folder in reversed(parents(path)):
                if folder not in made:
                    made.add(folder)
                    archive.addfile(_entry(folder, tarfile.DIRTYPE, uid=uid, mode=0o755))
            entry = _entry(path, tarfile.REGTYPE, uid=uid, mode=0o755 if path in executables else mode)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def pack_folder(name: str) -> bytes:
    """A tar of one empty directory of the box's user."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(_entry(name, tarfile.DIRTYPE, mode=0o755))
    return buffer.getvalue()


def parents(path: str) -> list[str]:
    """The folders above a relative path, innermost first."""
    found = []
    while path := posixpath.dirname(path):
        found.append(path)
    return found


def relative_path(path: str) -> str:
    """`path` itself where it is a plain relative POSIX path; ValueError otherwise (a defect of the caller)."""
    if not path or "\0" in path or path.startswith("/") or posixpath.normpath(path) != path or path.startswith(".."):
        raise ValueError(f"not a plain relative path: {path!r}")
    return path


def _entry(name: str, kind: bytes, *, mode: int, uid: int = UID, mtime: float | None = None) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid = kind, mode, uid, uid
    entry.mtime = time.time() if mtime is None else mtime
    return entry


def put(engine: Engine, container: str, folder: str, data: bytes | Iterable[bytes]) -> None:
    """Unpack a tar below `folder`, which must lie on a volume of a *running* container or in a writable layer.

    Into the tmpfs volume of a container that does not run, Docker writes with success, and the data is gone.
    """
    with engine.doing(f"copying files into the sandbox at {folder}"):
        engine.api.put_archive(container, folder, data)


def take(engine: Engine, container: str, path: str, limit: int) -> bytes | None:
    """Contents of a regular file of at most `limit` bytes, None where there is none; SandboxError for anything else.

    Docker hands links and FIFOs over as such: none is followed or opened on the way. (It would follow a link above the
    file, inside the container.)
    """
    with engine.doing(f"reading {path} from the sandbox"):
        try:
            stream, status = engine.api.get_archive(container, path)
        except NotFound:
            return None
    try:
        if int(status["mode"]) & NOT_REGULAR:
            raise SandboxError(
                f"{path} in the sandbox is not a regular file; tests must not replace the runner's files"
            )
        if int(status["size"]) > limit:
            raise SandboxError(f"{path} in the sandbox holds {status['size']} bytes; at most {limit} are read")
        with engine.doing(f"reading {path} from the sandbox"):
            archive = _bounded(stream, limit + (64 << 10))
    finally:
        stream.close()
    if archive is None:
        raise SandboxError(f"{path} in the sandbox grew past {limit} bytes while it was read")
    return _only_file(archive, path, limit)


def take_folder(engine: Engine, container: str, folder: str, limit: int) -> dict[str, bytes]:
    """The regular files below `folder` by relative path; none where their archive is over `limit` bytes or broken.

    The archive is of a walk that follows no link: what is a regular file in it is one in plain directories.
    """
    with engine.doing(f"reading {folder} from the sandbox"):
        try:
            stream, _ = engine.api.get_archive(container, f"{folder}/.")
        except NotFound:
            return {}
    try:
        with engine.doing(f"reading {folder} from the sandbox"):
            archive = _bounded(stream, limit)
    finally:
        stream.close()
    files: dict[str, bytes] = {}
    with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(archive or b"")) as opened:
        for entry in opened:
            source = opened.extractfile(entry) if entry.isreg() else None
            if source is not None:
                files[posixpath.normpath(entry.name)] = source.read()
    return files


def refuse_links(engine: Engine, container: str, folder: str, path: str) -> None:
    """SandboxError where something above `path` and below `folder` is no plain directory; silent where it is absent."""
    for parent in reversed(parents(path)):
        with engine.doing(f"looking at {parent} in the sandbox"):
            try:
                stream, status = engine.api.get_archive(container, posixpath.join(folder, parent))
            except NotFound:
                return
            stream.close()
        if int(status["mode"]) & NOT_REGULAR != DIRECTORY:
            raise SandboxError(f"{folder}/{parent} in the sandbox is not a plain directory; tests must not replace it")


def _bounded(stream: Iterable[bytes], limit: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    for part in stream:
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def _only_file(archive: bytes, path: str, limit: int) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            entry = opened.next()
            source = opened.extractfile(entry) if entry is not None and entry.isreg() else None
            if source is None:
                raise SandboxError(f"{path} in the sandbox is not a regular file")
            return source.read(limit + 1)[:limit]
    except tarfile.TarError as error:
        raise SandboxError(f"{path} came out of the sandbox as a broken archive: {error}") from error
