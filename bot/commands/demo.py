"""`grokfix demo`: the main job on a bundled project with a real bug; no key and no Docker needed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from bot import config, process
from bot.commands.compose import Request, open_repository, scratch_folder
from bot.commands.repair import repair_checkout
from bot.errors import ConfigError


def execute(options: argparse.Namespace) -> int:
    """Copy the project, make it a repository, and repair it with the search engine."""
    folder = _folder(options.output)
    project = folder / "parcels"
    _copy(project)
    print(f"A copy of the demo project, with its bug, is in {project}", file=sys.stderr)
    with scratch_folder() as scratch:
        repository = open_repository(project, scratch, allow_dirty=False)
        settings = config.load(None, "", {}, engine="search", sandbox=options.sandbox)
        request = Request(output=str(folder / "result"), verbose=options.verbose)
        return repair_checkout(request, settings, repository)


def _folder(wanted: str | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="grokfix-demo-"))
    folder = Path(wanted).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"the folder {folder} is not empty; choose a new one with --output")
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}; choose another with --output") from error
    return folder


def _copy(project: Path) -> None:
    with resources.as_file(resources.files("bot") / "demo" / "project") as source:
        shutil.copytree(source, project, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    author = ("-c", "user.name=grokfix demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")
    environment = {**process.minimal_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--message=Postage for parcels"),
    ):
        done = process.run(("git", *command), cwd=project, environment=environment)
        if done.exit_code != 0:
            raise ConfigError(f"git {command[0]} failed in {project}: {done.stderr.decode('utf-8', 'replace').strip()}")
