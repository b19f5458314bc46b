"""A proposal's test: ask the worker for the smallest telling call, and write it down beside the failing test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.diagnose.types import Evidence
from bot.ports import JsonValue
from bot.propose.search.plan import Neighbourhood
from bot.propose.search.regression_test import TellingCall, render, test_path
from bot.propose.search.types import Candidate
from bot.propose.search.validate import Validator, Work
from bot.propose.types import NewTest


@dataclass(frozen=True, slots=True)
class NoReduction:
    """Why no test was made: a plain sentence."""

    why: str


def reduce(
    evidence: Evidence,
    candidate: Candidate,
    tests: Neighbourhood,
    validator: Validator,
    tree: Path,
    seconds: float,
    *,
    timeout_mark: bool,
) -> NewTest | NoReduction:
    """The new test for `candidate`, found in at most `seconds`.

    timeout_mark: whether `pytest.mark.timeout` works in the box; without it no test is made of a call that hangs.
    """
    why = "the worker that looks for a smaller call gave no answer"
    for claim in validator.run("reduce", tests.plan, (Work(candidate, ()),), seconds):
        if claim["kind"] == "unreduced" and isinstance(claim.get("why"), str):
            why = str(claim["why"])[:300]
        if claim["kind"] == "reduced":
            call = _read(claim)
            if call is None:
                continue
            if call.before_kind == "hangs" and not timeout_mark:
                return _none("the call that tells broken from fixed never ends in the broken code")
            failing = evidence.cluster.failures[0].case.id
            path = test_path(tree, failing.file, call)
            if path is None:
                return _none("the failing test's folder has no free name for a new file")
            return NewTest(path, render(call, _unittest_style(tree, failing.file)), _explanation(call))
    return _none(why)


def _none(why: str) -> NoReduction:
    return NoReduction(f"{why[:1].upper()}{why[1:]}; the existing failing test stands as the proof.")


def _explanation(call: TellingCall) -> str:
    return f"The smallest call found that tells broken from fixed: {call.before} before the fix."


def _unittest_style(tree: Path, file: str) -> bool:
    try:
        text = (tree / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return "unittest" in text and "TestCase" in text and "import pytest" not in text


def _read(claim: dict[str, JsonValue]) -> TellingCall | None:
    """The claim, believed as far as its form goes."""
    match claim:
        case {
            "module": str() as module,
            "qualname": str() as qualname,
            "how": str() as how,
            "best": {
                "constructor": (str() | None) as constructor,
                "arguments": str() as arguments,
                "values": [*values],
                "fixed": {"kind": str() as kind, "text": str() as text, "iterator": bool() as iterator},
                "broken": {"kind": str() as before_kind, "text": str() as before_text},
            },
        }:
            call = TellingCall(
                module=module,
                qualname=qualname,
                how=how,
                constructor=constructor,
                arguments=arguments,
                values=tuple(str(value) for value in values),
                kind=kind,
                expected=text,
                iterator=iterator,
                before_kind=before_kind,
                before_text=before_text,
            )
            return call if call.is_sound() else None
    return None
