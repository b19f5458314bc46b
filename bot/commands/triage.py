"""`grokfix triage`: which tests are flaky, and why; `grokfix triage merge`: what the shards of one session found."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bot import __version__, config
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import (
    chosen_sandbox,
    interruptible,
    open_repository,
    scratch_folder,
    secrets_of,
    settings_of,
    suite_of,
    tools_for,
)
from bot.commands.mend import FOLDER, repair_flaky
from bot.commands.triage_files import judged, read_nights, write
from bot.commands.triage_past import Lists, background, lists_of, opened
from bot.config import Settings
from bot.errors import ConfigError, SandboxError
from bot.evidence.matching import select
from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.flaky.bisect import Step
from bot.flaky.lab import Broke, NoRun
from bot.flaky.merge import merge
from bot.flaky.redacted import without_secrets
from bot.flaky.session import Plan, hold
from bot.flaky.types import Finding, Night, RunRecord, Scan, Shard
from bot.flaky.verdict import Triage
from bot.ports import EventKind, Recorder, Sandbox
from bot.publish.flaky_report import Background, to_json
from bot.publish.flaky_text import headline, render_text
from bot.publish.terminal import LiveView, summary
from bot.publish.untrusted import log
from bot.reproduce import Job, Stages, Tools, prepare
from bot.result import Result
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting, Tee
from bot.verify.bench import SandboxBench
from bot.workspace.git import Repository
from bot.workspace.history import RepositoryHistory

_DAY = 86_400.0
_OWN = frozenset({"local", "default-branch"})
"""Trust domains whose code may be given a network, where the settings say so."""
_FOREVER = 36_500
"""Days: merging takes nothing out of a store, for it knows no settings."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a session is asked for. history: records of earlier runs, with `scan` where they are CI's.

    quarantined: what was proven of tests that are in quarantine.
    steps: the commits after `job.good` up to the tested one by first parents, oldest first, where the caller knows
    them; else they are looked up in the repository.
    """

    session: str
    shard: Shard = Shard()  # noqa: RUF009 (frozen)
    selectors: tuple[str, ...] = ()
    history: tuple[RunRecord, ...] = ()
    scan: Scan | None = None
    problems: tuple[str, ...] = ()
    group: str = "local"
    steps: tuple[Step, ...] = ()
    quarantined: tuple[Finding, ...] = ()


def execute(options: argparse.Namespace) -> int:
    """0 when the work was done, whatever it says."""
    return _merge(options) if options.path == "merge" else _triage(options)


# --- one session ----------------------------------------------------------------------------------------------------


def _triage(options: argparse.Namespace) -> int:
    if options.of is not None:
        raise ConfigError("--of belongs to `grokfix triage merge`; a shard says which part it is by --shard I/N")
    shard = read_shard(options.shard or "1/1")
    if shard.of > 1 and not options.session:
        raise ConfigError("--shard needs --session NAME, the same one for all shards: it says which belong together")
    with scratch_folder() as scratch:
        repository = open_repository(Path(options.path), scratch, allow_dirty=options.allow_dirty)
        settings = settings_of(options, repository.root)
        limits = settings.triage
        settings = replace(
            settings,
            triage=replace(limits, runs=options.runs or limits.runs, minutes=options.max_minutes or limits.minutes),
        )
        if options.good:
            repository.resolve(options.good)  # a wrong revision is told before anything is made
        redactor = Redactor(secrets_of(settings, config.process_environment()))
        clock = SystemClock()
        request = Request(
            session=options.session or f"local-{int(clock.now())}",
            shard=shard,
            selectors=tuple(options.tests),
        )
        with (
            chosen_sandbox(settings) as sandbox,
            opened(options.history, clock, settings.triage.kept_days) as past,
        ):
            suite = suite_of(settings, sandbox, repository.root)
            lists = lists_of(repository, suite.path)
            problems = (*past.problems, *lists.problems)
            request = replace(request, history=past.known(clock.now() - limits.days * _DAY), problems=problems)
            job = Job(
                suite=suite,
                good=options.good,
                include_work_tree=options.allow_dirty,
                trusted=True,  # a person runs this on a checkout of theirs
            )
            folder = output.make(repository.root, options.output)
            with LiveView(Console(stderr=True), clock, verbose=options.verbose) as view:
                night = observe(job, request, settings, repository, sandbox, folder, redactor, view)
                triage = judged([night], request.history, problems, findings=past.add(night))
                behind = background(triage, night, past, lists, redactor.redact)
                write(folder, triage, night, behind)
                ended = None
                if options.fix:
                    ended = repair_flaky(
                        triage, night.records, job, settings, repository, sandbox, folder, redactor, view
                    )
    _show(options, triage, folder, behind)
    if ended is not None and options.format == "text":
        _show_repairs(ended.result, folder / FOLDER)
    return 0


def observe(
    job: Job,
    request: Request,
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    redactor: Redactor,
    *watchers: Recorder,
) -> Night:
    """Hold a session, with its trace in `folder`; what it returns is without secrets.

    `job.good`: the last green revision, "" unknown. ConfigError where the suite cannot be run or a selector names none.
    """
    clock = SystemClock()
    limits = settings.triage
    timed = replace(settings, limits=replace(settings.limits, minutes=limits.minutes))
    with TraceFile(folder / output.TRACE, {"version": __version__}, clock, redactor) as trace:
        recorder = Tee(trace, *(Redacting(watcher, redactor) for watcher in watchers))
        tools = tools_for(timed, repository, sandbox, recorder, job.suite, redactor.redact)
        recorder.record(
            EventKind.RUN,
            version=__version__,
            path=str(repository.root),
            commit=repository.resolve(job.revision),
            sandbox=sandbox.name,
            isolated=sandbox.isolated,
            max_minutes=limits.minutes,
            session=request.session,
        )
        with interruptible(sandbox):
            sandbox.sweep()
            night = session_in(job, request, timed, tools)
        night = without_secrets(night, redactor.redact)
        message = headline(judged([night], request.history, ()))
        recorder.record(EventKind.OUTCOME, outcome="triage", reason=None, message=message, patch=None)
    return night


def session_in(job: Job, request: Request, settings: Settings, tools: Tools) -> Night:
    """The session itself, in a run of whoever has the tools; what it returns is not yet without secrets."""
    stages = Stages(tools.clock)
    limits = settings.triage

    @contextmanager
    def elsewhere(revision: str) -> Iterator[SandboxBench]:
        there = replace(job, revision=revision, include_work_tree=False, good="")
        with prepare(there, settings, tools, stages) as ready:
            yield ready.bench

    good, steps = (job.good, request.steps) if request.steps else _since(job, tools.repository)
    with (
        prepare(replace(job, good="", network=limits.network and job.domain in _OWN), settings, tools, stages) as ready,
        BenchLab(
            ready.bench,
            session=request.session,
            shard=request.shard,
            group=request.group,
            most_runs=limits.runs,
            clock=tools.clock.now,
            elsewhere=elsewhere,
        ) as lab,
    ):
        plan = Plan(
            session=request.session,
            at=tools.clock.now(),
            runs=limits.runs,
            suspects=limits.suspects,
            shard=request.shard,
            tests=_selected(request.selectors, lab),
            good=good,
            steps=steps,
            quarantined=request.quarantined,
        )
        return hold(plan, lab, request.history, request.scan, told=_teller(tools.recorder))


def _since(job: Job, repository: Repository) -> tuple[str, tuple[Step, ...]]:
    """The good commit and those after it up to the tested one; none where it does not lead there."""
    if not job.good:
        return "", ()
    good = repository.resolve(job.good)
    between = RepositoryHistory(repository).between(good, repository.resolve(job.revision))
    return (good, tuple(Step(commit.sha, commit.author) for commit in between)) if between else ("", ())


def _selected(selectors: tuple[str, ...], lab: BenchLab) -> tuple[TestId, ...]:
    """The tests that the words name, out of the suite's; ConfigError for a word that names none."""
    if not selectors:
        return ()
    try:
        first = lab.survey()
    except NoRun as over:
        raise ConfigError(f"{over}: no test could be selected; give the session more minutes") from over
    if isinstance(first, Broke) and not lab.suite:
        raise SandboxError(f"the suite gave no report, so no test can be selected: {first.problem}")
    selection = select(selectors, lab.suite)
    if selection.missing:
        names = ", ".join(map(repr, selection.missing))
        raise ConfigError(f"no test of the suite matches {names}; give a node id as pytest prints it, a file or a name")
    return selection.ids


def _teller(recorder: Recorder) -> Callable[[str], None]:
    def told(line: str) -> None:
        recorder.record(EventKind.NOTE, text=line)

    return told


# --- what is made of it ---------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace, triage: Triage, folder: Path, behind: Background) -> None:
    if options.format == "json":
        sys.stdout.write(to_json(triage, behind))
        return
    sys.stdout.write(render_text(triage, shutil.get_terminal_size((100, 24)).columns))
    sys.stdout.write(f"\nEvidence: {log(str(folder))}\n")


def _show_repairs(result: Result, folder: Path) -> None:
    sys.stdout.write("\n")
    if result.repairs:
        summary(result, Console(file=sys.stdout), folder)
    else:
        sys.stdout.write(f"Repairs: {log(result.message)}\n")


def read_shard(text: str) -> Shard:
    """ "2/3" → the second of three; ConfigError for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise ConfigError(f"--shard {text!r} is not I/N with I from 1 to N, for example 1/2")
    return Shard(int(match[1]), int(match[2]))


# --- merge ----------------------------------------------------------------------------------------------------------


def _merge(options: argparse.Namespace) -> int:
    if not options.tests:
        raise ConfigError("`grokfix triage merge` needs the folders (or night.jsonl files) that the shards wrote")
    nights, problems = read_nights([Path(name) for name in options.tests])
    if not nights:
        raise ConfigError("no shard could be read:" + "".join(f"\n  {problem}" for problem in problems))
    with opened(options.history, SystemClock(), _FOREVER) as past:
        night = merge(nights, options.of).night
        history = past.known()
        triage = judged(nights, history, (*problems, *past.problems), options.of, past.add(night))
        behind = background(triage, night, past, Lists(), redact=str)  # shards write their nights without secrets
    folder = output.make(Path.cwd(), options.output)
    write(folder, triage, night, behind)
    _show(options, triage, folder, behind)
    return 0
