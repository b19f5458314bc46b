"""Shards that handed in and were never published: the next night takes them over, by the same checks, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.action_history import session_of
from bot.commands.action_lost import ARTIFACT, MOST, take_over
from bot.errors import ForgeError
from bot.flaky.carried import Carried
from bot.flaky.nights import dump
from bot.flaky.types import Night, RunSource, Shard, State, StateChange
from bot.ports import ArtifactInfo
from bot.trigger.entry import State as Life
from bot.trigger.ledger import LONGEST_RUN, Ledger
from bot.trigger.types import Claim, Triage
from tests.unit.commands.nights import CHEAPEST, DAY, Nights, seen


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def died(nights: Nights, *numbers: int, failing: int = 4, expired: tuple[int, ...] = ()) -> Claim:
    """A night of which these shards uploaded, and whose publishing job never ran."""
    _, claim = nights.claim()
    nights.upload(
        claim, *(seen(claim, nights.clock.now(), number, failing=failing) for number in numbers), expired=expired
    )
    nights.die(claim)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": f"{nights.clock.time}\n"})
    return claim


def ours(nights: Nights, claim: Claim) -> list[Night]:
    return [night for night in Carried(nights.forge).nights() if night.session == session_of(claim)]


def life(nights: Nights, claim: Claim) -> tuple[Life, str, str]:
    [entry] = [each for each in Ledger(nights.forge, nights.clock).entries() if each.attempt == claim.attempt]
    return entry.state, entry.outcome, entry.reason


def test_the_next_night_counts_them_and_says_so(nights: Nights) -> None:
    lost = died(nights, 1, 2)
    site, claim = nights.claim()
    assert len([each for each in nights.records() if each.key.startswith(f"rerun:{session_of(lost)}/")]) == 40
    assert life(nights, lost) == (Life.ENDED, "stopped", "infrastructure")
    nights.publish(site, claim, *(seen(claim, nights.clock.now(), number) for number in (1, 2)))
    assert nights.states() == {CHEAPEST: State.FLAKY}
    [issue] = nights.forge.issues()
    assert "2 of 2 shards' runs were taken over" in issue.body
    assert "8 of 80" in issue.body
    [kept] = ours(nights, lost)
    assert kept.shard == Shard()
    assert kept.changes == ()


def test_it_is_done_once(nights: Nights) -> None:
    lost = died(nights, 1, 2)
    nights.night()
    before, calls = ours(nights, lost), nights.forge.count("download")
    nights.night()
    assert (ours(nights, lost), nights.forge.count("download")) == (before, calls)


def test_what_is_missing_or_expired_is_said(nights: Nights) -> None:
    lost = died(nights, 2)
    gone = died(nights, 1, 2, expired=(1, 2))
    site, claim = nights.claim()
    told = "\n".join(problem for night in Carried(nights.forge).nights() for problem in night.problems)
    assert f"(attempt {lost.attempt}) died before it was published; what shard 1 of 2 saw is lost: it left no" in told
    assert told.count("its artifact has expired") == 2
    assert [len(ours(nights, each)) for each in (lost, gone)] == [1, 0]
    assert {life(nights, each)[1] for each in (lost, gone)} == {"stopped"}
    done = nights.publish(site, claim, *(seen(claim, nights.clock.now(), number) for number in (1, 2)))
    assert done.problems == ()
    assert "its artifact has expired" in nights.forge.issues()[0].body


def test_a_night_that_goes_on_is_left_alone(nights: Nights) -> None:
    _, running = nights.claim()
    nights.upload(running, seen(running, nights.clock.now(), 1))
    nights.clock.time += LONGEST_RUN / 2
    nights.forge.push("main", {"NEWS.md": "more\n"})
    nights.claim()
    assert ours(nights, running) == []
    assert life(nights, running)[0] is Life.CLAIMED


def test_a_publishing_job_that_is_run_again_afterwards_changes_nothing(nights: Nights) -> None:
    """Somebody has the failed jobs run again: the same runs, by the same names."""
    site, lost = nights.claim()
    shards = [seen(lost, nights.clock.now(), number, failing=4 if number == 1 else 0) for number in (1, 2)]
    nights.upload(lost, *shards)
    nights.die(lost)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "more\n"})
    nights.claim()
    count = len(nights.records())
    nights.publish(site, lost, *shards)
    assert len(nights.records()) == count == 40
    assert len(ours(nights, lost)) == 1
    assert life(nights, lost)[0] is Life.ENDED


FORGED: dict[str, tuple[Callable[[Night], Night], str]] = {
    "another session": (lambda it: replace(it, session="night-0000"), "another session"),
    "another commit": (lambda it: replace(it, commit="0" * 40), "another commit"),
    "one of three": (lambda it: replace(it, shard=Shard(1, 3)), "shard 1 of 3"),
    "CI's history": (
        lambda it: replace(it, records=(replace(it.records[0], key="ci:1/1/test", source=RunSource.CI),)),
        "not its own",
    ),
    "another shard's": (
        lambda it: replace(it, records=(replace(it.records[0], key=f"rerun:{it.session}/2/0"),)),
        "not its own",
    ),
}


@pytest.mark.parametrize(("forge_it", "said"), FORGED.values(), ids=FORGED.keys())
def test_what_no_shard_of_that_claim_can_have_made_is_refused(
    nights: Nights, forge_it: Callable[[Night], Night], said: str
) -> None:
    _, lost = nights.claim()
    run = nights.forge.workflow_runs[int(lost.attempt, 16)]
    content = {"night.jsonl": dump(forge_it(seen(lost, nights.clock.now(), 1)))}
    nights.forge.add_artifact(run, f"{ARTIFACT}0", content)
    nights.die(lost)
    nights.clock.time += DAY
    site, claim = nights.claim(Triage(1, (CHEAPEST.node_id,)))
    told = take_over(site, claim)
    assert any(said in problem for problem in told), told
    assert nights.records() == []
    assert life(nights, lost)[1] == "stopped"


def test_states_secrets_and_findings_in_it(nights: Nights) -> None:
    """A shard has no say in states; what its tests printed is redacted."""
    _, lost = nights.claim()
    night = seen(lost, nights.clock.now(), 1, failing=1)
    failed = {CHEAPEST: replace(next(iter(night.records[0].failed.values())), message="s3cr3t-t0ken")}
    forged = StateChange(CHEAPEST, State.FIXED, 1.0, "mine", by="mallory")
    night = replace(night, records=(replace(night.records[0], failed=failed), *night.records[1:]), changes=(forged,))
    nights.upload(lost, night)
    nights.die(lost)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "more\n"})
    nights.claim()
    [kept] = ours(nights, lost)
    assert kept.changes == ()
    everything = b"".join(
        data for _, data in nights.forge.commits[nights.forge.branches["grokfix-data"]].files.values()
    )
    assert b"s3cr3t-t0ken" not in everything
    assert b"mallory" not in everything


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 no archive", {"other.txt": b"x"}, {"night.jsonl": b"\xff" * 1000}, {"../night.jsonl": b"{}"}],
    ids=["empty", "broken", "without a night", "garbage", "climbing"],
)
def test_artifacts_that_hold_no_night(nights: Nights, content: bytes | dict[str, bytes]) -> None:
    _, lost = nights.claim()
    run = nights.forge.workflow_runs[int(lost.attempt, 16)]
    nights.forge.add_artifact(run, f"{ARTIFACT}0", content)
    nights.upload(lost, seen(lost, nights.clock.now(), 2))
    nights.die(lost)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "more\n"})
    nights.claim()
    [kept] = ours(nights, lost)
    assert len(kept.records) == 20
    assert any("1 of 2 shards' runs were taken over" in problem for problem in kept.problems) is False
    told = [problem for night in Carried(nights.forge).nights() for problem in night.problems]
    assert any("1 of 2 shards' runs were taken over" in problem for problem in told)


def test_of_two_artifacts_of_a_name_the_newest_counts(nights: Nights) -> None:
    _, lost = nights.claim()
    run = nights.forge.workflow_runs[int(lost.attempt, 16)]
    nights.forge.add_artifact(run, f"{ARTIFACT}0", b"old")
    nights.upload(lost, seen(lost, nights.clock.now(), 1), seen(lost, nights.clock.now(), 2))
    nights.forge.run_artifacts[run.id].reverse()
    nights.forge.run_artifacts[run.id].append(ArtifactInfo(99_999, "grokfix-bundle", 1, False))
    nights.die(lost)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "more\n"})
    nights.claim()
    [kept] = ours(nights, lost)
    assert len(kept.records) == 40


def test_a_code_host_that_fails_is_asked_again_by_the_next_night(nights: Nights) -> None:
    lost = died(nights, 1, 2)
    nights.forge.fail("download", ForgeError("bad gateway", status=502), nth=2)
    nights.claim()
    assert ours(nights, lost) == []
    assert life(nights, lost)[0] is Life.CLAIMED
    told = [problem for night in Carried(nights.forge).nights() for problem in night.problems]
    assert any("bad gateway" in problem for problem in told)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "again\n"})
    nights.claim()
    [kept] = ours(nights, lost)
    assert len(kept.records) == 40
    assert life(nights, lost)[0] is Life.ENDED


def test_killed_between_keeping_and_ending_it_is_kept_once(nights: Nights) -> None:
    lost = died(nights, 1, 2)
    nights.forge.crash_after(4, KeyboardInterrupt())  # its own line in the ledger, then the night: each is two writes
    with pytest.raises(KeyboardInterrupt):
        nights.claim()
    assert (len(ours(nights, lost)), life(nights, lost)[0]) == (1, Life.CLAIMED)
    nights.clock.time += DAY
    nights.forge.push("main", {"NEWS.md": "again\n"})
    nights.claim()
    [kept] = ours(nights, lost)
    assert len(kept.records) == 40
    assert life(nights, lost)[0] is Life.ENDED


def test_what_ran_nothing_is_ended(nights: Nights) -> None:
    _, ticked = nights.claim(Triage(0, quarantine=(CHEAPEST.node_id,)))
    nights.die(ticked)
    nights.clock.time += DAY
    nights.claim()
    assert life(nights, ticked) == (Life.ENDED, "stopped", "infrastructure")


def test_one_night_looks_after_few(nights: Nights) -> None:
    """Looks at single tests that died; each of them is a kind of request of its own, and none is lost."""
    claims = []
    for number in range(4):  # of one day, whose limit is four times this long
        _, claim = nights.claim(Triage(1, (f"{CHEAPEST.node_id}[{number}]",)))
        nights.upload(claim, seen(claim, nights.clock.now(), 1, 1, failing=1))
        nights.die(claim)
        claims.append(claim)
    for expected in (MOST, 4):
        nights.clock.time += DAY
        nights.forge.push("main", {"NEWS.md": f"{nights.clock.time}\n"})
        nights.claim()
        assert sum(len(ours(nights, claim)) for claim in claims) == expected
    assert {life(nights, claim)[1] for claim in claims} == {"stopped"}
