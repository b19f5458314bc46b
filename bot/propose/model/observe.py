"""What a verdict tells the model: which check failed and what it said, exactly."""

from __future__ import annotations

import re
from typing import assert_never

from bot.diagnose.types import Evidence
from bot.evidence.types import Delta, TestId
from bot.propose.model.render import prompt, speech
from bot.propose.model.rounds import failed_gate
from bot.verify.types import Failing, Gate, Inapplicable, Plausible, Rejected, Unproven, Verdict

_OUTPUT = 4_000  # characters of a run's output
_REFUSAL = 4_000
_TESTS = 10  # tests named of each kind
_NEW_LINES = 12
_ERROR_LINE = re.compile(r"E\s")  # pytest's mark of the lines that say what went wrong
_NUMBERS = re.compile(r"\d+\.\d+s|0x[0-9a-f]+")


def told(verdict: Verdict, number: int, again: int, evidence: Evidence, patch: str = "") -> str:
    """What the model is told of attempt `number`. again: the earlier attempt that failed in just this way, 0: none.

    patch: where it was another's, what they tried.
    """
    base = "\n".join(failure.case.traceback or failure.case.message for failure in evidence.cluster.failures)
    return prompt(
        "others" if patch else "observation",
        number=str(number),
        observation=observe(verdict, f"{base}\n{evidence.output}"),
        **({"patch": speech("patch", patch, _REFUSAL)} if patch else {"again": str(again) if again else ""}),
    )


def observe(verdict: Verdict, base: str = "") -> str:
    """A paragraph and its evidence, for the next message; everything that came from outside lies in data blocks.

    base: what the failing tests said without any patch, to tell what is new; "" where that is not known.
    """
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
                f"cause.\n\n{_evidence(gates, message)}{_said(output, '')}"
            )
        case Failing(message=message, gates=gates, delta=delta, output=output):
            return (
                f"Your patch applies and is allowed, but the tests do not agree with it.\n\n{_evidence(gates, message)}"
                f"{_tests(delta)}{_said(output, base)}"
            )
        case Plausible():
            return "Every check passed."
        case _:
            assert_never(verdict)


def _evidence(gates: tuple[Gate, ...], message: str) -> str:
    failed = failed_gate(gates)
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


def _said(output: str, base: str) -> str:
    if not output.strip():
        return ""
    return f"{_difference(output, base)}\n\nOutput of the run:\n\n{speech('output', output, _OUTPUT)}"


def _difference(output: str, base: str) -> str:
    """The first error lines that are not among those without the patch: models read the top of a long output."""
    errors = [line for line in output.splitlines() if _ERROR_LINE.match(line)]
    known = {_NUMBERS.sub("", line.strip()) for line in base.splitlines()}
    if not errors or not known:
        return ""
    new = [line for line in errors if _NUMBERS.sub("", line.strip()) not in known]
    if not new:
        return "\n\nEvery error line is one that stood there without your patch: for these tests it changed nothing."
    told = "\n".join(new[:_NEW_LINES])
    return f"\n\nThe first error lines that differ from those without your patch:\n\n{speech('differs', told, 2_000)}"
