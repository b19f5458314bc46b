"""Earlier runs of the same workflow: the last green commit, and whether the base branch fails in the same way.

One listing of the base branch serves both questions; nothing is asked twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.evidence.ci import Budget, collect, is_before
from bot.evidence.failures import looks_own, read_failure
from bot.evidence.matching import resolve
from bot.evidence.types import TestCase, TestId
from bot.ports import Forge, WorkflowRun

LISTED = 50
"""Runs of a branch that are looked at."""
BASE_BUDGET = Budget(packed=32 << 20, unpacked=128 << 20, artifacts=4, jobs=2)
"""What may be fetched of the base branch's run, beside the failed run's own budget."""

_RED = ("failure", "timed_out")
# A run on a test merge has the pull request's branch as its head branch, but what it says is of the merge.
_OF_A_MERGE = ("pull_request", "pull_request_target", "merge_group")


@dataclass(frozen=True, slots=True)
class RedSince:
    """The first red run of those that are red without a green one between; `date`: ISO 8601.

    known: a green run was seen before it. False: the listing ended, so it is red since then at least.
    """

    sha: str
    date: str
    url: str
    known: bool


@dataclass(frozen=True, slots=True)
class OnBase:
    """The base branch fails in the same way. run: the newest completed one of the workflow there.

    failing: those of the asked tests that fail there with the same exception type, by the ids that were asked for.
    since: of the workflow as a whole; that it was these tests is known of `run` only.
    """

    run: WorkflowRun
    failing: tuple[TestId, ...]
    since: RedSince


def base_runs(forge: Forge, run: WorkflowRun, base_branch: str) -> tuple[WorkflowRun, ...]:
    """Green and red runs of the run's workflow on the base branch of this repository, newest first. One call.

    A fork's branch of the same name and runs on pull requests are left out. Empty, and no call, where the run is
    itself one of that branch or `base_branch` is "".
    """
    if not base_branch or _is_on(run, base_branch, forge.repository):
        return ()
    listed = forge.runs(run.workflow_id, branch=base_branch, status="completed", limit=LISTED)
    return tuple(
        each for each in listed if each.conclusion in ("success", *_RED) and _is_on(each, base_branch, forge.repository)
    )


def last_green(forge: Forge, run: WorkflowRun, base: Sequence[WorkflowRun] = ()) -> WorkflowRun | None:
    """The newest green run of the same workflow on the run's own branch, else in `base` (see `base_runs`). One call.

    Not newer than the run, and on another commit: the difference to the same one would say nothing. On a branch whose
    history was rewritten it can be a commit that the branch has no more; it is fetched by its hash all the same.
    """
    own = forge.runs(run.workflow_id, branch=run.head_branch, status="success", limit=LISTED) if run.head_branch else ()
    candidates = [each for each in own if each.head_repository.lower() == run.head_repository.lower()]
    for each in (*candidates, *base):
        if (
            each.conclusion == "success"
            and each.head_sha != run.head_sha
            and not is_before(run.created_at, each.created_at)
        ):
            return each
    return None


def on_base(
    forge: Forge, base: Sequence[WorkflowRun], failing: Sequence[TestCase], artifact_globs: Sequence[str]
) -> OnBase | None:
    """Which of the failing tests fail in the newest run of `base` (see `base_runs`) too; None where none does.

    No call where that run is green; else what `ci.collect` calls, under BASE_BUDGET. A test counts as failing in the
    same way where its exception type is the same: messages hold values that differ from run to run.
    """
    if not base or base[0].conclusion not in _RED or not failing:
        return None
    there = {
        case.id: read_failure(case, looks_own).exception
        for case in collect(forge, base[0], artifact_globs, budget=BASE_BUDGET).report.failures()
    }
    found = resolve([case.id for case in failing], there).found
    same = tuple(
        case.id
        for case in failing
        if case.id in found and there[found[case.id]] == read_failure(case, looks_own).exception
    )
    return OnBase(base[0], same, _since(base)) if same else None


def _since(base: Sequence[WorkflowRun]) -> RedSince:
    first = base[0]
    for run in base:
        if run.conclusion not in _RED:
            return RedSince(first.head_sha, first.created_at, first.url, known=True)
        first = run
    return RedSince(first.head_sha, first.created_at, first.url, known=False)


def _is_on(run: WorkflowRun, branch: str, repository: str) -> bool:
    return (
        run.head_branch == branch and run.head_repository.lower() == repository.lower() and run.event not in _OF_A_MERGE
    )
