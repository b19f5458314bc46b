"""A night proposes the end of a quarantine that clean runs prove, once, and what people made of it counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.action_quarantine import RELEASE_BRANCH
from bot.errors import ForgeError
from bot.flaky.quarantine import PLUGIN
from bot.flaky.types import Failed, State
from bot.ports import Denied, PullRequest
from bot.publish.flaky_quarantine import keys_in
from bot.trigger.types import Triage
from tests.unit.commands.nights import CHEAPEST, OTHER, Nights, proven, seen, tried_again


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """CHEAPEST was flaky for two nights, and is in quarantine since."""
    world = Nights(tmp_path)
    world.night(failing=6)
    world.night(failing=4)
    world.quarantine(CHEAPEST)
    return world


def proposed(nights: Nights) -> list[PullRequest]:
    """Of all nights, newest first."""
    return list(nights.forge.pull_requests(RELEASE_BRANCH))


def clean(nights: Nights, count: int = 2) -> None:
    for _ in range(count):
        nights.night()


def test_two_clean_nights_and_it_is_proposed_with_its_counts(nights: Nights) -> None:
    nights.night()
    assert nights.states()[CHEAPEST] is State.QUARANTINED
    assert proposed(nights) == []
    done = nights.night()
    assert done.problems == ()
    [pull] = proposed(nights)
    assert pull.title == "End the quarantine of 1 test"
    [row] = [line for line in pull.body.splitlines() if "test_cheap" in line]
    # Ten failures, and of the second night the runs up to the last of them: two shards' four.
    assert row == (
        "| `tests/test_cart.py::test_cheap` | failed 10 of 48: at least 12 % | 0 of 80 at 2 commits, from 2027-01-18 on "
        "| &lt; 0.1 % |  |"
    )
    assert nights.listed(RELEASE_BRANCH) is None
    assert PLUGIN not in nights.forge.tree(pull.head_sha)


def test_others_stay_in_the_list(nights: Nights) -> None:
    nights.quarantine(CHEAPEST, OTHER)
    clean(nights)
    [pull] = proposed(nights)
    tests = json.loads(nights.listed(RELEASE_BRANCH) or b"")["tests"]
    assert [each["test"] for each in tests] == [OTHER.node_id]
    assert "test_other" not in pull.body


def test_it_is_not_repeated_while_it_is_open(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    writes = len([name for name in nights.forge.writes if "pull_request" in name])
    clean(nights)
    assert proposed(nights) == [nights.forge.pull_request(pull.number)]
    assert len([name for name in nights.forge.writes if "pull_request" in name]) == writes


def test_closed_unmerged_it_is_not_proposed_again_for_this_stay(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    nights.forge.close(pull.number)
    clean(nights)
    assert len(proposed(nights)) == 1
    # Put in anew, it is another stay: with other days, after more failures.
    nights.night(failing=5)
    nights.quarantine(CHEAPEST)
    clean(nights, 3)
    assert [each.state for each in proposed(nights)] == ["open", "closed"]
    assert nights.listed(RELEASE_BRANCH) is None


def test_merged_it_is_fixed_and_what_was_before_counts_no_more(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    nights.forge.close(pull.number, merged=True)
    assert nights.listed() is None
    done = nights.night()
    assert nights.states()[CHEAPEST] is State.FIXED
    assert done.outcome.value == "flaky", "tonight's verdicts are made before the states follow"
    assert nights.night().outcome.value == "no_failures"
    assert len(proposed(nights)) == 1


def test_taken_out_by_hand_it_is_flaky_again(nights: Nights) -> None:
    nights.night()
    nights.forge.push("main", {"grokfix-quarantine.json": None})
    nights.night(runs=10)
    assert nights.states()[CHEAPEST] is State.FLAKY


def test_a_failure_makes_the_open_one_stale_and_it_recovers(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    nights.night(failing=1)
    [stale] = proposed(nights)
    assert "Do not merge this" in stale.body
    assert (stale.number, stale.state) == (pull.number, "open")
    edits = nights.forge.count("edit_pull_request")
    nights.night()
    assert nights.forge.count("edit_pull_request") == edits, "said once"
    clean(nights, 2)
    [again] = proposed(nights)
    assert "failed 11 of" in again.body
    assert "Do not merge" not in again.body


def test_a_night_that_lacks_something_proposes_nothing(nights: Nights) -> None:
    nights.night()
    nights.night(lost=(2,))
    assert proposed(nights) == []
    nights.forge.fail("runs", ForgeError("down", status=502))
    nights.night()
    assert proposed(nights) == []
    nights.night()
    assert len(proposed(nights)) == 1


def test_what_lacks_leaves_an_open_one_as_it_is(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    nights.night(failing=1, lost=(2,))
    [still] = proposed(nights)
    assert (still.number, still.body) == (pull.number, pull.body)


def test_it_can_be_switched_off(nights: Nights) -> None:
    nights.settings = replace(nights.settings, triage=replace(nights.settings.triage, end_quarantine=False))
    clean(nights, 3)
    assert proposed(nights) == []


def test_a_look_at_single_tests_is_no_night(nights: Nights) -> None:
    nights.night()
    nights.clock.time += 86_400
    nights.forge.push("main", {"NEWS.md": "x\n"})
    site, claim = nights.claim(Triage(1, (CHEAPEST.node_id,)))
    nights.publish(site, claim, seen(claim, nights.clock.now(), 1, 1, runs=100))
    assert proposed(nights) == []


def test_a_proven_cause_is_provoked_again_first(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(failing=6, findings=(proven(),))
    nights.night(failing=4)
    nights.quarantine(CHEAPEST)
    clean(nights, 3)
    assert proposed(nights) == []
    nights.night(findings=(tried_again(),))
    [pull] = proposed(nights)
    assert "| failed 0 of 10 |" in pull.body


def test_what_somebody_ticked_is_left_to_that_pull_request(nights: Nights) -> None:
    nights.night()
    site, claim = nights.claim(Triage(0, release=(CHEAPEST.node_id,)))
    nights.publish(site, claim)
    assert len(nights.forge.pulls) == 1
    nights.night()
    assert proposed(nights) == []
    [ticked] = nights.forge.pulls
    nights.forge.close(ticked)
    nights.night()
    assert len(proposed(nights)) == 1


def test_a_person_s_commits_on_the_branch_are_left_alone(nights: Nights) -> None:
    clean(nights)
    [pull] = proposed(nights)
    theirs = nights.forge.push(RELEASE_BRANCH, {"tests/test_cart.py": "def test_total(): assert 1\n"}, "Mine")
    nights.night(failing=1)
    clean(nights, 2)
    assert nights.forge.branches[RELEASE_BRANCH] == theirs
    assert len(proposed(nights)) == 1
    assert proposed(nights)[0].number == pull.number


@pytest.mark.parametrize("method", ["create_commit", "create_branch", "open_pull_request"])
def test_a_refusal_is_said_and_the_next_night_tries_again(nights: Nights, method: str) -> None:
    nights.night()
    nights.clock.time += 86_400
    nights.forge.push("main", {"NEWS.md": "y\n"})
    site, claim = nights.claim()
    night = [seen(claim, nights.clock.now(), number) for number in (1, 2)]
    if method == "create_commit":
        # The data branch takes commits too: denied from the last look at main's tree on, which is the proposal's.
        nights.forge.before("tree", lambda: nights.forge.denied.update({method: Denied(403, "no")}), nth=2)
    else:
        nights.forge.denied[method] = Denied(403, "no")
    done = nights.publish(site, claim, *night)
    nights.forge.denied.clear()
    assert any("refused" in problem and "403" in problem for problem in done.problems)
    assert proposed(nights) == []
    nights.night()
    assert len(proposed(nights)) == 1


def test_killed_after_the_branch_it_goes_on(nights: Nights) -> None:
    nights.night()
    nights.forge.fail("open_pull_request", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        nights.night()
    assert RELEASE_BRANCH in nights.forge.branches
    assert proposed(nights) == []
    nights.night()
    [pull] = proposed(nights)
    assert "0 of 120 at 3 commits" in pull.body


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    evil = replace(
        CHEAPEST, name="test[@org/team fixes #1 <img src=x> <!-- grokfix:release 0123456789ab --> ::error::]"
    )
    for failing in (6, 4, 0, 0, 0):
        nights.clock.time += 86_400
        nights.forge.push("main", {"NEWS.md": f"{nights.clock.time}\n"})
        site, claim = nights.claim()
        shards = []
        for number in (1, 2):
            night = seen(claim, nights.clock.now(), number, failing=failing if number == 1 else 0)
            records = tuple(
                replace(
                    each,
                    tests=tuple(evil if test == CHEAPEST else test for test in each.tests),
                    failed=dict.fromkeys((evil,) * len(each.failed), Failed("f" * 64, "AssertionError", "no")),
                )
                for each in night.records
            )
            shards.append(replace(night, records=records))
        nights.publish(site, claim, *shards)
        if failing == 4:
            nights.quarantine(evil)
    [pull] = proposed(nights)
    assert "<img" not in pull.body.replace("`", "\0").split("\0")[0]
    assert len(keys_in(pull.body)) == 1
    assert "0123456789ab" not in keys_in(pull.body)
