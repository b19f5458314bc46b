"""`grokfix explain`: what failed, where and why; no patch."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console

from bot import config
from bot.adapters.clock import SystemClock
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
from bot.publish.explain import Explanation, render_json, render_text
from bot.publish.terminal import LiveView
from bot.reproduce import Reproduced, Stages, reproduce
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting
from bot.verify.base import Unusable


def execute(options: argparse.Namespace) -> int:
    """0 when the diagnosis was made, whatever it says."""
    with scratch_folder() as scratch:
        repository = open_repository(Path(options.path), scratch, allow_dirty=options.allow_dirty)
        settings = settings_of(options, repository.root)
        redactor = Redactor(secrets_of(settings, config.process_environment()))
        with (
            chosen_sandbox(settings) as sandbox,
            LiveView(Console(stderr=True), SystemClock(), verbose=options.verbose) as view,
            interruptible(sandbox),
        ):
            suite = suite_of(settings, sandbox, repository.root)
            sandbox.sweep()
            tools = tools_for(settings, repository, sandbox, Redacting(view, redactor), suite, redactor.redact)
            job = job_of(Request.of(options), suite, repository.root)
            with reproduce(job, settings, tools, Stages(tools.clock)) as seen:
                explanation = explanation_of(seen)
        if options.format == "json":
            told = render_json(explanation)
        else:
            told = render_text(explanation, shutil.get_terminal_size((100, 24)).columns)
        sys.stdout.write(redactor.redact(told))
    return 0


def explanation_of(seen: Reproduced | Unusable) -> Explanation:
    """What is shown of a base run."""
    if isinstance(seen, Unusable):
        return Explanation(0, (), problem=seen.problem, output=seen.output)
    base = seen.base
    return Explanation(
        tests=len(base.report),
        causes=tuple(seen.evidence(cluster, "") for cluster in seen.clusters),
        flaky=base.flaky,
        absent=base.absent,
        sandbox=seen.bench.environment.description,
        runs=len(base.run_ids),
    )
