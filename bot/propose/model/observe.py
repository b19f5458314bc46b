"""What a verdict tells the model: which check failed and what it said, exactly."""

from __future__ import annotations

from typing import assert_never

from bot.evidence.types import Delta, TestId
from bot.propose.model.render import speech
from bot.verify.types import Failing, Gate, GateStatus, Inapplicable, Plausible, Rejected, Unproven, Verdict

_OUTPUT = 6_000  # characters of a run's output
_REFUSAL = 4_000
_TESTS = 10  # tests named of each kind


def observe(verdict: Verdict) -> str:
    """A paragraph and its evidence, for the next message; everything that came from outside lies in data blocks."""
    match verdict:
        case Inapplicable(refusal=refusal):
            return (
                "Your patch does not apply in exactly one place, so nothing was run. Copy the lines of context "
                f"from the code that you were shown.\n\n{speech('refusal', refusal.message, _REFUSAL)}"
            )
        case Rejected(objections=objections):
            lines = [
                f"{objection.rule}: {objection.path}{'' if objection.line is None else f':{objection.line}'}: "
                f"{objection.message}"
                for objection in objections
            ]
            said = speech("objections", "\n".join(lines), _REFUSAL)
            return f"Your patch changes what it must not change, so nothing was run.\n\n{said}"
        case Unproven(message=message, gates=gates, output=output):
            return (
                "Your new test proves nothing: on the code without your patch it has to fail, because of the root "
                f"cause.\n\n{_evidence(gates, message)}{_said(output)}"
            )
        case Failing(message=message, gates=gates, delta=delta, output=output):
            return (
                f"Your patch applies and is allowed, but the tests do not agree with it.\n\n{_evidence(gates, message)}"
                f"{_tests(delta)}{_said(output)}"
            )
        case Plausible():
            return "Every check passed."
        case _:
            assert_never(verdict)


def _evidence(gates: tuple[Gate, ...], message: str) -> str:
    failed = next((gate for gate in gates if gate.status is GateStatus.FAILED), None)
    name = "" if failed is None else f"The check `{failed.name.value}` failed.\n"
    text = message if failed is None or failed.evidence in message else f"{message}\n{failed.evidence}"
    return f"{name}{speech('what it saw', text, _REFUSAL)}"


def _tests(delta: Delta | None) -> str:
    if delta is None:
        return ""
    kinds = (
        ("still failing", delta.still_failing),
        ("passed before and fail now", delta.pass_to_fail),
        ("ran before and have vanished", delta.vanished),
        ("repaired", delta.fail_to_pass),
    )
    lines = [f"{kind}: {_names(ids)}" for kind, ids in kinds if ids]
    return "\n" + speech("tests", "\n".join(lines), _REFUSAL) if lines else ""


def _names(ids: tuple[TestId, ...]) -> str:
    more = f" and {len(ids) - _TESTS} more" if len(ids) > _TESTS else ""
    return ", ".join(test.node_id for test in ids[:_TESTS]) + more


def _said(output: str) -> str:
    return f"\n\nOutput of the run:\n\n{speech('output', output, _OUTPUT)}" if output.strip() else ""
