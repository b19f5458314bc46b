"""`grokfix action`: the entry point inside GitHub Actions, one job or three (DESIGN, action)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot import config
from bot.adapters.clock import SystemClock
from bot.adapters.github import GitHubForge
from bot.commands.action_claim import read_trigger, reason_of, take, unwritten
from bot.commands.action_dashboard import read_edit, restore
from bot.commands.action_output import StepFiles, say
from bot.commands.action_recover import recover
from bot.commands.action_site import (
    Site,
    bundle_folder,
    default_branch,
    read_event,
    redactor_of,
    settings_of,
)
from bot.commands.compose import scratch_folder, uninterrupted
from bot.config_action import ActionContext, ActionInputs, read_action
from bot.errors import BotError, ConfigError, ForgeError
from bot.flaky.types import Shard
from bot.ports import Forge
from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish import job_summary
from bot.publish.bundle import Bundle, Refused
from bot.publish.post import Posted, post, show
from bot.publish.progress_comment import ProgressComment
from bot.result import RunOutcome
from bot.trigger import claim as claims
from bot.trigger.ledger import Ledger
from bot.trigger.types import Claim, Ignored, Triage, TriggerKind

_READ_ONLY = (
    "the token of this job may not write; give the job contents: write and pull-requests: write to have a pull request"
)
RED = 1
"""Exit status where `fail-on` names the outcome."""


def execute(_options: argparse.Namespace) -> int:
    """0 for every outcome that `fail-on` does not name; 2 and 3 for faults."""
    context, inputs = read_action(config.process_environment())
    if not inputs.token:
        raise ConfigError("the input github-token is empty; leave it out to have the job's own token")
    clock = SystemClock()
    forge = GitHubForge(
        inputs.token,
        context.repository,
        api_url=context.api_url,
        server_url=context.server_url,
        graphql_url=context.graphql_url,
        clock=clock,
    )
    files = StepFiles(context)
    try:
        with _faults_told(files, inputs):
            return _run(context, inputs, forge, files)
    finally:
        forge.close()


@contextmanager
def _faults_told(files: StepFiles, inputs: ActionInputs) -> Iterator[None]:
    """What goes wrong before there is anything to publish stands in the job summary, not in the log alone."""
    try:
        yield
    except (ConfigError, ForgeError) as error:
        files.summary(job_summary.fault(redactor_of(inputs, None).redact(str(error))))
        raise


def _run(context: ActionContext, inputs: ActionInputs, forge: Forge, files: StepFiles) -> int:
    match inputs.mode:
        case "analyze" | "publish":
            claim = claims.from_json(inputs.trigger)
            if claim.trigger.repository.lower() != context.repository.lower():
                raise ConfigError(f"input trigger is of another repository than {context.repository}")
            branch = claim.trigger.default_branch
            with _site(context, inputs, forge, branch) as site:
                if isinstance(claim.trigger.command, Triage):
                    return _run_shard(site, claim, files) if inputs.mode == "analyze" else _tell(site, claim, files)
                return _analyze(site, claim, files) if inputs.mode == "analyze" else _publish(site, claim, files)
    payload = read_event(context.event_path)
    told = None if context.event == "issues" else read_trigger(context, inputs, payload)
    if isinstance(told, Ignored):
        return _nothing(reason_of(told), files)
    with _site(context, inputs, forge, default_branch(payload, forge)) as site:
        trigger = told or read_edit(site, payload)
        if isinstance(trigger, Ignored):
            return _nothing(reason_of(trigger), files)
        try:
            taken = take(site, trigger)
        except ForgeError as error:
            if trigger.kind is not TriggerKind.STEP or error.status != 403:
                raise
            say(f"nothing can be written to the repository, so only the search engine is used: {error}")
            return _all(_without_model(site), unwritten(site, trigger), files)
        if not isinstance(taken, Claim):
            if trigger.kind is TriggerKind.DASHBOARD:
                restore(site)
            return _nothing(reason_of(taken), files)
        say(f"attempt {taken.attempt} on commit {taken.trigger.sha[:12]}")
        files.output(trigger=claims.to_json(taken), proceed="true")
        if isinstance(taken.trigger.command, Triage):
            return _triage(site, taken, taken.trigger.command, files)
        if inputs.mode == "claim":
            return 0
        # No ledger counts a step on a fork's code: where a key is at hand, a stranger would spend it.
        uncounted = taken.trigger.kind is TriggerKind.STEP and taken.trigger.is_fork
        return _all(_without_model(site) if uncounted else site, taken, files)


def _without_model(site: Site) -> Site:
    return replace(site, settings=replace(site.settings, engine="search"))


@contextmanager
def _site(context: ActionContext, inputs: ActionInputs, forge: Forge, branch: str) -> Iterator[Site]:
    settings = settings_of(inputs, forge, branch)
    with scratch_folder() as scratch:
        yield Site(context, inputs, forge, SystemClock(), settings, redactor_of(inputs, settings), scratch)


def _nothing(reason: str, files: StepFiles) -> int:
    say(reason)
    files.output(proceed="false", outcome="", reason="")
    files.summary(job_summary.ignored(reason))
    return 0


# --- the parts ------------------------------------------------------------------------------------------------------


def _all(site: Site, claim: Claim, files: StepFiles) -> int:
    """One job: analyze with live progress, then publish what was found."""
    from bot.commands.action_analyze import analyze  # here, so that nobody waits for it to see that it has begun

    watchers = []
    if claim.progress_comment is not None:
        watchers.append(ProgressComment(claim, claim.progress_comment, site.forge, site.clock))
    folder = bundle_folder(site.context, site.inputs, fresh=True)
    # A cancelled run gets a signal and some seconds: enough to say what became of it, so only analyzing ends early.
    with uninterrupted():
        analyzed = analyze(site, claim, folder, *watchers)
        for watcher in watchers:
            if watcher.problem:
                say(watcher.problem)
        _tell_bundle(site, analyzed.bundle, files)
        # Read back like a stranger's: one way to publish, and the same checks whoever hands it over.
        bundle = bundles.read(folder, claim, site.redactor.redact, clusters=site.settings.limits.clusters)
        posted = _post(site, claim, bundle, files)
    return max(_status(site, posted), analyzed.exit_code)


def _triage(site: Site, claim: Claim, command: Triage, files: StepFiles) -> int:
    """The claiming part of a triage, and in one job the rest of it too."""
    from bot.commands.action_history import read_on
    from bot.commands.action_lost import take_over

    files.output(
        shards=json.dumps([f"{number + 1}/{command.shards}" for number in range(command.shards)]),
        mend="true" if command.mend else "false",
    )
    with uninterrupted():
        if command.is_night:
            read_on(site, claim, take_over(site, claim))
        if site.inputs.mode == "claim":
            return 0
    status = _run_shard(site, claim, files) if command.shards else 0
    return max(status, _tell(site, claim, files))


def _run_shard(site: Site, claim: Claim, files: StepFiles) -> int:
    from bot.commands.action_triage import run_shard

    command, inputs = claim.trigger.command, site.inputs
    shards = command.shards if isinstance(command, Triage) else 1
    if inputs.mode == "analyze" and inputs.shards not in (None, shards):
        raise ConfigError(f"input shard says {inputs.shards} shards, and the triage was divided into {shards}")
    folder = bundle_folder(site.context, inputs, fresh=True)
    try:
        run_shard(site, claim, Shard(inputs.shard, shards), folder, files)
    except BotError as error:
        # In one job what is known already is told all the same; among several, the others go on.
        say(site.redactor.redact(str(error)))
        files.summary(job_summary.fault(site.redactor.redact(str(error))))
        return error.exit_code
    return 0


def _tell(site: Site, claim: Claim, files: StepFiles) -> int:
    from bot.commands.action_night import publish_night

    folder = bundle_folder(site.context, site.inputs, fresh=False)
    with uninterrupted():
        published = publish_night(site, claim, folder, files)
    return RED if published.outcome.value in site.inputs.fail_on else 0


def _analyze(site: Site, claim: Claim, files: StepFiles) -> int:
    from bot.commands.action_analyze import analyze

    folder = bundle_folder(site.context, site.inputs, fresh=True)
    with uninterrupted():
        analyzed = analyze(site, claim, folder)
    _tell_bundle(site, analyzed.bundle, files)
    outcome = analyzed.bundle.result.outcome.value
    files.output(outcome=outcome)
    say(f"{outcome}: the bundle is in {site.inputs.bundle}")
    return analyzed.exit_code


def _publish(site: Site, claim: Claim, files: StepFiles) -> int:
    folder = bundle_folder(site.context, site.inputs, fresh=False)
    bundle = bundles.read(folder, claim, site.redactor.redact, clusters=site.settings.limits.clusters)
    with uninterrupted():
        return _status(site, _post(site, claim, bundle, files))


def _unless_stopped(site: Site, claim: Claim, bundle: Bundle | Refused) -> Bundle | Refused:
    """No fix, where somebody stopped the attempt: its publishing job runs after a cancelled analysis too."""
    if claim.trigger.pull_request is None or isinstance(bundle, Refused):
        return bundle
    try:
        stopped = Ledger(site.forge, site.clock).stopped(claim.attempt)
    except ForgeError:
        return bundle  # publishing will meet the same trouble, and knows what to keep
    if not stopped:
        return bundle
    outcome, reason = RunOutcome.STOPPED, StopReason.INTERRUPTED
    repairs = tuple(
        replace(each, outcome=outcome, reason=reason, message="", patch=None) for each in bundle.result.repairs
    )
    message = "It was stopped by `/grok stop`."
    result = replace(bundle.result, outcome=outcome, reason=reason, message=message, repairs=repairs, patch=None)
    return replace(bundle, result=result, explanation=None)


def _post(site: Site, claim: Claim, bundle: Bundle | Refused, files: StepFiles) -> Posted:
    if isinstance(bundle, Refused):
        say(f"the bundle is refused: {bundle.message}")
    scratch = site.scratch / "publish"
    scratch.mkdir()
    if claim.trigger.kind is TriggerKind.STEP and claim.diagnosis_only:
        fork = claim.trigger.is_fork
        because = "the branch is in a fork, to which nothing is pushed" if fork else _READ_ONLY
        posted = show(claim, bundle, because, site.forge, site.settings, site.clock, scratch)
    else:
        posted = post(claim, _unless_stopped(site, claim, bundle), site.forge, site.settings, site.clock, scratch)
    for problem in posted.problems:
        say(site.redactor.redact(problem))
    if posted.unpublished:
        say("not everything is out; the next run of grokfix publishes what the uploaded bundle holds")
    files.summary(posted.summary)
    files.output(
        outcome=posted.outcome.value,
        reason="" if posted.reason is None else posted.reason.value,
        pull_request=posted.pull_requests[0].url if posted.pull_requests else "",
    )
    if posted.outcome not in (RunOutcome.REPAIRED, RunOutcome.NEEDS_REVIEW):
        files.output(patch="")  # what was found and is not offered after all is nothing to go on with
    say(posted.outcome.value + (f" ({posted.reason.value})" if posted.reason is not None else ""))
    recover(site, posted.attempts)  # last: what lies there is older, and its trouble is not this run's
    return posted


def _tell_bundle(site: Site, bundle: Bundle, files: StepFiles) -> None:
    """Outputs that name files, relative to the workspace: it lies elsewhere for the steps outside of this container."""
    name, cost = site.inputs.bundle, bundle.result.cost_usd
    files.output(
        bundle=name,
        result=f"{name}/{bundles.RESULT}",
        patch=f"{name}/{bundles.PATCH}" if bundle.result.patch is not None else "",
        cost_usd="" if cost is None else f"{cost:.6f}",
    )


def _status(site: Site, posted: Posted) -> int:
    return RED if posted.outcome.value in site.inputs.fail_on else 0
