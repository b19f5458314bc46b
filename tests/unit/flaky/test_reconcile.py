"""Retry dialects lie: what can be reconciled is, the rest is unknown."""

from __future__ import annotations

import io

import pytest

from bot.evidence.types import Problem, TestId
from bot.flaky.reconcile import Outcomes, read_report, variants

FAIL = '<failure message="AssertionError: no">tests/test_a.py:3: AssertionError</failure>'


def case(name: str, inner: str = "") -> str:
    return f'<testcase classname="tests.test_a" name="{name}" time="0.5">{inner}</testcase>'


def read(*cases: str, tests: int | None = None, green: bool = False) -> Outcomes:
    text = f'<testsuite name="s" tests="{len(cases) if tests is None else tests}">{"".join(cases)}</testsuite>'
    problems: list[Problem] = []
    return read_report(io.BytesIO(text.encode()), "report", problems, green=green)


def verdict(found: Outcomes, name: str = "test_x") -> str:
    id = TestId("", "tests.test_a", name)
    if id not in found.tests:
        return "absent"
    words = [
        word
        for word, ids in (("failed", found.failed), ("retried", found.retried), ("unknown", found.unknown))
        if id in ids
    ]
    assert len(words) < 2
    return words[0] if words else "passed"


RERUN = '<flakyFailure message="no">text</flakyFailure>'


@pytest.mark.parametrize(
    ("inner", "declared", "said"),
    [
        (("",), None, "passed"),
        ((FAIL,), None, "failed"),
        (('<skipped message="later"/>',), None, "absent"),
        # pytest-rerunfailures: each retried failure is one more case that looks passed, and is not counted
        (("", "", FAIL), 1, "failed"),
        (("", ""), 1, "retried"),
        # several tests of one name: the counter tells of all of them
        (("", ""), None, "passed"),
        (("", "", FAIL), None, "unknown"),
        ((FAIL, ""), None, "unknown"),
        ((FAIL, ""), 1, "unknown"),  # the last try passed, the first was written as a failure: no dialect that is known
        ((FAIL, FAIL), None, "failed"),  # pytest: the call, and its teardown
        ((RERUN,), None, "retried"),  # surefire, by its own word
        ((RERUN, ""), None, "unknown"),  # surefire: several parameters of one method
        ((FAIL + RERUN,), None, "failed"),  # a final failure outweighs
        ((RERUN, FAIL), None, "unknown"),
        (("<rerunFailure>text</rerunFailure>" + FAIL,), None, "failed"),
    ],
)
def test_dialects(inner: tuple[str, ...], declared: int | None, said: str) -> None:
    assert verdict(read(*(case("test_x", each) for each in inner), tests=declared)) == said


def test_parameters_that_surefire_may_have_taken_for_retries_are_unknown() -> None:
    assert verdict(read(case("test_x(int)", RERUN)), "test_x(int)") == "unknown"


def test_a_green_job_does_not_have_failures() -> None:
    found = read(case("test_x", FAIL), case("test_y"), green=True)
    assert (verdict(found), verdict(found, "test_y")) == ("unknown", "passed")


def test_what_is_kept_of_a_failure_is_one_bounded_line() -> None:
    found = read(case("test_x", f'<failure message="{"long " * 500}">E   ValueError: a&#10;::error::b</failure>'))
    (failed,) = found.failed.values()
    assert len(failed.message) <= 300
    assert "\n" not in failed.message
    assert len(failed.fingerprint) == 64
    assert found.durations == {TestId("", "tests.test_a", "test_x"): 0.5}


def test_a_name_that_is_too_long_is_left_out_and_counted() -> None:
    found = read(case("x" * 5_000), case("test_y"))
    assert ([test.name for test in found.tests], found.left_out) == (["test_y"], 1)


def test_files_that_repeat_tests_are_told_apart_by_the_shortest_beginning() -> None:
    one, two = read(case("test_x")), read(case("test_y"))
    assert list(variants({"a.xml": one, "b.xml": two})) == [""]
    assert sorted(variants({"3.12/a.xml": one, "3.12/b.xml": two, "3.13/a.xml": one, "3.13/b.xml": two})) == [
        "3.12",
        "3.13",
    ]
    assert sorted(variants({"out/a.xml": one, "out/b.xml": one})) == ["out/a.xml", "out/b.xml"]
    assert variants({}) == {}
