"""What a bundle's night proves of the tests that its fixes are for: all that the rules of vetting are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.evidence.types import TestId
from bot.flaky.types import Cause, Night, Proof, RunRecord, Trial
from bot.vet.types import Flake

_COUNTERFACTUAL = 3
"""Trials that make a proof: provoked, removed, provoked again."""


def flake_of(night: Night | None, targets: Sequence[TestId]) -> Flake:
    """The targets as flaky tests, with those polluters and setters that the night's own runs bear out for each of them.

    The night is the analyzing job's word: what contradicts itself counts as nothing. None: nothing is proved.
    """
    records = {} if night is None else {each.key: each for each in night.records if each.commit == night.commit}
    polluters: list[TestId] = []
    setters: list[TestId] = []
    for target in targets:
        proof = None if night is None else _first_proof(night, target)
        if proof is None or not _stands(proof, target, records):
            continue
        provoked, removed, _ = proof.trials[:_COUNTERFACTUAL]
        before = (proof.polluters, proof.setters)
        match proof.cause:
            case Cause.NOT_IDEMPOTENT if before == ((), ()) and provoked.conditions.repeat > 1:
                polluters.append(target)
            case Cause.VICTIM if before[1] == () and provoked.tests == (*proof.polluters, target):
                polluters += () if set(proof.polluters) & {target, *removed.tests} else proof.polluters
            case Cause.BRITTLE if before[0] == () and removed.tests == (*proof.setters, target):
                setters += () if set(proof.setters) & {target, *provoked.tests} else proof.setters
    return Flake(tuple(dict.fromkeys(polluters)), tuple(dict.fromkeys(setters)))


def _first_proof(night: Night, target: TestId) -> Proof | None:
    """Of several causes it is the first whose repair is made."""
    finding = next((each for each in night.findings if each.test == target), None)
    return next(iter(finding.proofs), None) if finding is not None else None


def _stands(proof: Proof, target: TestId, records: Mapping[str, RunRecord]) -> bool:
    """Whether it is a counterfactual, and runs of the night show what its trials say."""
    if len(proof.trials) < _COUNTERFACTUAL:
        return False
    provoked, removed, again = proof.trials[:_COUNTERFACTUAL]
    if not (provoked.counts.failures and again.counts.failures and removed.counts.runs) or removed.counts.failures:
        return False
    failed = all(_shown(trial, target, records, failing=True) for trial in (provoked, again))
    return failed and _shown(removed, target, records, failing=False)


def _shown(trial: Trial, target: TestId, records: Mapping[str, RunRecord], *, failing: bool) -> bool:
    """Whether one run at least shows it: those tests before the target, under those conditions, with that outcome."""
    before = set(trial.tests) - {target}
    runs = (records[key] for key in trial.keys if key in records)
    return any(
        run.conditions == trial.conditions
        and before <= set(run.tests[: run.tests.index(target)])
        and (target in run.failed) is failing
        for run in runs
        if target in run.tests
    )
