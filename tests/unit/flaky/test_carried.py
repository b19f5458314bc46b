"""Nights on the data branch: many writers, nothing lost, what is corrupt kept aside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bot.evidence.types import TestId
from bot.flaky.carried import ASIDE, CURSOR, NIGHTS, Carried, keep
from bot.flaky.cursor import Cursor, Span
from bot.flaky.nights import dump
from bot.flaky.types import Night, RunRecord, RunSource, Shard
from bot.trigger.data_branch import BRANCH
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.trigger.sample import shop

DAY = 86_400.0
AT = 1_800_000_000.0


def night(session: str, *runs: int, at: float = AT, shard: Shard | None = None) -> Night:
    records = tuple(
        RunRecord(
            key=f"ci:{run}/1/7",
            source=RunSource.CI,
            group="branch:main",
            commit="a" * 40,
            environment="tests.yml / test",
            attempt=1,
            at=at,
            seconds=1.0,
            tests=(TestId.from_node_id("tests/test_shop.py::test_a"),),
        )
        for run in runs
    )
    return Night(session, shard or Shard(), at, "a" * 40, "ci", records)


def put(
    forge: FakeForge, *args: Night | Cursor | None, prune: tuple[str, ...] = (), aside: tuple[str, ...] = ()
) -> bool:
    first, second = (*args, None)[:2]
    assert not isinstance(first, Cursor)
    assert not isinstance(second, Night)
    return keep(forge, FakeClock(), first, second, prune=prune, aside=aside)


def keys(forge: FakeForge) -> list[str]:
    return sorted(record.key for each in Carried(forge).nights() for record in each.records)


def test_nothing_is_there_at_first() -> None:
    forge = shop()
    carried = Carried(forge)
    assert (carried.names, carried.cursor(), list(carried.nights()), carried.problems) == ((), Cursor(), [], [])


def test_a_night_comes_back_with_its_cursor_and_is_written_once() -> None:
    forge = shop()
    cursor = Cursor("q", (Span("", "2026-11-01T00:00:00Z", "*", attempts={7: 1}),))
    assert put(forge, night("one", 1, 2), cursor)
    carried = Carried(forge)
    (found,) = carried.nights()
    assert [record.key for record in found.records] == ["ci:1/1/7", "ci:2/1/7"]
    assert carried.cursor() == cursor
    assert not put(forge, night("one", 1, 2), cursor)


def test_a_killed_night_goes_on_in_its_file() -> None:
    forge = shop()
    put(forge, night("one", 1, 2))
    put(forge, night("one", 2, 3))
    assert keys(forge) == ["ci:1/1/7", "ci:2/1/7", "ci:3/1/7"]
    assert len(Carried(forge).names) == 1


def test_nights_at_once_are_all_kept() -> None:
    forge = shop()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: put(forge, night(f"session {number}", number), Cursor(str(number))), range(6)))
    assert keys(forge) == sorted(f"ci:{number}/1/7" for number in range(6))


def test_shards_of_one_session_are_files_of_their_own() -> None:
    forge = shop()
    put(forge, night("one", 1, shard=Shard(1, 2)))
    put(forge, night("one", 2, shard=Shard(2, 2)))
    assert len(Carried(forge).names) == 2


def test_a_store_that_has_the_nights_pays_two_calls() -> None:
    forge = shop()
    for number in range(30):
        put(forge, night(f"night {number}", number, at=AT + number * DAY))
    first = Carried(forge)
    have = {first.version(name) for name in first.names}
    assert len(list(first.nights(since=AT + 20 * DAY))) == 10
    put(forge, night("new", 99, at=AT + 30 * DAY))
    forge.calls.clear()
    (new,) = Carried(forge).nights(have=have)
    assert new.session == "new"
    assert [call.method for call in forge.calls] == ["branch", "tree", "blob"]


def test_what_is_corrupt_is_said_and_kept_aside() -> None:
    forge = shop()
    put(forge, night("good", 1))
    broken = dump(night("bad", 2))[:-20]
    name = "2026-01-01-0123456789ab-1of1.jsonl"
    forge.push(BRANCH, {NIGHTS + name: broken, CURSOR: b"\xff{"})
    carried = Carried(forge)
    assert [each.session for each in carried.nights()] == ["good"]
    assert carried.cursor() == Cursor()
    assert len(carried.problems) == 2
    assert all("does not count" in problem for problem in carried.problems)
    put(forge, None, Cursor("new"), aside=tuple(carried.aside))
    tree = forge.commits[forge.branches[BRANCH]].files
    assert NIGHTS + name not in tree
    assert tree[ASIDE + name][1] == broken
    assert tree[ASIDE + "cursor.jsonl"][1] == b"\xff{"
    again = Carried(forge)
    assert (len(list(again.nights())), again.cursor(), again.problems) == (1, Cursor("new"), [])


def test_old_nights_are_pruned_with_the_next_write() -> None:
    forge = shop()
    for number in range(3):
        put(forge, night(f"night {number}", number, at=AT + number * DAY))
    old = Carried(forge).older(AT + 2 * DAY)
    assert len(old) == 2
    put(forge, night("new", 9, at=AT + 3 * DAY), prune=old)
    assert keys(forge) == ["ci:2/1/7", "ci:9/1/7"]
    assert not put(forge, None, prune=old)  # they are gone: nothing to write
