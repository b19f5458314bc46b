"""`grokfix repair`: the main job on a checkout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from bot import config
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import (
    Request,
    chosen_sandbox,
    job_of,
    open_repository,
    scratch_folder,
    secrets_of,
    settings_of,
    suite_of,
)
from bot.commands.work import work
from bot.config import Settings
from bot.errors import SandboxError
from bot.patch.apply import apply
from bot.patch.types import Refusal
from bot.ports import Sandbox
from bot.publish.terminal import LiveView, summary
from bot.result import Result, RunOutcome
from bot.trace.redact import Redactor
from bot.workspace.git import Repository


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
    with LiveView(Console(stderr=True), SystemClock(), verbose=request.verbose) as view:
        ended = work(job, settings, repository, sandbox, folder, redactor, view)
    result = ended.result
    output.write(folder, result)
    applied = request.apply and _may_apply(result)
    if applied:
        _apply(ended.unredacted, repository, request)
    summary(result, Console(file=sys.stdout), folder, applied=applied)
    return ended.exit_code


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
