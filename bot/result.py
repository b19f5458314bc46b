"""What a run came to: the types behind result.json, pr.md and the closing summary. The schema is result.schema.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import assert_never

from bot.evidence.text import head_tail
from bot.evidence.types import Outcome, TestId, TestReport
from bot.flaky.fix_proof import FlakyProof
from bot.ports import JsonValue, Usage
from bot.propose.types import Attempt, NewTest, StopReason
from bot.verify.types import Failing, Gate, Inapplicable, Plausible, Rejected, Unproven, Verdict
from bot.vet.types import Objection

FORMAT = "grokfix-result/1"
REASONING = 20_000
"""Characters of a model's reasoning in a result; the trace has all of it."""


class RunOutcome(StrEnum):
    """What came of a repair or a run. Listed from best to worst: a run's outcome is the worst of its repairs."""

    NO_FAILURES = "no_failures"
    REPAIRED = "repaired"
    NEEDS_REVIEW = "needs_review"
    FLAKY = "flaky"
    NOT_REPRODUCED = "not_reproduced"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"

    @property
    def badness(self) -> int:
        """0 for the best."""
        return list(RunOutcome).index(self)

    @property
    def exit_code(self) -> int:
        """Exit status of the command line: 0 repaired or nothing failing, 1 an honest stop."""
        return 0 if self in (RunOutcome.NO_FAILURES, RunOutcome.REPAIRED) else 1


class VerdictName(StrEnum):
    """Names of the verdicts (bot.verify.types.Verdict) in result files and traces."""

    INAPPLICABLE = "inapplicable"
    REJECTED = "rejected"
    UNPROVEN = "unproven"
    FAILING = "failing"
    PLAUSIBLE = "plausible"


def worst(outcomes: Sequence[RunOutcome]) -> RunOutcome:
    """The worst of `outcomes`; NO_FAILURES where there are none."""
    return max(outcomes, key=lambda outcome: outcome.badness, default=RunOutcome.NO_FAILURES)


@dataclass(frozen=True, slots=True)
class TestChange:
    """One test before and after the patch; None: it is not in that run."""

    __test__ = False

    id: TestId
    before: Outcome | None
    after: Outcome | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of one run of the whole suite; `tests` is their sum."""

    tests: int
    passed: int
    failed: int
    errors: int
    skipped: int
    flaky: int


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt as reported. `number` counts from 1 within a repair.

    patch: the diff as git read it back, or as its author wrote it where it did not apply. message: a sentence that says
    why it was not accepted, "" where it was. reasoning: the model's own, bounded, "" where it showed none.
    """

    number: int
    engine: str
    verdict: VerdictName
    message: str
    root_cause: str
    patch: str
    gates: tuple[Gate, ...]
    usage: Usage
    seconds: float
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class RepairResult:
    """One cluster of failures and what came of it.

    reason: None when repaired. message: why it ended so, in a sentence or two for a person, "" when repaired.
    patch: the accepted diff (fix and new test), applies with `git apply` on the base commit; None where there is none.
    new_test: None where none could be made; `why_no_test` then says why and the existing test stands as the proof.
    new_tests: the ids that pytest gave it.
    gates: of the accepted or else the last attempt, in their order. tests: see `changes`. flaky: of an accepted patch
    for a test that fails only sometimes.
    """

    targets: tuple[TestId, ...]
    fingerprint: str
    outcome: RunOutcome
    reason: StopReason | None = None
    message: str = ""
    exception: str = ""
    failure_message: str = ""
    root_cause: str = ""
    confidence: float | None = None
    risks: str = ""
    patch: str | None = None
    new_test: NewTest | None = None
    new_tests: tuple[TestId, ...] = ()
    why_no_test: str = ""
    attempts: tuple[AttemptResult, ...] = ()
    gates: tuple[Gate, ...] = ()
    objections: tuple[Objection, ...] = ()
    tests: tuple[TestChange, ...] = ()
    before: Totals | None = None
    after: Totals | None = None
    flaky: FlakyProof | None = None


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """Where the tests ran. `isolated` False: on the machine itself, which every report says."""

    name: str
    isolated: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run, the content of result.json.

    outcome: the worst of the repairs, unless the run as a whole stopped before or beside them. message: why, then.
    commit: the base commit, 40 hex digits, "" where unknown. model: as asked for, "" where none was; served_model: by
    the endpoint's own word. cost_usd is usage.cost_usd: None when unknown. seconds: by stage, in the order of the run.
    patch: the accepted patches combined and verified as one, None where there is none or they do not combine.
    trace_sha256: of trace.jsonl, "" where there is none.
    """

    outcome: RunOutcome
    repairs: tuple[RepairResult, ...] = ()
    reason: StopReason | None = None
    message: str = ""
    patch: str | None = None
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    served_model: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    sandbox: SandboxInfo | None = None
    commit: str = ""
    trace_sha256: str = ""
    version: str = ""

    @property
    def cost_usd(self) -> float | None:
        return self.usage.cost_usd

    def with_texts(self, change: Callable[[str], str]) -> Result:
        """A copy with `change` applied to every text in it, test ids and hashes too: how secrets are taken out."""
        changed = _with_texts(self, change)
        assert isinstance(changed, Result)
        return changed


# --- making results -------------------------------------------------------------------------------------------------


def totals(report: TestReport) -> Totals:
    """Counts of `report`."""
    return Totals(
        len(report),
        report.count(Outcome.PASSED),
        report.count(Outcome.FAILED),
        report.count(Outcome.ERROR),
        report.count(Outcome.SKIPPED),
        report.count(Outcome.FLAKY),
    )


def changes(before: TestReport, after: TestReport | None, always: Sequence[TestId] = ()) -> tuple[TestChange, ...]:
    """Tests whose outcome differs between the runs, and those in `always` (targets, new tests) whatever they did.

    What stayed as it was is counted in `Totals`. Order: `always`, then the run before, then what is new. `after` None:
    no second run, so only `always` is listed.
    """
    old = {case.id: case.outcome for case in before}
    new = {case.id: case.outcome for case in after} if after is not None else {}
    ids = list(always)
    if after is not None:
        ids += [each for each in old if old[each] is not new.get(each)] + [each for each in new if each not in old]
    return tuple(TestChange(each, old.get(each), new.get(each)) for each in dict.fromkeys(ids))


def attempt_result(number: int, attempt: Attempt) -> AttemptResult:
    """The reported form of an attempt."""
    proposal = attempt.proposal
    name, message, patch = _verdict(attempt.verdict)
    return AttemptResult(
        number=number,
        engine=proposal.engine,
        verdict=name,
        message=message,
        root_cause=proposal.diagnosis.root_cause,
        patch=proposal.patch_text if patch is None else patch,
        gates=attempt.verdict.gates,
        usage=proposal.usage,
        seconds=attempt.seconds,
        reasoning=head_tail(proposal.reasoning, REASONING),
    )


def _verdict(verdict: Verdict) -> tuple[VerdictName, str, str | None]:
    """Name, message, and the patch as it was applied (None: it was not)."""
    match verdict:
        case Inapplicable():
            return VerdictName.INAPPLICABLE, verdict.refusal.message, None
        case Rejected():
            message = "; ".join(f"{each.path}: {each.message}" for each in verdict.objections)
            return VerdictName.REJECTED, message, verdict.applied.patch.text
        case Unproven():
            return VerdictName.UNPROVEN, verdict.message, verdict.applied.patch.text
        case Failing():
            return VerdictName.FAILING, verdict.message, verdict.applied.patch.text
        case Plausible():
            return VerdictName.PLAUSIBLE, "", verdict.applied.patch.text
    assert_never(verdict)


# --- writing them ---------------------------------------------------------------------------------------------------


def to_json(result: Result) -> str:
    """result.json: indented, ends in a newline, ASCII only."""
    return json.dumps(to_data(result), indent=2, allow_nan=False) + "\n"


def to_data(result: Result) -> Mapping[str, JsonValue]:
    """`result` as plain JSON values, as result.schema.json describes them; test ids are node ids."""
    data = _plain(result)
    assert isinstance(data, dict)
    return {"format": FORMAT, **data, "cost_usd": result.cost_usd}


def _plain(value: object) -> JsonValue:
    match value:
        case None | bool():
            return value
        case TestId():
            return value.node_id
        case Enum():
            return value.value if isinstance(value, StrEnum) else value.name.lower()
        case str() | int() | float():
            return value
        case tuple():
            return [_plain(inner) for inner in value]
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
    assert dataclasses.is_dataclass(value), f"{type(value).__name__} has no place in a result"
    return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}


def _with_texts(value: object, change: Callable[[str], str]) -> object:
    match value:
        case Enum():
            return value
        case str():
            return change(value)
        case tuple():
            return tuple(_with_texts(inner, change) for inner in value)
        case Mapping():
            return {change(str(key)): _with_texts(inner, change) for key, inner in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: _with_texts(getattr(value, each.name), change) for each in dataclasses.fields(value)}
        return type(value)(**fields)
    return value
