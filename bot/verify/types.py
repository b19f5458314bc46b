"""Gates and verdicts: what was seen, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from bot.evidence.types import Delta, TestId, TestReport
from bot.patch.types import Applied, Patch, Refusal
from bot.ports import Box, Environment, Overlay, RunResult
from bot.vet.types import Grade, Objection
from bot.workspace.checkout import Checkout


class JudgeBench(Protocol):
    """A bench as the judge needs it: `ports.Bench` whose runs have a purpose, with the checkout that they are of."""

    environment: Environment
    checkout: Checkout
    tree: Path

    def seconds_left(self) -> float: ...

    def try_patch(self, text: str) -> Applied | Refusal: ...

    def open(self, overlay: Overlay | None = None) -> Box: ...

    def run(
        self,
        ids: tuple[TestId, ...] | None,
        overlay: Overlay | None = None,
        *,
        purpose: str = "probe",
        seconds: float | None = None,
    ) -> RunResult:
        """Run `ids` (None: the suite) in a fresh box; `purpose` is a word for the trace, seconds this run's limit."""
        ...


class GateName(StrEnum):
    """The gates in their order; the last two are those of a flaky test's repair (bot.flaky.mend)."""

    REPRODUCED = "reproduced"
    APPLIES = "applies"
    VETTED = "vetted"
    RED = "red"
    GREEN = "green"
    MINIMAL = "minimal"
    SUITE = "suite"
    STABLE = "stable"
    CLEAN = "clean"
    REVERTED = "reverted"


FURTHER = (GateName.CLEAN, GateName.REVERTED)
"""Gates that only the repair of a flaky test has."""


class GateStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    REVIEW = "review"
    NOT_APPLICABLE = "not_applicable"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's result. `evidence` is a sentence with numbers; `run_ids` name the sandbox runs behind it;
    `patch_sha256` the patch it judged ("" for `reproduced`, which judges none)."""

    name: GateName
    status: GateStatus
    evidence: str
    run_ids: tuple[str, ...] = ()
    patch_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Inapplicable:
    """The diff does not apply in exactly one place."""

    refusal: Refusal
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A vet rule blocks it."""

    objections: tuple[Objection, ...]
    applied: Applied
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Unproven:
    """The new test does not fail without the fix, or not for the stated reason."""

    message: str
    applied: Applied
    gates: tuple[Gate, ...]
    output: str = ""


@dataclass(frozen=True, slots=True)
class Failing:
    """Some gate's run was not what it had to be. `output` is the run's tail for the next attempt."""

    message: str
    applied: Applied
    gates: tuple[Gate, ...]
    delta: Delta | None = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class Plausible:
    """Every gate is green. `applied` is the minimal patch (fix and new test); `grade` may ask for a person's review.

    healed: tests of other clusters that were red at base and are green with it.
    """

    applied: Applied
    gates: tuple[Gate, ...]
    grade: Grade
    objections: tuple[Objection, ...]
    new_tests: tuple[TestId, ...]
    after: TestReport
    healed: tuple[TestId, ...] = ()

    @property
    def patch(self) -> Patch:
        return self.applied.patch


Verdict: TypeAlias = Inapplicable | Rejected | Unproven | Failing | Plausible
