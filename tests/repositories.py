"""Small git repositories for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot import process

AUTHOR = ("-c", "user.name=tester", "-c", "user.email=tester@localhost", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` without the user's configuration; returns its output."""
    environment = {
        **process.minimal_environment(),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(folder),
    }
    done = process.run(("git", *AUTHOR, *arguments), cwd=folder, environment=environment)
    assert done.exit_code == 0, done.stderr.decode()
    return done.stdout.decode()


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below `folder`."""
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A new repository with one commit that holds `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, files, "first")
    return folder


def commit(folder: Path, files: Mapping[str, str | bytes], message: str) -> str:
    """Write files and commit everything; returns the commit's hash."""
    write(folder, files)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git(folder, "rev-parse", "HEAD").strip()
