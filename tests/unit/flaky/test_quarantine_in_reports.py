"""A quarantined failure is an xfail in JUnit: history counts it as a failure, and nothing is repaired for it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bot.evidence.junit import iter_cases, read_junit
from bot.evidence.junit_case import QUARANTINE, QUARANTINE_TRACEBACK
from bot.evidence.types import Outcome, Problem, TestCase
from bot.flaky.in_repository import grokfix_quarantine as plugin
from bot.flaky.reconcile import Outcomes, read_report
from tests.unit.flaky.test_quarantine import TESTS, entry, project, run

TRACEBACK = "tests/test_a.py:3: in test_a\n    assert 1 == 2\nE   assert 1 == 2\n\ntests/test_a.py:3: AssertionError"


def read(cases: str, *, green: bool = False) -> Outcomes:
    problems: list[Problem] = []
    text = f'<testsuite name="pytest">{cases}</testsuite>'
    outcomes = read_report(io.BytesIO(text.encode()), "report", problems, green=green)
    assert problems == []
    return outcomes


def one(cases: str) -> TestCase:
    [case] = iter_cases(io.BytesIO(f"<testsuite>{cases}</testsuite>".encode()), "report", [])
    return case


def case(properties: str, result: str = '<skipped type="pytest.xfail" message="in quarantine until"/>') -> str:
    return (
        f'<testcase classname="tests.test_a" name="test_a" file="tests/test_a.py" time="0.1">{properties}{result}'
        "</testcase>"
    )


def properties(*pairs: tuple[str, str]) -> str:
    return "<properties>" + "".join(f'<property name="{n}" value="{v}"/>' for n, v in pairs) + "</properties>"


def test_both_sides_call_the_properties_alike() -> None:
    assert (plugin._PROPERTY, plugin._TRACEBACK) == (QUARANTINE, QUARANTINE_TRACEBACK)


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_real_run(tmp_path: Path, family: str, workers: tuple[str, ...]) -> None:
    """What fails in quarantine fails with the same fingerprint as without it; the job is green all the same."""
    names = ("test_flaky", "test_passes", "test_set_up", "TestInside::test_method", "test_torn")
    torn = "\n@pytest.fixture\ndef torn():\n    yield\n    raise OSError('left')\n\ndef test_torn(torn):\n    pass\n"
    project(tmp_path, [entry(f"tests/test_a.py::{name}") for name in names], {"tests/test_a.py": TESTS + torn})
    options = (
        "-o",
        f"junit_family={family}",
        *workers,
        *(f"tests/test_a.py::{name}" for name in (*names, "test_other")),
    )
    assert run(tmp_path, *options).code == 0
    report = read_junit([tmp_path / "report.xml"])
    assert report.failures() == ()
    hidden = {each.id.name for each in report if each.quarantined}
    assert hidden == {"test_flaky", "test_set_up", "test_method", "test_torn"}
    problems: list[Problem] = []
    with (tmp_path / "report.xml").open("rb") as stream:
        seen = read_report(stream, "report", problems, green=True)
    assert {test.name for test in seen.failed} == hidden
    assert {test.name for test in seen.tests} == {*hidden, "test_passes", "test_other"}
    assert run(tmp_path, "-p", "no:grokfix_quarantine", *options).code == 1
    with (tmp_path / "report.xml").open("rb") as stream:
        lifted = read_report(stream, "report", problems)
    calls = {"test_flaky", "test_method"}
    assert {t: f.fingerprint for t, f in seen.failed.items() if t.name in calls} == {
        t: f.fingerprint for t, f in lifted.failed.items() if t.name in calls
    }
    assert {f.exception for f in seen.failed.values()} == {"AssertionError", "OSError"}
    assert sys.executable


def test_only_our_property_on_a_skipped_case_makes_it_a_failure() -> None:
    ours = (QUARANTINE, "failed")
    escaped = TRACEBACK.replace("\n", "&#10;")
    found = one(case(properties(ours, (QUARANTINE_TRACEBACK, escaped))))
    assert (found.outcome, found.quarantined, found.traceback) == (Outcome.SKIPPED, True, TRACEBACK)
    others = [
        properties((QUARANTINE, "passed")),
        properties((QUARANTINE, "FAILED")),
        properties((f"x{QUARANTINE}", "failed")),
        properties((QUARANTINE_TRACEBACK, escaped)),
        properties((QUARANTINE, "expired"), ours),  # the first of a name
        f'<property name="{QUARANTINE}" value="failed"/>',  # in no list
        f'<system-out><property name="{QUARANTINE}" value="failed"/></system-out>',
        f"<properties><x>{properties(ours)}</x></properties>",
    ]
    for each in others:
        assert not one(case(each)).quarantined, each
        assert read(case(each)) == Outcomes()


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("", Outcome.PASSED),
        ('<failure message="assert 1 == 2"/>', Outcome.FAILED),
        ('<error message="no"/>', Outcome.ERROR),
        ('<flakyFailure message="no"/>', Outcome.FLAKY),
        ('<skipped/><failure message="assert 1 == 2"/>', Outcome.FAILED),
    ],
)
def test_a_forged_property_changes_nothing_else(result: str, outcome: Outcome) -> None:
    """Whoever writes it can call a skipped test failed, and can hide no failure."""
    found = one(case(properties((QUARANTINE, "failed")), result))
    assert (found.outcome, found.quarantined) == (outcome, False)


def test_properties_are_of_one_case_and_bounded() -> None:
    first = case(properties((QUARANTINE, "failed"), (QUARANTINE_TRACEBACK, "x" * 1_000_000)))
    second = case("").replace("test_a", "test_b")
    both = list(iter_cases(io.BytesIO(f"<testsuite>{first}{second}</testsuite>".encode()), "report", []))
    assert [each.quarantined for each in both] == [True, False]
    assert len(both[0].traceback) < 250_000


def test_a_hidden_failure_counts_in_a_green_job_and_an_open_one_does_not() -> None:
    hidden = case(properties((QUARANTINE, "failed")))
    [test] = read(hidden, green=True).failed
    assert test.name == "test_a"
    assert read(hidden).failed.keys() == {test}
    assert read(case("", '<failure message="no"/>'), green=True).unknown == {test}
    assert read(hidden + case("", '<failure message="no"/>'), green=True).unknown == {test}
    assert read(hidden + case("", ""), green=True).unknown == {test}, "both outcomes of one id"


def test_without_a_traceback_the_reason_of_the_quarantine_is_no_failure_s_message() -> None:
    [failed] = read(case(properties((QUARANTINE, "failed")))).failed.values()
    assert (failed.exception, failed.message) == ("", "")
