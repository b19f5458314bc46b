"""What the analyzing job does for each command, on code that is reproduced: repair, explain, run again, write tests."""

from __future__ import annotations

import json
from dataclasses import replace

from bot import __version__
from bot.commands.action_site import Site
from bot.commands.compose import model_of
from bot.commands.explain import explanation_of
from bot.commands.triage import Request, session_in
from bot.config import Settings
from bot.flaky.judge import judge_night
from bot.flaky.redacted import without_secrets
from bot.flaky.types import Night
from bot.flaky.verdict import Kind
from bot.ports import JsonValue
from bot.propose.types import StopReason
from bot.publish.explain import render_json
from bot.reproduce import Job, Reproduced, Stages, Tools, reproduce
from bot.result import Result, RunOutcome, SandboxInfo
from bot.run import run
from bot.trigger.types import Claim

_OVER = (RunOutcome.NO_FAILURES, RunOutcome.NOT_REPRODUCED, RunOutcome.STOPPED)


class Answers:
    """One way for each command; what it leaves beside its result stands in the attributes.

    merge_only: the failure shows on the merge alone. explanation: of /grok explain and /grok test, as JSON. night: the
    runs of /grok flaky.
    """

    def __init__(self, site: Site, claim: Claim) -> None:
        self._site = site
        self._claim = claim
        self.merge_only = False
        self.explanation: dict[str, JsonValue] | None = None
        self.night: Night | None = None

    def repair(self, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
        """Repair; where a merge was under test, see whether the head alone fails as well."""
        result = run(job, settings, tools, stages)
        head, repository = self._claim.trigger.sha, tools.repository
        if repository.head == head or result.outcome in _OVER or repository.tree(head) == repository.tree("HEAD"):
            return result
        targets = {test for each in result.repairs for test in each.targets}
        with stages.measure("head alone"), reproduce(_of_head(job, head), settings, tools, Stages(tools.clock)) as seen:
            if isinstance(seen, Reproduced):
                failing = {case.id for case in seen.base.report.failures()}
                self.merge_only = bool(targets) and not targets & failing
        return replace(result, seconds=dict(stages.seconds))

    def explain(self, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
        """Diagnosis only; what repeats, what does not, and where the cause probably lies."""
        with reproduce(job, settings, tools, stages) as seen:
            told = explanation_of(seen)
            isolated = tools.sandbox.isolated
            self.explanation = json.loads(self._site.redactor.redact(render_json(told)))
        outcome: RunOutcome = RunOutcome.NO_FAILURES
        reason: StopReason | None = None
        if told.problem:
            outcome = RunOutcome.GAVE_UP
            reason = StopReason.INFRASTRUCTURE
        elif told.causes:
            outcome, reason = RunOutcome.GAVE_UP, StopReason.NEEDS_HUMAN
        elif told.flaky:
            outcome, reason = RunOutcome.FLAKY, StopReason.NEEDS_HUMAN
        return Result(
            outcome,
            reason=reason,
            message=told.problem,
            usage=tools.budget.spent,
            seconds=dict(stages.seconds),
            sandbox=SandboxInfo(tools.sandbox.name, isolated, told.sandbox),
            commit=tools.repository.head,
            version=__version__,
        )

    def flaky(self, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
        """Reruns and experiments on the commit at hand: the tests that were named, else those that failed in CI, else
        the whole suite. What earlier runs showed has no say: it was other code."""
        trigger = self._claim.trigger
        failed = () if job.wanted is None else tuple(case.id.node_id for case in job.wanted)
        request = Request(
            session=f"asked-{self._claim.attempt}",
            selectors=job.selectors or failed,
            group=f"pr:{trigger.pull_request}" if trigger.pull_request is not None else f"branch:{trigger.branch}",
        )
        with stages.measure("reruns"):
            night = session_in(job, request, settings, tools)
        self.night = without_secrets(night, self._site.redactor.redact)
        kinds = {verdict.kind for verdict in judge_night(self.night).verdicts}
        outcome: RunOutcome = RunOutcome.NO_FAILURES
        if Kind.FLAKY in kinds:
            outcome = RunOutcome.FLAKY
        elif kinds:
            outcome = RunOutcome.GAVE_UP
        return Result(
            outcome,
            reason=StopReason.NEEDS_HUMAN if kinds else None,
            usage=tools.budget.spent,
            seconds=dict(stages.seconds),
            sandbox=SandboxInfo(tools.sandbox.name, tools.sandbox.isolated, ""),
            commit=tools.repository.head,
            version=__version__,
        )

    def tests(self, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
        """Tests for what the pull request changes."""
        from bot.commands.testgen import new_tests
        from bot.publish.tests_report import render_json as tests_json

        redactor = self._site.redactor
        done = new_tests(job, settings, tools, stages, model_of(settings, tools.clock), redactor)
        if done.applied is not None and redactor.redact(done.applied.patch.text) != done.applied.patch.text:
            done = replace(done, applied=None, problem="the new tests hold what looks like a secret of this job's")
        self.explanation = json.loads(redactor.redact(tests_json(done)))
        return Result(
            RunOutcome.GAVE_UP if done.problem else RunOutcome.NO_FAILURES,
            reason=StopReason.INFRASTRUCTURE if done.problem else None,
            message=done.problem,
            usage=done.usage,
            seconds=dict(stages.seconds),
            sandbox=SandboxInfo(tools.sandbox.name, tools.sandbox.isolated, done.sandbox),
            commit=tools.repository.head,
            version=__version__,
        )


def _of_head(job: Job, head: str) -> Job:
    return replace(job, revision=head, good="", selectors=())
