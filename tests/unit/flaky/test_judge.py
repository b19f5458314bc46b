"""Each verdict by the runs that must bring it about, beside the ones that come near and must not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.flaky.judge import judge, judge_night, suspects
from bot.flaky.types import (
    Cause,
    Counts,
    Failed,
    Finding,
    Night,
    Proof,
    Regression,
    RunRecord,
    RunSource,
    Scan,
    Shard,
    Trial,
)
from bot.flaky.verdict import Kind, Triage
from bot.toolchains.types import PLAIN
from tests.flaky_records import START, ids, named, reruns, run

A, B = ids("a b")
SUITE = "a b c d e"
HEAD = "head"


def judged(records: Sequence[RunRecord], **more: object) -> Triage:
    return judge(records, session="s", commit=HEAD, environment="box", at=START, **more)  # type: ignore[arg-type]


def kind_of(triage: Triage, test: str = "a") -> Kind:
    return next((verdict.kind for verdict in triage.verdicts if verdict.test == named(test)), Kind.STABLE)


def green(count: int, commit: str = "c") -> list[RunRecord]:
    return [run(f"{commit}{number}", SUITE) for number in range(count)]


def offline(records: Sequence[RunRecord], said: str = "[Errno 101] Network is unreachable") -> list[RunRecord]:
    """The same runs, their failures for want of a network."""
    return [replace(each, failed=dict.fromkeys(each.failed, Failed("n", "OSError", said))) for each in records]


def proof(cause: Cause) -> Finding:
    trials = tuple(
        Trial(label, (A,), PLAIN, Counts(10, failures))
        for label, failures in [("with", 10), ("without", 0), ("again", 10)]
    )
    return Finding(A, (Proof(cause, "how", trials),), ())


def regression(at_good: Counts, at_bad: Counts, p_value: float) -> Regression:
    return Regression(A, "good", HEAD, at_good, at_bad, p_value, first_bad="culprit")


@pytest.mark.parametrize(
    ("records", "expected", "quoted"),
    [
        (lambda: green(3), Kind.STABLE, ""),
        # flaky: both outcomes at one commit in one environment
        (lambda: [*green(3), run("c9", SUITE), run("c9", SUITE, "a")], Kind.FLAKY, "failed 1 of 2 at c9"),
        (lambda: reruns(HEAD, SUITE, "ppfppfp", suspect="a"), Kind.FLAKY, "failed 2 of 7 at head in box"),
        (lambda: [*green(3), run("c9", SUITE, retried="a")], Kind.FLAKY, "passed on a retry"),
        # but not: another commit, another environment, a run that nobody knows the commit of
        (lambda: [*green(30), run("c99", SUITE, "a"), *green(5, "d")], Kind.STABLE, ""),
        (lambda: [*green(3), run("c2", SUITE, "a", environment="other")], Kind.STABLE, ""),
        (lambda: [run("", SUITE), run("", SUITE, "a")], Kind.STABLE, ""),
        # a pull request's own commit proves it only where it failed elsewhere too
        (
            lambda: [*green(9), run("x", SUITE, group="pr:7"), run("x", SUITE, "a", group="pr:7")],
            Kind.SUSPECT,
            "only in pr:7",
        ),
        (
            lambda: [
                *green(9),
                run("x", SUITE, group="pr:7"),
                run("x", SUITE, "a", group="pr:7"),
                run("y", SUITE, "a", group="pr:8"),
            ],
            Kind.FLAKY,
            "failed 1 of 2 at x",
        ),
        # broken: five and more at the end, in one way, and not by chance
        (lambda: [*green(9), *reruns(HEAD, SUITE, "fffff", suspect="a")], Kind.BROKEN, "last 5 runs in box"),
        (
            lambda: [*green(9), *[run(f"{c}", SUITE, "a") for c in ("x1", "x2", "x3", "x4", HEAD)]],
            Kind.BROKEN,
            "since x1",
        ),
        (lambda: reruns(HEAD, SUITE, "fffff", suspect="a"), Kind.BROKEN, "never seen passing"),
        (lambda: [*green(9), *reruns(HEAD, SUITE, "ffff", suspect="a")], Kind.SUSPECT, "fails at head"),
        (lambda: [*green(9), run(HEAD, SUITE, "a")], Kind.SUSPECT, "fails at head"),
        # one pass, then five failures: chance explains that
        (lambda: reruns(HEAD, SUITE, "pfffff", suspect="a"), Kind.FLAKY, "failed 5 of 6"),
        (
            lambda: [run("c1", SUITE), *[run(f"x{n}", SUITE, "a") for n in range(4)], run(HEAD, SUITE, "a")],
            Kind.SUSPECT,
            "",
        ),
        # what fails in every order too needs no five ordinary runs; what passes in one does
        (
            lambda: [*reruns(HEAD, SUITE, "f", suspect="a"), *reruns(HEAD, SUITE, "ffff", suspect="a", base=False)],
            Kind.BROKEN,
            "last 5 runs in box",
        ),
        (
            lambda: [*reruns(HEAD, SUITE, "f", suspect="a"), *reruns(HEAD, SUITE, "ffpff", suspect="a", base=False)],
            Kind.SUSPECT,
            "fails at head",
        ),
        # it fails every time, but never in the same way
        (
            lambda: [
                *green(9),
                *[r for n in range(5) for r in reruns(HEAD, SUITE, "f", suspect="a", fingerprint=f"{n}")],
            ],
            Kind.UNKNOWN,
            "5 different ways",
        ),
        # environment-dependent: constant in each, and different at one commit
        (
            lambda: [
                run(f"c{n}", SUITE, f, environment=e) for n in range(6) for e, f in (("linux", ""), ("windows", "a"))
            ],
            Kind.ENVIRONMENT,
            "failed 6 of 6 in windows and 0 of 6 in linux",
        ),
        (
            lambda: [
                run(f"c{n}", SUITE, f, environment=e) for n in range(2) for e, f in (("linux", ""), ("windows", "a"))
            ],
            Kind.STABLE,  # two of each are too few, and none is the newest commit
            "",
        ),
        (
            lambda: [*green(20), run(HEAD, SUITE), *reruns(HEAD, SUITE, "ffffff", suspect="a")],
            Kind.ENVIRONMENT,
            "in box",
        ),
        # environment-dependent, never broken: our own runs fail for want of a network and of nothing else
        (
            lambda: [*green(9), *offline(reruns(HEAD, SUITE, "fffff", suspect="a"))],
            Kind.ENVIRONMENT,
            "failed in 5 runs in box for want of a network ([Errno 101] Network is unreachable), which says nothing of "
            "it where there is one; it failed in 0 of 9 other runs",
        ),
        (lambda: offline(reruns(HEAD, SUITE, "f", suspect="a")), Kind.ENVIRONMENT, "it was run nowhere else"),
        (
            lambda: offline(reruns(HEAD, SUITE, "fffff", suspect="a"), "getaddrinfo EAI_AGAIN prices.example"),
            Kind.ENVIRONMENT,
            "EAI_AGAIN",
        ),
        # but not: somebody was there and refused, CI itself has no network, or it fails in another way too
        (
            lambda: [*green(9), *offline(reruns(HEAD, SUITE, "fffff", suspect="a"), "[Errno 111] Connection refused")],
            Kind.BROKEN,
            "last 5 runs in box",
        ),
        (
            lambda: [*green(9), *offline([run(c, SUITE, "a") for c in ("x1", "x2", "x3", "x4", HEAD)])],
            Kind.BROKEN,
            "since x1",
        ),
        (
            lambda: [
                *green(9),
                *offline(reruns(HEAD, SUITE, "ffff", suspect="a")),
                *reruns(HEAD, SUITE, "f", suspect="a"),
            ],
            Kind.UNKNOWN,
            "2 different ways",
        ),
        (
            lambda: [
                *green(3),
                run("c9", SUITE),
                run("c9", SUITE, "a"),
                *offline(reruns(HEAD, SUITE, "fff", suspect="a")),
            ],
            Kind.FLAKY,
            "failed 1 of 2 at c9",
        ),
        # infrastructure: runs in which most failed say nothing
        (lambda: [*green(3), run("c1", SUITE, SUITE)], Kind.STABLE, ""),
        (lambda: [*green(3), run(HEAD, SUITE, SUITE)], Kind.INFRASTRUCTURE, "most tests failed"),
        (lambda: [*green(3), run(HEAD, SUITE, SUITE), run(HEAD, SUITE)], Kind.STABLE, ""),
        # provoked only
        (
            lambda: [*green(3), *reruns(HEAD, SUITE, "pfp", suspect="a", base=False)],
            Kind.SUSPECT,
            "1 of 3 when provoked",
        ),
        # only evidence that contradicts itself
        (lambda: [*green(3), run("c1", SUITE, unknown="a")], Kind.UNKNOWN, "contradict"),
    ],
)
def test_verdicts(records: object, expected: Kind, quoted: str) -> None:
    runs = records()  # type: ignore[operator]
    triage = judged(runs)
    assert kind_of(triage) is expected, [verdict.reason for verdict in triage.verdicts]
    if quoted:
        assert quoted in next(verdict.reason for verdict in triage.verdicts if verdict.test == A)
    random.Random(1).shuffle(runs)
    assert judged(runs) == triage


def test_many_sources_make_a_suspect_and_one_does_not() -> None:
    ordinary = [run(f"p{n}", SUITE, group=f"pr:{n}") for n in range(60)]
    failing = [run(f"q{n}", SUITE, "a", group=f"pr:{100 + n}") for n in range(6)]
    assert kind_of(judged([*ordinary, *failing])) is Kind.SUSPECT
    same = [run(f"q{n}", SUITE, "a", group="pr:100") for n in range(6)]
    assert kind_of(judged([*ordinary, *same])) is Kind.STABLE


def test_a_break_that_was_mended_is_one_source_however_long_it_lasted() -> None:
    broken = [run(f"b{n}", SUITE, "a") for n in range(20)]
    assert kind_of(judged([*green(30), *broken, *green(30, "d")])) is Kind.STABLE
    now_and_then = [run(f"b{n}", SUITE, "a" if n % 4 == 0 else "") for n in range(40)]
    assert kind_of(judged([*green(30), *now_and_then, *green(30, "d")])) is Kind.SUSPECT


@pytest.mark.parametrize(
    ("finding", "found", "expected"),
    [
        (proof(Cause.VICTIM), None, Kind.FLAKY),
        (proof(Cause.PLATFORM), None, Kind.ENVIRONMENT),
        (Finding(A, (), ()), None, Kind.STABLE),
        (None, regression(Counts(10, 0), Counts(10, 10), 1e-5), Kind.BROKEN),
        (proof(Cause.VICTIM), regression(Counts(10, 0), Counts(10, 10), 1e-5), Kind.BROKEN),
        (None, regression(Counts(10, 0), Counts(10, 7), 0.003), Kind.FLAKY),
        (None, regression(Counts(2, 0), Counts(2, 2), 0.33), Kind.STABLE),
        (None, regression(Counts(10, 10), Counts(10, 10), 1.0), Kind.STABLE),
        (None, regression(Counts(0, 0), Counts(10, 10), 0.01), Kind.STABLE),
    ],
)
def test_experiments(finding: Finding | None, found: Regression | None, expected: Kind) -> None:
    triage = judged(green(4), findings=[finding] if finding else [], regressions=[found] if found else [])
    assert kind_of(triage) is expected
    if found is not None and expected in {Kind.BROKEN, Kind.FLAKY}:
        assert triage.verdicts[0].introduced == "culprit"


def test_a_scan_that_was_cut_off_acts_on_nothing_and_says_so() -> None:
    records = [run("c9", SUITE), run("c9", SUITE, "a"), *reruns(HEAD, SUITE, "pf", suspect="b")]
    cut = Scan(0.0, START, complete=False, problems=("the rate limit was reached",))
    triage = judged(records, scan=cut)
    assert [verdict.test for verdict in triage.verdicts] == [B]
    assert any("rate limit" in problem and "none of its 2 runs" in problem for problem in triage.problems)
    whole = judged(records, scan=Scan(0.0, START, complete=True))
    assert {verdict.test for verdict in whole.verdicts} == {A, B}


def test_what_was_before_the_fix_does_not_count() -> None:
    records = [run("c1", SUITE, at=10.0), run("c1", SUITE, "a b", at=20.0), run("c2", SUITE, at=40.0)]
    assert kind_of(judged(records)) is Kind.FLAKY
    triage = judged(records, repaired={A: 30.0})
    assert (kind_of(triage), kind_of(triage, "b")) == (Kind.STABLE, Kind.FLAKY)


def test_what_a_verdict_tells() -> None:
    week = 7 * 86_400.0
    records = [run(f"c{n}", SUITE, at=START + n * week / 10, seconds=600) for n in range(20)]
    records += [run("c3", SUITE, "a b", at=START + week, seconds=600), *reruns(HEAD, SUITE, "ppp", suspect="a")]
    triage = judged(records, lost=(3,), shards=(Shard(2, 3), Shard(1, 3)), problems=["so it was"])
    first, second = triage.verdicts
    assert (first.counts, first.introduced) == (Counts(24, 1), "c3")
    assert first.interval.low < 1 / 24 < first.interval.high
    assert 0 < first.bound < 1 / 24
    assert first.minutes_lost == pytest.approx(1.5 / 25 * 21 / 1.9 * 10)
    assert first.cluster and first.cluster == second.cluster
    assert (triage.stable, triage.runs, triage.seconds) == (3, 3, 1800.0)
    assert triage.stable_bound == pytest.approx(1 - 0.05 ** (1 / 24))
    assert triage.shards == (Shard(1, 3), Shard(2, 3))
    assert triage.problems[0] == "so it was" and "3" in triage.problems[1]


def test_the_costliest_comes_first_and_proven_ones_are_no_suspects() -> None:
    records = [run(f"c{n}", SUITE) for n in range(10)]
    records += [run("c1", SUITE, "a", seconds=60), run("c1", SUITE, "b", seconds=6_000)]
    triage = judged(records)
    assert [verdict.test for verdict in triage.verdicts] == [B, A]
    assert suspects(triage) == (B, A)
    assert suspects(judged(records, findings=[proof(Cause.ZONE)])) == (B,)


def test_nothing_at_all() -> None:
    triage = judged([])
    assert (triage.verdicts, triage.stable, triage.stable_bound) == ((), 0, 1.0)


def test_reruns_are_of_our_own_machine_and_cost_nobody_minutes() -> None:
    (verdict,) = judged(reruns(HEAD, SUITE, "pf", suspect="a")).verdicts
    assert verdict.minutes_lost is None
    assert all(record.source is RunSource.RERUN for record in reruns(HEAD, SUITE, "p", suspect="a"))


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [("fffff", Kind.BROKEN), ("fpfpp", Kind.FLAKY), ("fff", Kind.SUSPECT), ("ppppp", Kind.STABLE)],
)
def test_a_night_on_a_pull_request_judges_its_own_commit(outcomes: str, kind: Kind) -> None:
    """Among other sources its failures may be the change's own; asked about that change, they are what it does."""
    records = tuple(
        run(HEAD, SUITE, "a" if outcome == "f" else "", group="pr:7", at=float(number))
        for number, outcome in enumerate(outcomes)
    )
    night = Night("asked", Shard(1, 1), START, HEAD, "box", records)
    assert kind_of(judge_night(night)) is kind
    assert kind_of(judged(records)) in (Kind.STABLE, Kind.SUSPECT)
