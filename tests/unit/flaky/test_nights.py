from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.evidence.types import TestId
from bot.flaky.nights import LIMIT_BYTES, Unreadable, dump, file_name, folded, load
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
    State,
    StateChange,
    Trial,
    Tried,
)
from bot.toolchains.types import Conditions
from tests.flaky_records import START, ids, run

A, B, C = ids("a b c")
ODD = Conditions(
    in_order=True,
    repeat=2,
    hash_seed=0,
    clock="2026-12-31T23:59:58",
    cpu_share=0.25,
    ports=(80, 81),
    directory_order="sorted",
)
TRIAL = Trial("provoked", (B, A), ODD, Counts(10, 10), 1, ("rerun:s/1/4",))
NIGHT = Night(
    session="s",
    shard=Shard(2, 3),
    at=START,
    commit="c1",
    environment="box",
    records=(
        replace(run("c1", "a b c", "b", at=START + 1), durations={A: 0.25, C: 3.0}, purpose="suite, order 1"),
        replace(
            run("c1", "c b a", at=START + 2, retried="a", unknown="b", base=False, conditions=ODD), durations={A: 0.75}
        ),
    ),
    findings=(
        Finding(
            A, (Proof(Cause.VICTIM, "after b", (TRIAL,), (B,), (C,)),), (Tried(Cause.ZONE, "passed", (TRIAL,)),), "over"
        ),
    ),
    regressions=(Regression(B, "c0", "c1", Counts(9, 0), Counts(9, 9), 0.25, "c1", "somebody"),),
    changes=(StateChange(A, State.QUARANTINED, START, "asked", "somebody", "2026-12-24"),),
    scan=Scan(1.0, 2.0, True, 3, 4, 5, ("slow",)),
    problems=("a problem",),
)
TEXT = st.text(max_size=30)
IDS = st.builds(TestId, TEXT, TEXT, TEXT)


@st.composite
def records(draw: st.DrawFn) -> RunRecord:
    tests = tuple(draw(st.lists(IDS, max_size=8, unique=True)))
    outcomes = {test: draw(st.sampled_from(["passed", "failed", "retried", "unknown"])) for test in tests}
    return RunRecord(
        key=draw(TEXT),
        source=draw(st.sampled_from(RunSource)),
        group=draw(TEXT),
        commit=draw(TEXT),
        environment=draw(TEXT),
        attempt=draw(st.integers(0, 9)),
        at=draw(st.floats(0, 2e9)),
        seconds=draw(st.floats(0, 1e6)),
        tests=tests,
        failed={test: Failed(draw(TEXT), draw(TEXT), draw(TEXT)) for test in tests if outcomes[test] == "failed"},
        retried=frozenset(test for test in tests if outcomes[test] == "retried"),
        unknown=frozenset(test for test in tests if outcomes[test] == "unknown"),
        durations={test: draw(st.floats(0, 1e4)) for test in tests if draw(st.booleans())},
        conditions=draw(st.sampled_from([Conditions(), ODD])),
        whole=draw(st.booleans()),
        base=draw(st.booleans()),
    )


def test_a_night_survives_writing_and_reading() -> None:
    data = dump(NIGHT)
    night = load(data)
    assert night == folded(NIGHT)
    assert isinstance(night, Night) and dump(night) == data
    assert night.records[0].durations == {A: 0.5, C: 3.0}  # medians, with the first run that knew them
    assert night.records[1].durations == {}
    assert (night.findings, night.regressions, night.changes, night.scan) == (
        NIGHT.findings,
        NIGHT.regressions,
        NIGHT.changes,
        NIGHT.scan,
    )


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine, not of the strategy
@given(st.lists(records(), max_size=6), st.randoms())
def test_any_night_does_whatever_its_order(runs: list[RunRecord], draw: object) -> None:
    night = replace(NIGHT, records=tuple(runs))
    data = dump(night)
    assert load(data) == folded(night)
    draw.shuffle(runs)  # type: ignore[attr-defined]
    assert dump(replace(night, records=tuple(runs))) == data


def test_texts_fit_into_utf_8_and_their_limits() -> None:
    strange = TestId("tests/ü.py", "x" * 5_000, "test_\ud800")
    failed = Failed("f", "E", "m" * 9_000)
    record = replace(run("c", "a"), tests=(strange,), failed={strange: failed})
    night = load(dump(replace(NIGHT, records=(record,))))
    assert isinstance(night, Night)
    (kept,) = night.records
    assert kept.tests == (TestId("tests/ü.py", "x" * 2_000, "test_?"),)
    assert len(kept.failed[kept.tests[0]].message) == 300


def test_rosters_are_shared_and_small() -> None:
    names = [f"t{number}" for number in range(5_000)]
    tests = ids(names)
    night = replace(NIGHT, records=tuple(replace(run("c", ""), tests=tests) for _ in range(100)))
    data = dump(night)
    assert len(data) < 5_000 * 60 + 100 * 400
    read = load(data)
    assert isinstance(read, Night) and len({id(record.tests) for record in read.records}) == 1


@pytest.mark.parametrize("shard", [Shard(1, 2), Shard(2, 2)])
def test_file_names_sort_by_day_and_are_safe(shard: Shard) -> None:
    name = file_name(replace(NIGHT, session="../../etc\n", shard=shard))
    assert name.startswith("2026-09-2") and name.endswith(f"-{shard.number}of2.jsonl")
    assert "/" not in name and "\n" not in name


def lines(change: Callable[[list[dict[str, object]]], object]) -> bytes:
    """NIGHT's lines, changed."""
    parsed = [json.loads(line) for line in dump(NIGHT).splitlines()]
    change(parsed)
    return b"".join(json.dumps(line).encode() + b"\n" for line in parsed)


def entry(parsed: list[dict[str, object]], kind: str) -> dict[str, object]:
    return next(line[kind] for line in parsed if kind in line)  # type: ignore[return-value]


def put(kind: str, name: str, value: object) -> Callable[[list[dict[str, object]]], object]:
    return lambda parsed: entry(parsed, kind).update({name: value})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}\n{}\n{}\n",
        b"\x00\xff\xfe" * 100,
        b"[" * 100_000 + b"\n" * 3,
        b"{" + b'"a":' * 3 + b"}\n\n\n",
        dump(NIGHT)[:-1],
        dump(NIGHT)[:-30],
        b"\n".join(dump(NIGHT).split(b"\n")[:-2]) + b"\n",
        dump(NIGHT) + b"{}\n",
        dump(NIGHT).replace(b"grokfix-night/1", b"grokfix-night/9"),
        dump(NIGHT).replace(b'"seconds":600.0', b'"seconds":NaN'),
        dump(NIGHT).replace(b'"seconds":600.0', b'"seconds":1e999'),
        dump(NIGHT).replace(b'"seconds":600.0', b'"seconds":-1'),
        dump(NIGHT).replace(b'"seconds":600.0', b'"seconds":' + b"9" * 5_000),
        dump(NIGHT).replace(b'"a problem"', b'"\\ud800"'),
        dump(NIGHT).replace(b'"a problem"', b'"' + b"x" * 3_000 + b'"'),
        lines(lambda parsed: parsed[0].update(shard=[4, 3])),
        lines(lambda parsed: parsed[0].update(shard=[True, 3])),
        lines(lambda parsed: parsed[0].update(at=1e300)),
        lines(lambda parsed: parsed[0].pop("session")),
        lines(lambda parsed: parsed.insert(2, {"unheard": 1})),
        lines(lambda parsed: parsed.insert(-1, {"scan": entry(parsed, "scan")})),
        lines(put("run", "order", 99)),
        lines(put("run", "order", -1)),
        lines(put("run", "order", True)),
        lines(put("run", "source", "rumour")),
        lines(put("run", "base", 1)),
        lines(put("run", "failed", [[99, "f", "E", "m"]])),
        lines(put("run", "failed", [[0, "f", "E"]])),
        lines(put("run", "retried", [1])),  # it failed as well
        lines(put("run", "conditions", {"sudo": True})),
        lines(put("run", "conditions", {"repeat": "many"})),
        lines(put("run", "conditions", {"ports": [1.5]})),
        lines(put("finding", "proofs", [{"cause": "the moon"}])),
        lines(put("finding", "test", None)),
        lines(put("regression", "at_good", [1, 2])),
        lines(put("regression", "p_value", 2)),
        lines(put("change", "state", "blessed")),
        lines(lambda parsed: entry(parsed, "order").append([0, 10**9])),  # type: ignore[attr-defined]
        lines(lambda parsed: entry(parsed, "order").append([0, -1])),  # type: ignore[attr-defined]
        lines(lambda parsed: entry(parsed, "order").append(True)),  # type: ignore[attr-defined]
    ],
)
def test_what_is_not_as_written_is_refused_whole(data: bytes) -> None:
    answer = load(data, "evil.jsonl")
    assert isinstance(answer, Unreadable)
    assert answer.name == "evil.jsonl" and 0 < len(answer.why) < 400


def test_a_small_file_cannot_become_a_large_night() -> None:
    tests = [{"tests": [["f", "c", f"t{number}-{part}"] for number in range(1_000)]} for part in range(100)]
    orders = [{"order": [[0, 100_000]] * 100} for _ in range(20)]
    answer = load(lines(lambda parsed: parsed.__setitem__(slice(1, -1), [*tests, *orders])))
    assert isinstance(answer, Unreadable) and "in all orders together" in answer.why


def test_too_many_bytes_are_not_read() -> None:
    answer = load(b" " * (LIMIT_BYTES + 1))
    assert isinstance(answer, Unreadable) and "bytes" in answer.why


@given(st.data())
def test_a_flipped_byte_never_raises(data: st.DataObject) -> None:
    written = bytearray(dump(NIGHT))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(load(bytes(written)), (Night, Unreadable))
