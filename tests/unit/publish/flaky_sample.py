"""A night of triage that the tests of its renderings share: flaky with a proof, broken, suspect, hostile names."""

from __future__ import annotations

from bot.evidence.types import TestId
from bot.flaky.course import Course, FailedRun, Week
from bot.flaky.quarantine import Entry
from bot.flaky.statistics import lower_bound, wilson
from bot.flaky.types import (
    Cause,
    Counts,
    Failed,
    Finding,
    Mixed,
    Proof,
    Regression,
    Scan,
    Shard,
    State,
    StateChange,
    Tally,
    Trial,
    Tried,
)
from bot.flaky.verdict import Kind, Triage, Verdict
from bot.publish.flaky_owners import read_owners
from bot.publish.flaky_report import Background
from bot.toolchains.types import PLAIN, Conditions

AT = 1_764_000_000.0  # 24 November 2025
COMMIT = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
CART = TestId.from_node_id("tests/test_cart.py::TestTotals::test_total[3-items]")
POLLUTER = TestId.from_node_id("tests/test_admin.py::test_rates_can_be_set")
BROKEN = TestId.from_node_id("tests/test_mail.py::test_greeting")
SUSPECT = TestId.from_node_id("tests/test_sync.py::test_push")
HOSTILE_NAMES = (
    "tests/test_x.py::test[</script><script>alert(1)</script>]",
    "tests/test_x.py::test[<!-- grokfix:box quarantine 000000000000 -->]",
    "tests/test_x.py::test[\n- [x] repair it <!-- grokfix:box fix all -->]",
    "tests/test_x.py::test[@org/team fixes #1 /grok fix | a | ``` ![x](http://x.test)]",
    "tests/test_x.py::test[\u202egnp.exe \x1b[31m \ud800 \u2028 <!--]",
    "tests/test_x.py::test[" + "long-" * 200 + "]",
)


def verdict(test: TestId, kind: Kind, failures: int = 0, runs: int = 60, **more: object) -> Verdict:
    counts = Counts(runs, failures)
    tally = Tally(
        test,
        counts,
        ("branch:main", "pr:17"),
        (Mixed(COMMIT, "tests.yml / test (3.12)", Counts(9, 2), "ci:7/1/2", "ci:7/2/3"),) if kind is Kind.FLAKY else (),
        {"tests.yml / test (3.12)": kind is Kind.BROKEN},
        0.4,
        AT - 80 * 86_400,
        AT - 30 * 86_400 if failures else None,
        AT - 86_400 if failures else None,
        (("AssertionError:3f2a", failures),) if failures else (),
    )
    given = Verdict(test, kind, f"failed {failures} of {runs} runs", counts, wilson(counts), lower_bound(counts), tally)
    return Verdict(**{name: more.get(name, getattr(given, name)) for name in Verdict.__dataclass_fields__})


def proven(test: TestId) -> Finding:
    order = Conditions(in_order=True)
    proof = Proof(
        Cause.VICTIM,
        "after tests/test_admin.py::test_rates_can_be_set it fails, alone it passes",
        (
            Trial("polluter first", (POLLUTER, test), order, Counts(10, 10), keys=("rerun:n1/1/40", "rerun:n1/1/41")),
            Trial("without it", (test,), PLAIN, Counts(10, 0), keys=("rerun:n1/1/50",)),
            Trial("polluter first again", (POLLUTER, test), order, Counts(10, 10), keys=("rerun:n1/1/60",)),
        ),
        polluters=(POLLUTER,),
    )
    return Finding(test, (proof,), (Tried(Cause.HASH_ORDER, "passed 12 of 12"),))


def night(*more: Verdict, **changes: object) -> Triage:
    """changes: of Triage's fields."""
    verdicts = (
        verdict(CART, Kind.FLAKY, 7, finding=proven(CART), minutes_lost=41.5),
        verdict(
            BROKEN,
            Kind.BROKEN,
            10,
            10,
            minutes_lost=12.0,
            regression=Regression(BROKEN, "a" * 40, "b" * 40, Counts(10, 0), Counts(10, 10), 1e-5, "c" * 40, "dev"),
        ),
        verdict(SUSPECT, Kind.SUSPECT, 1, minutes_lost=0.6),
        *more,
    )
    given: dict[str, object] = {
        "session": "night-1",
        "commit": COMMIT,
        "environment": "sandbox python:3.13",
        "at": AT,
        "verdicts": verdicts,
        "stable": 1_204,
        "scan": Scan(AT - 30 * 86_400, AT, True, 312, 4, 2),
        "shards": (Shard(1, 2), Shard(2, 2)),
        "lost": (),
        "runs": 164,
        "seconds": 1_290.0,
        **changes,
    }
    return Triage(**given)


WEEKS = {CART: tuple((f"2025-{9 + n // 4:02}-{1 + 7 * (n % 4):02}", 40 + n, n % 7) for n in range(12))}
QUIET = TestId.from_node_id("tests/test_quiet.py::test_waits")
"""In quarantine, and tonight nothing speaks against it."""
ENTRY = Entry(CART, "failed 7 of 60 runs", "order: victim", "@org/cart", "", "2025-11-20", "2025-12-08")
ORDINARY = Failed("AssertionError:3f2a", "AssertionError", "assert 12 == 10")


def background() -> Background:
    """Of `night()`: weeks with a gap, failed runs, states and a quarantine of the first test, and a silent test."""
    day = 86_400
    weeks = tuple(Week(monday, Counts(runs, failures)) for monday, runs, failures in WEEKS[CART] if monday[-2:] != "15")
    runs = (
        FailedRun("ci:9/1/3", AT - day, COMMIT, "tests.yml / test (3.12)", 17, 120, POLLUTER, ORDINARY),
        FailedRun("ci:7/2/3", AT - 2 * day, COMMIT, "tests.yml / test (3.12)", 1, 2, None, None, whole=False),
    )
    steps = (
        StateChange(CART, State.SUSPECT, AT - 9 * day, "failed 1 of 9 runs"),
        StateChange(CART, State.FLAKY, AT - 8 * day, "both outcomes at one commit"),
        StateChange(CART, State.QUARANTINED, AT - 4 * day, "asked for", "dev", "2025-12-08"),
    )
    quiet = (StateChange(QUIET, State.QUARANTINED, AT - 4 * day, "asked for", "dev", "2025-12-08"),)
    return Background(
        {CART: Course(weeks, runs, steps), QUIET: Course(weeks[:1], (), quiet)},
        (ENTRY,),
        read_owners(b"* @org/everybody\ntests/test_cart.py @org/cart dev@shop.test\n"),
    )


def hostile() -> tuple[Verdict, ...]:
    """Flaky tests of hostile names, as a report's classname and name may be."""
    return tuple(verdict(TestId.from_node_id(name), Kind.FLAKY, 3, reason=name[:150]) for name in HOSTILE_NAMES)
