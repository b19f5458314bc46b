"""The judge: every way through the gates, against a world whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.config import SuiteSettings
from bot.evidence.failures import cluster
from bot.patch.types import Overlay
from bot.toolchains.types import Runtime
from bot.verify.base import Base, Case, Unusable, measure
from bot.verify.bench import SandboxBench
from bot.verify.judge import judge
from bot.verify.types import (
    FURTHER,
    Failing,
    Gate,
    GateName,
    GateStatus,
    Inapplicable,
    Plausible,
    Rejected,
    Unproven,
    Verdict,
)
from bot.vet.types import Grade
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import FakeClock, FakeEnvironment, FakeToolchain, MemoryRecorder, World

SOURCE = "def area(width, height):\n    return width + height\n\n\ndef name():\n    return 'area'\n"
TESTS = """\
from shapes import area, name


def test_area():
    assert area(2, 3) == 6


def test_name():
    assert name() == 'area'
"""
NEW_TEST = b"from shapes import area\n\n\ndef test_area_of_a_line():\n    assert area(1, 0) == 0\n"
FIX = """\
--- a/shapes.py
+++ b/shapes.py
@@ -1,2 +1,2 @@
 def area(width, height):
-    return width + height
+    return width * height
"""
TWO_HUNKS = (
    FIX
    + """\
@@ -5,2 +5,2 @@
 def name():
-    return 'area'
+    return 'ar' + 'ea'
"""
)
AREA, NAME, NEW = (
    "test_shapes.py::test_area",
    "test_shapes.py::test_name",
    "test_area_regression.py::test_area_of_a_line",
)


def fixed(overlay: Overlay) -> bool:
    return b"width * height" in (overlay.get("shapes.py") or b"")


def honest(overlay: Overlay, run: int) -> Mapping[str, str]:
    """The world as it is: area is wrong until it multiplies."""
    said = "passed" if fixed(overlay) else "failed: AssertionError: assert 5 == 6"
    new = {NEW: said} if "test_area_regression.py" in overlay else {}
    return {AREA: said, NAME: "passed", **new}


class Court:
    """A repository, a bench over a world, and its base."""

    def __init__(self, tmp_path: Path, world: World) -> None:
        root = repositories.make(tmp_path / "repository", {"shapes.py": SOURCE, "test_shapes.py": TESTS})
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        self.checkout = Repository.open(root, scratch).checkout()
        self.environment = FakeEnvironment()
        self.recorder = MemoryRecorder()
        self.bench = SandboxBench(
            environment=self.environment,
            toolchain=FakeToolchain(world),
            runtime=Runtime("python", (3, 13, 0), "pytest"),
            checkout=self.checkout,
            suite=SuiteSettings(),
            recorder=self.recorder,
            clock=FakeClock(),
            seconds_left=lambda: 1_000.0,
        )
        self.gates: list[Gate] = []

    def is_project(self, path: str) -> bool:
        return self.checkout.read(path) is not None

    def base(self) -> Base:
        base = measure(self.bench, None, (), self.is_project, spectrum=False)
        assert isinstance(base, Base)
        return base

    def verdict(self, patch: str, new_tests: Mapping[str, bytes] | None = None) -> Verdict:
        base = self.base()
        case = Case(cluster(base.failures)[0], base, (), self.is_project)
        tests = {} if new_tests is None else new_tests
        return judge(self.bench, case, patch, tests, why_no_test="none could be made", record=self.gates.append)


@pytest.fixture
def court(tmp_path: Path) -> Callable[[World], Court]:
    return lambda world: Court(tmp_path, world)


def names(verdict: Verdict) -> list[tuple[str, str]]:
    return [(gate.name.value, gate.status.value) for gate in verdict.gates]


def test_every_gate_in_order_with_one_hash(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(FIX, {"test_area_regression.py": NEW_TEST})
    assert isinstance(verdict, Plausible)
    assert names(verdict) == [(name.value, "passed") for name in GateName if name not in FURTHER]
    assert {gate.patch_sha256 for gate in verdict.gates[1:]} == {verdict.patch.sha256}
    assert [test.node_id for test in verdict.new_tests] == [NEW]
    assert verdict.grade is Grade.ALLOWED
    assert all(gate.run_ids for gate in verdict.gates if gate.name in {GateName.RED, GateName.GREEN, GateName.STABLE})


def test_gates_are_recorded_as_they_are_decided(court: Callable[[World], Court]) -> None:
    place = court(honest)
    verdict = place.verdict(FIX, {"test_area_regression.py": NEW_TEST})
    assert tuple(place.gates) == verdict.gates


def test_without_a_new_test_the_existing_one_is_said_to_be_the_proof(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(FIX)
    assert isinstance(verdict, Plausible)
    red = next(gate for gate in verdict.gates if gate.name is GateName.RED)
    assert red.status is GateStatus.NOT_APPLICABLE
    assert "proved by the existing test only (none could be made)" in red.evidence


def test_new_test_that_passes_without_the_fix_proves_nothing(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {**honest(overlay, run), **({NEW: "passed"} if "test_area_regression.py" in overlay else {})}

    verdict = court(world).verdict(FIX, {"test_area_regression.py": NEW_TEST})
    assert isinstance(verdict, Unproven)
    assert "does not fail without the fix" in verdict.message


@pytest.mark.parametrize(
    "said", ["collection: ImportError: no module", "failed: NameError: area", "error: RuntimeError: fixture broke"]
)
def test_new_test_that_fails_for_another_reason_proves_nothing(court: Callable[[World], Court], said: str) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        new = {NEW: "passed" if fixed(overlay) else said} if "test_area_regression.py" in overlay else {}
        return {**honest(overlay, run), **new}

    verdict = court(world).verdict(FIX, {"test_area_regression.py": NEW_TEST})
    assert isinstance(verdict, Unproven)
    assert said.split(": ")[1] in verdict.message


def test_new_test_that_does_not_run_proves_nothing(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {test: said for test, said in honest(overlay, run).items() if test != NEW}

    verdict = court(world).verdict(FIX, {"test_area_regression.py": NEW_TEST})
    assert isinstance(verdict, Unproven)
    assert "no new test ran" in verdict.message


def test_patch_that_does_not_apply(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(FIX.replace("width + height", "width - height"))
    assert isinstance(verdict, Inapplicable)
    assert "width + height" in verdict.refusal.message
    assert names(verdict) == [("reproduced", "passed"), ("applies", "failed")]


def test_new_test_never_overwrites_a_file(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(FIX, {"test_shapes.py": NEW_TEST})
    assert isinstance(verdict, Inapplicable)
    assert "exists already" in verdict.refusal.message


def test_patch_that_a_rule_blocks_is_never_run(court: Callable[[World], Court]) -> None:
    place = court(honest)
    place.base()
    before = len(place.environment.boxes)
    verdict = place.verdict(
        "--- /dev/null\n+++ b/conftest.py\n@@ -0,0 +1,2 @@\n+import pytest\n+collect_ignore = ['test_shapes.py']\n"
    )
    assert isinstance(verdict, Rejected)
    assert len(place.environment.boxes) == before + 3  # the second base measurement and nothing after


def test_patch_that_leaves_the_target_red(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(FIX.replace("width * height", "width - height"))
    assert isinstance(verdict, Failing)
    assert verdict.gates[-1].name is GateName.GREEN
    assert AREA in verdict.message


def test_patch_that_breaks_another_test(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        broken = {NAME: "failed: AssertionError: no"} if fixed(overlay) else {}
        return {**honest(overlay, run), **broken}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Failing)
    assert (verdict.gates[-1].name, verdict.gates[-1].status) == (GateName.SUITE, GateStatus.FAILED)
    assert NAME in verdict.message
    assert verdict.delta is not None


def test_test_that_vanishes_counts_as_broken(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {test: said for test, said in honest(overlay, run).items() if test != NAME or not fixed(overlay)}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Failing)
    assert "vanished" in verdict.message


def test_test_that_becomes_skipped_counts_as_broken(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {**honest(overlay, run), **({NAME: "skipped"} if fixed(overlay) else {})}

    assert not isinstance(court(world).verdict(FIX), Plausible)


def test_target_that_becomes_skipped_is_not_green(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {**honest(overlay, run), **({AREA: "skipped"} if fixed(overlay) else {})}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Failing)
    assert "did not run to a pass" in verdict.message


def test_test_that_fails_once_in_the_suite_asks_for_a_person(court: Callable[[World], Court]) -> None:
    failed_once: list[int] = []

    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        # Runs 1 to 3 are the base; 4 is green; 5 is the suite.
        if run == 5:
            failed_once.append(run)
            return {**honest(overlay, run), NAME: "failed: TimeoutError: slow"}
        return honest(overlay, run)

    verdict = court(world).verdict(FIX)
    assert failed_once
    assert isinstance(verdict, Plausible)
    assert verdict.grade is Grade.REVIEW


def test_target_that_fails_again_is_not_stable(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {**honest(overlay, run), **({AREA: "failed: AssertionError: again"} if run == 7 else {})}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Failing)
    assert verdict.gates[-1].name is GateName.STABLE


def test_hunks_that_are_not_needed_are_dropped_and_all_hashes_agree(court: Callable[[World], Court]) -> None:
    verdict = court(honest).verdict(TWO_HUNKS, {"test_area_regression.py": NEW_TEST})
    assert isinstance(verdict, Plausible)
    assert "'ar' + 'ea'" not in verdict.patch.text
    assert "width * height" in verdict.patch.text
    assert {gate.patch_sha256 for gate in verdict.gates[1:]} == {verdict.patch.sha256}
    assert [name for name, _ in names(verdict)] == [name.value for name in GateName if name not in FURTHER]
    assert "1 of 3 hunks" in next(gate.evidence for gate in verdict.gates if gate.name is GateName.MINIMAL)


@pytest.mark.parametrize("gate", [GateName.GREEN, GateName.SUITE])
def test_run_without_a_report_is_a_failure(court: Callable[[World], Court], gate: GateName) -> None:
    lost = 4 if gate is GateName.GREEN else 5

    def world(overlay: Overlay, run: int) -> Mapping[str, str] | str:
        return "the run ended without a report" if run == lost else honest(overlay, run)

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Failing)
    assert verdict.gates[-1].name is gate
    assert "without a report" in verdict.message


def test_other_clusters_that_the_patch_heals_are_told(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {**honest(overlay, run), NAME: "passed" if fixed(overlay) else "failed: KeyError: 'area'"}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Plausible)
    assert len(verdict.healed) == 1


def test_file_that_could_not_be_collected_is_healed_by_its_tests(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        if fixed(overlay):
            return {AREA: "passed", NAME: "passed"}
        return {"test_shapes.py": "collection: SyntaxError: invalid syntax"}

    verdict = court(world).verdict(FIX)
    assert isinstance(verdict, Plausible)


def test_base_without_a_report_is_unusable(court: Callable[[World], Court]) -> None:
    place = court(lambda overlay, run: "the test command ended with exit code 3")
    base = measure(place.bench, None, (), place.is_project, spectrum=False)
    assert isinstance(base, Unusable)
    assert "exit code 3" in base.problem


def test_test_that_passes_in_a_rerun_is_flaky(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {AREA: "passed" if run == 3 else "failed: AssertionError: no", NAME: "passed"}

    base = court(world).base()
    assert base.failures == ()
    assert [(test.node_id, failed, runs) for test, failed, runs in base.flaky] == [(AREA, 2, 3)]


def test_test_that_fails_differently_in_a_rerun_is_flaky(court: Callable[[World], Court]) -> None:
    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return {AREA: "failed: KeyError: 1" if run == 2 else "failed: AssertionError: no", NAME: "passed"}

    assert [failed for _, failed, _ in court(world).base().flaky] == [2]
