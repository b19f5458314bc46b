"""Files are written all together or not at all, and never through links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.setup.write import write_files

FILES = {".github/grokfix.yml": "a\n", ".github/workflows/grokfix.yml": "b\n"}


def everything(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_folders_are_made(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, force=False)
    assert everything(tmp_path) == FILES


def test_nothing_is_written_where_one_exists(tmp_path: Path) -> None:
    existing = tmp_path / ".github/workflows/grokfix.yml"
    existing.parent.mkdir(parents=True)
    existing.write_text("mine")
    with pytest.raises(ConfigError, match=r"workflows/grokfix.yml exists already .* --force"):
        write_files(tmp_path, FILES, force=False)
    assert everything(tmp_path) == {".github/workflows/grokfix.yml": "mine"}


def test_force_replaces(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, force=False)
    write_files(tmp_path, dict.fromkeys(FILES, "new"), force=True)
    assert set(everything(tmp_path).values()) == {"new"}


@pytest.mark.parametrize("link", [".github", ".github/workflows", ".github/workflows/grokfix.yml"])
@pytest.mark.parametrize("force", [False, True])
def test_links_lead_nowhere(tmp_path: Path, link: str, force: bool) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "workflows").mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside if link != ".github/workflows/grokfix.yml" else outside / "file")
    with pytest.raises(ConfigError, match="is a link"):
        write_files(root, FILES, force=force)
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("odd", [".github", ".github/workflows"])
def test_a_file_where_a_folder_must_be(tmp_path: Path, odd: str) -> None:
    (tmp_path / odd).parent.mkdir(exist_ok=True)
    (tmp_path / odd).write_text("x")
    with pytest.raises(ConfigError, match="is not a folder"):
        write_files(tmp_path, FILES, force=True)
    assert everything(tmp_path) == {odd: "x"}


def test_a_folder_where_a_file_must_be(tmp_path: Path) -> None:
    (tmp_path / ".github/grokfix.yml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is a folder"):
        write_files(tmp_path, FILES, force=True)


def test_a_failure_half_way_puts_everything_back(tmp_path: Path) -> None:
    """The second name is too long for any file system, which only writing finds out."""
    write_files(tmp_path, {".github/grokfix.yml": "mine"}, force=False)
    with pytest.raises(ConfigError, match="nothing was changed"):
        write_files(tmp_path, {".github/grokfix.yml": "new", f"new/folder/{'x' * 250}.yml": "b"}, force=True)
    assert everything(tmp_path) == {".github/grokfix.yml": "mine"}
    assert sorted(os.listdir(tmp_path)) == [".github"]
