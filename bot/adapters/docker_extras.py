"""What set-up generated inside the checkout, out of its image and into every box."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterable
from typing import IO

from bot.adapters.docker_engine import UID, Engine
from bot.errors import SandboxError

EXTRAS = "/grokfix/extras"
LIMIT = 512 << 20


def fetch_extras(engine: Engine, image: str, present: Iterable[str]) -> IO[bytes] | None:
    """A tar of the image's extras without `present` (the checkout's own paths win), or None where nothing is left."""
    with engine.doing("reading what set-up generated"):
        container = engine.create("extras", image, {"network_mode": "none"})
    spool = tempfile.TemporaryFile(prefix="grokfix-extras-")  # noqa: SIM115 (closed below or by the caller)
    try:
        with engine.doing("reading what set-up generated"):
            stream, _ = engine.api.get_archive(container, EXTRAS)
            size = 0
            for chunk in stream:
                size += len(chunk)
                if size > LIMIT:
                    raise SandboxError(f"set-up generated more than {LIMIT >> 20} MiB in the checkout; build elsewhere")
                spool.write(chunk)
        spool.seek(0)
        return _repacked(spool, frozenset(present))
    finally:
        spool.close()
        if not engine.cancelled:
            with engine.doing("removing a container"):
                engine.remove_container(container)


def _repacked(source: IO[bytes], present: frozenset[str]) -> IO[bytes] | None:
    result = tempfile.TemporaryFile(prefix="grokfix-extras-")  # noqa: SIM115 (the caller closes it)
    count = 0
    try:
        with tarfile.open(fileobj=source) as read, tarfile.open(fileobj=result, mode="w") as written:
            for entry in read:
                entry.name = entry.name.partition("/")[2]
                if not entry.name or entry.name in present or not (entry.isreg() or entry.isdir() or entry.issym()):
                    continue
                entry.uid = entry.gid = UID
                entry.uname = entry.gname = ""
                written.addfile(entry, read.extractfile(entry) if entry.isreg() else None)
                count += 1
    except (tarfile.TarError, OSError) as error:
        result.close()
        raise SandboxError(f"what set-up generated came out as a broken archive: {error}") from error
    if not count:
        result.close()
        return None
    result.flush()
    return result
