from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bot.flaky.clusters import co_failing
from bot.flaky.ledger import Counter, is_infrastructure
from bot.flaky.tally import tally
from bot.flaky.types import Counts, RunSource
from tests.flaky_records import ids, named, run

A, B = ids("a b")


def test_counts_groups_and_fingerprints() -> None:
    records = [
        run("c1", "a b", at=10.0),
        run("c1", "a b", "a", at=20.0, group="pr:1"),
        run("c2", "a b", "a", at=30.0, group="pr:1", fingerprint="f2"),
        run("c3", "a b", "a", at=40.0, fingerprint="f2"),
        run("c3", "a", at=50.0, environment="windows"),
    ]
    found = tally(records)
    assert found[A].counts == Counts(5, 3)
    assert found[B].counts == Counts(4, 0)
    assert found[A].groups == ("branch:main", "pr:1")
    assert found[A].fingerprints == (("f2", 2), ("f1", 1))
    assert found[A].newest == {"ci": True, "windows": False}
    assert (found[A].first_seen, found[A].first_failed, found[A].last_failed) == (10.0, 20.0, 40.0)
    assert found[A].introduced == "c1"
    assert (found[B].first_failed, found[B].introduced) == (None, "")


def test_mixed_is_one_commit_and_one_environment() -> None:
    passed, failed = run("c1", "a b", key="good"), run("c1", "a b", "a", key="bad")
    (mixed,) = tally([passed, failed])[A].mixed
    assert (mixed.commit, mixed.counts, mixed.passed_key, mixed.failed_key) == ("c1", Counts(2, 1), "good", "bad")
    for other in (
        replace(failed, commit="c2"),
        replace(failed, environment="windows"),
        replace(failed, commit=""),
        replace(failed, base=False),
    ):
        assert tally([passed, other])[A].mixed == ()
    assert tally([replace(passed, commit=""), replace(failed, commit="")])[A].mixed == ()


def test_a_retry_is_one_run_that_failed_and_both_outcomes() -> None:
    found = tally([run("", "a b", retried="a", key="once")])[A]
    assert found.counts == Counts(1, 1)
    assert [(m.passed_key, m.failed_key) for m in found.mixed] == [("once", "once")]
    assert found.newest == {"ci": False}


def test_what_could_not_be_reconciled_counts_as_neither() -> None:
    found = tally([run("c1", "a b", unknown="a")])
    assert (found[A].counts, found[A].unknown, found[A].mixed) == (Counts(0, 0), 1, ())
    assert found[B].counts == Counts(1, 0)


def test_provoked_runs_are_counted_apart() -> None:
    found = tally([run("c1", "a b"), run("c1", "b a", "a", base=False, source=RunSource.RERUN)])[A]
    assert (found.counts, found.provoked, found.first_failed) == (Counts(1, 0), Counts(1, 1), None)


def test_logs_name_failures_and_are_no_rates() -> None:
    found = tally([run("c1", "a b"), run("c1", "a", "a", whole=False)])[A]
    assert found.counts == Counts(1, 0)
    assert [mixed.counts for mixed in found.mixed] == [Counts(1, 0)]


def test_neither_order_nor_repetition_matters() -> None:
    draw = random.Random(3)
    names = [f"t{number}" for number in range(12)]
    records = []
    for _ in range(60):
        tests = draw.sample(names, draw.randint(6, 12))
        failed = [name for name in tests if draw.random() < 0.1]
        records.append(run(f"c{draw.randint(1, 9)}", tests, failed, group=draw.choice(["pr:1", "pr:2", "branch:main"])))
    expected = tally(records)
    shuffled = [*records, *records[:20]]
    draw.shuffle(shuffled)
    assert tally(shuffled) == expected


def test_the_counter_counts() -> None:
    draw, counter, plain = random.Random(4), Counter(), [0] * 70
    for _ in range(300):
        mask = draw.getrandbits(70)
        counter.add(mask)
        plain = [count + (mask >> place & 1) for place, count in enumerate(plain)]
    assert counter.counts(70) == plain


@pytest.mark.parametrize(
    ("tests", "failed", "whole", "expected"),
    [
        ("a b c d e", "a b c", True, True),
        ("a b c d", "a b c d", True, False),  # too few: the tests themselves may all be broken
        ("a b c d e f", "a b c", True, False),  # half is not most
        ("a b c d e", "a b c d e", False, False),  # a selection of suspects
    ],
)
def test_infrastructure(tests: str, failed: str, whole: bool, expected: bool) -> None:
    assert is_infrastructure(run("c1", tests, failed, whole=whole)) is expected


def test_what_fails_together_is_one_cluster() -> None:
    names = "a b c d e f g h"
    records = [run("c1", names, "a b c", key=f"k{n}") for n in range(3)]
    records += [run("c2", names, "a b", key="k3"), run("c2", names, "d", key="k4"), run("c2", names, "d e", key="k5")]
    first, second = co_failing(records)
    assert first.tests == ids("a b c")
    assert first.keys == ("k0", "k1", "k2", "k3")
    assert second.tests == ids("d e")
    assert co_failing(reversed(records)) == (first, second)
    assert co_failing([run("c1", names, "a"), run("c1", names, names)]) == ()  # alone; infrastructure
    assert named("a") in first.tests and first.name != second.name
