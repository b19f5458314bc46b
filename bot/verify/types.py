"""Gates and verdicts: what was seen, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.evidence.types import Delta, TestId, TestReport
from bot.patch.types import Applied, Patch, Refusal
from bot.vet.types import Grade, Objection


class GateName(StrEnum):
    """The gates in their order."""

    REPRODUCED = "reproduced"
    APPLIES = "applies"
    VETTED = "vetted"
    RED = "red"
    GREEN = "green"
    MINIMAL = "minimal"
    SUITE = "suite"
    STABLE = "stable"


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
