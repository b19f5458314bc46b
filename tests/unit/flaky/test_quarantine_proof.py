"""When a test in quarantine is shown to be mended, and what is no proof of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from bot.evidence.types import TestId
from bot.flaky.quarantine import Entry
from bot.flaky.quarantine_proof import LEAST_CLEAN, Healed, clean_provocations, healed, waiting
from bot.flaky.statistics import clean_runs_to_prove, lower_bound
from bot.flaky.types import Cause, Counts, Finding, Proof, RunRecord, RunSource, State, StateChange, Trial, Tried
from bot.toolchains.types import PLAIN, Conditions
from tests.flaky_records import HOUR, START, named, run

TEST = named("a")
DAY = 24 * HOUR
QUARANTINED = START + 2 * DAY
SEEDED = Conditions(hash_seed=3)


def runs(
    count: int,
    failures: int = 0,
    *,
    day: float,
    days: int = 3,
    commits: Sequence[str] = ("c5", "c6"),
    **options: object,
) -> list[RunRecord]:
    """Reruns of ours, or what the options say, spread over `days` days from `day` on; the first ones fail."""
    given: dict[str, object] = {"source": RunSource.RERUN, "environment": "box", "group": "branch:main", **options}
    return [
        run(
            commits[number % len(commits)],
            "a b",
            "a" if number < failures else "",
            at=START + day * DAY + number * days * DAY / count,
            **given,  # type: ignore[arg-type]
        )
        for number in range(count)
    ]


def before(failures: int = 6, count: int = 60, **options: object) -> list[RunRecord]:
    """Of the two days before the quarantine, the last one a failure."""
    records = runs(count, failures - 1, day=0, days=2, commits=("c1", "c2"), **options)
    return [*records, *runs(1, 1, day=2, commits=("c2",), **options)]


def proof(cause: Cause = Cause.HASH_ORDER, conditions: Conditions = SEEDED, times: int = 5) -> Proof:
    provoked = Trial("provoked", (TEST,), conditions, Counts(times, times))
    removed = Trial("removed", (TEST,), PLAIN, Counts(10, 0))
    return Proof(cause, "PYTHONHASHSEED=3", (provoked, removed, replace(provoked, label="provoked again")))


def tried(times: int = 10, conditions: Conditions = SEEDED, failures: int = 0) -> Finding:
    trial = Trial("provoked as it was proven", (TEST,), conditions, Counts(times, failures))
    return Finding(TEST, (), (Tried(Cause.HASH_ORDER, "no more", (trial,)),))


def shown(
    records: Iterable[RunRecord],
    proofs: Sequence[Proof] = (),
    found: Sequence[tuple[float, Finding]] = (),
    since: float = QUARANTINED,
) -> Healed | None:
    proven = [Finding(TEST, tuple(proofs), ())] if proofs else []
    answer = healed({TEST: since}, records, proven, found)
    return answer[0] if answer else None


@pytest.mark.parametrize(("failures", "count"), [(6, 60), (30, 60), (2, 60)])
def test_as_many_clean_runs_as_the_rate_before_asks_for(failures: int, count: int) -> None:
    past = before(failures, count)
    needed = max(LEAST_CLEAN, clean_runs_to_prove(Counts(count + 1, failures)))
    assert shown([*past, *runs(needed - 1, day=3)]) is None
    found = shown([*past, *runs(needed, day=3)])
    assert found is not None
    assert (found.before, found.clean, found.commits) == (Counts(count + 1, failures), needed, 2)
    assert found.bound == lower_bound(Counts(count + 1, failures))
    assert found.chance is not None
    assert found.chance <= 0.05
    assert found.reason == f"failed {failures} of {count + 1} until its last failure, 0 of {needed} since"


def test_a_failure_begins_the_count_anew_and_belongs_to_the_rate() -> None:
    past, clean = before(30), runs(80, day=3)
    assert shown([*past, *clean]) is not None
    again = runs(1, 1, day=7, commits=("c9",))
    assert shown([*past, *clean, *again]) is None
    later = runs(80, day=8, commits=("c10",))
    found = shown([*past, *clean, *again, *later])
    assert found is not None
    assert (found.before, found.clean) == (Counts(61 + 80 + 1, 31), 80)


NO_PROOF = {
    "a commit at which it failed": {"commits": ("c2",)},
    "one day alone": {"days": 0.3},
    "before the quarantine": {"day": 2.1, "days": 0.4},
    "another environment": {"source": RunSource.CI, "environment": "tests.yml / docs"},
    "a proposed change": {"group": "pr:17"},
    "a fork's": {"group": "fork:mallory/shop"},
    "a branch of no name": {"group": "head:topic"},
    "no commit": {"commits": ("",)},
    "provoked ones": {"base": False},
    "a log, which names no passes": {"source": RunSource.CI, "whole": False},
    "it was not in them": {"unknown": "a"},
}


@pytest.mark.parametrize("options", NO_PROOF.values(), ids=NO_PROOF.keys())
def test_clean_runs_that_prove_nothing(options: dict[str, object]) -> None:
    since = QUARANTINED if "days" not in options or options["days"] == 0.3 else START + 5 * DAY
    given = {"day": 3, **options}
    assert shown([*before(30), *runs(200, **given)], since=since) is None  # type: ignore[arg-type]
    assert shown([*before(30), *runs(200, **given), *runs(60, day=7)], since=since) is not None  # type: ignore[arg-type]


def test_a_failure_in_a_change_or_under_a_provocation_ends_the_clean_runs_too() -> None:
    past, clean = before(30), runs(80, day=3)
    for more in ({"group": "pr:3"}, {"base": False}, {"source": RunSource.CI, "whole": False}):
        assert shown([*past, *clean, *runs(1, 1, day=7, commits=("c9",), **more)]) is None  # type: ignore[arg-type]


def test_a_rare_failure_at_one_place_is_no_proof_for_a_frequent_one_at_another() -> None:
    """20 % on Windows, 1 of 300 in our sandbox: clean runs of the sandbox tell next to nothing of Windows."""
    windows: dict[str, object] = {"source": RunSource.CI, "environment": "tests.yml / windows"}
    past = [*runs(300, 1, day=0, days=1, commits=("c1",)), *before(20, 100, **windows)]
    assert shown([*past, *runs(500, day=3)]) is None
    found = shown([*past, *runs(70, day=3, **windows)])
    assert found is not None
    assert found.clean == 70


def test_versions_in_our_sandbox_s_name_make_no_other_place() -> None:
    assert shown([*before(30), *runs(70, day=3, environment="box, pytest 9.9")]) is not None


def test_infrastructure_is_neither() -> None:
    crowd = "a b c d e f"
    down = [replace(run("c8", crowd, crowd, at=START + 9 * DAY, environment="box"), source=RunSource.RERUN)]
    assert shown([*before(30), *runs(80, day=3), *down]) is not None


def test_what_never_failed_in_the_runs_that_are_kept_proves_nothing() -> None:
    assert shown(runs(500, day=3)) is None
    assert healed({}, before(), (), ()) == ()
    assert healed({named("unknown"): 0.0}, before(), (), ()) == ()


def test_a_fix_that_counts_as_one_is_the_beginning() -> None:
    assert healed({TEST: 0.0}, [*before(30), *runs(80, day=3)], (), (), {TEST: START + 2.5 * DAY}) == ()


# --- the provocation --------------------------------------------------------------------------------------------------


CLEAN = START + 6 * DAY


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(CLEAN, tried())], True),
        ([(CLEAN, tried(5)), (CLEAN + DAY, tried(5))], True),
        ([], False),
        ([(CLEAN, tried(9))], False),
        ([(CLEAN, tried(failures=1))], False),
        ([(CLEAN, tried(conditions=Conditions(hash_seed=4)))], False),
        ([(START + DAY, tried())], False),
        ([(CLEAN, tried()), (CLEAN + DAY, Finding(TEST, (proof(Cause.ZONE),), ()))], False),
        ([(CLEAN, replace(tried(), test=named("b")))], False),
    ],
    ids=["clean", "two nights", "never", "too few", "it fails", "another", "before", "another cause", "another test"],
)
def test_a_proven_cause_must_have_been_provoked_again(found: list[tuple[float, Finding]], expected: bool) -> None:
    answer = shown([*before(30), *runs(80, day=3)], [proof()], found)
    assert (answer is not None) is expected
    assert answer is None or answer.provoked == Counts(10, 0)


def test_every_proven_cause() -> None:
    zone = Conditions(zone="Asia/Kolkata")
    records = [*before(30), *runs(80, day=3)]
    proofs = [proof(), proof(Cause.ZONE, zone)]
    assert shown(records, proofs, [(CLEAN, tried())]) is None
    answer = shown(records, proofs, [(CLEAN, tried()), (CLEAN, tried(conditions=zone))])
    assert answer is not None
    assert answer.provoked == Counts(20, 0)


def test_a_test_that_only_a_provocation_makes_fail() -> None:
    """A victim of the order passes in every ordinary run: there the provocation is the proof, beside 59 clean runs."""
    past = [*runs(60, day=0, days=2, commits=("c1",)), *runs(1, 1, day=2, commits=("c2",), base=False)]
    assert shown([*past, *runs(80, day=3)]) is None
    assert shown([*past, *runs(80, day=3)], [proof()]) is None
    assert shown([*past, *runs(LEAST_CLEAN - 1, day=3)], [proof()], [(CLEAN, tried())]) is None
    answer = shown([*past, *runs(LEAST_CLEAN, day=3)], [proof()], [(CLEAN, tried())])
    assert answer is not None
    assert (answer.before, answer.chance, answer.provoked) == (Counts(), None, Counts(10, 0))
    assert answer.reason == f"failed provoked until its last failure, 0 of {LEAST_CLEAN} since"


def test_how_often_a_provocation_is_tried() -> None:
    assert clean_provocations(proof()) == 10
    weak = replace(proof(), trials=(Trial("provoked", (TEST,), SEEDED, Counts(20, 4)),))
    assert clean_provocations(weak) == clean_runs_to_prove(Counts(20, 4)) > 10


# --- since when -------------------------------------------------------------------------------------------------------


def entry(test: TestId, since: str) -> Entry:
    return Entry(test, "", "", "", "", since, "2027-01-01")


def test_since_when_clean_runs_count() -> None:
    b, c, d, e = map(named, "bcde")
    states = {
        TEST: StateChange(TEST, State.QUARANTINED, 5.0, ""),
        b: StateChange(b, State.EXPIRED, 6.0, ""),
        c: StateChange(c, State.FLAKY, 7.0, ""),
        d: StateChange(d, State.QUARANTINED, 8.0, ""),
    }
    entries = [entry(TEST, "2026-11-20"), entry(c, "2026-11-21T05:00:00+09:00"), entry(d, "soon"), entry(e, "")]
    assert waiting(entries, states) == {TEST: 1795132800.0, b: 6.0, c: 1795219200.0, d: 8.0}
