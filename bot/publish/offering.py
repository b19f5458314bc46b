"""Offers one fix: vetted again, pushed where it may go, its pull request opened or updated. Safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.config import PublishSettings, Settings
from bot.evidence.types import TestId
from bot.ports import Denied, Forge, PullRequest, TokenKind
from bot.propose.types import StopReason
from bot.publish.branch import Fix, Occupied, Pushed, commit_onto, push
from bot.publish.commit_message import commit_message
from bot.publish.context import PublishContext, compare_url
from bot.publish.destination import CommentOnly, CommitOnto, Nothing, Open, Update, decide
from bot.publish.ending import Delivery, Offer, alone
from bot.publish.markers import fix_marker
from bot.publish.pull_request import LIMIT, pull_request_body, pull_request_title
from bot.publish.revet import Refused, Tree, Vetted, revet
from bot.result import RepairResult, Result, RunOutcome
from bot.trigger.types import Claim
from bot.vet.types import Flake, Grade

REVIEW_LABEL = "grokfix-needs-review"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the fixes of one attempt share. held: why none of them may be pushed, None where they may.

    tree: files of the claimed commit. tested: those of the merge that was under test, None where it is that commit.
    token: asks whose token it is, once. flake: what is known of targets that fail only sometimes, None where they fail
    always. context: without what is each fix's own.
    """

    claim: Claim
    result: Result
    forge: Forge
    settings: Settings
    held: CommentOnly | Nothing | None
    tree: Tree
    tested: Tree | None
    token: Callable[[], TokenKind]
    flake: Callable[[tuple[TestId, ...]], Flake | None]
    context: PublishContext
    scratch: Path
    several: bool

    @property
    def publish(self) -> PublishSettings:
        return self.settings.publish


def offer(desk: Desk, repair: RepairResult) -> Offer:
    """Do it. ForgeError where the code host does not answer: what was written until then is taken up the next time."""
    assert repair.patch is not None
    flake = desk.flake(repair.targets)
    vetted, held = revetted(desk, repair.patch, repair.targets, flake)
    if isinstance(vetted, Refused):
        return Offer(refused(repair, vetted.reason))
    repair = _graded(repair, vetted)
    place = held or decide(desk.claim, repair.fingerprint, desk.forge, desk.publish, several=desk.several)
    match place:
        case Nothing():
            # Where it is fixed already, the diff would only be in the way.
            patch = None if place.reason is StopReason.FIXED_ELSEWHERE else repair.patch
            stopped = replace(repair, outcome=RunOutcome.STOPPED, reason=place.reason, patch=patch)
            return Offer(stopped, Delivery(withheld=place.message))
        case CommentOnly():
            return Offer(repair, Delivery(withheld=place.reason, retry=place.retry))
    message = commit_message(repair, (desk.tested or desk.tree).commit, desk.claim.run_url)
    shown = alone(desk.result, repair)

    def text(context: PublishContext) -> tuple[str, str]:
        return pull_request_title(shown), pull_request_body(shown, LIMIT, context)

    review = repair.outcome is RunOutcome.NEEDS_REVIEW
    fix = Fix(desk.tree.commit, vetted.tree, vetted.files, message, repair.fingerprint)
    return Offer(repair, send(desk, Parcel(fix, text, _judged(repair), review), place))


def revetted(
    desk: Desk, patch: str, targets: tuple[TestId, ...], flake: Flake | None = None
) -> tuple[Vetted | Refused, CommentOnly | Nothing | None]:
    """The patch held against the rules, on the head and on what was tested; and why it may not be pushed, if so."""
    protect, scratch = desk.settings.protect, desk.scratch
    vetted = revet(patch, targets, desk.tree, protect, scratch, flake)
    proven = vetted if desk.tested is None else revet(patch, targets, desk.tested, protect, scratch, flake)
    if isinstance(proven, Vetted) and not proven.same:
        # People paste what is shown. What stands around a diff (prose, a command) is no part of what was verified.
        proven = Refused("it is not written as git writes it on the commit that it was verified on")
    if isinstance(proven, Vetted) and isinstance(vetted, Refused):
        # It may be right for the merge that was tested and not fit on the head alone: then it is shown, not pushed.
        return proven, desk.held or CommentOnly(f"it fits on the merge that was tested only ({vetted.reason})")
    return (vetted if isinstance(proven, Vetted) else proven), desk.held


def _graded(repair: RepairResult, vetted: Vetted) -> RepairResult:
    """What the rules say here is what counts; a review that only the gates asked for stays one."""
    repair = replace(repair, objections=vetted.objections)
    if vetted.grade is Grade.REVIEW and repair.outcome is RunOutcome.REPAIRED:
        message = "every gate is green, and a rule asks for a person's eyes"
    elif not vetted.same and repair.outcome is RunOutcome.REPAIRED:
        message = (
            "every gate is green on the merge; on the branch itself the files differ, and nobody ran the fix there"
        )
    else:
        return repair
    return replace(repair, outcome=RunOutcome.NEEDS_REVIEW, reason=StopReason.REVIEW_GRADE, message=message)


def refused(repair: RepairResult, reason: str) -> RepairResult:
    """A repair whose patch does not go out; `reason`: a sentence, made from untrusted text."""
    return replace(
        repair,
        outcome=RunOutcome.STOPPED,
        reason=StopReason.INFRASTRUCTURE,
        message=f"the patch was refused when it was looked at again before publishing: {reason}",
        patch=None,
    )


def _no_branch(branch: str, denied: Denied) -> str:
    return (
        f"the code host refused the branch {branch} ({denied.status}: {denied.message[:200]}); the job needs contents: "
        "write, and no rule may protect that branch from it"
    )


def _dispatch(desk: Desk, branch: str, pushed: Pushed) -> tuple[str, tuple[str, ...]]:
    """Start the configured workflow on the branch, once for each commit that is pushed there."""
    workflow, forge = desk.publish.dispatch, desk.forge
    if not workflow:
        return "", ()
    if not pushed.changed:
        runs = forge.runs(None, branch=branch, head_sha=pushed.sha)
        if any(run.event == "workflow_dispatch" and run.path.rpartition("/")[2] == workflow for run in runs):
            return workflow, ()
    denied = forge.dispatch(workflow, branch, {})
    if denied is None:
        return workflow, ()
    return "", (f"{workflow} could not be started on {branch} ({denied.status}: {denied.message[:200]})",)


# --- on the way -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent. text: title and body of its pull request. judged: what names the patch in such a body.

    review: a person must look at it before it counts.
    """

    fix: Fix
    text: Callable[[PublishContext], tuple[str, str]]
    judged: str
    review: bool


def send(desk: Desk, parcel: Parcel, place: Open | Update | CommitOnto) -> Delivery:
    """Push it to its place, and open its pull request or bring that up to date."""
    match place:
        case CommitOnto(branch):
            pushed = commit_onto(desk.forge, branch, parcel.fix)
        case Open(branch):
            pushed = push(desk.forge, branch, parcel.fix)
        case Update(branch, pull_request):
            pushed = push(desk.forge, branch, parcel.fix, pull_request.head_sha)
    match pushed:
        case Denied():
            return Delivery(withheld=_no_branch(place.branch, pushed))
        case Occupied(reason):
            return Delivery(withheld=reason)
    dispatched, remarks = _dispatch(desk, place.branch, pushed)
    if isinstance(place, CommitOnto):
        return Delivery(branch=branch, sha=pushed.sha, remarks=remarks)
    return _pull_request(desk, parcel, place, pushed, dispatched, remarks)


def _pull_request(
    desk: Desk, parcel: Parcel, place: Open | Update, pushed: Pushed, dispatched: str, remarks: tuple[str, ...]
) -> Delivery:
    forge = desk.forge
    context = replace(
        desk.context,
        marker=fix_marker(parcel.fix.fingerprint),
        branch=place.branch,
        token=desk.token(),
        dispatched=dispatched,
    )
    title, body = parcel.text(context)
    if isinstance(place, Update):
        pull, fresh = place.pull_request, pushed.changed or desk.claim.run_url in place.pull_request.body
        if pushed.changed or parcel.judged not in pull.body:
            denied = forge.edit_pull_request(pull.number, title, body)
            if denied is not None:
                remarks += (f"the text of #{pull.number} could not be brought up to date ({denied.message[:200]})",)
            pull = replace(pull, title=title, body=body)
        pull = replace(pull, head_sha=pushed.sha)
    else:
        opened = forge.open_pull_request(place.branch, place.base, title, body, desk.publish.draft)
        if isinstance(opened, Denied) and opened.status == 422 and "draft" in opened.message.lower():
            remarks += ("this repository has no draft pull requests, so it is an ordinary one",)
            opened = forge.open_pull_request(place.branch, place.base, title, body, False)
        if isinstance(opened, Denied):
            compare = compare_url(forge.server_url, forge.repository, place.base, place.branch)
            return Delivery(branch=place.branch, sha=pushed.sha, compare=compare, refusal=opened, remarks=remarks)
        pull, fresh = opened, True
    remarks += _dress(desk, pull, review=parcel.review, ask=fresh)
    return Delivery(pull_request=pull, branch=place.branch, sha=pushed.sha, remarks=remarks)


def _judged(repair: RepairResult) -> str:
    """What names the patch in a body; see the gates' table."""
    return next((gate.patch_sha256[:16] for gate in repair.gates if gate.patch_sha256), "")


def _dress(desk: Desk, pull: PullRequest, *, review: bool, ask: bool) -> tuple[str, ...]:
    """Labels, and where a person must look, the reviewers; what is refused is said and loses nothing else."""
    labels: Sequence[str] = (*desk.publish.labels, *((REVIEW_LABEL,) if review else ()))
    remarks = []
    if labels and (denied := desk.forge.add_labels(pull.number, labels)) is not None:
        remarks.append(f"the labels {', '.join(labels)} were refused ({denied.status}: {denied.message[:200]})")
    if review and ask and desk.publish.reviewers:
        denied = desk.forge.request_reviewers(pull.number, desk.publish.reviewers)
        if denied is not None:
            asked = ", ".join(desk.publish.reviewers)
            remarks.append(f"{asked} could not be asked for a review ({denied.status}: {denied.message[:200]})")
    return tuple(remarks)
