from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from bot.flaky.merge import merge, union
from bot.flaky.types import Finding, Night, Scan, Shard, State, StateChange
from tests.flaky_records import START, ids, run

A, B = ids("a b")
ONE = run("c1", "a b", key="rerun:s/1/1", at=START + 1)
TWO = run("c1", "a b", "a", key="rerun:s/2/1", at=START + 2)
FIRST = Night("s", Shard(1, 3), START, "c1", "box", (ONE,), (Finding(A, (), ()),), problems=("slow",))
SECOND = Night(
    "s", Shard(2, 3), START + 9, "c1", "box", (TWO, ONE), changes=(StateChange(A, State.SUSPECT, START, "seen"),)
)
SCAN = Scan(1.0, 2.0, True, 5)


def test_shards_become_one_night_and_a_lost_one_is_told() -> None:
    merged = merge([FIRST, SECOND])
    assert (merged.shards, merged.lost) == ((Shard(1, 3), Shard(2, 3)), (3,))
    assert merged.night.records == (ONE, TWO)
    assert merged.night.findings == FIRST.findings and merged.night.changes == SECOND.changes
    assert (merged.night.at, merged.night.shard, merged.night.problems) == (START, Shard(), ("slow",))


@pytest.mark.parametrize(("of", "lost"), [(None, (3,)), (2, ()), (4, (3, 4))])
def test_how_many_there_should_be(of: int | None, lost: tuple[int, ...]) -> None:
    assert merge([FIRST, SECOND], of).lost == lost


def test_neither_order_nor_repetition_matters() -> None:
    stranger = replace(FIRST, session="older", at=START - 1)
    elsewhere = replace(SECOND, commit="c2", shard=Shard(3, 3))
    differing = replace(SECOND, records=(replace(TWO, seconds=1.0),))
    nights = [FIRST, SECOND, stranger, elsewhere, differing]
    expected = merge(nights)
    for order in itertools.permutations(nights):
        assert merge([*order, order[0]]) == expected
    assert expected.lost == (3,)
    told = " ".join(expected.night.problems)
    assert "older" in told and "shard 3 of 3 was left out" in told and "shard 2 was handed in more than once" in told


def test_the_session_that_is_asked_for() -> None:
    other = replace(FIRST, session="t", at=START + 100)
    assert merge([FIRST, other]).night.session == "t"
    assert merge([FIRST, other], session="s").night.session == "s"
    for nights in ([], [FIRST]):
        with pytest.raises(ValueError, match="none of"):
            merge(nights, session="nobody")


def test_scans_of_shards() -> None:
    same = merge([replace(FIRST, scan=SCAN), replace(SECOND, scan=SCAN)]).night.scan
    assert same == SCAN
    cut = replace(SCAN, until=3.0, complete=False, problems=("cut",))
    both = merge([replace(FIRST, scan=SCAN), replace(SECOND, scan=cut)]).night.scan
    assert both == Scan(1.0, 3.0, False, 10, problems=("cut",))


def test_one_key_is_one_run() -> None:
    differing = replace(TWO, failed={})
    assert union([replace(FIRST, records=(TWO,)), replace(FIRST, records=(differing,))]) == union(
        [replace(FIRST, records=(differing, TWO))]
    )
    assert B in ONE.tests
