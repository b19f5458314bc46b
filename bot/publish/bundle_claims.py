"""What a bundle claims, held against itself: a result that a run for its claim could not have written is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from bot.publish.untrusted import one_line
from bot.result import RepairResult, Result, RunOutcome, worst
from bot.trigger.types import Claim, Test, Triage
from bot.verify.types import GateName, GateStatus

_OFFERED = (RunOutcome.REPAIRED, RunOutcome.NEEDS_REVIEW)
_STATUSES: Mapping[GateName, tuple[GateStatus, ...]] = {
    GateName.REPRODUCED: (GateStatus.PASSED,),
    GateName.APPLIES: (GateStatus.PASSED,),
    GateName.VETTED: (GateStatus.PASSED, GateStatus.REVIEW),
    GateName.RED: (GateStatus.PASSED, GateStatus.NOT_APPLICABLE),
    GateName.GREEN: (GateStatus.PASSED,),
    GateName.MINIMAL: (GateStatus.PASSED, GateStatus.REVIEW),
    GateName.SUITE: (GateStatus.PASSED, GateStatus.REVIEW),
    GateName.STABLE: (GateStatus.PASSED,),
}
"""What each gate must have seen before a patch is offered; all of them, in this order."""
_FURTHER: Mapping[GateName, tuple[GateStatus, ...]] = {
    GateName.CLEAN: (GateStatus.PASSED, GateStatus.REVIEW),
    GateName.REVERTED: (GateStatus.PASSED,),
}
"""The same of a flaky test's repair, after the others: both where such a repair was asked for, else both or none."""


def inconsistency(result: Result, tested: str, claim: Claim, clusters: int) -> str:
    """Why the result cannot be what a run for this claim wrote, "" where it can.

    tested: the commit that was tested by the bundle's word, "" for the claim's. clusters: how many fixes it may bring.
    """
    offered = [each for each in result.repairs if each.patch is not None]
    base = tested or claim.trigger.sha
    if tested not in ("", claim.trigger.sha) and claim.trigger.pull_request is None:
        return "it was verified on another commit than the claim's, and there is no pull request to be merged"
    if (offered or result.commit) and result.commit != base:
        return f"it was verified on {result.commit[:12] or 'an unknown commit'}, not on {base[:12]}"
    if result.outcome.badness < worst([each.outcome for each in result.repairs]).badness:
        return f"it calls the run {result.outcome.value}, which its repairs do not bear out"
    if offered and isinstance(claim.trigger.command, Test):
        return "it brings fixes where tests were asked for"
    if len(offered) > clusters:
        return f"it brings {len(offered)} fixes; a run may bring {clusters}"
    if len({each.fingerprint[:12] for each in offered}) < len(offered) or not all(each.fingerprint for each in offered):
        return "two of its fixes are for the same failure, or one is for none"
    mended = mended_tests(claim)
    if mended and not all(each.targets for each in result.repairs):
        return "it tells of the repair of no test"
    strange = [test.node_id for each in result.repairs for test in each.targets if test.node_id not in mended]
    if mended and strange:
        return f"it tells of a test whose repair nobody asked for, {one_line(strange[0], 200)}"
    # One patch can heal several flaky tests; what became of it becomes of those that it heals besides.
    carried = result.repairs if mended and offered else offered
    for each in result.repairs:
        if each.outcome in _OFFERED and each.patch is None and each not in carried:
            return f"it calls a failure {each.outcome.value} without a patch"
    if wrong := next((wrong for each in offered if (wrong := unproven(each, flaky=bool(mended)))), ""):
        return wrong
    if result.outcome in _OFFERED and result.outcome not in [each.outcome for each in carried]:
        return f"it calls the run {result.outcome.value}, and none of its repairs is that"
    if result.patch is not None and (not offered or (len(offered) == 1 and result.patch != offered[0].patch)):
        return "its patch as a whole is not that of its repairs"
    return ""


def mended_tests(claim: Claim) -> frozenset[str]:
    """Node ids of the flaky tests whose repair the claim asks for."""
    command = claim.trigger.command
    return frozenset(command.mend) if isinstance(command, Triage) else frozenset()


def unproven(repair: RepairResult, *, flaky: bool = False) -> str:
    """Why the gates of a repair do not carry its patch, "" where they do. flaky: its test fails only sometimes."""
    assert repair.patch is not None
    if repair.outcome not in _OFFERED:
        return f"a patch comes with the outcome {repair.outcome.value}"
    digest = hashlib.sha256(repair.patch.encode("utf-8", "surrogatepass")).hexdigest()
    names: Sequence[GateName] = [gate.name for gate in repair.gates]
    statuses = {**_STATUSES, **_FURTHER} if flaky or set(names) & _FURTHER.keys() else _STATUSES
    if names != list(statuses):
        return "a patch has not been through every gate in its order"
    for gate in repair.gates:
        if gate.status not in statuses[gate.name]:
            return f"a patch is offered although its gate {gate.name.value} is {gate.status.value}"
        if gate.patch_sha256 != ("" if gate.name is GateName.REPRODUCED else digest):
            return f"the gate {gate.name.value} judged another patch than the one that is offered"
        if gate.status is GateStatus.REVIEW and repair.outcome is RunOutcome.REPAIRED:
            return f"it is called repaired although the gate {gate.name.value} asks for a person"
    red = repair.gates[list(_STATUSES).index(GateName.RED)]
    if repair.new_tests and red.status is not GateStatus.PASSED:
        return "its new test was not seen to fail without the fix"
    return ""
