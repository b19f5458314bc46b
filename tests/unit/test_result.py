"""result.json and its published schema say the same; exit status and the worst of several outcomes."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from bot.diagnose.types import Diagnosis
from bot.evidence.types import Outcome, Problem, TestCase, TestId, TestReport
from bot.patch.types import Applied, Patch, Refusal
from bot.ports import Usage
from bot.propose.types import Attempt, NewTest, Proposal, StopReason
from bot.result import (
    AttemptResult,
    RepairResult,
    Result,
    RunOutcome,
    SandboxInfo,
    TestChange,
    Totals,
    VerdictName,
    attempt_result,
    changes,
    to_json,
    totals,
    worst,
)
from bot.trace.redact import Redactor
from bot.verify.types import Failing, Gate, GateName, GateStatus, Inapplicable, Plausible, Rejected, Unproven, Verdict
from bot.vet.types import Grade, Objection
from tests.unit.publish.sample import BLOCKED, FIX, GATES, GAVE_UP, NEW, REPAIR, REPAIRED, TARGET

SCHEMA: dict[str, Any] = json.loads((resources.files("bot") / "result.schema.json").read_text("utf-8"))
FULL = dataclasses.replace(
    REPAIRED, repairs=(dataclasses.replace(REPAIR, objections=(BLOCKED,)),), reason=StopReason.BUDGET, message="why"
)


@pytest.mark.parametrize("result", [REPAIRED, GAVE_UP, FULL, Result(RunOutcome.NO_FAILURES)])
def test_results_follow_the_published_schema(result: Result) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = to_json(result)
    assert text.isascii() and text.endswith("}\n")
    jsonschema.validate(json.loads(text), SCHEMA)


def _names(kind: type, *more: str) -> list[str]:
    return sorted([*(field.name for field in dataclasses.fields(kind)), *more])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ((), _names(Result, "format", "cost_usd")),
        (("$defs", "repair"), _names(RepairResult)),
        (("$defs", "attempt"), _names(AttemptResult)),
        (("$defs", "gate"), _names(Gate)),
        (("$defs", "objection"), _names(Objection)),
        (("$defs", "totals"), _names(Totals)),
        (("$defs", "usage"), _names(Usage)),
        (("properties", "sandbox", "anyOf", 0), _names(SandboxInfo)),
        (("$defs", "repair", "properties", "tests", "items"), _names(TestChange)),
        (("$defs", "repair", "properties", "new_test", "anyOf", 0), _names(NewTest)),
    ],
)
def test_the_schema_has_the_fields_of_the_types(path: tuple[str | int, ...], names: list[str]) -> None:
    part: Any = SCHEMA
    for step in path:
        part = part[step]
    assert sorted(part["properties"]) == names == sorted(part["required"])
    assert part["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("outcome",), [each.value for each in RunOutcome]),
        (("reason",), [each.value for each in StopReason]),
        (("test_outcome",), [each.value for each in Outcome]),
        (("gate", "properties", "name"), [each.value for each in GateName]),
        (("gate", "properties", "status"), [each.value for each in GateStatus]),
        (("attempt", "properties", "verdict"), [each.value for each in VerdictName]),
        (("objection", "properties", "grade"), [each.name.lower() for each in Grade]),
    ],
)
def test_the_schema_has_the_words_of_the_enumerations(path: tuple[str, ...], values: list[str]) -> None:
    part: Any = SCHEMA["$defs"]
    for step in path:
        part = part[step]
    assert part["enum"] == values


def test_json_reads_as_a_person_would_write_it() -> None:
    data = json.loads(to_json(FULL))
    assert data["outcome"] == "repaired" and data["cost_usd"] == 0.0038 and data["format"] == "grokfix-result/1"
    repair = data["repairs"][0]
    assert repair["targets"][0] == "tests/test_cart.py::TestTotals::test_bulk_discount[10-items]"
    assert repair["tests"][2] == {"id": NEW.node_id, "before": None, "after": "passed"}
    assert repair["objections"][0]["grade"] == "blocked"
    assert repair["gates"][0]["run_ids"] == ["r1"]
    assert data["seconds"]["set-up"] == 4.2


def test_unknown_cost_is_null() -> None:
    data = json.loads(to_json(dataclasses.replace(REPAIRED, usage=Usage(requests=1, cost_usd=None))))
    assert data["cost_usd"] is None
    jsonschema.validate(data, SCHEMA)


def test_worst_and_exit_status() -> None:
    assert worst([]) is RunOutcome.NO_FAILURES
    assert worst([RunOutcome.REPAIRED, RunOutcome.NO_FAILURES]) is RunOutcome.REPAIRED
    assert worst([RunOutcome.FLAKY, RunOutcome.NEEDS_REVIEW, RunOutcome.REPAIRED]) is RunOutcome.FLAKY
    assert worst(list(RunOutcome)) is RunOutcome.STOPPED
    assert [each for each in RunOutcome if each.exit_code == 0] == [RunOutcome.NO_FAILURES, RunOutcome.REPAIRED]
    assert {each.exit_code for each in RunOutcome} == {0, 1}


def _report(**outcomes: str) -> TestReport:
    return TestReport(
        tuple(TestCase(TestId("t.py", "t", name), Outcome(outcome)) for name, outcome in outcomes.items()),
        (Problem("x", "y"),),
    )


def test_changes_lists_what_changed_and_what_is_always_shown() -> None:
    before = _report(a="failed", b="passed", c="passed", d="passed", e="skipped")
    after = _report(a="passed", b="failed", d="passed", e="skipped", f="passed")
    shown = changes(before, after, always=(TestId("t.py", "t", "d"),))
    assert [(each.id.name, each.before, each.after) for each in shown] == [
        ("d", Outcome.PASSED, Outcome.PASSED),
        ("a", Outcome.FAILED, Outcome.PASSED),
        ("b", Outcome.PASSED, Outcome.FAILED),
        ("c", Outcome.PASSED, None),
        ("f", None, Outcome.PASSED),
    ]
    assert changes(before, None) == ()
    assert changes(before, None, (TestId("t.py", "t", "a"),)) == (
        TestChange(TestId("t.py", "t", "a"), Outcome.FAILED, None),
    )
    assert totals(before) == Totals(5, 3, 1, 0, 1, 0)


APPLIED = Applied(Patch(FIX, ()), (), {})


@pytest.mark.parametrize(
    ("verdict", "name", "message", "patch"),
    [
        (Inapplicable(Refusal("not there"), ()), VerdictName.INAPPLICABLE, "not there", "as written"),
        (Rejected((BLOCKED,), APPLIED, GATES[:2]), VerdictName.REJECTED, f"{BLOCKED.path}: {BLOCKED.message}", FIX),
        (Unproven("green before", APPLIED, ()), VerdictName.UNPROVEN, "green before", FIX),
        (Failing("2 fail", APPLIED, ()), VerdictName.FAILING, "2 fail", FIX),
        (
            Plausible(APPLIED, GATES, Grade.ALLOWED, (), (NEW,), TestReport(())),
            VerdictName.PLAUSIBLE,
            "",
            FIX,
        ),
    ],
)
def test_attempts_are_reported_by_their_verdict(verdict: Verdict, name: VerdictName, message: str, patch: str) -> None:
    proposal = Proposal(Diagnosis("cause"), "as written", None, "model", Usage(requests=2))
    result = attempt_result(3, Attempt(proposal, verdict, 1.5))
    assert (result.number, result.verdict, result.message, result.patch) == (3, name, message, patch)
    assert (result.engine, result.root_cause, result.seconds, result.usage.requests) == ("model", "cause", 1.5, 2)
    assert result.gates == verdict.gates


def test_secrets_are_taken_out_of_every_text() -> None:
    secret = "xK9v2QpL7mNsR4tYw8ZaB3cD6eFgH1jU"
    result = dataclasses.replace(
        REPAIRED,
        message=f"key {secret}",
        seconds={secret: 1.0},
        repairs=(
            dataclasses.replace(
                REPAIR,
                targets=(dataclasses.replace(TARGET, name=secret),),
                gates=(dataclasses.replace(GATES[0], evidence=secret, run_ids=(secret,)),),
            ),
        ),
    )
    clean = result.with_texts(Redactor([secret]).redact)
    assert secret not in to_json(clean) and to_json(clean).count("[redacted]") == 5
    assert clean.outcome is RunOutcome.REPAIRED and clean.repairs[0].gates[0].name is GateName.REPRODUCED
    assert REPAIRED.with_texts(str) == REPAIRED
