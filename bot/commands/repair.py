"""`grokfix repair`: the main job on a checkout."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bot import __version__, config
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import (
    Request,
    chosen_sandbox,
    interruptible,
    job_of,
    open_repository,
    scratch_folder,
    secrets_of,
    settings_of,
    suite_of,
    tools_for,
)
from bot.config import Settings
from bot.errors import BotError, SandboxError
from bot.patch.apply import apply
from bot.patch.types import Refusal
from bot.ports import Cancelled, EventKind, Sandbox
from bot.propose.types import StopReason
from bot.publish.terminal import LiveView, summary
from bot.reproduce import Job, Stages, Tools
from bot.result import Result, RunOutcome
from bot.run import run
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting, Tee
from bot.workspace.git import Repository

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Ended:
    """A result and the exit status that goes with it."""

    result: Result
    exit_code: int


def execute(options: argparse.Namespace) -> int:
    """Exit status by outcome; the work tree is touched by `--apply` alone."""
    with scratch_folder() as scratch:
        repository = open_repository(Path(options.path), scratch, allow_dirty=options.allow_dirty)
        settings = settings_of(options, repository.root)
        return repair_checkout(Request.of(options), settings, repository)


def repair_checkout(request: Request, settings: Settings, repository: Repository) -> int:
    """Repair `repository` and write the output folder, which is made once nothing can be wrong with the request."""
    with chosen_sandbox(settings) as sandbox:
        return _repair_in(sandbox, request, settings, repository)


def _repair_in(sandbox: Sandbox, request: Request, settings: Settings, repository: Repository) -> int:
    suite = suite_of(settings, sandbox, repository.root)
    job = job_of(request, suite, repository.root)
    folder = output.make(repository.root, request.output)
    redactor = Redactor(secrets_of(settings, config.process_environment()))
    clock = SystemClock()
    screen, page = Console(stderr=True), Console(file=sys.stdout)
    with (
        TraceFile(folder / output.TRACE, {"version": __version__}, clock, redactor) as trace,
        LiveView(screen, clock, verbose=request.verbose) as view,
    ):
        recorder = Tee(trace, Redacting(view, redactor))
        tools = tools_for(settings, repository, sandbox, recorder, suite, redactor.redact)
        ended = _run(job, settings, tools)
        result = ended.result.with_texts(redactor.redact)
        recorder.record(
            EventKind.OUTCOME,
            outcome=result.outcome.value,
            reason=None if result.reason is None else result.reason.value,
            message=result.message,
            patch=result.patch,
        )
        result = replace(result, trace_sha256=trace.sha256)
    output.write(folder, result)
    applied = request.apply and _may_apply(result)
    if applied:
        _apply(ended.result, repository, request)
    summary(result, page, folder, applied=applied)
    return ended.exit_code


def _run(job: Job, settings: Settings, tools: Tools) -> Ended:
    """Run, and turn interruption and infrastructure errors into results, so that what was found is kept."""
    tools.recorder.record(
        EventKind.RUN,
        version=__version__,
        path=str(tools.repository.root),
        commit=tools.repository.head,
        engine=settings.engine,
        sandbox=tools.sandbox.name,
        isolated=tools.sandbox.isolated,
        model=settings.model.name if settings.engine != "search" and settings.model.api_key else "",
        max_attempts=settings.limits.attempts,
        max_cost_usd=settings.limits.cost_usd,
        max_minutes=settings.limits.minutes,
    )
    stages = Stages(tools.clock)
    try:
        with interruptible(tools.sandbox):
            tools.sandbox.sweep()
            result = run(job, settings, tools, stages)
    except (Cancelled, KeyboardInterrupt):
        return Ended(_stopped(tools, stages, StopReason.INTERRUPTED, "interrupted; nothing was changed"), INTERRUPTED)
    except BotError as error:
        return Ended(_stopped(tools, stages, StopReason.INFRASTRUCTURE, str(error)), error.exit_code)
    broken = result.outcome is RunOutcome.STOPPED and result.reason is StopReason.INFRASTRUCTURE
    return Ended(result, BotError.exit_code if broken else result.outcome.exit_code)


def _stopped(tools: Tools, stages: Stages, reason: StopReason, message: str) -> Result:
    return Result(
        RunOutcome.STOPPED,
        reason=reason,
        message=message,
        usage=tools.budget.spent,
        seconds=dict(stages.seconds),
        commit=tools.repository.head,
        version=__version__,
    )


def _may_apply(result: Result) -> bool:
    """A patch that a person shall look at first is not applied for them."""
    return result.patch is not None and all(
        repair.outcome is RunOutcome.REPAIRED for repair in result.repairs if repair.patch is not None
    )


def _apply(result: Result, repository: Repository, request: Request) -> None:
    assert result.patch is not None
    checkout = repository.checkout(include_work_tree=request.allow_dirty)
    applied = apply(result.patch, checkout)
    if isinstance(applied, Refusal):
        raise SandboxError(f"the verified patch does not apply to {repository.root} any more: {applied.message}")
    repository.apply_to_work_tree(applied.overlay, checkout)
