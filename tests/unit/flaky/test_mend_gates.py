"""The gates of a flaky test's repair, against a world whose answers are known: rarer is not repaired."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.config import SuiteSettings
from bot.evidence.types import TestId
from bot.flaky.mend.base import Provoked, Wavering, provoke
from bot.flaky.mend.gates import Care, Proving
from bot.flaky.types import Cause, Counts, Proof, Trial
from bot.ports import Overlay
from bot.toolchains.types import Conditions, Runtime
from bot.verify.base import Base, measure
from bot.verify.bench import SandboxBench
from bot.verify.judge import judge
from bot.verify.types import Failing, Gate, GateName, GateStatus, Plausible
from bot.vet.types import Grade
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import FakeClock, FakeEnvironment, FakeToolchain, MemoryRecorder, World

SOURCE = "def show(tags):\n    return ' '.join(tags)\n"
TESTS = "from tags import show\n\n\ndef test_show():\n    assert show({'b', 'a'}) == 'a b'\n"
FIX = """\
--- a/tags.py
+++ b/tags.py
@@ -1,2 +1,2 @@
 def show(tags):
-    return ' '.join(tags)
+    return ' '.join(sorted(tags))
"""
SHOW = "test_tags.py::test_show"
WRONG = "failed: AssertionError: assert 'b a' == 'a b'"
CARE = Care(provoked=10, ordinary=6)


class Answers:
    """Fails in every run at base but the first, an ordinary one; with the patch in those that `failing` names, counted from the judge's last run."""

    def __init__(self, failing: Mapping[int, str]) -> None:
        self.failing = failing
        self.counted = False
        self.patched = self.at_base = 0
        self.comes_back = True

    def __call__(self, overlay: Overlay, run: int) -> Mapping[str, str]:
        if "tags.py" not in overlay:
            self.at_base += 1
            return {SHOW: WRONG if self.comes_back and self.at_base > 1 else "passed"}
        self.patched += self.counted
        return {SHOW: self.failing.get(self.patched, "passed") if self.counted else "passed"}


def provoked(tmp_path: Path, world: World, minutes: float = 60.0, before: Counts = Counts(10, 10)) -> Provoked:  # noqa: B008
    root = repositories.make(tmp_path / "repository", {"tags.py": SOURCE, "test_tags.py": TESTS})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ends = [minutes * 60]
    bench = SandboxBench(
        environment=FakeEnvironment(),
        toolchain=FakeToolchain(world),
        runtime=Runtime("python", (3, 13, 0), "pytest", "9.0"),
        checkout=Repository.open(root, scratch).checkout(),
        suite=SuiteSettings(),
        recorder=MemoryRecorder(),
        clock=FakeClock(),
        seconds_left=lambda: ends[0],
    )
    suite = measure(bench, (), (), lambda path: True, spectrum=False)
    assert isinstance(suite, Base)
    test = TestId.from_node_id(SHOW)
    trial = Trial("provoked", (test,), Conditions(hash_seed=3), before)
    proof = Proof(Cause.HASH_ORDER, "hash seed 3", (trial,))
    found = provoke(Wavering(test, proof, before, Counts(20, 4), None), bench, suite, (), lambda path: True)
    assert isinstance(found, Provoked), found
    return found


def judged(case: Provoked, world: Answers) -> tuple[Plausible | Failing, Proving, list[Gate]]:
    verdict = judge(case.bench, case.case, FIX, {}, why_no_test="", record=lambda gate: None)
    assert isinstance(verdict, Plausible), verdict
    world.counted = True
    gates: list[Gate] = []
    proving = Proving(case, CARE)
    return proving(verdict, gates.append), proving, gates


def test_as_many_clean_runs_as_prove_it(tmp_path: Path) -> None:
    world = Answers({})
    verdict, proving, gates = judged(provoked(tmp_path, world), world)
    assert isinstance(verdict, Plausible) and verdict.grade is Grade.ALLOWED
    assert [(gate.name, gate.status) for gate in gates] == [
        (GateName.CLEAN, GateStatus.PASSED),
        (GateName.REVERTED, GateStatus.PASSED),
    ]
    assert proving.clean is not None and proving.clean.whole
    assert (proving.clean.provoked, proving.clean.ordinary) == (Counts(10), Counts(6))
    assert "failed 10 of 10 times before and 0 of 10 after" in gates[0].evidence


@pytest.mark.parametrize(
    ("failing", "says"),
    [
        ({1: WRONG}, "run 1 of 10 under the provocation failed, after 0 that passed"),
        ({9: WRONG}, "run 9 of 10 under the provocation failed, after 8 that passed"),
        ({10 + 5: WRONG}, "in ordinary runs (the whole suite) failed, after 4 that passed"),
        ({4: "failed: KeyError: 'a'"}, "run 4 of 10 under the provocation failed"),
    ],
)
def test_a_fix_that_only_lowers_the_rate_is_no_repair(tmp_path: Path, failing: Mapping[int, str], says: str) -> None:
    world = Answers(failing)
    verdict, _, gates = judged(provoked(tmp_path, world), world)
    assert isinstance(verdict, Failing)
    assert says in verdict.message and "to fail less often is no repair" in verdict.message
    assert [(gate.name, gate.status) for gate in gates] == [(GateName.CLEAN, GateStatus.FAILED)]


def test_a_failure_that_does_not_come_back_proves_nothing(tmp_path: Path) -> None:
    world = Answers({})
    case = provoked(tmp_path, world)
    world.comes_back = False
    verdict, _, gates = judged(case, world)
    assert isinstance(verdict, Failing) and gates[-1].name is GateName.REVERTED
    assert "something else made it pass" in verdict.message


def test_a_test_that_is_skipped_gave_no_answer(tmp_path: Path) -> None:
    world = Answers(dict.fromkeys(range(3, 40), "skipped"))
    verdict, _, _ = judged(provoked(tmp_path, world), world)
    assert isinstance(verdict, Failing)
    assert "under the provocation the test gave no answer: it was skipped" in verdict.message


def test_what_failed_sometimes_is_asked_for_more_clean_runs(tmp_path: Path) -> None:
    world = Answers({})
    verdict, proving, _ = judged(provoked(tmp_path, world, before=Counts(20, 10)), world)
    assert isinstance(verdict, Plausible)
    assert proving.clean is not None
    assert proving.clean.provoked == Counts(9)  # 10 of 20: at least 30 %, and 0.7^9 is below 5 %
