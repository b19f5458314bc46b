"""What set-up generated inside the checkout, out of its image and into every box."""

from __future__ import annotations

import tarfile
import tempfile
from typing import IO

from bot.adapters.docker_engine import UID, Engine
from bot.adapters.docker_files import Packed, parents
from bot.errors import SandboxError

EXTRAS = "/grokfix/extras"
LIMIT = 512 << 20


def add_extras(engine: Engine, image: str, packed: Packed) -> None:
    """Append the image's extras to a packed checkout, whose own paths win."""
    with engine.doing("reading what set-up generated"):
        container = engine.create("extras", image, {"network_mode": "none"})
    try:
        with tempfile.TemporaryFile(prefix="grokfix-extras-") as spool:
            with engine.doing("reading what set-up generated"):
                stream, _ = engine.api.get_archive(container, EXTRAS)
                size = 0
                for chunk in stream:
                    size += len(chunk)
                    if size > LIMIT:
                        raise SandboxError(f"set-up generated over {LIMIT >> 20} MiB in the checkout; build elsewhere")
                    spool.write(chunk)
            spool.seek(0)
            _append(spool, packed)
    finally:
        if not engine.cancelled:
            with engine.doing("removing a container"):
                engine.remove_container(container)


def _append(source: IO[bytes], packed: Packed) -> None:
    """Only what takes nothing away: a link in place of one of the checkout's folders would replace the folder."""
    files = frozenset(packed.paths)
    folders = frozenset(parent for path in files for parent in parents(path))
    try:
        with tarfile.open(fileobj=source) as read, packed.appending() as written:
            for entry in read:
                entry.name = entry.name.partition("/")[2]
                if not entry.name or not (entry.isreg() or entry.isdir() or entry.issym()):
                    continue
                if entry.name in files or (entry.name in folders and not entry.isdir()):
                    continue
                if not files.isdisjoint(parents(entry.name)):
                    continue
                entry.uid = entry.gid = UID
                entry.uname = entry.gname = ""
                written.addfile(entry, read.extractfile(entry) if entry.isreg() else None)
    except (tarfile.TarError, OSError) as error:
        raise SandboxError(f"what set-up generated came out as a broken archive: {error}") from error
