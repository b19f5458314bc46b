"""`grokfix triage --fix`, and the same for the action: repairs of the flaky tests whose cause was proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bot.commands import output
from bot.commands.work import Ended, work
from bot.config import Settings
from bot.errors import SandboxError
from bot.flaky.types import RunRecord
from bot.flaky.verdict import Triage
from bot.mend import Plan, mend, repairable
from bot.ports import Recorder, Sandbox
from bot.reproduce import Job
from bot.trace.redact import Redactor
from bot.workspace.git import Repository

FOLDER = "fix"


def repair_flaky(
    triage: Triage,
    records: Sequence[RunRecord],
    job: Job,
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    redactor: Redactor,
    *watchers: Recorder,
) -> Ended:
    """Repair what `triage` proved, costliest first, and write result.json, fix.patch, pr.md and the trace into
    `folder`/fix. `limits.minutes` are the repairs' own. SandboxError where the folder cannot be written."""
    below = folder / FOLDER
    try:
        below.mkdir()
    except OSError as error:
        raise SandboxError(f"cannot make {below}: {error.strerror}; choose another place with --output") from error
    asks = bool(settings.asked_model())
    # Search is told nothing of provocations: where a model can be asked it is asked alone, after the templates.
    chosen = replace(settings, engine="model") if asks else settings
    plan = Plan(repairable(triage, records), asks)
    ended = work(replace(job, good=""), chosen, repository, sandbox, below, redactor, *watchers, do=partial(mend, plan))
    output.write(below, ended.result)
    return ended
