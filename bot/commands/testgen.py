"""`grokfix testgen`: tests for the functions that a change adds or alters and that no test reaches."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bot import __version__, config
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import (
    chosen_sandbox,
    interruptible,
    model_of,
    open_repository,
    scratch_folder,
    secrets_of,
    settings_of,
    suite_of,
    tools_for,
)
from bot.config import Settings
from bot.errors import SandboxError
from bot.ports import EventKind, Model, Recorder, Sandbox
from bot.publish import tests_markdown
from bot.publish.terminal import LiveView
from bot.publish.tests_report import files_of, render_json, render_text, summary
from bot.reproduce import Job, Prepared, Stages, Tools, prepare
from bot.testgen.calls import CallWriter
from bot.testgen.generate import Task, generate
from bot.testgen.proving import text_of
from bot.testgen.types import Generated, Writer
from bot.trace.file import TraceFile
from bot.trace.html import render_trace
from bot.trace.read import read_trace
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting, Tee
from bot.workspace.git import Repository

REPORT, PATCH, PAGE = "tests.json", "tests.patch", "tests.md"


def execute(options: argparse.Namespace) -> int:
    """0 when the work was done, whatever it came to; the work tree is touched by `--apply` alone."""
    with scratch_folder() as scratch:
        repository = open_repository(Path(options.path), scratch, allow_dirty=options.allow_dirty)
        settings = settings_of(options, repository.root)
        repository.resolve(options.since)  # a wrong revision is told before anything is made
        redactor = Redactor(secrets_of(settings, config.process_environment()))
        with chosen_sandbox(settings) as sandbox:
            job = Job(
                suite=suite_of(settings, sandbox, repository.root),
                good=options.since,
                include_work_tree=options.allow_dirty,
                trusted=True,  # a person runs this on a checkout of theirs
            )
            folder = output.make(repository.root, options.output)
            with LiveView(Console(stderr=True), SystemClock(), verbose=options.verbose) as view:
                done = write_tests(job, settings, repository, sandbox, folder, redactor, view)
        files = write_results(folder, done, redactor)
        if options.apply and files:
            checkout = repository.checkout(include_work_tree=options.allow_dirty)
            repository.apply_to_work_tree({path: text.encode() for path, text in files.items()}, checkout)
    if options.format == "json":
        told = render_json(done)
    else:
        told = render_text(done, shutil.get_terminal_size((100, 24)).columns)
        where = "written into the work tree" if options.apply else f"in {folder}"
        told += f"\nThe new files are {where}.\n" if files else ""
    sys.stdout.write(redactor.redact(told))
    return 0


def write_tests(
    job: Job,
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    redactor: Redactor,
    *watchers: Recorder,
) -> Generated:
    """Do the work, with its trace in `folder`. `job.good` is the revision before the change."""
    with TraceFile(folder / output.TRACE, {"version": __version__}, SystemClock(), redactor) as trace:
        recorder = Tee(trace, *(Redacting(watcher, redactor) for watcher in watchers))
        tools = tools_for(settings, repository, sandbox, recorder, job.suite, redactor.redact)
        model = model_of(settings, tools.clock)
        recorder.record(
            EventKind.RUN,
            version=__version__,
            path=str(repository.root),
            commit=repository.resolve(job.revision),
            engine=settings.engine,
            sandbox=sandbox.name,
            isolated=sandbox.isolated,
            model="" if model is None else model.name,
            since=job.good,
        )
        with interruptible(sandbox):
            sandbox.sweep()
            done = new_tests(job, settings, tools, Stages(tools.clock), model, redactor)
        recorder.record(
            EventKind.OUTCOME,
            outcome="tests",
            reason=None,
            message=summary(done),
            patch=None if done.applied is None else done.applied.patch.text,
        )
        return done


def new_tests(
    job: Job, settings: Settings, tools: Tools, stages: Stages, model: Model | None, redactor: Redactor
) -> Generated:
    """Tests for what changed from `job.good` to the revision of the job."""
    before = tools.repository.checkout(job.good)
    with prepare(job, settings, tools, stages) as ready, stages.measure("tests"):
        task = Task(
            ready.bench,
            job.good,
            before,
            ready.changed,
            _writers(settings, tools, ready, model, redactor),
            settings.protect,
            max(1, round(settings.sandbox.limits.cpus)),
        )
        done = generate(task)
    return replace(done, usage=tools.budget.spent, model="" if model is None else model.name)


def _writers(
    settings: Settings, tools: Tools, ready: Prepared, model: Model | None, redactor: Redactor
) -> Sequence[Writer]:
    checkout = ready.checkout

    def read(path: str) -> str | None:
        return text_of(checkout, path)

    calls = CallWriter(tools.toolchain, ready.runtime, read)
    if model is None:
        return (calls,)
    from bot.propose.model.line import Line
    from bot.testgen.model import ModelWriter

    files = [path for path in checkout.entries if path.endswith(".py")]
    asking = ModelWriter(
        Line(model, settings.model, tools.budget),
        tools.recorder,
        ready.runtime,
        read,
        files,
        redactor.redact,
        settings.instructions,
    )
    return (asking,) if settings.engine == "model" else (asking, calls)


def _page(done: Generated) -> str:
    told = tests_markdown.render(json.loads(render_json(done)))
    return told if done.applied is None else f"{told}\n{tests_markdown.diff(done.applied.patch.text, whole=PATCH)}\n"


def write_results(folder: Path, done: Generated, redactor: Redactor) -> dict[str, str]:
    """Reports, patch, new files below `files/`, and the trace's page; returns the new files."""
    files = files_of(done)
    texts = {
        REPORT: redactor.redact(render_json(done)),
        PAGE: redactor.redact(_page(done)),
        "trace.html": render_trace(read_trace(folder / output.TRACE)),
    }
    if done.applied is not None:
        texts[PATCH] = redactor.redact(done.applied.patch.text)
    texts |= {f"files/{path}": redactor.redact(text) for path, text in files.items()}
    for name, text in texts.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise SandboxError(
                f"cannot write {path}: {error.strerror}; the trace {folder / output.TRACE} holds what was done"
            ) from error
    return files
