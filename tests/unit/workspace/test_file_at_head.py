"""A file as HEAD has it, whatever lies in the work tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.propose.model.guidance import read_guidance
from bot.workspace.git import Repository
from tests import repositories


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    files = {"AGENTS.md": "Use tabs.\n", "docs/CONTRIBUTING.md": "Be kind.\n", "a*.md": "star\n", "docs/x.md": "x\n"}
    root = repositories.make(tmp_path / "r", files)
    (root / "CONTRIBUTING.md").symlink_to("/etc/passwd")
    repositories.git(root, "add", "-A")
    repositories.git(root, "commit", "-qm", "link")
    (root / "AGENTS.md").write_text("edited, not committed")
    (tmp_path / "scratch").mkdir()
    return Repository.open(root, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("AGENTS.md", b"Use tabs.\n"),
        ("docs/CONTRIBUTING.md", b"Be kind.\n"),
        ("a*.md", b"star\n"),
        ("docs", None),
        ("CONTRIBUTING.md", None),
        ("missing.md", None),
        ("x*", None),
        ("../r/AGENTS.md", None),
        ("/etc/passwd", None),
        (":(top)AGENTS.md", None),
        ("", None),
        ("-z", None),
    ],
)
def test_regular_files_by_their_very_name(repository: Repository, path: str, content: bytes | None) -> None:
    assert repository.file(path) == content


def test_guidance_is_what_was_committed(repository: Repository) -> None:
    assert read_guidance(repository.file) == {"AGENTS.md": "Use tabs.\n", "docs/CONTRIBUTING.md": "Be kind.\n"}
