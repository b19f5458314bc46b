"""`grokfix demo`: the main job on a bundled project with a real bug; no key and no Docker needed.

With --replay a model repairs it: its replies were recorded (tests/demo_recording.py), the tests run here and now.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from rich.console import Console

from bot import config, process
from bot.commands import output
from bot.commands.compose import Request, open_repository, scratch_folder
from bot.commands.repair import repair_checkout
from bot.commands.replay import at_commit, replay, run_of
from bot.config import Settings
from bot.errors import ConfigError
from bot.publish.terminal import summary
from bot.replay.report import lines
from bot.trace.read import read_trace
from bot.workspace.git import Repository

RECORDING = "model.jsonl"
"""Beside the project: the trace of its repair by a scripted model."""


def execute(options: argparse.Namespace) -> int:
    """Copy the project, make it a repository, and repair it with the search engine or the recorded model."""
    folder = _folder(options.output)
    project = folder / "parcels"
    make_project(project)
    print(f"A copy of the demo project, with its bug, is in {project}", file=sys.stderr)
    with scratch_folder() as scratch:
        repository = open_repository(project, scratch, allow_dirty=False)
        settings = config.load(None, "", {}, engine="search", sandbox=options.sandbox)
        if options.replay:
            return _replay(settings, repository, folder / "result", verbose=options.verbose)
        request = Request(output=str(folder / "result"), verbose=options.verbose)
        return repair_checkout(request, settings, repository)


def _replay(settings: Settings, repository: Repository, folder: Path, *, verbose: bool) -> int:
    with resources.as_file(resources.files("bot") / "demo" / RECORDING) as path:
        trace = read_trace(path)
    run = run_of(trace, RECORDING)
    output.make(repository.root, str(folder))
    done = replay(trace, run, settings, at_commit(repository, run), folder, verbose=verbose)
    output.write(folder, done.ended.result)
    summary(done.ended.result, Console(file=sys.stdout), folder)
    print("No model was asked: its replies are a recording, and what they cost then is shown as recorded.")
    for line in lines(done.compared, trace.problems):
        print(line)
    return done.ended.exit_code


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


def make_project(project: Path) -> None:
    """A repository with the bundled project as its one commit, whose hash is the same everywhere."""
    with resources.as_file(resources.files("bot") / "demo" / "project") as source:
        shutil.copytree(source, project, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    author = ("-c", "user.name=grokfix demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")
    environment = {**process.minimal_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-01T00:00:00Z")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--message=Postage for parcels"),
    ):
        done = process.run(("git", *command), cwd=project, environment=environment)
        if done.exit_code != 0:
            raise ConfigError(f"git {command[0]} failed in {project}: {done.stderr.decode('utf-8', 'replace').strip()}")
