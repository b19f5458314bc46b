"""A proven provocation once more: whether it still makes the test fail, on the commit of tonight."""

from __future__ import annotations

from bot.flaky.lab import Broke, Lab, NoRun
from bot.flaky.quarantine_proof import clean_provocations
from bot.flaky.types import Counts, Finding, Proof, Trial, Tried

LABEL = "provoked as it was proven"


def again(finding: Finding, lab: Lab) -> Finding | None:
    """What is left of `finding`, a test's proven causes: those that provoke its failure no more, as tried in vain.

    None where one of them still does, could not be tried, or the lab may not run any more: then nothing is left to say
    that the runs' own records do not.
    """
    gone = []
    try:
        for proof in finding.proofs:
            tried = _tried(finding, proof, lab)
            if tried is None:
                return None
            gone.append(tried)
    except NoRun:
        return None
    return Finding(finding.test, (), tuple(gone)) if gone else None


def _tried(finding: Finding, proof: Proof, lab: Lab) -> Tried | None:
    provocation, test = proof.provocation, finding.test
    if lab.unsupported(provocation.conditions) or not set(provocation.tests) <= set(lab.suite):
        return None
    wanted, keys = clean_provocations(proof), []
    for number in range(wanted):
        purpose = f"experiment: {LABEL}, {number + 1} of {wanted}"
        observed = lab.run(provocation.tests, provocation.conditions, purpose=purpose)
        if isinstance(observed, Broke):
            return None
        record = observed.record
        if test in (*record.failed, *record.retried, *record.unknown) or not set(provocation.tests) <= set(
            record.tests
        ):
            return None
        keys.append(record.key)
    trial = Trial(LABEL, provocation.tests, provocation.conditions, Counts(wanted, 0), keys=tuple(keys))
    return Tried(proof.cause, f"what provoked its failure does so no more: passed {wanted} of {wanted}", (trial,))
