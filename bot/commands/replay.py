"""`grokfix replay`: a run again from its trace, the recorded replies in the model's place."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run done again. missed: it asked what the recording has no reply to, so that it ended there."""

    ended: Ended
    compared: Comparison
    missed: bool


def execute(options: Namespace) -> int:
    """0 when the run was done again, also where it went another way and that is said."""
    trace = read_trace(Path(options.trace))
    run = run_of(trace, options.trace)
    with scratch_folder() as scratch:
        repository = at_commit(open_repository(Path(options.path), scratch, allow_dirty=True), run)
        if dirty(run):
            print("The recorded run took uncommitted changes along; the replay has the commit alone", file=sys.stderr)
        settings = _settings(options, repository.root)
        folder = scratch / "replay" if options.output is None else output.make(repository.root, options.output)
        folder.mkdir(exist_ok=True)
        done = replay(trace, run, settings, repository, folder, verbose=options.verbose)
        if options.output is not None:
            output.write(folder, done.ended.result)
    if options.format == "json":
        print(to_json(done.compared, trace.problems, trace.sha256))
    else:
        for line in lines(done.compared, trace.problems):
            print(line)
    return _exit_code(done)


def replay(
    trace: Trace,
    run: Mapping[str, JsonValue],
    settings: Settings,
    repository: Repository,
    folder: Path,
    *,
    verbose: bool = False,
) -> Replayed:
    """Do the run again in `repository`, whose head is the run's commit; its own trace goes into `folder`.

    run: data of the trace's `run` event. settings: what the checkout says; what that run was given overrides it.
    """
    settings = _as_recorded(settings, run)
    name = text(run, "model")
    model = ReplayModel(name, exchanges(trace)) if name else None
    redactor = Redactor(secrets_of(settings, config.process_environment()))
    with chosen_sandbox(settings) as sandbox:
        job = job_of(run, suite_of(settings, sandbox, repository.root))
        with LiveView(Console(stderr=True), SystemClock(), verbose=verbose) as view:
            again = Replay(model, trace.sha256)
            ended = work(job, settings, repository, sandbox, folder, redactor, view, replay=again)
    compared = compare(trace, read_trace(folder / output.TRACE))
    return Replayed(ended, compared, model is not None and model.missed)


def run_of(trace: Trace, place: str) -> Mapping[str, JsonValue]:
    """Data of the trace's `run` event."""
    run = next((event.data for event in trace.of_kind(EventKind.RUN)), None)
    if run is None:
        raise ConfigError(f"{place} names no run: it was cut off before one began, so nothing can be replayed")
    return run


def _exit_code(done: Replayed) -> int:
    ended, compared = done.ended, done.compared
    if ended.exit_code == INTERRUPTED:
        return INTERRUPTED
    if ended.exit_code > 1 and not done.missed and compared.outcome[0] != compared.outcome[1]:
        raise SandboxError(f"the replay was stopped: {ended.result.message}")
    return 0


def at_commit(repository: Repository, run: Mapping[str, JsonValue]) -> Repository:
    """The repository as if the run's commit were checked out, which is what a run reads."""
    commit = text(run, "commit")
    if not commit:
        raise ConfigError("the trace names no commit, so nobody knows what it ran on; it cannot be replayed")
    try:
        return replace(repository, head=repository.resolve(commit))
    except ConfigError as error:
        raise ConfigError(
            f"the trace was recorded at commit {commit[:40]!r}, which {repository.root} does not have: "
            "fetch it, or give the checkout of the right repository as PATH"
        ) from error


def _settings(options: Namespace, root: Path) -> Settings:
    """The checkout's settings; engine search, for no key is needed where no model is asked."""
    told = Namespace(
        config=options.config, sandbox=options.sandbox, max_minutes=None, test_command=None, engine="search"
    )
    return settings_of(told, root)


def _as_recorded(settings: Settings, run: Mapping[str, JsonValue]) -> Settings:
    """`settings` with what the recorded run was given in place of flags, and no key."""
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
