"""pr.md: what a maintainer reads, for every outcome, at every length, from hostile input."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.evidence.types import Outcome, TestId
from bot.ports import Usage
from bot.propose.types import NewTest, StopReason
from bot.publish.pull_request import LIMIT, pull_request_body, pull_request_title, render
from bot.result import RepairResult, Result, RunOutcome, SandboxInfo, TestChange
from bot.verify.types import Gate, GateName, GateStatus
from bot.vet.types import Grade, Objection
from tests.unit.publish.sample import ATTEMPTS, FIX, GATES, GAVE_UP, NEW, REPAIR, REPAIRED, TARGET
from tests.unit.publish.test_untrusted import HOSTILE, _acting


def test_a_repair_says_all_that_a_reviewer_asks() -> None:
    body = pull_request_body(REPAIRED)
    for wanted in (
        "every gate is green",
        "A cart of exactly ten items pays the full price.",
        "| `shop/cart.py` | +1 | −1 |",
        "+        if count >= 10:",
        f"New test `{NEW.node_id}`. Exactly ten items",
        "| suite: nothing else got worse | ✓ passed | 188 tests: 0 passed before and fail now, 0 vanished | `r6` |",
        "SHA-256 `9f3c2b7d41e8a05f`",
        f"| `{TARGET.node_id}` | failed | passed |",
        "| before | 187 | 183 | 2 | 0 | 2 | 0 |",
        "No objections",
        "Confidence: 93%",
        "Carts of exactly ten items become cheaper",
        "How it was found: 2 attempts",
        "git apply fix.patch && python -m pytest 'tests/test_cart.py::TestTotals::test_bulk_discount[10-items]'",
        "$0.0038, 1 request, 6,120 tokens in (2,048 cached), 1,377 out",
        "`grok-code-fast-1`, served by `grok-code-fast-1-0825`",
        "| in all | 30 s |",
        "7" * 64,
    ):
        assert wanted in body, wanted


@pytest.mark.parametrize("outcome", list(RunOutcome))
def test_only_a_repair_is_called_one(outcome: RunOutcome) -> None:
    result = replace(REPAIRED, outcome=outcome, repairs=(replace(REPAIR, outcome=outcome),))
    text = render(result)
    assert ("**Repaired: every gate is green.**" in text) == (outcome is RunOutcome.REPAIRED)
    assert text.startswith("# Fix: ") == (outcome is RunOutcome.REPAIRED)
    if outcome is not RunOutcome.REPAIRED:
        assert not re.search(r"\brepaired:|is repaired|was repaired|^\*\*repaired", text, re.I | re.M)


def test_an_honest_stop_says_why_and_what_was_tried() -> None:
    body = pull_request_body(GAVE_UP)
    assert "**No fix was found.**" in body
    assert "Reason: no candidate passed every gate. 412 candidates at 9 locations" in body
    assert "## Suspected cause" in body and "Why not: shop/cart.py: the source asks" in body
    assert "**Not a sandbox:**" in body
    for absent in ("## What changes", "## Proof", "git apply", "## Test integrity", "Model:"):
        assert absent not in body


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (
            {"new_test": None, "new_tests": (), "why_no_test": "no smaller call"},
            "the existing test only. No new test: no",
        ),
        ({"confidence": None, "risks": ""}, "Confidence: not stated.\n\nRisks: None were named."),
        (
            {"objections": (Objection("size", "a|b.py", "big, see @org", Grade.REVIEW, 7),)},
            "| ! review | size | `a\\|b.py:7` | big, see @\u200borg |",
        ),
        (
            {"gates": (Gate(GateName.RED, GateStatus.NOT_APPLICABLE, "no new test"),)},
            "| red: the new test fails without the fix | – not applicable | no new test |  |",
        ),
        ({"message": "m", "reason": StopReason.REVIEW_GRADE}, "Reason: the patch does what a person must look at. m"),
    ],
)
def test_parts_of_a_repair(change: dict[str, object], wanted: str) -> None:
    assert wanted in pull_request_body(replace(REPAIRED, repairs=(replace(REPAIR, **change),)))  # type: ignore[arg-type]


def test_what_the_model_thought_is_folded_and_bounded() -> None:
    body = pull_request_body(REPAIRED)
    fold = body[body.index("How it was found") :]
    assert "<details><summary>What the model thought</summary>" in fold
    assert "```\nTen items get nothing and eleven get the discount: the boundary is off.\n" in fold
    attempts = tuple(replace(each, reasoning="thinking aloud\n" * 10_000) for each in REPAIR.attempts)
    long = pull_request_body(replace(REPAIRED, repairs=(replace(REPAIR, attempts=attempts),)))
    assert len(long) < 30_000 and "all of it is in result.json" in long


def test_what_a_person_must_look_at_stands_on_top() -> None:
    asked = replace(
        REPAIR,
        outcome=RunOutcome.NEEDS_REVIEW,
        reason=StopReason.LOW_CONFIDENCE,
        message="only 30% sure",
        objections=(
            Objection("public_signatures", "a.py", "a.py: f is removed, see @org", Grade.REVIEW),
            Objection("suppressions", "a.py", "harmless", Grade.ALLOWED),
        ),
        gates=(
            Gate(GateName.VETTED, GateStatus.REVIEW, "f is removed"),
            Gate(GateName.MINIMAL, GateStatus.REVIEW, "14 hunks are too many"),
        ),
    )
    body = pull_request_body(replace(REPAIRED, outcome=RunOutcome.NEEDS_REVIEW, repairs=(asked,)))
    top, _, rest = body.partition("Failing: ")
    points = [line for line in top.splitlines() if line.startswith("- ")]
    assert points == [
        "- **public signatures:** a.py: f is removed, see @\u200borg",
        "- **gate minimal:** 14 hunks are too many",
        "- **low confidence:** only 30% sure",
    ]
    assert rest.count("## Look at this first") == 0
    assert "## Look at this first" not in pull_request_body(REPAIRED)


def test_several_repairs_have_a_heading_each() -> None:
    result = replace(GAVE_UP, repairs=(REPAIR, *GAVE_UP.repairs))
    body = pull_request_body(result)
    assert "# 1 of 2: Repaired" in body and "# 2 of 2: No fix found" in body
    assert "**No fix was found.**" in body
    assert pull_request_title(result).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("result", "title"),
    [
        (REPAIRED, "Fix: `discount` compares with `>` where the documentation says ten items or more"),
        (
            replace(REPAIRED, outcome=RunOutcome.NEEDS_REVIEW),
            "Needs review: `discount` compares with `>` where the documentation says ten items or more",
        ),
        (GAVE_UP, "No fix found: tests/test_cart.py::TestTotals::test_bulk_discount[10-items]"),
        (Result(RunOutcome.NO_FAILURES), "Nothing is failing"),
        (Result(RunOutcome.STOPPED, reason=StopReason.INTERRUPTED), "Stopped before the end"),
        (Result(RunOutcome.REPAIRED), "Fix: the failing tests"),
    ],
)
def test_title(result: Result, title: str) -> None:
    assert pull_request_title(result) == title


@pytest.mark.parametrize(
    ("cause", "title"),
    [
        ("The loop stops early. More.", "Fix: The loop stops early"),
        (f"`rate` is read from the wrong column: {'it ' * 30}", "Fix: `rate` is read from the wrong column"),
        (f"A table, `{{a: b, {'c, ' * 40}}}`, is wrong", "Fix: A table, `{a: b, " + "c, " * 40),
        ("x" * 200, "Fix: " + "x" * 200),
    ],
)
def test_a_title_ends_where_a_clause_ends(cause: str, title: str) -> None:
    shown = pull_request_title(replace(REPAIRED, repairs=(replace(REPAIR, root_cause=cause),)))
    assert len(shown) <= 100
    assert shown == title or title.startswith(shown.removesuffix("…").rstrip())


def _hostile(text: str) -> Result:
    test = TestId("tests/test_x.py", "tests.test_x", f"test[{text}]")
    repair = RepairResult(
        targets=(test,),
        fingerprint="0" * 64,
        outcome=RunOutcome.NEEDS_REVIEW,
        reason=StopReason.REVIEW_GRADE,
        message=text,
        exception=text,
        failure_message=text,
        root_cause=text,
        risks=text,
        patch=f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{text}\n+{text}\n",
        new_test=NewTest(text, text, text),
        new_tests=(test,),
        attempts=(replace(ATTEMPTS[0], engine=text, message=text, root_cause=text, patch=text),),
        gates=(Gate(GateName.RED, GateStatus.FAILED, text, (text,), text),),
        objections=(Objection(text, text, text, Grade.REVIEW),),
        tests=(TestChange(test, Outcome.FAILED, None),),
    )
    return Result(
        RunOutcome.NEEDS_REVIEW,
        (repair,),
        StopReason.REVIEW_GRADE,
        text,
        patch=repair.patch,
        usage=Usage(requests=1, cost_usd=None),
        model=text,
        served_model=text,
        seconds={text: 1.0},
        sandbox=SandboxInfo(text, False, text),
        commit=text,
        trace_sha256=text,
        version=text,
    )


OURS = {"h1", "h2", "p", "code", "pre", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "hr"}
OURS |= {"blockquote", "details", "summary", "br"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_everywhere(text: str) -> None:
    body = render(_hostile(text))
    rendered = MarkdownIt("commonmark").enable("table").render(body)
    assert set(re.findall(r"</?([a-z0-9]+)", rendered)) <= OURS
    assert rendered.count("<details>") == rendered.count("</details>") == 1
    assert rendered.count("<h2>") == 10 and rendered.count("<table>") == 5  # as many as with harmless text
    assert not _acting(rendered)
    assert "\x1b" not in body and "\u202e" not in body


def test_the_frame_of_the_hostile_case_is_that_of_a_harmless_one() -> None:
    rendered = MarkdownIt("commonmark").enable("table").render(render(_hostile("harmless")))
    assert rendered.count("<h2>") == 10 and rendered.count("<table>") == 5


@pytest.mark.parametrize("unit", ["@org/team fixes #1 <b> ", "`", "\n", "|", "<"])
@pytest.mark.parametrize("repairs", [1, 40])
def test_the_body_never_passes_the_limit(unit: str, repairs: int) -> None:
    result = _hostile(unit * (12_000 // len(unit)))
    one = result.repairs[0]
    many = tuple(TestChange(TestId("a.py", "a", f"test_{number}"), None, Outcome.PASSED) for number in range(300))
    one = replace(one, tests=many, attempts=one.attempts * 80, objections=one.objections * 80)
    body = pull_request_body(replace(result, repairs=(one,) * repairs))
    assert len(body) <= LIMIT
    assert "cut" in body
    rendered = MarkdownIt("commonmark").enable("table").render(body)
    assert rendered.count("<details>") == rendered.count("</details>")
    assert "It never merges" in body


def test_a_long_trace_of_a_real_repair_keeps_what_matters() -> None:
    patch = FIX + "".join(f"diff --git a/f{n} b/f{n}\n@@ -1 +1 @@\n-a\n+{'b' * 80}\n" for n in range(1_000))
    body = pull_request_body(replace(REPAIRED, patch=patch, repairs=(replace(REPAIR, patch=patch),)))
    assert len(body) <= LIMIT
    assert "all of it is in fix.patch" in body and "<summary>The diff (4,0" in body
    assert "more rows are in result.json" in body
    for gate in GATES:
        assert gate.evidence in body


def test_the_check_command_is_safe_to_paste(tmp_path: Path) -> None:
    name = 'test[\'; touch pwned; $(touch pwned) `touch pwned` "x"]'
    target = TestId("tests/test_x.py", "tests.test_x", name)
    body = pull_request_body(replace(REPAIRED, repairs=(replace(REPAIR, targets=(target,), new_tests=()),)))
    block = re.search(r"```+sh\n(.*)\n```+", body)
    assert block is not None
    words = shlex.split(block[1])
    assert words[-1] == target.node_id
    shown = block[1].replace("git apply fix.patch && python -m pytest", "printf %s")
    done = subprocess.run(["sh", "-c", shown], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == target.node_id and not list(tmp_path.iterdir())
