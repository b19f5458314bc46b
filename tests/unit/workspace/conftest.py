from __future__ import annotations

from pathlib import Path

import pytest

from bot.workspace.git import Repository
from tests.unit.workspace.repositories import Origin


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with one commit: a module, an executable, a link, a file in a folder."""
    origin = Origin(tmp_path / "origin")
    origin.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (origin.root / "link").symlink_to("app.py")
    origin.commit({"app.py": "a = 1\nb = 2\nc = 3\n", "docs/read me.txt": "hello\n", ".gitignore": "*.log\n"})
    return origin


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def repository(origin: Origin, scratch: Path) -> Repository:
    return Repository.open(origin.root, scratch)
