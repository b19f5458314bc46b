"""The analyzing part of the action: reproduce, repair or explain, and leave a bundle. It writes nothing to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bot import __version__
from bot.commands import output
from bot.commands.action_answers import Answers
from bot.commands.action_material import Material, gather
from bot.commands.action_output import say
from bot.commands.action_site import Site
from bot.commands.compose import chosen_sandbox, interruptible, suite_of
from bot.commands.work import work
from bot.config import Settings
from bot.errors import BotError, ConfigError
from bot.evidence.failures import cluster, looks_own, read_failure
from bot.evidence.types import TestCase
from bot.flaky.types import Night
from bot.ports import JsonValue, Recorder
from bot.propose.model.guidance import read_guidance
from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish.bundle import Bundle
from bot.publish.terminal import LiveView
from bot.reproduce import Job, Stages, Tools
from bot.result import RepairResult, Result, RunOutcome
from bot.trigger.types import Claim, Command, Explain, Fix, Flaky, Retry, Test, TriggerKind, WrongCommand


@dataclass(frozen=True, slots=True)
class Analyzed:
    """bundle: as it lies in its folder. exit_code: 2 or 3 where something was at fault, 0 for every outcome."""

    bundle: Bundle
    exit_code: int


def analyze(site: Site, claim: Claim, folder: Path, *watchers: Recorder) -> Analyzed:
    """Do what the claim asks for and write the bundle into `folder`; whatever goes wrong is a result as well."""
    material: Material | None = None
    exit_code = 0
    try:
        with interruptible():
            material = gather(site, claim)
            done = _declined(site, claim, material) or _worked(site, claim, material, folder, watchers)
    except KeyboardInterrupt:
        message = "interrupted; nothing was changed"
        done = _Done(Result(RunOutcome.STOPPED, reason=StopReason.INTERRUPTED, message=message, version=__version__))
    except BotError as error:
        say(site.redactor.redact(str(error)))
        stopped = Result(RunOutcome.STOPPED, reason=StopReason.INFRASTRUCTURE, message=str(error), version=__version__)
        done = _Done(stopped.with_texts(site.redactor.redact), error.exit_code)
    findings = material.findings if material is not None else bundles.Findings()
    trace = folder / output.TRACE
    content = trace.read_bytes() if trace.is_file() and done.result.trace_sha256 else b""
    findings = replace(findings, merge_only=done.merge_only)
    bundle = Bundle(claim, done.result, content, findings, done.explanation, done.night)
    bundles.write(bundle, folder)
    if done.exit_code > 1:
        exit_code = done.exit_code
    return Analyzed(bundle, exit_code)


@dataclass(frozen=True, slots=True)
class _Done:
    result: Result
    exit_code: int = 0
    merge_only: bool = False
    explanation: dict[str, JsonValue] | None = None
    night: Night | None = None


def _declined(site: Site, claim: Claim, material: Material) -> _Done | None:
    """What the evidence alone decides before anything is run."""
    command, wanted = claim.trigger.command, material.wanted
    if isinstance(command, Explain | Flaky | Test):
        return None
    on_base = set(material.on_base.failing) if material.on_base is not None else set()
    if wanted and not claim.asked and {case.id for case in wanted} <= on_base:
        sentence = f"the pull request did not break it: {material.findings.on_base}"
        return _Done(_stopped(site, wanted, RunOutcome.GAVE_UP, StopReason.ON_BASE, sentence))
    if wanted and not _allowed(claim, wanted):
        limit = site.settings.triggers.limits.per_fingerprint
        sentence = f"{limit} runs worked on this failure already (limits.per_fingerprint); it waits for a person"
        return _Done(_stopped(site, wanted, RunOutcome.GAVE_UP, StopReason.DECLINED, sentence))
    return None


def _allowed(claim: Claim, wanted: Sequence[TestCase]) -> tuple[TestCase, ...]:
    """Failing tests that may be worked on: enough runs were spent on the others, unless a person says retry."""
    if isinstance(claim.trigger.command, Retry):
        return tuple(wanted)
    clusters = cluster([read_failure(case, looks_own) for case in wanted])
    spent = {test for each in clusters if {each.fingerprint, "*"} & set(claim.exhausted) for test in each.ids}
    return tuple(case for case in wanted if case.id not in spent)


def _stopped(site: Site, wanted: Sequence[TestCase], outcome: RunOutcome, reason: StopReason, message: str) -> Result:
    """A result without a run: nothing was set up."""
    clusters = cluster([read_failure(case, looks_own) for case in wanted])
    repairs = tuple(
        RepairResult(
            each.ids, each.fingerprint, outcome, reason, message, each.failures[0].exception, each.failures[0].message
        )
        for each in clusters
    )
    result = Result(outcome, repairs, reason=reason, message=message, version=__version__)
    return result.with_texts(site.redactor.redact)


def _worked(site: Site, claim: Claim, material: Material, folder: Path, watchers: Sequence[Recorder]) -> _Done:
    command = claim.trigger.command
    settings = _narrowed(site.settings, command)
    answers = Answers(site, claim)
    with (
        chosen_sandbox(settings) as sandbox,
        LiveView(Console(stderr=True, force_terminal=False, width=160), site.clock, verbose=False) as view,
    ):
        suite = suite_of(settings, sandbox, material.repository.root)
        trusted, domain = _domain(claim)
        if not trusted and not sandbox.isolated:
            raise ConfigError(
                f"the code is a fork's, and {sandbox.name!r} is no sandbox: this job's token and key lie beside it; "
                "set sandbox.kind to docker in the settings of the default branch"
            )
        if not trusted:
            suite = replace(suite, setup_secrets={})
        job = Job(
            suite=suite,
            wanted=None if material.wanted is None else _allowed(claim, material.wanted),
            selectors=_tests(command),
            good=material.good,
            hint=_hint(command),
            trusted=trusted,
            domain=domain,
        )
        do: Callable[[Job, Settings, Tools, Stages], Result] = answers.repair
        if isinstance(command, Explain) or _is_strangers(claim):
            do = answers.explain
        elif isinstance(command, Flaky):
            do = answers.flaky
        elif isinstance(command, Test):
            do = answers.tests
        ended = work(
            job,
            settings,
            material.repository,
            sandbox,
            folder,
            site.redactor,
            view,
            *watchers,
            do=do,
            guidance=_guidance(site, claim),
        )
    return _Done(ended.result, ended.exit_code, answers.merge_only, answers.explanation, answers.night)


def _guidance(site: Site, claim: Claim) -> dict[str, str]:
    """Of the default branch, whatever is under test: a pull request does not tell us how to judge it."""
    branch = claim.trigger.default_branch
    return read_guidance(lambda path: site.forge.file(path, branch)) if site.settings.model.endpoints() else {}


def _domain(claim: Claim) -> tuple[bool, str]:
    """Whose code it is: a fork's set-up gets no secret, and shares no prepared image with anybody."""
    trigger = claim.trigger
    if trigger.is_fork:
        owner = trigger.head_repository.partition("/")[0] or "unknown"
        return False, f"fork:{owner}"
    if trigger.branch == trigger.default_branch and trigger.pull_request is None:
        return True, "default-branch"
    return True, f"branch:{trigger.branch}"


def _is_strangers(claim: Claim) -> bool:
    """A fork's run that nobody with write asked about: it is diagnosed, and no model is paid for it."""
    return claim.diagnosis_only and claim.trigger.is_fork and claim.trigger.kind is not TriggerKind.STEP


def _fix(command: Command | WrongCommand | None) -> Fix:
    match command:
        case Fix():
            return command
        case Retry(fix):
            return fix
    return Fix()


def _tests(command: Command | WrongCommand | None) -> tuple[str, ...]:
    return command.tests if isinstance(command, Explain | Flaky) else _fix(command).tests


def _hint(command: Command | WrongCommand | None) -> str:
    return _fix(command).hint


def _narrowed(settings: Settings, command: Command | WrongCommand | None) -> Settings:
    """Settings with what the command asks for; money and minutes are the settings' to say."""
    fix = _fix(command)
    limits = replace(settings.limits, attempts=fix.attempts or settings.limits.attempts)
    return replace(settings, engine=fix.engine or settings.engine, limits=limits)
