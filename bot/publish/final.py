"""The result of a run as it is once its fixes were offered: what could not be offered after all is no repair. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.ports import PullRequest
from bot.publish.ending import Offer, TestsOffer
from bot.result import RepairResult, Result, RunOutcome, worst

OFFERED = (RunOutcome.REPAIRED, RunOutcome.NEEDS_REVIEW)
"""Outcomes of which there is a patch."""


def final(result: Result, offers: Sequence[Offer], tests: TestsOffer | None) -> Result:
    """What became of the run. offers: of all its repairs that have a patch."""
    if tests is not None and tests.outcome is not None:
        return replace(result, outcome=tests.outcome, reason=tests.reason, message=tests.sent.withheld)
    now = {each.repair.fingerprint: each.repair for each in offers}
    lost = next((each for each in now.values() if each.outcome not in OFFERED), None)
    repairs = tuple(
        now.get(each.fingerprint, each) if each.patch is not None else _healed(each, lost) for each in result.repairs
    )
    if repairs == result.repairs:
        return result
    same = all(new.patch == old.patch for new, old in zip(repairs, result.repairs, strict=True))
    outcome = worst([result.outcome, *(each.outcome for each in repairs)])
    reason = next((each.reason for each in repairs if each.outcome is outcome), result.reason)
    patch = result.patch if same else None
    return replace(result, outcome=outcome, repairs=repairs, reason=reason, patch=patch)


def fingerprints(result: Result) -> tuple[str, ...]:
    """Of the failures that were worked on, each once."""
    return tuple(dict.fromkeys(each.fingerprint for each in result.repairs if each.fingerprint))


def pull_requests(offers: Sequence[Offer], tests: TestsOffer | None) -> tuple[PullRequest, ...]:
    """Opened or brought up to date, in the order of the offers."""
    sent = [each.sent for each in offers] + ([tests.sent] if tests is not None else [])
    return tuple(each.pull_request for each in sent if each.pull_request is not None)


def _healed(repair: RepairResult, lost: RepairResult | None) -> RepairResult:
    """One without a patch of its own. A flaky test that another one's patch heals falls with the first that is lost."""
    if lost is None or repair.outcome not in OFFERED:
        return repair
    message = "the patch of another repair heals it, and not all of them went out"
    return replace(repair, outcome=lost.outcome, reason=lost.reason, message=message)
