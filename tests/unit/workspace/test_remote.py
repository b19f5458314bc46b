"""The remote of a checkout: read as data, believed only for the server that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.workspace.remote import origin
from tests.repositories import git, make


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://github.com/octo/shop.git", "octo/shop"),
        ("https://github.com/octo/shop", "octo/shop"),
        ("https://user:secret@github.com/octo/shop.js/", "octo/shop.js"),
        ("git@github.com:octo/shop.git", "octo/shop"),
        ("ssh://git@github.com:22/octo/shop.git", "octo/shop"),
        ("https://gitlab.example/octo/shop.git", None),
        ("https://github.com.evil.example/octo/shop.git", None),
        ("https://github.com/octo/shop/extra", None),
        ("../shop.git", None),
        ("ext::sh -c touch% marker", None),
        ("", None),
    ],
)
def test_origin(tmp_path: Path, address: str, expected: str | None) -> None:
    root = make(tmp_path / "shop", {"a": "b"})
    git(root, "config", "remote.origin.url", address)
    assert origin(root, "https://github.com") == expected


def test_another_server(tmp_path: Path) -> None:
    root = make(tmp_path / "shop", {"a": "b"})
    git(root, "remote", "add", "origin", "git@ghe.example:octo/shop.git")
    assert origin(root, "https://ghe.example:8443") == "octo/shop"
    assert origin(root, "https://github.com") is None


def test_none_and_a_linked_work_tree(tmp_path: Path) -> None:
    root = make(tmp_path / "shop", {"a": "b"})
    assert origin(root, "https://github.com") is None
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert origin(tmp_path / "linked", "https://github.com") is None


def test_the_configuration_has_no_effect(tmp_path: Path) -> None:
    """Includes are not followed, and nothing that it names is run."""
    root = make(tmp_path / "shop", {"a": "b"})
    marker = tmp_path / "marker"
    other = tmp_path / "other"
    other.write_text('[remote "origin"]\n\turl = https://github.com/evil/evil\n')
    with (root / ".git/config").open("a") as config:
        config.write(f"[include]\n\tpath = {other}\n[core]\n\tfsmonitor = touch {marker}\n\tpager = touch {marker}\n")
        config.write(f"[alias]\n\tconfig = !touch {marker}\n")
    assert origin(root, "https://github.com") is None
    assert not marker.exists()
