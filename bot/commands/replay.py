"""`grokfix replay`: a run again from its trace, the recorded replies in the model's place."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bot import config
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import chosen_sandbox, open_repository, scratch_folder, secrets_of, settings_of, suite_of
from bot.commands.work import INTERRUPTED, Ended, Replay, work
from bot.config import Settings
from bot.errors import ConfigError, SandboxError
from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, text
from bot.publish.terminal import LiveView
from bot.replay.compare import Comparison, compare
from bot.replay.job import dirty, job_of, limits_of
from bot.replay.model import ReplayModel
from bot.replay.recording import exchanges
from bot.replay.report import lines, to_json
from bot.trace.read import Trace, read_trace
from bot.trace.redact import Redactor
from bot.workspace.git import Repository


def execute(options: Namespace) -> int:
    """0 when the run was done again, also where it went another way and that is said."""
    trace = read_trace(Path(options.trace))
    run = next((event.data for event in trace.of_kind(EventKind.RUN)), None)
    if run is None:
        raise ConfigError(f"{options.trace} names no run: it was cut off before one began, so nothing can be replayed")
    with scratch_folder() as scratch:
        repository = _at_commit(open_repository(Path(options.path), scratch, allow_dirty=True), text(run, "commit"))
        if dirty(run):
            print("The recorded run took uncommitted changes along; the replay has the commit alone", file=sys.stderr)
        settings = _settings(options, repository.root, run)
        if options.output is None:
            folder = scratch / "replay"
            folder.mkdir()
        else:
            folder = output.make(repository.root, options.output)
        with chosen_sandbox(settings) as sandbox:
            suite = suite_of(settings, sandbox, repository.root)
            model = ReplayModel(text(run, "model") or settings.model.name, exchanges(trace))
            redactor = Redactor(secrets_of(settings, config.process_environment()))
            with LiveView(Console(stderr=True), SystemClock(), verbose=options.verbose) as view:
                job = job_of(run, suite)
                ended = work(
                    job, settings, repository, sandbox, folder, redactor, view, replay=Replay(model, trace.sha256)
                )
        if options.output is not None:
            output.write(folder, ended.result)
        return _report(options, trace, compare(trace, read_trace(folder / output.TRACE)), ended, model)


def _report(options: Namespace, trace: Trace, compared: Comparison, ended: Ended, model: ReplayModel) -> int:
    if options.format == "json":
        print(to_json(compared, trace.problems, trace.sha256))
    else:
        for line in lines(compared, trace.problems):
            print(line)
    if ended.exit_code == INTERRUPTED:
        return INTERRUPTED
    broken = ended.exit_code > 1 and not model.missed and compared.outcome[0] != compared.outcome[1]
    if broken:
        raise SandboxError(f"the replay was stopped: {ended.result.message}")
    return 0


def _at_commit(repository: Repository, commit: str) -> Repository:
    """The repository as if that commit were checked out, which is what a run reads."""
    if not commit:
        raise ConfigError("the trace names no commit, so nobody knows what it ran on; it cannot be replayed")
    try:
        return replace(repository, head=repository.resolve(commit))
    except ConfigError as error:
        raise ConfigError(
            f"the trace was recorded at commit {commit[:40]!r}, which {repository.root} does not have: "
            "fetch it, or give the checkout of the right repository as PATH"
        ) from error


def _settings(options: Namespace, root: Path, run: Mapping[str, JsonValue]) -> Settings:
    """The checkout's settings, with what the recorded run was given in place of flags, and no key."""
    told = Namespace(
        config=options.config, sandbox=options.sandbox, max_minutes=None, test_command=None, engine="search"
    )
    settings = settings_of(told, root)
    engine = text(run, "engine")
    return replace(
        settings,
        engine=engine if engine in ("auto", "model", "search") else settings.engine,
        limits=limits_of(run, settings.limits),
        model=replace(
            settings.model,
            name=text(run, "model") or settings.model.name,
            context=count(run, "context") or settings.model.context,
            api_key="",
            providers=(),
        ),
    )
