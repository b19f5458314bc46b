"""A proven provocation, tried once more: what makes the failure come back, and what says that it does not."""

from __future__ import annotations

import pytest

from bot.flaky.experiments.again import LABEL, again
from bot.flaky.types import Cause, Counts, Finding, Proof, Trial
from bot.toolchains.types import PLAIN, Conditions
from tests.fake_lab import FakeLab, Model, Process, test_id

A, B = test_id("a"), test_id("b")
SEEDED, ORDERED = Conditions(hash_seed=3), Conditions(in_order=True)


def proven(tests: tuple[object, ...], conditions: Conditions, *more: Proof) -> Finding:
    provoked = Trial("provoked", tests, conditions, Counts(5, 5))  # type: ignore[arg-type]
    proof = Proof(Cause.HASH_ORDER, "", (provoked, Trial("removed", (B,), PLAIN, Counts(10, 0)), provoked))
    return Finding(B, (proof, *more), ())


def passes(_process: Process) -> str:
    return ""


def by_seed(process: Process) -> str:
    return "AssertionError: no" if process.hash_seed == 3 else ""


def pollutes(process: Process) -> str:
    process.left.add("dirt")
    return ""


def victim(process: Process) -> str:
    return "KeyError: dirt" if process.left else ""


CASES: dict[str, tuple[dict[str, Model], Finding, int, bool]] = {
    "it still fails": ({"a": passes, "b": by_seed}, proven((B,), SEEDED), 1, False),
    "it passes now": ({"a": passes, "b": passes}, proven((B,), SEEDED), 10, True),
    "still a victim": ({"a": pollutes, "b": victim}, proven((A, B), ORDERED), 1, False),
    "polluter mended": ({"a": passes, "b": victim}, proven((A, B), ORDERED), 10, True),
    "polluter gone": ({"b": victim}, proven((A, B), ORDERED), 0, False),
    "it cannot be brought about here": ({"a": passes, "b": passes}, proven((B,), Conditions(load=4)), 0, False),
}


@pytest.mark.parametrize(("models", "finding", "runs", "gone"), CASES.values(), ids=CASES.keys())
def test_once_more(models: dict[str, Model], finding: Finding, runs: int, gone: bool) -> None:
    lab = FakeLab(models, unsupported={"load": "no"})
    found = again(finding, lab)
    assert lab.runs == runs
    assert (found is not None) is gone
    if found is not None:
        [tried] = found.tried
        [trial] = tried.trials
        provocation = finding.proofs[0].provocation
        assert (found.test, found.proofs, tried.cause) == (B, (), Cause.HASH_ORDER)
        assert (trial.label, trial.counts) == (LABEL, Counts(10, 0))
        assert (trial.tests, trial.conditions) == (provocation.tests, provocation.conditions)
        assert trial.keys == tuple(record.key for record in lab.records)
        assert not any(record.base for record in lab.records)


def test_of_several_causes_all_are_tried() -> None:
    zone = Proof(Cause.ZONE, "", (Trial("provoked", (B,), Conditions(zone="Asia/Kolkata"), Counts(5, 5)),))
    lab = FakeLab({"a": passes, "b": passes})
    found = again(proven((B,), SEEDED, zone), lab)
    assert found is not None
    assert [tried.cause for tried in found.tried] == [Cause.HASH_ORDER, Cause.ZONE]
    assert again(proven((B,), SEEDED, zone), FakeLab({"a": passes, "b": by_seed})) is None


def test_runs_that_are_used_up_say_nothing() -> None:
    assert again(proven((B,), SEEDED), FakeLab({"b": passes}, most_runs=9)) is None
    assert again(Finding(B, (), ()), FakeLab({"b": passes})) is None
