"""Where a fix goes: a pull request, an open one's branch, a commit, a comment, or nowhere. Reads, never writes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TypeAlias

from bot.config import PublishSettings
from bot.ports import Forge, PullRequest
from bot.propose.types import StopReason
from bot.trigger.own import FIX_PREFIX, is_own_branch
from bot.trigger.types import Claim, Retry, Triage, Trigger, TriggerKind


@dataclass(frozen=True, slots=True)
class Open:
    """A new pull request from `branch` to `base`."""

    branch: str
    base: str


@dataclass(frozen=True, slots=True)
class Update:
    """The open pull request for the same failure is brought up to date."""

    branch: str
    pull_request: PullRequest


@dataclass(frozen=True, slots=True)
class CommitOnto:
    """A commit on the pull request's own branch."""

    branch: str


@dataclass(frozen=True, slots=True)
class CommentOnly:
    """Nothing is pushed: the diff goes into a comment and the summary. `reason`: a sentence of ours, without markup or
    its full stop. retry: `/grok retry` would open a pull request all the same."""

    reason: str
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """The world moved on: nothing is offered. `message`: a sentence of ours, without its full stop."""

    reason: StopReason
    message: str


Destination: TypeAlias = Open | Update | CommitOnto | CommentOnly | Nothing


def fix_branch(target: str, fingerprint: str) -> str:
    """`grokfix/<slug>/<12 hex>`. A target whose name is not its own slug gets a piece of its hash, so that no two
    targets share one."""
    return f"{FIX_PREFIX}{_slug(target)}/{fingerprint[:12]}"


def tests_branch(target: str, key: str) -> str:
    """`grokfix/<slug>/tests-<12 hex>`, for new tests."""
    return f"{FIX_PREFIX}{_slug(target)}/tests-{key[:12]}"


def _slug(target: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", target).strip("-")[:60]
    if slug != target:
        slug = "-".join(filter(None, (slug, hashlib.sha256(target.encode("utf-8", "replace")).hexdigest()[:6])))
    return slug


def whole(claim: Claim, forge: Forge, settings: PublishSettings) -> CommentOnly | Nothing | None:
    """What holds for every fix of a claim: None where there is a branch that still stands where it was claimed.

    One call, two for a pull request, a few more where the branch has moved.
    """
    trigger = claim.trigger
    if trigger.is_fork:
        return _fork(trigger, forge)
    if claim.diagnosis_only:
        return CommentOnly("for this run only a diagnosis was asked for")
    if not trigger.branch:
        return CommentOnly("the failing commit is on no branch that a pull request could go to")
    if is_own_branch(trigger.branch):
        return CommentOnly("it failed on a branch of grokfix's own, which is never repaired by another one")
    if trigger.pull_request is not None and settings.on_pull_request == "comment":
        return CommentOnly("publish.on_pull_request is “comment” in this repository")
    if trigger.pull_request is not None and (closed := _closed(forge.pull_request(trigger.pull_request))):
        return closed
    head = forge.branch(trigger.branch)
    if head is None:
        return Nothing(StopReason.HEAD_MOVED, f"the branch {trigger.branch} is gone")
    if head == trigger.sha or _only_ours_since(trigger.sha, head, forge, settings) or _older(trigger, head, forge):
        return None
    return _moved(trigger, head, forge)


def decide(
    claim: Claim, fingerprint: str, forge: Forge, settings: PublishSettings, *, several: bool
) -> Open | Update | CommitOnto | CommentOnly | Nothing:
    """Where the fix of one failure goes, once `whole` had nothing to say. One call, two after a merge.

    several: the run has more fixes than this one; each then gets its own pull request. So does one for the default
    branch, whatever the settings say: it may be the head of a pull request too, and nothing is ever written to it.
    """
    trigger = claim.trigger
    commit = settings.on_pull_request == "commit" and trigger.branch != trigger.default_branch and not several
    if trigger.pull_request is not None and commit:
        return CommitOnto(trigger.branch)
    branch = fix_branch(trigger.branch, fingerprint)
    known = [pull for pull in forge.pull_requests(branch) if pull.base_branch == trigger.branch]
    for pull in known:
        if pull.state == "open":
            return Update(branch, pull)
    if not known:
        return Open(branch, trigger.branch)
    last = known[0]
    if last.merged:
        comparison = forge.compare(last.merge_sha, trigger.sha) if last.merge_sha else None
        if comparison is None or comparison.behind_by > 0:
            return Nothing(
                StopReason.FIXED_ELSEWHERE, f"#{last.number} fixed it and is merged; the failing commit is older"
            )
        return Open(branch, trigger.branch)
    if _asked_again(claim):
        return Open(branch, trigger.branch)
    return CommentOnly(
        f"#{last.number} offered a fix for the same failure and was closed without being merged, so no other one is "
        "opened",
        retry=True,
    )


def decide_tests(
    claim: Claim, key: str, judged: str, forge: Forge, settings: PublishSettings
) -> Open | Update | CommitOnto | CommentOnly:
    """Where new tests go, once `whole` had nothing to say. One call, or none.

    key: names the pull request that they are for. judged: names the patch in the body of a pull request of ours. One
    that a person closed stands for itself: the same tests are not offered again, other ones are, for somebody asked.
    """
    trigger = claim.trigger
    if settings.on_pull_request == "commit" and trigger.branch != trigger.default_branch:
        return CommitOnto(trigger.branch)
    branch = tests_branch(trigger.branch, key)
    known = [pull for pull in forge.pull_requests(branch) if pull.base_branch == trigger.branch]
    for pull in known:
        if pull.state == "open":
            return Update(branch, pull)
    if known and not known[0].merged and judged in known[0].body:
        return CommentOnly(f"#{known[0].number} offered the same tests and was closed without being merged")
    return Open(branch, trigger.branch)


def _asked_again(claim: Claim) -> bool:
    """`/grok retry`, or a dispatch or a box of the dashboard, which have no other way to say so. `/grok fix` asks for a
    fix, not for overruling the person who closed one."""
    otherwise = claim.trigger.kind in (TriggerKind.DISPATCH, TriggerKind.DASHBOARD)
    return claim.asked and (otherwise or isinstance(claim.trigger.command, Retry))


def _fork(trigger: Trigger, forge: Forge) -> CommentOnly | Nothing:
    if trigger.pull_request is None:
        return CommentOnly("it failed in a fork, to which nothing is pushed")
    pull = forge.pull_request(trigger.pull_request)
    if closed := _closed(pull):
        return closed
    if pull is not None and pull.head_sha != trigger.sha:
        return Nothing(
            StopReason.HEAD_MOVED, f"the pull request is at {pull.head_sha[:12]} now; it was {trigger.sha[:12]}"
        )
    return CommentOnly("the branch is in a fork, to which nothing is pushed")


def _closed(pull: PullRequest | None) -> Nothing | None:
    """A fix onto the branch of a pull request that is over would go nowhere; an old bundle may come that late."""
    if pull is None or pull.state == "open":
        return None
    return Nothing(StopReason.DECLINED, f"the pull request #{pull.number} was {'merged' if pull.merged else 'closed'}")


def _only_ours_since(sha: str, head: str, forge: Forge, settings: PublishSettings) -> bool:
    """Whether the branch moved by a commit of ours alone: a run that was killed after that write is run again."""
    if settings.on_pull_request != "commit":
        return False
    comparison = forge.compare(sha, head)
    if comparison is None or comparison.behind_by or comparison.ahead_by != 1 or len(comparison.commits) != 1:
        return False
    return "\nGrokfix-Fix: " in comparison.commits[0].message


def _older(trigger: Trigger, head: str, forge: Forge) -> bool:
    """Whether a flaky test's fix may go out although the branch has newer commits: to prove it takes longer than a busy
    branch stands still, and no commit meanwhile has to be about a failure that comes once in a while."""
    if not isinstance(trigger.command, Triage):
        return False
    comparison = forge.compare(trigger.sha, head)
    return comparison is not None and comparison.behind_by == 0


def _moved(trigger: Trigger, head: str, forge: Forge) -> Nothing:
    """Fixed elsewhere where the same workflow is green on the new head, else only moved."""
    if trigger.workflow_id is not None:
        green = forge.runs(trigger.workflow_id, branch=trigger.branch, status="success", limit=1)
        if green and green[0].head_sha == head:
            return Nothing(
                StopReason.FIXED_ELSEWHERE, f"{trigger.branch} moved on to {head[:12]}, where the workflow is green"
            )
    return Nothing(
        StopReason.HEAD_MOVED,
        f"{trigger.branch} moved on to {head[:12]} while {trigger.sha[:12]} was worked on",
    )
