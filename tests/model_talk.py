"""A model that answers from a list, a bench that stands still, and evidence of a small bug: to talk without a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from bot.budget import Budget
from bot.config import ModelSettings, RepairLimits
from bot.diagnose.types import Diagnosis, Evidence, Excerpt, Location
from bot.errors import ModelError
from bot.evidence.types import Cluster, Delta, Failure, Outcome, TestCase, TestId, TestReport
from bot.patch.types import Applied, Patch, Refusal
from bot.ports import (
    Bench,
    Box,
    Execution,
    JsonValue,
    Model,
    ModelReply,
    ModelRequest,
    OnPart,
    Overlay,
    ReplyPart,
    RunResult,
    ToolCall,
    Usage,
)
from bot.propose.model.context import Setting
from bot.propose.model.line import Line
from bot.propose.model.proposer import ModelProposer
from bot.propose.types import Attempt, Proposal
from bot.verify.types import Failing, Gate, GateName, GateStatus, Verdict
from tests.fakes import FakeClock, MemoryRecorder
from tests.model_server import answer

DIFF = """\
--- a/cart.py
+++ b/cart.py
@@ -1,2 +1,2 @@
 def total(items):
-    return sum(items[1:])
+    return sum(items)
"""
TEST = ("tests/test_total_all.py", "from cart import total\n\n\ndef test_all():\n    assert total([1, 2]) == 3\n")
GOOD = answer("the first item is skipped", DIFF, TEST)
SPENT = Usage(1, 100, 0, 10, 0, 0.01, 2.0)


def other_diff(number: int) -> str:
    """A patch unlike those of other numbers."""
    return DIFF.replace("sum(items)\n", f"sum(items) + {number} - {number}\n")


def calling(*calls: tuple[str, Mapping[str, JsonValue] | str], text: str = "", reasoning: str = "hm") -> ModelReply:
    """A reply that calls tools: (name, arguments)."""
    made = tuple(
        ToolCall(f"call_{number}", name, given if isinstance(given, str) else json.dumps(given))
        for number, (name, given) in enumerate(calls, 1)
    )
    return ModelReply(text, reasoning, "scripted-1", "tool_calls", SPENT, made)


def submitting(patch: str = DIFF, cause: str = "the first item is skipped", **more: JsonValue) -> ModelReply:
    path, source = TEST
    arguments: dict[str, JsonValue] = {
        "root_cause": cause,
        "patch": patch,
        "new_test": {"path": path, "source": source, "explanation": "fails without"},
        "confidence": 0.9,
        "risks": "",
        **more,
    }
    return calling(("submit_fix", arguments))


class ScriptedModel:
    """Answers from a list, streams a word of each answer, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, *answers: str | ModelReply | ModelError) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        with self._lock:
            self.requests.append(request)
            given = self.answers.pop(0)
        if isinstance(given, ModelError):
            raise given
        reply = given if isinstance(given, ModelReply) else ModelReply(given, "hm", "scripted-1", "stop", SPENT)
        if on_part is not None:
            on_part(ReplyPart.REASONING, reply.reasoning)
            on_part(ReplyPart.TEXT, reply.text)
        return reply


class IdleBench:
    """Implements Bench: a tree to look at and time that is left; nothing applies and nothing runs."""

    def __init__(self, tree: Path = Path("/nowhere"), seconds: float = 500.0) -> None:
        self.tree = tree
        self.seconds = seconds
        self.runs = 0

    def seconds_left(self) -> float:
        return self.seconds

    def try_patch(self, text: str) -> Applied | Refusal:
        return Refusal(f"looked for the lines of {len(text)} characters in vain")

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        self.runs += 1
        return RunResult(Execution(1, "the output", 0.5), evidence().base)

    def open(self, overlay: Overlay | None = None) -> Box:
        raise AssertionError("no box is needed here")


BENCH = cast(Bench, IdleBench())


def failure(name: str, message: str = "assert 2 == 3", traceback: str = "E   assert 2 == 3") -> Failure:
    case = TestCase(TestId.from_node_id(f"tests/test_cart.py::{name}"), Outcome.FAILED, 0.1, message, traceback)
    return Failure(case, "AssertionError", message, (), "f" * 64)


def evidence(*failures: Failure, **fields: object) -> Evidence:
    failures = failures or (failure("test_total"),)
    basis = Evidence(
        Cluster("f" * 64, failures),
        TestReport(tuple(failure.case for failure in failures)),
        "the output of the run",
        (Location("cart.py", 2, "total", 0.97, "innermost frame"),),
        (Excerpt("cart.py", 1, "def total(items):\n    return sum(items[1:])\n", "total", (2,)),),
    )
    return replace(basis, **fields)  # type: ignore[arg-type]


def proposer(
    model: Model,
    *,
    tools: bool = True,
    limits: RepairLimits | None = None,
    settings: ModelSettings | None = None,
    **setting: object,
) -> tuple[ModelProposer, Line, MemoryRecorder]:
    """A proposer, its line (with the budget) and what it records. `setting`: fields of context.Setting."""
    budget, recorder = Budget(limits or RepairLimits(), FakeClock()), MemoryRecorder()
    line = Line(model, settings or ModelSettings(), budget)
    line.takes_tools = tools
    made = ModelProposer(line, recorder, FakeClock(), Setting(**setting))  # type: ignore[arg-type]
    return made, line, recorder


APPLIED = Applied(Patch(DIFF, ()), (), {})


def gates(name: GateName, said: str) -> tuple[Gate, ...]:
    return (Gate(GateName.APPLIES, GateStatus.PASSED, "ok"), Gate(name, GateStatus.FAILED, said))


FAILING = Failing(
    "test_total still fails",
    APPLIED,
    gates(GateName.GREEN, "1 of 2 tests passed"),
    Delta((), (TestId.from_node_id("t.py::test_broken"),), (TestId.from_node_id("t.py::test_total"),), ()),
    "E   assert 5 == 3",
)


def attempt(verdict: Verdict, engine: str = "model", patch: str = DIFF) -> Attempt:
    return Attempt(Proposal(Diagnosis("x"), patch, None, engine), verdict)
