from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import BotError, ConfigError
from bot.flaky.nights import folded
from bot.flaky.store import Store
from bot.flaky.store_schema import VERSION
from bot.flaky.types import (
    Cause,
    Counts,
    Failed,
    Finding,
    Night,
    Proof,
    Regression,
    RunRecord,
    Shard,
    State,
    StateChange,
    Trial,
)
from bot.toolchains.types import PLAIN, Conditions
from tests.fakes import FakeClock
from tests.flaky_records import HOUR, START, ids, run

A, B, C = ids("a b c")
DAY = 24 * HOUR
FIXTURE = Path(__file__).parents[2] / "corpus/flaky/history-1.sql"


def finding(cause: Cause) -> Finding:
    return Finding(A, (Proof(cause, "how", (Trial("with", (B, A), PLAIN, Counts(9, 9)),), (B,)),), ())


NIGHT = Night(
    "s",
    Shard(1, 2),
    START + HOUR,
    "c1",
    "box",
    (
        replace(run("c1", "a b c", "b", at=START), durations={A: 0.5, B: 1.0}),
        run("c1", "c b a", at=START + 60, retried="a", unknown="b", base=False, conditions=Conditions(ports=(1, 2))),
    ),
    (finding(Cause.VICTIM),),
    (Regression(B, "c0", "c1", Counts(9, 0), Counts(9, 9), 0.001),),
    (StateChange(A, State.SUSPECT, START, "seen"),),
)


def at(time: float) -> FakeClock:
    clock = FakeClock()
    clock.time = time - 1_800_000_000.0
    return clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "deep" / "history.db", at(START + DAY)) as store:
        yield store


def test_what_is_added_is_there_and_once(store: Store) -> None:
    assert store.add(NIGHT) == 2
    assert tuple(store.records()) == folded(NIGHT).records
    assert store.add(NIGHT) == 0
    assert tuple(store.records()) == folded(NIGHT).records
    assert store.findings() == (finding(Cause.VICTIM),)
    assert [record.at for record in store.records(since=START + 1)] == [START + 60]
    assert store.problems == ()


def test_it_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with Store.open(path, at(START)) as store:
        store.add(NIGHT)
    with Store.open(path, at(START)) as store:
        assert tuple(store.records()) == folded(NIGHT).records
        assert store.findings() == (finding(Cause.VICTIM),)


def test_the_order_of_nights_does_not_matter(tmp_path: Path) -> None:
    clash = replace(NIGHT.records[0], seconds=1.0)
    nights = [NIGHT, replace(NIGHT, shard=Shard(2, 2), records=(clash,)), replace(NIGHT, session="t", records=())]
    seen = set()
    for number in range(4):
        random.Random(number).shuffle(nights)
        with Store.open(tmp_path / f"{number}.db", at(START + DAY)) as store:
            for night in nights:
                store.add(night)
            seen.add((repr(tuple(store.records())), repr(store.findings()), repr(store.steps())))
    assert len(seen) == 1


def test_what_was_proven_last_holds_until_the_test_is_fixed(store: Store) -> None:
    nothing = Finding(A, (), ())
    nights = [(2, finding(Cause.ZONE)), (4, nothing), (1, finding(Cause.VICTIM))]
    for hours, found in nights:
        store.add(replace(NIGHT, session=f"s{hours}", at=START + hours * HOUR, findings=(found,)))
    assert store.findings() == (finding(Cause.ZONE),)
    assert store.take([StateChange(A, State.FIXED, START + 3 * HOUR, "mended")]) == ()
    assert store.findings() == (nothing,)


def test_a_night_that_was_killed_and_goes_on_tells_what_it_found_since(store: Store) -> None:
    store.add(replace(NIGHT, findings=()))
    assert store.findings() == ()
    for _ in range(2):
        store.add(NIGHT)
    assert store.findings() == (finding(Cause.VICTIM),)
    assert store._connection.execute("SELECT count(*) FROM told").fetchone() == (1,)


def test_states(store: Store) -> None:
    store.add(NIGHT)
    early = StateChange(A, State.QUARANTINED, START + 1, "too early")
    flaky = StateChange(A, State.FLAKY, START + 2, "both")
    asked = StateChange(A, State.QUARANTINED, START + 3, "asked", "somebody", "2026-12-01")
    (refused,) = store.take([early, flaky, asked])
    assert (refused.change, refused.why.endswith("quarantined cannot follow suspect")) == (early, True)
    assert store.steps() == {A: (NIGHT.changes[0], flaky, asked)}
    assert store.states() == {A: asked}
    assert store.take([]) == ()


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with Store.open(path, at(START + DAY), retention_days=30) as store:
        assert store.add(NIGHT) == 2
    with Store.open(path, at(START + 31 * DAY), retention_days=30) as store:
        assert store.add(NIGHT) == 0  # too old to come in again
        assert (tuple(store.records()), store.findings()) == ((), ())
        assert store.states()[A].state is State.SUSPECT
        store.add(replace(NIGHT, at=START + 31 * DAY, records=(replace(NIGHT.records[0], at=START + 31 * DAY),)))
        assert len(list(store.records())) == 1


def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    old = sqlite3.connect(path)
    old.executescript(FIXTURE.read_text(encoding="utf-8"))
    old.close()
    with Store.open(path, at(START + DAY)) as store:
        assert store.problems == ()
        first, second = store.records()
        assert (first.key, first.tests, first.failed) == (
            "ci:1/1/1",
            ids("a b c"),
            {A: Failed("f1", "AssertionError", "no")},
        )
        assert first.durations == {A: 0.5}
        assert (second.tests, second.retried, second.unknown) == (ids("c b a"), {B}, {C})
        assert store.states()[A].state is State.SUSPECT
        store.add(NIGHT)
        assert store.findings() == (finding(Cause.VICTIM),)
    again = sqlite3.connect(path)
    assert again.execute("PRAGMA user_version").fetchone() == (VERSION,)
    again.close()


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    Store.open(path, at(START)).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"newer grokfix.*schema 99"):
        Store.open(path, at(START))
    assert path.read_bytes() == before


def overwritten(path: Path) -> None:
    path.write_bytes(b"no database" * 500)


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(100, len(data), 4096):
        data[place : place + 2000] = bytes(2000)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def somebody_elses(path: Path) -> None:
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url)")
    other.commit()
    other.close()


def without_a_table(path: Path) -> None:
    ours = sqlite3.connect(path)
    ours.execute("DROP TABLE outcomes")
    ours.commit()
    ours.close()


@pytest.mark.parametrize("harm", [overwritten, damaged, cut, somebody_elses, without_a_table])
@pytest.mark.parametrize("nights", [None, [NIGHT]])
def test_a_corrupt_file_is_kept_aside_rebuilt_and_told(
    tmp_path: Path, harm: Callable[[Path], None], nights: list[Night] | None
) -> None:
    path = tmp_path / "history.db"
    with Store.open(path, at(START + DAY)) as store:
        store.add(NIGHT)
    harm(path)
    broken = path.read_bytes()
    for _ in range(2):  # twice in one second: neither file is lost
        path.write_bytes(broken)
        with Store.open(path, at(START + DAY), nights=None if nights is None else lambda: nights) as store:
            (problem,) = store.problems
            assert "history.db could not be read" in problem and "history.db.corrupt-2026" in problem
            assert ("rebuilt from 1 nights" in problem) is (nights is not None)
            assert len(list(store.records())) == (0 if nights is None else 2)
    kept = sorted(tmp_path.glob("history.db.corrupt-*"))
    assert [file.read_bytes() for file in kept] == [broken, broken]


def test_a_place_that_cannot_hold_a_history(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(BotError, match=r"folder\.db.*give another place"):
        Store.open(tmp_path / "folder.db", at(START))
    assert (tmp_path / "folder.db").is_dir()


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with Store.open(path, at(START + DAY)) as one, Store.open(path, at(START + DAY)) as other:
        for number in range(20):
            night = replace(NIGHT, session=f"n{number}", records=(run("c", f"a t{number}", at=START + number),))
            (one if number % 2 else other).add(night)
        assert len(list(one.records())) == len(list(other.records())) == 20
        assert {test.name for record in one.records() for test in record.tests} >= {f"test_t{n}" for n in range(20)}


def test_a_night_that_cannot_be_written_is_not_written_in_part(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with Store.open(path, at(START + DAY)) as store:
        store._connection.execute("PRAGMA max_page_count = 30")
        many = tuple(run("c", [f"x{n}_{m}" for m in range(300)], at=START + n) for n in range(30))
        with pytest.raises(BotError, match="could not be written"):
            store.add(replace(NIGHT, records=many))
        assert (list(store.records()), store.findings()) == ([], ())
        assert store.add(NIGHT) == 2


def test_memory_does_not_grow_with_the_cases(store: Store) -> None:
    """A reader holds one record at a time, and orders that are shared."""
    names = [f"t{number}" for number in range(500)]
    tests = ids(names)
    records = tuple(replace(run("c", "", at=START + number), tests=tests) for number in range(50))
    store.add(replace(NIGHT, records=records))
    read: list[RunRecord] = list(store.records())
    assert len(read) == 50
    assert len({id(record.tests) for record in read}) == 1
