"""A run with real-looking data: two attempts, one rejected, one repaired; and what each room would have recorded."""

from __future__ import annotations

from collections.abc import Mapping

from bot.evidence.types import Outcome, TestId
from bot.ports import EventKind, JsonValue, Recorder, Usage
from bot.propose.types import NewTest, StopReason
from bot.result import AttemptResult, RepairResult, Result, RunOutcome, SandboxInfo, TestChange, Totals, VerdictName
from bot.verify.types import Gate, GateName, GateStatus
from bot.vet.types import Grade, Objection

TARGET = TestId("tests/test_cart.py", "tests.test_cart.TestTotals", "test_bulk_discount[10-items]")
SECOND = TestId("tests/test_cart.py", "tests.test_cart.TestTotals", "test_bulk_discount[25-items]")
NEW = TestId("tests/test_cart_boundary.py", "tests.test_cart_boundary", "test_ten_items_get_the_discount")
COMMIT = "4dd2ac0b8b1f4c6e9d0a7f52e3c81b96d7e0f412"
HASH = "9f3c2b7d41e8a05f6c1d9e8b7a6f5e4d3c2b1a09f8e7d6c5b4a3928170615243"

CAUSE = (
    "`discount` compares with `>` where the documentation says ten items or more. A cart of exactly ten items pays the "
    "full price.\n\nThe boundary moved in the refactoring of last week, when `count - 1 >= 9` became `count > 10`."
)
FIX = """diff --git a/shop/cart.py b/shop/cart.py
index 3b18e51..a0c2f77 100644
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -41,7 +41,7 @@ class Cart:
     def discount(self) -> Decimal:
         \"\"\"Ten items or more are 5 % off.\"\"\"
         count = sum(line.quantity for line in self.lines)
-        if count > 10:
+        if count >= 10:
             return self.subtotal * Decimal("0.05")
         return Decimal(0)
\x20
diff --git a/tests/test_cart_boundary.py b/tests/test_cart_boundary.py
new file mode 100644
index 0000000..5d1e2aa
--- /dev/null
+++ b/tests/test_cart_boundary.py
@@ -0,0 +1,7 @@
+from decimal import Decimal
+
+from shop.cart import Cart, Line
+
+
+def test_ten_items_get_the_discount():
+    assert Cart([Line("pen", Decimal(1), 10)]).discount() == Decimal("0.50")
"""
WRONG = FIX.split("diff --git a/tests", maxsplit=1)[0].replace("count >= 10", "count > 9 or self.is_test")
NEW_TEST = NewTest(
    "tests/test_cart_boundary.py",
    FIX.split("@@ -0,0 +1,7 @@\n")[1].replace("\n+", "\n").removeprefix("+"),
    "Exactly ten items: the smallest cart that tells `>` from `>=`.",
)

GATES = (
    Gate(GateName.REPRODUCED, GateStatus.PASSED, "2 of 2 targets fail on the base commit with AssertionError", ("r1",)),
    Gate(GateName.APPLIES, GateStatus.PASSED, "2 files, 8 lines added, 1 removed", (), HASH),
    Gate(GateName.VETTED, GateStatus.PASSED, "24 rules, no objection", (), HASH),
    Gate(GateName.RED, GateStatus.PASSED, "the new test fails on the base commit: assert 0 == 0.50", ("r3",), HASH),
    Gate(GateName.GREEN, GateStatus.PASSED, "the new test and 2 of 2 targets pass", ("r4",), HASH),
    Gate(GateName.MINIMAL, GateStatus.PASSED, "1 of 1 hunks is needed", ("r5",), HASH),
    Gate(GateName.SUITE, GateStatus.PASSED, "188 tests: 0 passed before and fail now, 0 vanished", ("r6",), HASH),
    Gate(GateName.STABLE, GateStatus.PASSED, "3 of 3 repetitions pass", ("r7", "r8", "r9"), HASH),
)
BLOCKED = Objection("test_only_branch", "shop/cart.py", "the source asks whether it is under test", Grade.BLOCKED, 44)

ATTEMPTS = (
    AttemptResult(
        1,
        "search",
        VerdictName.REJECTED,
        "shop/cart.py: the source asks whether it is under test",
        "The boundary of `discount` is off by one.",
        WRONG,
        (*GATES[:2], Gate(GateName.VETTED, GateStatus.FAILED, "1 blocking objection", (), "1" * 64)),
        Usage(),
        2.14,
    ),
    AttemptResult(
        2,
        "model",
        VerdictName.PLAUSIBLE,
        "",
        CAUSE,
        FIX,
        GATES,
        Usage(1, 6_120, 2_048, 1_377, 890, 0.0038, 8.4),
        19.7,
        "Ten items get nothing and eleven get the discount: the boundary is off.\nI look at `discount` first.",
    ),
)

REPAIR = RepairResult(
    targets=(TARGET, SECOND),
    fingerprint="c0ffee" + "0" * 58,
    outcome=RunOutcome.REPAIRED,
    exception="AssertionError",
    failure_message="assert Decimal('0') == Decimal('0.50')",
    root_cause=CAUSE,
    confidence=0.93,
    risks="Carts of exactly ten items become cheaper; invoices that were already sent are not touched.",
    patch=FIX,
    new_test=NEW_TEST,
    new_tests=(NEW,),
    attempts=ATTEMPTS,
    gates=GATES,
    objections=(),
    tests=(
        TestChange(TARGET, Outcome.FAILED, Outcome.PASSED),
        TestChange(SECOND, Outcome.FAILED, Outcome.PASSED),
        TestChange(NEW, None, Outcome.PASSED),
    ),
    before=Totals(187, 183, 2, 0, 2, 0),
    after=Totals(188, 186, 0, 0, 2, 0),
)

REPAIRED = Result(
    outcome=RunOutcome.REPAIRED,
    repairs=(REPAIR,),
    patch=FIX,
    usage=Usage(1, 6_120, 2_048, 1_377, 890, 0.0038, 8.4),
    model="grok-code-fast-1",
    served_model="grok-code-fast-1-0825",
    seconds={"set-up": 4.2, "base": 3.1, "localize": 0.3, "propose": 9.9, "verify": 12.4},
    sandbox=SandboxInfo("docker", True, "docker: python:3.13-slim, no network, 2 GiB, 2 CPUs, 1 GiB workspace"),
    commit=COMMIT,
    trace_sha256="7" * 64,
    version="0.1.0",
)

GAVE_UP = Result(
    outcome=RunOutcome.GAVE_UP,
    repairs=(
        RepairResult(
            targets=(TARGET,),
            fingerprint="d" * 64,
            outcome=RunOutcome.GAVE_UP,
            reason=StopReason.NO_CANDIDATE,
            message="412 candidates at 9 locations were tried; none passed the failing test without breaking another.",
            exception="AssertionError",
            failure_message="assert Decimal('0') == Decimal('0.50')",
            root_cause="Probably the boundary in `Cart.discount` (shop/cart.py:44).",
            attempts=ATTEMPTS[:1],
            gates=ATTEMPTS[0].gates,
            tests=(TestChange(TARGET, Outcome.FAILED, None),),
            before=Totals(187, 183, 2, 0, 2, 0),
        ),
    ),
    seconds={"base": 3.1, "propose": 61.0},
    sandbox=SandboxInfo("process", False, "process: on this machine, CPU and file size limited"),
    commit=COMMIT,
    version="0.1.0",
)


def gate_data(gate: Gate, attempt: int) -> Mapping[str, JsonValue]:
    return {
        "repair": 1,
        "attempt": attempt,
        "name": gate.name.value,
        "status": gate.status.value,
        "evidence": gate.evidence,
        "run_ids": list(gate.run_ids),
        "patch_sha256": gate.patch_sha256,
    }


def play(recorder: Recorder) -> None:
    """Record the repaired run, event by event, as the rooms would."""
    record = recorder.record
    record(
        EventKind.RUN,
        version="0.1.0",
        path="/home/ada/shop",
        commit=COMMIT,
        engine="auto",
        sandbox="docker",
        isolated=True,
        model="grok-code-fast-1",
        max_attempts=5,
    )
    target_names = [TARGET.node_id, SECOND.node_id]
    record(
        EventKind.EVIDENCE,
        clusters=[
            {
                "fingerprint": REPAIR.fingerprint,
                "targets": target_names,
                "exception": "AssertionError",
                "message": REPAIR.failure_message,
            }
        ],
    )
    record(EventKind.SANDBOX_RUN, phase="started", run_id="r1", purpose="base run")
    record(
        EventKind.SANDBOX_RUN,
        phase="finished",
        run_id="r1",
        purpose="base run",
        tests=187,
        failed=2,
        exit_code=1,
        seconds=3.1,
        timed_out=False,
        oom_killed=False,
        output="\x1b[31mFAILED\x1b[0m tests/test_cart.py::TestTotals - assert Decimal('0') == Decimal('0.50')\n",
    )
    record(EventKind.BASE, run_id="r1", tests=187, failed=2, seconds=3.1)
    record(EventKind.GATE, **gate_data(GATES[0], 1))
    record(
        EventKind.LOCATIONS,
        repair=1,
        locations=[
            {
                "path": "shop/cart.py",
                "line": 44,
                "symbol": "Cart.discount",
                "suspiciousness": 0.91,
                "reason": "executed by both failing tests and by 3 of 183 passing ones; changed lately",
            },
            {
                "path": "shop/cart.py",
                "line": 31,
                "symbol": "Cart.subtotal",
                "suspiciousness": 0.34,
                "reason": "in the traceback",
            },
        ],
    )
    for attempt in ATTEMPTS:
        if attempt.engine == "model":
            record(EventKind.REQUEST, repair=1, model="grok-code-fast-1", messages=[{"role": "user", "content": "…"}])
            record(EventKind.REPLY, repair=1, model="grok-code-fast-1-0825", text='{"root_cause": "…"}', seconds=8.4)
            record(EventKind.USAGE, requests=1, prompt_tokens=6120, cached_tokens=2048, completion_tokens=1377,
                   reasoning_tokens=890, cost_usd=0.0038, seconds=8.4)  # fmt: skip
        accepted = attempt.verdict is VerdictName.PLAUSIBLE
        record(
            EventKind.PROPOSAL,
            repair=1,
            attempt=attempt.number,
            engine=attempt.engine,
            root_cause=attempt.root_cause,
            patch=attempt.patch,
            new_test={"path": NEW_TEST.path, "source": NEW_TEST.source, "explanation": NEW_TEST.explanation}
            if accepted
            else None,
        )
        record(EventKind.APPLIED, repair=1, attempt=attempt.number, patch_sha256=HASH, files=["shop/cart.py"])
        objection: Mapping[str, JsonValue] = {
            "rule": BLOCKED.rule,
            "path": BLOCKED.path,
            "line": BLOCKED.line,
            "message": BLOCKED.message,
            "grade": "blocked",
        }
        record(EventKind.VET, repair=1, attempt=attempt.number, objections=[] if accepted else [objection])
        for gate in attempt.gates[1:]:
            for run_id in gate.run_ids:
                record(EventKind.SANDBOX_RUN, phase="started", run_id=run_id, purpose=gate.name.value)
                record(
                    EventKind.SANDBOX_RUN,
                    phase="finished",
                    run_id=run_id,
                    purpose=gate.name.value,
                    tests=3,
                    failed=0,
                    exit_code=0,
                    seconds=0.6,
                    timed_out=False,
                    oom_killed=False,
                    output="3 passed in 0.31s\n",
                )
            record(EventKind.GATE, **gate_data(gate, attempt.number))
        record(
            EventKind.ATTEMPT, repair=1, attempt=attempt.number, verdict=attempt.verdict.value, message=attempt.message
        )
    record(
        EventKind.OUTCOME,
        repair=1,
        outcome="repaired",
        reason=None,
        message="",
        patch=FIX,
        new_tests=[NEW.node_id],
        tests=[{"id": each.id.node_id, "before": each.before, "after": each.after} for each in REPAIR.tests],
    )
    record(EventKind.OUTCOME, outcome="repaired", reason=None, message="", seconds=29.9)
