"""Triage inside GitHub Actions: the jobs that run tests. They read, run, repair, leave a folder, and write nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bot.commands.action_history import known, session_of
from bot.commands.action_material import fetched
from bot.commands.action_mend import mend_asked
from bot.commands.action_output import StepFiles, say
from bot.commands.action_quarantine import proven
from bot.commands.action_site import Site
from bot.commands.compose import chosen_sandbox, suite_of
from bot.commands.triage import Request, observe
from bot.commands.triage_files import judged, write
from bot.config import Settings
from bot.evidence.ci_history import last_green
from bot.flaky.bisect import Step
from bot.flaky.types import Shard
from bot.publish.flaky_text import headline
from bot.publish.terminal import LiveView
from bot.reproduce import Job
from bot.trigger.types import Claim, Triage
from bot.workspace.git import Repository

_DATED = 100
"""Commits since the last green one among which the first bad one is searched for: each is fetched."""


def run_shard(site: Site, claim: Claim, shard: Shard, folder: Path, files: StepFiles) -> None:
    """Hold this part of the session; its night, report and trace are in `folder` then. BotError where it cannot be."""
    command = claim.trigger.command
    assert isinstance(command, Triage)
    history = known(site, claim)
    for problem in history.problems:
        say(site.redactor.redact(problem))
    settings = _with_limits(site.settings, site.inputs.max_minutes, len(command.mend))
    repository, good, steps = _commits(site, claim)
    request = Request(
        session=session_of(claim),
        shard=shard,
        selectors=command.looked_at,
        history=history.records,
        scan=history.scan,
        group=f"branch:{claim.trigger.default_branch}",
        steps=steps,
        quarantined=proven(site, claim.trigger.sha, history) if command.is_night else (),
    )
    with (
        chosen_sandbox(settings) as sandbox,
        LiveView(Console(stderr=True, force_terminal=False, width=160), site.clock, verbose=False) as view,
    ):
        job = Job(
            suite=suite_of(settings, sandbox, repository.root),
            good=good,
            trusted=True,
            domain="default-branch",
        )
        night = observe(job, request, settings, repository, sandbox, folder, site.redactor, view)
        triage = judged([night], history.records, (), shard.of)
        write(folder, triage, night)
        files.output(bundle=site.inputs.bundle)
        if command.mend:
            repaired = mend_asked(site, claim, triage, night, replace(job, good=""), repository, sandbox, folder, view)
            cost = repaired.cost_usd
            files.output(cost_usd="" if cost is None else f"{cost:.6f}")
            say(f"repair: {repaired.outcome.value}")
    say(f"shard {shard.number} of {shard.of}: {len(night.records)} runs, {len(night.findings)} tests examined")
    say(headline(triage))


def _with_limits(settings: Settings, minutes: float | None, asked: int) -> Settings:
    """asked: tests that somebody wants repaired; the cause of each has to be looked for."""
    triage = replace(settings.triage, suspects=max(settings.triage.suspects, asked))
    return replace(settings, triage=triage if minutes is None else replace(triage, minutes=minutes))


def _commits(site: Site, claim: Claim) -> tuple[Repository, str, tuple[Step, ...]]:
    """The commit to look at; and where the default branch is red, the last green one and those after it."""
    sha, forge = claim.trigger.sha, site.forge
    failed = next(iter(forge.runs(None, branch=claim.trigger.default_branch, status="failure", limit=1)), None)
    green = None if failed is None or failed.head_sha != sha else last_green(forge, failed)
    compared = None if green is None else forge.compare(green.head_sha, sha)
    if green is None or compared is None or not 0 < len(compared.commits) <= _DATED:
        return fetched(site, [(sha,)]), "", ()
    good, authors = green.head_sha, {commit.sha: commit.author for commit in compared.commits}
    repository = fetched(site, [tuple(dict.fromkeys((sha, good, *authors))), (sha,)])
    steps, at = [Step(sha, authors.get(sha, ""))], sha
    while (at := next(iter(repository.parents(at)), "")) != good:
        if at not in authors or len(steps) > _DATED:
            return repository, "", ()  # the green commit is none that leads here by first parents
        steps.append(Step(at, authors[at]))
    return repository, good, tuple(reversed(steps))
