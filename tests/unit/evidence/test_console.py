"""Console output, from samples that pytest, xdist, pytest-rerunfailures and unittest wrote (tests/corpus/console)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence.console import read_console
from bot.evidence.failures import looks_own, read_failure
from bot.evidence.types import Outcome, Phase, TestReport

SAMPLES = Path(__file__).resolve().parents[2] / "corpus" / "console"

# What failed in the project that the samples were made with: node id → exception, place.
FAILED = {
    "tests/test_a.py::test_param[a b]": ("AssertionError", "tests/test_a.py:6"),
    "tests/test_a.py::test_param[c::d]": ("AssertionError", "tests/test_a.py:6"),
    "tests/test_a.py::test_param[[e]]": ("AssertionError", "tests/test_a.py:6"),
    "tests/test_a.py::test_param[f/g]": ("AssertionError", "tests/test_a.py:6"),
    "tests/test_a.py::TestC::test_total": ("AssertionError", "tests/test_a.py:9"),
    "tests/test_a.py::TestC::test_deep": ("CartError", "src/shop.py:6"),
    "tests/test_a.py::test_implicit": ("ValueError", "src/shop.py:13"),
    "tests/test_a.py::test_both": ("AssertionError", "tests/test_a.py:24"),
    "tests/test_a.py::test_print": ("ValueError", "tests/test_a.py:33"),
    "tests/test_u.py::TestU::test_eq": ("AssertionError", "tests/test_u.py:5"),
    "tests/test_u.py::TestU::test_err": ("KeyError", "tests/test_u.py:7"),
    "tests/test_u.py::TestU::test_sub": ("AssertionError", "tests/test_u.py:11"),
}
ERRORS = {
    "tests/test_a.py::test_setup": ("RuntimeError", "tests/test_a.py:16", Phase.SETUP),
    "tests/test_a.py::test_teardown": ("OSError", "tests/test_a.py:20", Phase.TEARDOWN),
}
PASSED = {"tests/test_a.py::test_ok", "tests/test_u.py::TestU::test_fine"}


def sample(name: str) -> TestReport:
    return read_console((SAMPLES / f"{name}.txt").read_text(encoding="utf-8"), f"{name}.txt")


def messages(report: TestReport) -> list[str]:
    return [problem.message for problem in report.problems]


def place(report: TestReport, node: str) -> tuple[str, str]:
    (case,) = (case for case in report if case.id.node_id == node)
    failure = read_failure(case, looks_own)
    inner = [frame for frame in failure.frames if frame.in_project]
    return failure.exception, f"{inner[-1].path}:{inner[-1].line}" if inner else ""


@pytest.mark.parametrize(
    "name",
    ["long", "short_quiet", "native", "colour_verbose", "verbose_all", "no_summary", "xdist_quiet", "actions"],
)
def test_every_style_tells_the_same(name: str) -> None:
    report = sample(name)
    assert messages(report) == []
    assert {case.id.node_id for case in report if case.outcome is Outcome.FAILED} == set(FAILED)
    assert {case.id.node_id for case in report if case.outcome is Outcome.ERROR} == set(ERRORS)
    assert {node: place(report, node) for node in FAILED} == FAILED
    for node, (exception, where, phase) in ERRORS.items():
        assert place(report, node) == (exception, where)
        assert next(case.phase for case in report if case.id.node_id == node) is phase
    passed = {case.id.node_id for case in report if case.outcome is Outcome.PASSED}
    assert passed == (PASSED if "verbose" in name else set())


def test_line_tracebacks_have_messages_only() -> None:
    report = sample("line")
    assert {case.id.node_id for case in report.failures()} == {*FAILED, *ERRORS}
    assert {place(report, node)[0] for node in FAILED} == {"AssertionError", "CartError", "ValueError", "KeyError"}
    assert messages(report) == []


def test_what_could_not_be_collected() -> None:
    report = sample("collection")
    assert {(case.id.node_id, case.outcome, case.phase) for case in report} == {
        ("tests/test_bad.py", Outcome.ERROR, Phase.COLLECTION),
        ("tests/test_syn.py", Outcome.ERROR, Phase.COLLECTION),
    }
    assert place(report, "tests/test_bad.py") == ("ImportError", "tests/test_bad.py:3")
    assert place(report, "tests/test_syn.py") == ("SyntaxError", "tests/test_syn.py:1")
    assert messages(report) == ["the run stopped early: Interrupted: 2 errors during collection"]


def test_a_conftest_that_cannot_be_loaded() -> None:
    report = sample("conftest")
    assert [(case.id.node_id, case.phase) for case in report] == [("conftest.py", Phase.COLLECTION)]
    assert place(report, "conftest.py") == ("ModuleNotFoundError", "conftest.py:1")


def test_a_crashed_worker_fails_the_test_that_it_ran() -> None:
    report = sample("xdist_crash")
    case = next(case for case in report if case.id.name == "test_dies")
    assert case.outcome is Outcome.FAILED
    assert case.message.startswith("worker 'gw0' crashed while running 'tests/test_crash.py::test_dies'")
    assert "a worker of the run crashed" in messages(report)
    assert report.count(Outcome.PASSED) == 2


def test_retries_of_one_run_are_flaky_only_where_the_last_passed() -> None:
    assert {(case.id.name, case.outcome) for case in sample("reruns")} == {
        ("test_flaky", Outcome.FLAKY),
        ("test_always", Outcome.FAILED),
    }


def test_a_missing_fixture_is_a_failing_setup() -> None:
    (case,) = sample("fixture_missing").cases
    assert (case.outcome, case.phase) == (Outcome.ERROR, Phase.SETUP)
    assert "fixture 'nope' not found" in case.message


def test_a_refused_command_line_is_a_problem() -> None:
    report = sample("usage")
    assert len(report) == 0
    assert messages(report) == ["pytest refused to run: file or directory not found: tests/test_missing.py"]


@pytest.mark.parametrize("name", ["unittest", "unittest_verbose"])
def test_unittest(name: str) -> None:
    report = sample(name)
    for function, (exception, where) in (
        ("test_eq", ("AssertionError", "tests/test_u.py:5")),
        ("test_err", ("KeyError", "tests/test_u.py:7")),
        ("test_sub", ("AssertionError", "tests/test_u.py:11")),
    ):
        assert place(report, f"tests.test_u.TestU::{function}") == (exception, where)
    if name == "unittest_verbose":
        assert next(case.outcome for case in report if case.id.name == "test_fine") is Outcome.PASSED
        unloaded = next(case for case in report if case.phase is Phase.COLLECTION)
        assert read_failure(unloaded, looks_own).exception == "ImportError"


def test_the_same_failure_has_one_fingerprint_in_every_style() -> None:
    prints = {
        read_failure(case, looks_own).fingerprint
        for name in ("long", "short_quiet", "native", "xdist_quiet", "unittest")
        for case in sample(name)
        if case.id.name == "test_eq"
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("line", "node", "message"),
    [
        ("FAILED t/test_a.py::test_x - ValueError: a - b", "t/test_a.py::test_x", "ValueError: a - b"),
        ("FAILED t/test_a.py::test_x[a - b] - ValueError: c", "t/test_a.py::test_x[a - b]", "ValueError: c"),
        ("FAILED t/test_a.py::test_x[a - b]", "t/test_a.py::test_x[a - b]", ""),
        ("FAILED t/test_a.py::test_x", "t/test_a.py::test_x", ""),
        ("SUBFAILED(i=1) t/test_a.py::T::test_x - AssertionError: 0", "t/test_a.py::T::test_x", "AssertionError: 0"),
        ("ERROR t/test_a.py - ImportError: x", "t/test_a.py", "ImportError: x"),
    ],
)
def test_summary_lines(line: str, node: str, message: str) -> None:
    report = read_console(f"=== short test summary info ===\n{line}\n", "log")
    assert [(case.id.node_id, case.message) for case in report] == [(node, message)]


def test_a_summary_printed_by_a_test_does_not_count() -> None:
    text = (SAMPLES / "long.txt").read_text(encoding="utf-8")
    forged = text.replace(
        "hello [gw0]\n", "=== short test summary info ===\nFAILED tests/test_a.py::test_forged - X: y\n", 1
    )
    assert forged != text
    assert "test_forged" not in {case.id.name for case in read_console(forged, "log")}


def test_several_runs_in_one_log() -> None:
    first = "=== short test summary info ===\nFAILED t/a.py::test_a - A\n=== 1 failed, 2 passed in 0.10s ===\n"
    second = "=== short test summary info ===\nFAILED t/b.py::test_b - B\n1 failed in 61.00s (0:01:01)\n"
    report = read_console(first + second, "log")
    assert [case.id.node_id for case in report] == ["t/a.py::test_a", "t/b.py::test_b"]
    assert messages(report) == []


def test_totals_that_do_not_add_up_are_said() -> None:
    text = "=== short test summary info ===\nFAILED t/a.py::test_a - A\n=== 3 failed, 2 passed in 0.10s ===\n"
    assert messages(read_console(text, "log")) == ["its totals say 3 failed, 1 can be read from it"]


@pytest.mark.parametrize("text", ["", "hello\n", "make: *** [test] Error 1\n"])
def test_output_of_something_else(text: str) -> None:
    assert messages(read_console(text, "log")) == ["shows no test result of pytest or unittest"]


def test_a_monstrous_line_is_cut_and_said() -> None:
    report = read_console("x" * 5_000_000 + "\n=== short test summary info ===\nFAILED t/a.py::test_a - A\n", "log")
    assert len(report) == 1
    assert messages(report) == ["1 line is longer than 20,000 characters; it was cut"]


@given(st.text(max_size=500))
def test_no_output_is_too_strange(text: str) -> None:
    read_console(text, "log")
    read_console("=== FAILURES ===\n___ x ___\n" + text + "\n=== short test summary info ===\n" + text, "log")


@pytest.mark.parametrize(
    "line", ["= " * 9000, "=" * 20_000 + " ", "a::" * 6000, "[gw0] FAILED " * 1500, "FAILED x[ - " * 1600, "_ " * 9000]
)
def test_hostile_lines_are_read_in_time(line: str) -> None:
    read_console(
        "=== FAILURES ===\n" + f"{line}\n" * 20 + "=== short test summary info ===\n" + f"{line}\n" * 20, "log"
    )
    read_console(f"{line}\n" * 20, "log")
