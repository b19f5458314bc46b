"""Fixes of flaky tests at the publishing job: what a night must show, and what a forged one gains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.evidence.types import TestId
from bot.flaky.types import Cause, Counts, Failed, Finding, Night, Proof, RunRecord, RunSource, Shard, Trial
from bot.publish.proven import flake_of
from bot.publish.revet import Refused, Tree, Vetted, revet
from bot.toolchains.types import Conditions
from bot.vet.types import Flake, Grade
from tests.fake_forge import FakeForge
from tests.unit.publish.world import patch_of

FILES = {
    "shop/rates.py": (
        "_rates = {}\n\n\ndef load(table):\n    _rates.update(table)\n\n\n"
        'def rate(name):\n    if not _rates:\n        load({"EUR": 1.0, "GBP": 0.85})\n    return _rates[name]\n'
    ),
    "tests/test_admin.py": (
        "from shop import rates\n\n\n"
        'def test_load():\n    rates.load({"USD": 2.0})\n    assert rates.rate("USD") == 2.0\n'
    ),
    "tests/test_basket.py": ('from shop.rates import rate\n\n\ndef test_pounds():\n    assert rate("GBP") == 0.85\n'),
}
POUNDS = TestId.from_node_id("tests/test_basket.py::test_pounds")
LOAD = TestId.from_node_id("tests/test_admin.py::test_load")
PUT_BACK = """\
--- a/tests/test_admin.py
+++ b/tests/test_admin.py
@@ -3,3 +3,4 @@
 
-def test_load():
+def test_load(monkeypatch):
+    monkeypatch.setattr(rates, "_rates", dict(rates._rates))
     rates.load({"USD": 2.0})
"""
IN_ORDER = Conditions(in_order=True)
SHA = "a" * 40


def night(
    cause: Cause = Cause.VICTIM, target: TestId = POUNDS, before: tuple[TestId, ...] = (LOAD,), setters: bool = False
) -> Night:
    """A session whose runs show the cause: three runs a trial, the second trial without what provokes."""
    with_them, alone = (*before, target), (target,)
    conditions = Conditions(repeat=2) if cause is Cause.NOT_IDEMPOTENT else IN_ORDER
    trials, records = [], []
    for number, label in enumerate(("provoked", "removed", "provoked again")):
        failing = number != 1
        tests = with_them if failing is not setters else alone
        under = conditions if failing or cause is not Cause.NOT_IDEMPOTENT else Conditions()
        keys = tuple(f"rerun:s/1/{3 * number + run}" for run in range(3))
        records += [
            RunRecord(
                key,
                RunSource.RERUN,
                "branch:main",
                SHA,
                "process",
                1,
                1.0,
                1.0,
                tests,
                {target: Failed("f" * 64, "KeyError", "'GBP'")} if failing else {},
                conditions=under,
            )
            for key in keys
        ]
        trials.append(Trial(label, tests, under, Counts(3, 3 if failing else 0), keys=keys))
    proof = Proof(cause, "as shown", tuple(trials), () if setters else before, before if setters else ())
    return Night("s", Shard(), 1.0, SHA, "process", tuple(records), (Finding(target, (proof,), ()),))


def other_proof(it: Night, **changes: object) -> Night:
    [finding] = it.findings
    proof = replace(finding.proofs[0], **changes)  # type: ignore[arg-type]
    return replace(it, findings=(replace(finding, proofs=(proof,)),))


def other_trial(it: Night, number: int, **changes: object) -> Night:
    trials = list(it.findings[0].proofs[0].trials)
    trials[number] = replace(trials[number], **changes)  # type: ignore[arg-type]
    return other_proof(it, trials=tuple(trials))


def records(it: Night, change: Callable[[RunRecord], RunRecord]) -> Night:
    return replace(it, records=tuple(change(each) for each in it.records))


@pytest.mark.parametrize(
    ("it", "target", "known"),
    [
        (night(), POUNDS, Flake((LOAD,))),
        (night(), LOAD, Flake()),
        (night(Cause.NOT_IDEMPOTENT, before=()), POUNDS, Flake((POUNDS,))),
        (night(Cause.BRITTLE, setters=True), POUNDS, Flake((), (LOAD,))),
        (night(Cause.HASH_ORDER, before=()), POUNDS, Flake()),
        (None, POUNDS, Flake()),
    ],
)
def test_what_a_night_proves(it: Night | None, target: TestId, known: Flake) -> None:
    assert flake_of(it, (target,)) == known


@pytest.mark.parametrize(
    "forged",
    [
        replace(night(), records=()),
        records(night(), lambda run: replace(run, commit="b" * 40)),
        records(night(), lambda run: replace(run, failed={})),
        records(night(), lambda run: replace(run, tests=run.tests[::-1])),
        records(night(), lambda run: replace(run, tests=(POUNDS,))),
        records(night(), lambda run: replace(run, conditions=Conditions(hash_seed=3))),
        records(night(), lambda run: replace(run, failed={POUNDS: Failed("f" * 64, "KeyError", "")})),
        other_proof(night(), cause=Cause.HASH_ORDER),
        other_proof(night(), cause=Cause.NOT_IDEMPOTENT),
        other_proof(night(), polluters=(replace(LOAD, name="test_other"),)),
        other_proof(night(), polluters=(LOAD, POUNDS)),
        other_proof(night(), setters=(LOAD,)),
        other_proof(night(), trials=night().findings[0].proofs[0].trials[:2]),
        other_proof(night(Cause.NOT_IDEMPOTENT, before=()), polluters=(LOAD,)),
        other_trial(night(), 0, counts=Counts(3, 0)),
        other_trial(night(), 1, counts=Counts(3, 1)),
        other_trial(night(), 1, counts=Counts()),
        other_trial(night(), 1, tests=(LOAD, POUNDS)),
        other_trial(night(), 2, keys=()),
        replace(night(), findings=(Finding(POUNDS, (), ()), *night().findings)),
    ],
)
def test_what_contradicts_itself_names_no_polluter(forged: Night) -> None:
    assert flake_of(forged, (POUNDS,)) == Flake()


def vetted(diff: str, flake: Flake | None, tmp_path: Path) -> Vetted | Refused:
    forge = FakeForge()
    sha = forge.push("main", FILES)
    patch = patch_of(diff, tmp_path, FILES)
    return revet(patch, (POUNDS,), Tree(forge, sha), (), tmp_path, flake)


def test_what_puts_back_goes_to_a_person_where_the_night_shows_the_polluter(tmp_path: Path) -> None:
    found = vetted(PUT_BACK, flake_of(night(), (POUNDS,)), tmp_path)
    assert isinstance(found, Vetted), found
    assert found.grade is Grade.REVIEW
    assert [each.path for each in found.objections] == ["tests/test_admin.py"]
    for unknown in (None, flake_of(None, (POUNDS,)), flake_of(replace(night(), records=()), (POUNDS,))):
        refused = vetted(PUT_BACK, unknown, tmp_path)
        assert isinstance(refused, Refused)
        assert "test_assertions" in refused.reason or "test_mocks" in refused.reason


def edit(path: str, old: str, new: str) -> str:
    """A diff that replaces lines of one file."""
    before = FILES[path]
    assert before.count(old) == 1
    first = before[: before.index(old)].count("\n") + 1
    lost, gained = old.splitlines(), new.splitlines()
    lines = [f"-{line}" for line in lost] + [f"+{line}" for line in gained]
    head = f"@@ -{first},{len(lost)} +{first},{len(gained)} @@"
    return "\n".join((f"--- a/{path}", f"+++ b/{path}", head, *lines)) + "\n"


ADMIN = "tests/test_admin.py"
SEEN = '    assert rates.rate("USD") == 2.0\n'


@pytest.mark.parametrize(
    "diff",
    [
        edit(ADMIN, SEEN, '    assert rates.rate("USD")\n'),
        edit(ADMIN, '    rates.load({"USD": 2.0})\n', "    rates._rates.clear()\n"),
        edit(ADMIN, SEEN, f"{SEEN}    import os\n    os._exit(0)\n"),
        edit(ADMIN, SEEN, f"{SEEN}    rates.rate = lambda name: 0.85\n"),
        edit(ADMIN, "def test_load():\n", "import pytest\n\n\n@pytest.mark.skip\ndef test_load():\n"),
        edit(ADMIN, "def test_load():\n", 'def test_load(monkeypatch):\n    monkeypatch.setattr(rates, "rate", str)\n'),
        edit("tests/test_basket.py", '    assert rate("GBP") == 0.85\n', '    assert rate("GBP") > 0\n'),
        edit(
            "shop/rates.py",
            "    return _rates[name]\n",
            "    import time\n\n    time.sleep(0.1)\n    return _rates[name]\n",
        ),
        edit(
            "shop/rates.py",
            "    return _rates[name]\n",
            "    for _ in range(3):\n        try:\n            return _rates[name]\n        except KeyError:\n"
            "            _rates.clear()\n",
        ),
    ],
    ids=["looser", "emptied", "exit", "overwritten", "skip", "mock", "looser victim", "sleep", "retry"],
)
def test_a_forged_polluter_gains_nothing_else(diff: str, tmp_path: Path) -> None:
    """The night says what it likes: any test may be called a polluter, and is not the weaker for it."""
    refused = vetted(diff, flake_of(night(), (POUNDS,)), tmp_path)
    assert isinstance(refused, Refused), refused
    assert "a rule forbids it" in refused.reason


def test_masking_is_refused_although_the_bundle_says_nothing_of_a_proof(tmp_path: Path) -> None:
    sleep = edit("shop/rates.py", "    if not _rates:\n", "    import time\n\n    time.sleep(1)\n    if not _rates:\n")
    refused = vetted(sleep, flake_of(None, (POUNDS,)), tmp_path)
    assert isinstance(refused, Refused)
    assert "flaky_masking" in refused.reason


def test_a_victim_called_a_polluter_of_itself_is_looked_at(tmp_path: Path) -> None:
    """Its file is then no victim's to the rules; it goes to a person all the same."""
    diff = edit(
        "tests/test_basket.py",
        '    assert rate("GBP") == 0.85\n',
        '    try:\n        assert rate("GBP") == 0.85\n    finally:\n        rate.cache_clear()\n',
    )
    found = vetted(diff, flake_of(night(Cause.NOT_IDEMPOTENT, before=()), (POUNDS,)), tmp_path)
    assert isinstance(found, Vetted), found
    assert found.grade is Grade.REVIEW
