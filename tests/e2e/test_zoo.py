"""Projects of the zoo, run for real: the cause is proven, the control is not accused. All of them: benchmarks/triage.py."""

from __future__ import annotations

import pytest

from bot.flaky.examine import examine
from bot.flaky.experiments.series import Effort, Suspect
from bot.flaky.types import Cause
from tests.zoo_runs import ZOO, truths, zoo_lab

# A proof of two runs a trial: the test is of the way through a real sandbox, the counts are the benchmark's matter.
EFFORT = Effort(look=2, proof=2, cheap_proof=2)


@pytest.mark.parametrize("name", ["brittle"])
def test_the_cause_is_proven_in_a_real_sandbox(name: str) -> None:
    ((test, truth),) = truths()[name].items()
    with zoo_lab(name) as lab:
        finding = examine(Suspect(test), lab, EFFORT)
        keys = {record.key for record in lab.records}
    assert [proof.cause.value for proof in finding.proofs] == [truth.cause]
    proof = finding.proofs[0]
    assert [setter.node_id for setter in proof.setters] == list(truth.setters)
    assert [trial.counts.failures for trial in proof.trials[:3]] == [2, 0, 2]
    assert {key for trial in proof.trials for key in trial.keys} <= keys


def test_every_project_of_the_zoo_is_known() -> None:
    projects = {path.name for path in ZOO.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert projects == set(truths())
    causes = {truth.cause for tests in truths().values() for truth in tests.values()}
    assert causes == {cause.value for cause in Cause}
    assert sum(not tests for tests in truths().values()) >= 6
