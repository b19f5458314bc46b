"""Every pair of outcomes has one place, and none is kinder than the facts."""

from __future__ import annotations

import pytest

from bot.evidence.delta import delta
from bot.evidence.types import Outcome, TestCase, TestId, TestReport

ID = TestId("tests/test_a.py", "tests.test_a", "test_x")
P, F, E, S, Y = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.FLAKY


def report(*outcomes: Outcome) -> TestReport:
    return TestReport(tuple(TestCase(ID, outcome) for outcome in outcomes))


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        *((was, P, "fail_to_pass") for was in (F, E)),
        *((was, now, "still_failing") for was in (F, E) for now in (F, E, S, Y)),
        *((P, now, "pass_to_fail") for now in (F, E, S, Y)),
        *((S, now, "pass_to_fail") for now in (F, E)),
        *((Y, now, "pass_to_fail") for now in (F, E, S)),
        *((was, now, "") for was, now in ((P, P), (S, S), (S, P), (S, Y), (Y, Y), (Y, P))),
    ],
)
def test_each_pair(before: Outcome, after: Outcome, place: str) -> None:
    result = delta(report(before), report(after))
    assert {
        name for name in ("fail_to_pass", "pass_to_fail", "still_failing", "vanished") if getattr(result, name)
    } == ({place} if place else set())


@pytest.mark.parametrize("before", list(Outcome))
def test_what_is_gone_has_vanished_whatever_it_was(before: Outcome) -> None:
    assert delta(report(before), report()).vanished == (ID,)


def test_what_is_new_is_in_no_list() -> None:
    result = delta(report(), report(F))
    assert result == delta(report(), report())
