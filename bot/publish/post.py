"""Publishes an attempt: fixes first, then ledger and trace, then what people read.

Killed anywhere and run again, it ends in the same state; what one part loses does not take the others with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from bot.config import Settings
from bot.flaky.judge import judge_night
from bot.flaky.types import Night
from bot.flaky.verdict import Triage
from bot.ports import Clock, Denied, Forge, JsonValue, PullRequest
from bot.propose.types import StopReason
from bot.publish import checks, ending, job_summary, keep, tests_offering
from bot.publish.bundle import Bundle, Findings, Refused
from bot.publish.bundle_claims import mended_tests
from bot.publish.context import PublishContext
from bot.publish.destination import CommentOnly, Nothing, whole
from bot.publish.ending import Delivery, Offer, Report, TestsOffer
from bot.publish.final import OFFERED, final, fingerprints, pull_requests
from bot.publish.markers import progress_marker
from bot.publish.offering import Desk, offer, refused
from bot.publish.parts import Parts
from bot.publish.proven import flake_of
from bot.publish.revet import Tree
from bot.result import RepairResult, Result, RunOutcome
from bot.trigger.entry import Entry
from bot.trigger.ledger import Ledger
from bot.trigger.types import Claim, Flaky, Test

_GOOD = (*OFFERED, RunOutcome.NO_FAILURES)


@dataclass(frozen=True, slots=True)
class Posted:
    """What was published. outcome, reason: as they are in the end, after the head moved or a rule forbade a patch.

    pull_requests: opened or brought up to date. summary: Markdown for the job summary. problems: sentences, of
    untrusted parts. unpublished: the token died or the code host was down before everything that matters was out; the
    ledger's line still stands open, and who keeps the bundle can publish it again. attempts: the ledger as it was then.
    fingerprints, minutes, cost_usd: as in the ledger's line, minutes and cost None where nobody can say.
    """

    outcome: RunOutcome
    reason: StopReason | None
    pull_requests: tuple[PullRequest, ...]
    summary: str = field(repr=False)
    problems: tuple[str, ...] = ()
    unpublished: bool = False
    attempts: tuple[Entry, ...] = ()
    fingerprints: tuple[str, ...] = ()
    minutes: float | None = None
    cost_usd: float | None = None


def post(
    claim: Claim, bundle: Bundle | Refused, forge: Forge, settings: Settings, clock: Clock, scratch: Path
) -> Posted:
    """Publish what was found for `claim`. `scratch`: a folder of the caller's, for the files of the patches.

    No ForgeError leaves here: what could not be done is in `problems`, and in the summary.
    """
    return _Posting(claim, bundle, forge, settings, clock, scratch).run()


def show(
    claim: Claim,
    bundle: Bundle | Refused,
    because: str,
    forge: Forge,
    settings: Settings,
    clock: Clock,
    scratch: Path,
) -> Posted:
    """What `post` would tell, in the summary alone: nothing is written to the host, where the token may only read.

    because: why nothing is pushed, a sentence of ours without its full stop.
    """
    return _Posting(claim, bundle, forge, settings, clock, scratch).show(CommentOnly(because))


@dataclass(frozen=True, slots=True)
class Stranger:
    """What was tested is another commit than the one claimed; `reason`: a sentence without its full stop."""

    reason: str


class _Posting:
    def __init__(
        self, claim: Claim, bundle: Bundle | Refused, forge: Forge, settings: Settings, clock: Clock, scratch: Path
    ) -> None:
        self.claim = claim
        self.forge = forge
        self.settings = settings
        self.clock = clock
        self.scratch = scratch
        self.ledger = Ledger(forge, clock)
        self.parts = Parts()
        self.kept = False
        self.refused = ""
        self.trace, self.findings = b"", Findings()
        self.explanation: Mapping[str, JsonValue] | None = None
        self.triage: Triage | None = None
        self.night: Night | None = None
        self.mended = mended_tests(claim)
        if isinstance(bundle, Refused):
            self.refused = bundle.message
            self.result = Result(RunOutcome.STOPPED, reason=bundle.reason, message=bundle.message)
        else:
            self.result, self.trace, self.findings = bundle.result, bundle.trace, bundle.findings
            self.explanation, self.night = bundle.explanation, bundle.night
            if bundle.night is not None and isinstance(claim.trigger.command, Flaky):
                self.triage = judge_night(bundle.night)
        self.kit = keep.pack(claim, self.result, self.trace, forge.server_url, forge.repository)

    def run(self) -> Posted:
        offers, tests = self._offers(), self._tests()
        result = final(self.result, offers, tests)
        self._keep(result, offers, tests)
        report = self._report(result, offers, tests)
        self._comment(report)
        self._react(result)
        self._check(result, report)
        report = replace(report, problems=tuple(self.parts.problems))
        return Posted(
            outcome=result.outcome,
            reason=result.reason,
            pull_requests=pull_requests(offers, tests),
            summary=job_summary.render(report),
            problems=tuple(self.parts.problems),
            unpublished=self.parts.unpublished,
            attempts=self.ledger.seen,
            fingerprints=fingerprints(result),
            minutes=self._minutes(result),
            cost_usd=self._cost(result),
        )

    def show(self, held: CommentOnly) -> Posted:
        offers, tests = self._offers(held), self._tests(held)
        result = final(self.result, offers, tests)
        report = self._report(result, offers, tests)
        return Posted(result.outcome, result.reason, (), job_summary.render(report), tuple(self.parts.problems))

    # --- the fixes --------------------------------------------------------------------------------------------------

    def _offers(self, held: CommentOnly | Nothing | None = None) -> tuple[Offer, ...]:
        repairs = [each for each in self.result.repairs if each.patch is not None]
        if not repairs:
            return ()
        desk = self._desk(held, several=len(repairs) > 1)
        match desk:
            case Desk():
                return tuple(self._offer(desk, repair) for repair in repairs)
            case CommentOnly(reason):
                return tuple(Offer(each, Delivery(withheld=reason)) for each in repairs)
            case Stranger(reason):
                return tuple(Offer(refused(each, reason)) for each in repairs)

    def _tests(self, held: CommentOnly | Nothing | None = None) -> TestsOffer | None:
        told = self.explanation
        asked = isinstance(self.claim.trigger.command, Test)
        if not asked or told is None or tests_offering.patch_of(told) is None:
            return None
        desk = self._desk(held, several=False)
        match desk:
            case Desk():
                made = self.parts.do("offer the tests", lambda: tests_offering.offer(desk, told), decisive=True)
                return made or tests_offering.unsent("the code host did not answer, or not in time")
            case CommentOnly(reason):
                return tests_offering.unsent(reason)
            case Stranger(reason):
                return tests_offering.refused(reason)

    def _desk(self, held: CommentOnly | Nothing | None, *, several: bool) -> Desk | CommentOnly | Stranger:
        """CommentOnly: where the branch stands is not known. Stranger: it is not the claimed commit that was tested."""
        claim, forge = self.claim, self.forge
        if held is None:
            held = self.parts.do(
                "look at the branch", lambda: whole(claim, forge, self.settings.publish), decisive=True
            )
        if self.parts.unpublished:
            return CommentOnly("the code host did not say where the branch stands")
        other = self.findings.tested not in ("", claim.trigger.sha)
        if other and not self._is_merged(self.findings.tested):
            return Stranger(
                f"it was verified on {self.findings.tested[:12]}, which does not hold the commit that was claimed"
            )
        return Desk(
            claim=claim,
            result=self.result,
            forge=forge,
            settings=self.settings,
            held=held,
            tree=Tree(forge, claim.trigger.sha),
            tested=Tree(forge, self.findings.tested) if other else None,
            token=cache(lambda: forge.viewer().kind),
            flake=lambda targets: flake_of(self.night, targets) if self.mended else None,
            context=self._context(""),
            scratch=self.scratch,
            several=several,
        )

    def _is_merged(self, tested: str) -> bool:
        """Whether the head is part of what was tested, by the code host's word: the analyzing job's does not count."""
        sha = self.claim.trigger.sha
        between = self.parts.do(
            "look at the merge that was tested", lambda: self.forge.compare(sha, tested), decisive=True
        )
        return between is not None and between.behind_by == 0

    def _offer(self, desk: Desk, repair: RepairResult) -> Offer:
        made = self.parts.do("offer the fix", lambda: offer(desk, repair), decisive=True)
        return made or Offer(repair, Delivery(withheld="the code host did not answer, or not in time"))

    def _context(self, marker: str) -> PublishContext:
        trigger, findings = self.claim.trigger, self.findings
        runs = f"{self.forge.server_url}/{self.forge.repository}/actions/runs"
        return PublishContext(
            marker=marker,
            run_url=self.claim.run_url,
            failed_run_url="" if trigger.run_id is None else f"{runs}/{trigger.run_id}",
            base=trigger.branch,
            pull_request=trigger.pull_request,
            tested=findings.tested if findings.tested != trigger.sha else "",
            merged_with=f"{trigger.base_branch}@{findings.merged_with[:12]}" if findings.merged_with else "",
            merge_only=findings.merge_only,
            on_base=findings.on_base,
            notes=findings.notes,
            kept=self.kit.kept,
        )

    # --- ledger and trace -------------------------------------------------------------------------------------------

    def _keep(self, result: Result, offers: tuple[Offer, ...], tests: TestsOffer | None) -> None:
        """One commit for both. An attempt whose fix is not out for want of an answer stays open in the ledger."""
        if self.parts.unpublished:
            return
        if result != self.result:  # what is kept says what became of it, not what the analysis hoped
            self.kit = keep.pack(self.claim, result, self.trace, self.forge.server_url, self.forge.repository)
        known = self.parts.do(
            "write the ledger and keep the trace",
            lambda: self.ledger.end(
                self.claim.attempt,
                outcome=result.outcome.value,
                reason="" if result.reason is None else result.reason.value,
                fingerprints=fingerprints(result),
                minutes=self._minutes(result),
                cost_usd=self._cost(result),
                pull_requests=[each.number for each in pull_requests(offers, tests)],
                also=self.kit.files,
            ),
            decisive=True,
        )
        self.kept = known is not None
        if known is False:
            self.parts.problems.append(f"the ledger has no line of the attempt {self.claim.attempt}; its trace is kept")

    def _minutes(self, result: Result) -> float | None:
        """Without a bundle nobody can say what was spent: what was allowed stays on the books."""
        return None if self.refused else round(sum(result.seconds.values()) / 60, 2)

    def _cost(self, result: Result) -> float | None:
        return None if self.refused else result.cost_usd

    # --- what people read -------------------------------------------------------------------------------------------

    def _report(self, result: Result, offers: tuple[Offer, ...], tests: TestsOffer | None) -> Report:
        context = self._context(progress_marker(self.claim.attempt))
        kept = self.kept  # links are told where there is something behind them
        return Report(
            result=result,
            context=context if kept else replace(context, kept=None),
            repository_url=f"{self.forge.server_url}/{self.forge.repository}",
            offers=offers,
            refused=self.refused,
            explanation=self.explanation,
            triage=self.triage,
            patch_paths=self.kit.patch_paths if kept else {},
            problems=tuple(self.parts.problems),
            tests=tests,
        )

    def _comment(self, report: Report) -> None:
        number, known = self.claim.trigger.pull_request, self.claim.progress_comment
        worth = bool(self.claim.asked or report.offers or self.explanation or self.claim.diagnosis_only)
        if number is None or not (worth or known is not None):
            return
        body, mark = ending.comment(report), report.context.marker
        answer: object = None
        if known is not None:
            answer = self.parts.do("edit the comment", lambda: self.forge.edit_comment(known, body))
            if not (isinstance(answer, Denied) and answer.status in (404, 410)):  # else a person has deleted it
                self.parts.refusal("the comment", answer)
                return
        self.parts.refusal("the comment", self.parts.do("comment", lambda: self.forge.comment(number, body, mark)))

    def _react(self, result: Result) -> None:
        comment = self.claim.trigger.comment_id
        if comment is None:
            return
        answered = self.explanation is not None or self.triage is not None
        told = answered and result.outcome is not RunOutcome.STOPPED
        good = result.outcome in _GOOD or (told and not self.refused)
        content = "rocket" if good else "confused"
        self.parts.refusal("the reaction", self.parts.do("react", lambda: self.forge.react(comment, content)))

    def _check(self, result: Result, report: Report) -> None:
        if self.mended:
            return  # nobody waits at a commit of the default branch for it, and it is no judgement of one
        summary = ending.body(report, 60_000)
        annotations = checks.suspicions(checks.locations(self.explanation, self.trace))
        check = checks.ended(self.claim, result.outcome, result.reason, summary, annotations)
        answer = self.parts.do("set the check run", lambda: self.forge.check(check, self.claim.check_run))
        self.parts.refusal("the check run (it needs checks: write)", answer)
