from __future__ import annotations

from pathlib import Path

import pytest

from bot.workspace.checkout import Checkout
from bot.workspace.git import Repository
from tests.unit.workspace.repositories import Origin

APP = "def f(a):\n    return a + 1\n\n\ndef g(a):\n    return a + 2\n\n\ndef h(a):\n    return a + 3\n"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "origin")
    origin.write("run.py", "x = 1\n").chmod(0o755)
    (origin.root / "link.py").symlink_to("app.py")
    (origin.root / "folder").symlink_to("docs")
    origin.commit(
        {"app.py": APP, "docs/a.txt": "one\n", "open.py": "a = 1\nb = 2", "crlf.py": b"a = 1\r\nb = 2\r\nc = 3\r\n"}
    )
    return origin


@pytest.fixture
def checkout(origin: Origin, tmp_path: Path) -> Checkout:
    return Repository.open(origin.root, tmp_path / "scratch").checkout()
