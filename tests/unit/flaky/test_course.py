"""What became of tests over time, of records whose truth is written down; and which findings still hold."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.evidence.types import TestId
from bot.flaky.course import NEWEST, Course, Week, courses
from bot.flaky.findings import standing
from bot.flaky.types import Cause, Counts, Failed, Finding, Proof, RunRecord, RunSource, State, StateChange, Trial
from bot.toolchains.types import PLAIN
from tests.flaky_records import ids, named, run

A, B, C = ids("a b c")
DAY = 86_400.0
MONDAY = 1_789_948_800.0  # 2026-09-21, midnight


def course(records: list[RunRecord], test: TestId = A) -> Course:
    return courses(records, [test], {}, str)[test]


def test_weeks_begin_on_monday_and_count_what_may_be_counted() -> None:
    times = [MONDAY - 1, MONDAY, MONDAY + 1, MONDAY + 7 * DAY]
    records = [run("c", "a b", "a" if number % 2 else "", at=time) for number, time in enumerate(times)]
    records.append(run("c", "a b", "a", at=MONDAY + 2, base=False))  # provoked
    records.append(run("c", "a b c d e", "a b c d e", at=MONDAY + 3))  # infrastructure
    records.append(run("c", "a b", unknown="a", at=MONDAY + 4))
    records.append(run("c", "a", "a", at=MONDAY + 5, whole=False))  # a log that names failures only
    records.append(run("c", "b", at=MONDAY + 6))
    answer = courses(records, [A, C, *ids("nobody")], {}, str)
    assert answer[A].weeks == (
        Week("2026-09-14", Counts(1, 0)),
        Week("2026-09-21", Counts(2, 1)),
        Week("2026-09-28", Counts(1, 1)),
    )
    assert answer[A].weeks[1].interval.low < 0.5 < answer[A].weeks[1].interval.high
    assert answer[C] == answer[named("nobody")] == Course()
    assert course([run("c", "a", "a", at=MONDAY, whole=False, source=RunSource.RERUN)]).weeks == (
        Week("2026-09-21", Counts(1, 1)),
    ), "our own selections are told whole"


def test_the_order_of_records_and_repetition_do_not_matter() -> None:
    records = [
        run("c", "a b c" if number % 2 else "c b a", "a" if number % 3 else "b", at=MONDAY + number * DAY / 2)
        for number in range(40)
    ]
    expected = courses(records, [A, B], {}, str)
    for seed in range(3):
        shuffled = [*records, *records[:7]]
        random.Random(seed).shuffle(shuffled)
        assert courses(shuffled, [A, B], {}, str) == expected


def test_the_newest_failures_tell_their_place_in_the_order() -> None:
    older = [run("c1", "a b c", "c", at=MONDAY + number) for number in range(NEWEST + 3)]
    assert [(each.at, each.place, each.of, each.after) for each in course(older, C).failed] == [
        (MONDAY + number, 3, 3, B) for number in range(NEWEST + 2, 2, -1)
    ]
    records = [*older]
    records.append(run("c2", "c b a", "c", at=MONDAY + 100))
    records.append(run("c3", "b c", retried="c", at=MONDAY + 99))
    records.append(run("c4", "c", "c", at=MONDAY + 98, whole=False))
    found = course(records, C).failed
    assert len(found) == NEWEST
    assert [(each.commit, each.place, each.of, each.after) for each in found] == [
        ("c2", 1, 3, None),
        ("c3", 2, 2, B),
        ("c4", 1, 1, None),
    ]
    assert found[0].failed == Failed("f1", "AssertionError", "no")
    assert (found[1].failed, found[2].whole) == (None, False)


def test_many_failures_of_one_run_have_their_places_too() -> None:
    names = [f"t{number:02}" for number in range(40)]
    record = run("c", names, names[5:19], at=MONDAY)
    found = courses([record], ids(names), {}, str)
    assert [found[test].failed[0].place for test in ids(names[5:19])] == list(range(6, 20))


def test_secrets_do_not_come_with_the_messages() -> None:
    record = run("c", "a", "a", at=MONDAY)
    record = replace(record, failed={A: Failed("f", "Error", "token hunter2 was refused")})
    (failed,) = courses([record], [A], {}, lambda text: text.replace("hunter2", "[redacted]"))[A].failed
    assert failed.failed == Failed("f", "Error", "token [redacted] was refused")


def test_steps_are_handed_on() -> None:
    steps = (StateChange(A, State.SUSPECT, MONDAY, "seen"),)
    assert courses([], [A, B], {A: steps}, str) == {A: Course(steps=steps), B: Course()}


def finding(cause: Cause | None, detail: str = "") -> Finding:
    proofs = () if cause is None else (Proof(cause, detail, (Trial("with", (A,), PLAIN, Counts(9, 9)),)),)
    return Finding(A, proofs, ())


@pytest.mark.parametrize(
    ("told", "fixed", "expected"),
    [
        ([], None, None),
        ([(1.0, finding(None))], None, finding(None)),
        ([(1.0, finding(Cause.ZONE)), (2.0, finding(Cause.TIME))], None, finding(Cause.TIME)),
        ([(1.0, finding(Cause.ZONE)), (2.0, finding(None))], None, finding(Cause.ZONE)),
        ([(1.0, finding(None)), (2.0, finding(Cause.ZONE))], None, finding(Cause.ZONE)),
        ([(1.0, finding(Cause.ZONE)), (3.0, finding(None))], 2.0, finding(None)),
        ([(1.0, finding(Cause.ZONE))], 2.0, None),
    ],
)
def test_what_was_proven_holds_until_it_is_mended_or_proven_anew(
    told: list[tuple[float, Finding]], fixed: float | None, expected: Finding | None
) -> None:
    held = standing(told, {} if fixed is None else {A: fixed})
    assert held == (() if expected is None else (expected,))
