"""`grokfix report`: the whole story in text and JSON, and nothing raw in either."""

from __future__ import annotations

import json

from bot.evidence.types import Outcome, Phase, Problem, TestCase, TestId, TestReport
from bot.publish.report import LISTED, render_json, render_text

TRACE = "tests/test_a.py:3: in test_x\n    f()\nsrc/x.py:8: in f\n    g\nE   shop.CartError: no 5\n"
REPORT = TestReport(
    (
        TestCase(TestId("tests/test_a.py", "tests.test_a", "test_ok"), Outcome.PASSED, 0.1),
        TestCase(TestId("tests/test_a.py", "tests.test_a", "test_x"), Outcome.FAILED, 0.1, "CartError: no 5", TRACE),
        TestCase(TestId("tests/test_a.py", "tests.test_a", "test_y"), Outcome.FAILED, 0.1, "CartError: no 5", TRACE),
        TestCase(TestId("tests/test_b.py", "tests.test_b", ""), Outcome.ERROR, 0.0, "boom", "", Phase.COLLECTION),
        TestCase(TestId("tests/test_a.py", "tests.test_a", "test_s"), Outcome.SKIPPED),
        TestCase(TestId("tests/test_a.py", "tests.test_a", "test_f"), Outcome.FLAKY),
    ),
    (Problem("junit.xml", "is 2 documents in one; all were read"),),
)


def test_text() -> None:
    assert render_text(REPORT, 80) == (
        "6 tests: 1 passed, 2 failed, 1 error, 1 skipped, 1 flaky\n"
        "\n"
        "CartError: no 5\n"
        "  at src/x.py:8\n"
        "  tests/test_a.py::test_x\n"
        "  tests/test_a.py::test_y\n"
        "\n"
        "boom\n"
        "  tests/test_b.py (collection)\n"
        "\n"
        "problems with the reports:\n"
        "  junit.xml: is 2 documents in one; all were read\n"
    )


def test_json() -> None:
    document = json.loads(render_json(REPORT))
    assert document["totals"] == {"tests": 6, "passed": 1, "failed": 2, "errors": 1, "skipped": 1, "flaky": 1}
    assert [failure["place"] for failure in document["failures"]] == ["src/x.py:8", "src/x.py:8", None]
    first = document["failures"][0]
    assert {
        key: first[key] for key in ("id", "file", "classname", "name", "outcome", "phase", "exception", "message")
    } == {
        "id": "tests/test_a.py::test_x",
        "file": "tests/test_a.py",
        "classname": "tests.test_a",
        "name": "test_x",
        "outcome": "failed",
        "phase": "call",
        "exception": "CartError",
        "message": "no 5",
    }
    assert document["problems"] == [{"source": "junit.xml", "message": "is 2 documents in one; all were read"}]


def test_nothing_to_tell() -> None:
    assert render_text(TestReport(()), 80) == "no tests\n"
    assert json.loads(render_json(TestReport(())))["failures"] == []


def test_nothing_acts() -> None:
    evil = "a\n::add-mask::b\r::error::c ##[error]d \x1b[31me\u202ef \x85::error::g"
    report = TestReport((TestCase(TestId(evil, evil, evil), Outcome.FAILED, 0.0, evil, evil),), (Problem(evil, evil),))
    for text in (render_text(report, 60), render_json(report)):
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        assert "##[" not in text
        assert not set(text) & set("\x1b\r\x85\u202e")


def test_a_long_list_is_cut_in_text_only() -> None:
    cases = tuple(
        TestCase(TestId("t.py", "t", f"test_{n}"), Outcome.FAILED, 0.0, "ValueError: x") for n in range(LISTED + 50)
    )
    assert "… and 50 more failing tests" in render_text(TestReport(cases), 80)
    assert len(json.loads(render_json(TestReport(cases)))["failures"]) == LISTED + 50
