"""Writing the files of a set-up into a checkout: all of them or none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from bot.errors import ConfigError


def write_files(root: Path, texts: Mapping[str, str], *, force: bool) -> None:
    """Write `texts` (by path relative to `root`, POSIX) as UTF-8; the folders of theirs are made.

    ConfigError, with nothing changed, where one exists and not `force`, a link lies on the way, or the disk refuses.
    """
    for name in texts:
        _refuse_links(root, name)
    existing = [name for name in texts if os.path.lexists(root / name)]
    if existing and not force:
        raise ConfigError(
            f"{' and '.join(existing)} exists already in {root}; nothing was written. Say --force to replace it"
        )
    before = {name: (root / name).read_bytes() for name in existing}
    written: list[str] = []
    made: list[Path] = []
    try:
        for name, text in texts.items():
            made += _make_folders(root, name)
            _replace(root / name, text.encode("utf-8"))
            written.append(name)
    except OSError as error:
        _put_back(root, written, before, made)
        raise ConfigError(
            f"cannot write {error.filename or root} ({error.strerror}); nothing was changed. Mend that, run again"
        ) from error


def _refuse_links(root: Path, name: str) -> None:
    parts = PurePosixPath(name).parts
    for count in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:count])
        if path.is_symlink():
            raise ConfigError(f"{path} is a link, which may lead elsewhere; nothing was written. Remove it first")
        if os.path.lexists(path) and path.is_dir() is (count == len(parts)):
            raise ConfigError(
                f"{path} {'is' if path.is_dir() else 'is not'} a folder; nothing was written. Move it away first"
            )


def _make_folders(root: Path, name: str) -> list[Path]:
    missing = [folder for folder in reversed((root / name).parents) if not folder.exists()]
    for folder in missing:
        folder.mkdir()
    return missing


def _replace(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _put_back(root: Path, written: list[str], before: Mapping[str, bytes], made: list[Path]) -> None:
    for name in written:
        with suppress(OSError):
            if name in before:
                (root / name).write_bytes(before[name])
            else:
                (root / name).unlink()
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()
