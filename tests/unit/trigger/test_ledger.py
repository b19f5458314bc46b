"""The ledger: what is live, what counts, and what is never lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.config import RepairLimits, Settings, TriggerLimits, TriggerSettings
from bot.trigger.claim import from_json, to_json
from bot.trigger.data_branch import BRANCH
from bot.trigger.entry import Entry, State
from bot.trigger.ledger import LONGEST_RUN, Begun, Busy, Done, Exhausted, Ledger
from bot.trigger.limits import exhausted
from bot.trigger.types import Claim, Explain, Fix, OwnRun, Retry, Trigger, TriggerKind
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.trigger.sample import REPOSITORY, own, shop

HOUR = 3600.0


def trigger(number: int, *, sha: str = "", pull: int | None = None, branch: str = "main", fork: str = "") -> Trigger:
    return Trigger(
        kind=TriggerKind.RUN,
        repository=REPOSITORY,
        default_branch="main",
        sender="dev",
        sha=sha or f"{number:040x}",
        branch=branch,
        head_repository=fork or REPOSITORY,
        pull_request=pull,
        run_id=number,
        event="push",
    )


def claim(number: int, *, asked: bool = False, **about: object) -> Claim:
    return Claim(
        trigger(number, **about),  # type: ignore[arg-type]
        f"{number:016x}",
        f"https://github.test/{REPOSITORY}/actions/runs/{number}",
        asked=asked,
    )


class World:
    """A repository, a clock, and its ledger."""

    def __init__(self, limits: TriggerLimits | None = None, *, spends: RepairLimits | None = None) -> None:
        self.forge = shop()
        self.clock = FakeClock()
        self.settings = Settings(
            limits=spends or RepairLimits(minutes=1.0, cost_usd=0.01),
            triggers=TriggerSettings(limits=limits or TriggerLimits(1000, 1000, 1000, 10_000.0, 1000.0)),
        )
        self.ledger = Ledger(self.forge, self.clock, jitter=lambda: 0.0)

    def begin(self, wanted: Claim, run: OwnRun | None = None) -> Begun | Busy | Done | Exhausted:
        return self.ledger.begin(
            wanted, run or own(self.forge, 10_000 + int(wanted.attempt, 16)), self.settings, lambda: None
        )

    def end(
        self, number: int, fingerprint: str = "", *, outcome: str = "gave_up", minutes: float = 0, cost: float = 0
    ) -> None:
        assert self.ledger.end(
            f"{number:016x}",
            outcome=outcome,
            fingerprints=(fingerprint,) if fingerprint else (),
            minutes=minutes,
            cost_usd=cost,
        )

    def over(self, number: int, conclusion: str = "failure") -> None:
        """The run that works on an attempt ends without a word."""
        own(self.forge, 10_000 + number, status="completed", conclusion=conclusion)

    def state(self, number: int) -> Entry:
        return next(entry for entry in self.ledger.entries() if entry.attempt == f"{number:016x}")


def written(forge: FakeForge, prefix: str = "ledger/a") -> list[str]:
    files = forge.commits[forge.branches[BRANCH]].files
    return [line for path in sorted(files) if path.startswith(prefix) for line in files[path][1].decode().splitlines()]


# --- one attempt ----------------------------------------------------------------------------------------------------


def test_an_attempt_from_its_beginning_to_its_end() -> None:
    world = World(spends=RepairLimits(minutes=30.0, cost_usd=1.0))
    wanted = claim(1, pull=5, branch="feature")
    assert world.begin(wanted) == Begun(wanted)
    begun = world.state(1)
    assert (begun.state, begun.claim, begun.own.id) == (State.CLAIMED, wanted, 10_001)
    assert (begun.minutes, begun.cost_usd) == (30.0, 1.0)  # until it says otherwise, what it may spend
    assert world.ledger.end(
        wanted.attempt, outcome="repaired", fingerprints=("ab", "ab"), minutes=2.5, cost_usd=0.02, pull_requests=(9,)
    )
    ended = world.state(1)
    assert (ended.state, ended.outcome, ended.fingerprints) == (State.ENDED, "repaired", ("ab",))
    assert (ended.minutes, ended.cost_usd, ended.pull_requests) == (2.5, 0.02, (9,))
    assert len(written(world.forge)) == 1
    json.loads(written(world.forge)[0])


def test_an_end_is_safe_to_repeat_and_costs_four_calls() -> None:
    world = World()
    world.begin(claim(1))
    world.forge.calls.clear()
    world.end(1)
    assert [call.method for call in world.forge.calls] == ["branch", "file", "create_commit", "move_branch"]
    before = world.forge.branches[BRANCH]
    world.clock.sleep(100)
    world.end(1)
    assert world.forge.branches[BRANCH] == before
    assert not world.ledger.end("f" * 16, outcome="repaired", minutes=1, cost_usd=0)


def test_what_cost_nobody_knows_is_what_it_was_allowed_to() -> None:
    world = World(spends=RepairLimits(cost_usd=0.7))
    world.begin(claim(1))
    assert world.ledger.end(claim(1).attempt, outcome="gave_up", minutes=1, cost_usd=None)
    assert world.state(1).cost_usd == 0.7


def test_files_that_go_along_with_an_end_are_written_even_where_the_line_is_lost() -> None:
    world = World()
    world.begin(claim(1))
    commits = len(world.forge.commits)
    assert world.ledger.end(claim(1).attempt, outcome="repaired", minutes=1, cost_usd=0, also={"traces/1.md": b"x"})
    assert len(world.forge.commits) == commits + 1
    assert not world.ledger.end("f" * 16, outcome="repaired", minutes=1, cost_usd=0, also={"traces/2.md": b"y"})
    assert {"traces/1.md", "traces/2.md"} <= set(world.forge.commits[world.forge.branches[BRANCH]].files)


def test_old_attempts_are_laid_away_month_by_month() -> None:
    world = World()
    world.clock.time += datetime(2027, 1, 31, 23, 59, tzinfo=UTC).timestamp() - world.clock.now()
    world.begin(claim(1))
    world.clock.sleep(600)
    world.begin(claim(2))
    world.end(1)
    assert [entry.attempt for entry in world.ledger.entries()] == [claim(1).attempt, claim(2).attempt]
    lines = written(world.forge)
    world.clock.sleep(70 * 24 * HOUR)
    world.begin(claim(3))
    assert [entry.attempt for entry in world.ledger.entries()] == [claim(3).attempt]
    assert written(world.forge, "ledger/2027-01") + written(world.forge, "ledger/2027-02") == lines
    assert len(written(world.forge)) == 1


# --- who is in the way ----------------------------------------------------------------------------------------------


def test_the_same_commit_is_worked_on_once_at_a_time() -> None:
    world = World()
    first, second = claim(1, sha="a" * 40), claim(2, sha="a" * 40)
    assert isinstance(world.begin(first), Begun)
    assert world.begin(second) == Busy(f"https://github.test/{REPOSITORY}/actions/runs/10001")
    assert isinstance(world.begin(claim(3)), Begun)
    explain = replace(second, trigger=replace(second.trigger, command=Explain()))
    assert isinstance(world.begin(replace(explain, attempt="e" * 16)), Begun)  # another kind of request
    world.end(1)
    assert isinstance(world.begin(second), Begun)


@pytest.mark.parametrize("how", ["its run is over", "too long ago"])
def test_a_crashed_attempt_is_in_nobodys_way_and_counts(how: str) -> None:
    world = World(TriggerLimits(per_pull_request=2))
    world.begin(claim(1, sha="a" * 40, pull=5))
    if how == "its run is over":
        world.over(1)
    else:
        world.clock.sleep(LONGEST_RUN + 1)
    assert isinstance(world.begin(claim(2, sha="a" * 40, pull=5)), Begun)
    assert isinstance(world.begin(claim(3, pull=5)), Exhausted)


@pytest.mark.parametrize("told", ["nothing", "error"])
def test_a_run_that_the_code_host_does_not_show_counts_as_running(told: str) -> None:
    from bot.errors import ForgeError

    world = World()
    world.begin(claim(1, sha="a" * 40))
    if told == "nothing":
        world.forge.workflow_runs.clear()
    else:
        world.forge.fail("run", ForgeError("forbidden", status=403))
    assert isinstance(world.begin(claim(2, sha="a" * 40)), Busy)


def test_the_same_event_again_takes_its_old_line() -> None:
    world = World()
    wanted = claim(1)
    world.begin(wanted)
    commit = world.forge.branches[BRANCH]
    assert world.begin(wanted) == Begun(wanted)  # the same run once more
    assert world.forge.branches[BRANCH] == commit
    assert isinstance(world.begin(wanted, own(world.forge, 77)), Busy)  # delivered twice
    world.over(1)
    assert world.begin(wanted, own(world.forge, 77)) == Begun(wanted)
    assert world.state(1).own.id == 77 and len(written(world.forge)) == 1
    world.end(1, outcome="not_reproduced")
    done = world.begin(wanted)
    assert isinstance(done, Done) and done.entry.outcome == "not_reproduced"


def test_a_crashed_attempt_does_not_come_back_while_another_works_on_its_commit() -> None:
    world = World()
    world.begin(claim(1, sha="a" * 40))
    world.over(1)
    world.begin(claim(2, sha="a" * 40))
    assert isinstance(world.begin(claim(1, sha="a" * 40), own(world.forge, 77)), Busy)


def test_of_the_jobs_of_a_matrix_one_works() -> None:
    world = World()
    wanted = replace(claim(1), trigger=replace(trigger(60), kind=TriggerKind.STEP))
    first, second = own(world.forge, 60, job="runner 1"), own(world.forge, 60, job="runner 2")
    assert isinstance(world.begin(wanted, first), Begun)
    assert isinstance(world.begin(wanted, second), Busy)
    assert isinstance(world.begin(wanted, first), Begun)  # killed, and run again
    later = replace(wanted, attempt="2" * 16, trigger=replace(wanted.trigger, run_attempt=2))
    assert isinstance(world.begin(later, second), Begun)  # "re-run failed jobs": the earlier try is over


# --- limits ---------------------------------------------------------------------------------------------------------


def test_limit_of_a_pull_request() -> None:
    world = World(TriggerLimits(per_pull_request=2))
    for number in (1, 2):
        assert isinstance(world.begin(claim(number, pull=5)), Begun)
        world.end(number)
    refused = world.begin(claim(3, pull=5))
    assert isinstance(refused, Exhausted)
    assert refused.message == "2 runs were begun for this pull request, and `limits.per_pull_request` is 2."
    assert isinstance(world.begin(claim(4, pull=6)), Begun)
    assert isinstance(world.begin(claim(5)), Begun)


def test_a_forks_branch_counts_as_a_pull_request() -> None:
    world = World(TriggerLimits(per_pull_request=1))
    assert isinstance(world.begin(claim(1, fork="stranger/shop", branch="x")), Begun)
    assert isinstance(world.begin(claim(2, fork="stranger/shop", branch="x")), Exhausted)
    assert isinstance(world.begin(claim(3, fork="stranger/shop", branch="y")), Begun)


@pytest.mark.parametrize(
    ("limits", "spent", "said"),
    [
        (TriggerLimits(per_day=2), {}, "2 runs were begun in the last 24 hours, and `limits.per_day` is 2."),
        (TriggerLimits(per_day_minutes=10), {"minutes": 5.0}, "`limits.per_day_minutes` is 10."),
        (TriggerLimits(per_day_cost_usd=0.5), {"cost": 0.25}, "0.50 US dollars went in the last 24 hours"),
    ],
)
def test_limits_of_a_day(limits: TriggerLimits, spent: dict[str, float], said: str) -> None:
    world = World(limits)
    for number in (1, 2):
        assert isinstance(world.begin(claim(number)), Begun)
        world.end(number, minutes=spent.get("minutes", 0), cost=spent.get("cost", 0))
    refused = world.begin(claim(3))
    assert isinstance(refused, Exhausted) and said in refused.message
    world.clock.sleep(24 * HOUR + 1)
    assert isinstance(world.begin(claim(4)), Begun)


def test_strangers_cannot_use_up_the_day_of_those_who_may_ask() -> None:
    world = World(TriggerLimits(per_day=4, per_pull_request=100))
    for number in (1, 2):
        assert isinstance(world.begin(claim(number, fork="stranger/shop", branch=f"b{number}")), Begun)
    refused = world.begin(claim(3, fork="another/shop", branch="c"))
    assert isinstance(refused, Exhausted)
    assert refused.message.endswith("`limits.per_day` is 4, of which forks' runs may use 50%.")
    for number in (4, 5):
        assert isinstance(world.begin(claim(number)), Begun)
    assert isinstance(world.begin(claim(6)), Exhausted)


def test_what_runs_and_what_crashed_counts_with_all_that_it_may_spend() -> None:
    world = World(TriggerLimits(per_day_minutes=60), spends=RepairLimits(minutes=30))
    assert isinstance(world.begin(claim(1)), Begun)
    world.over(1)
    assert isinstance(world.begin(claim(2)), Begun)
    assert isinstance(world.begin(claim(3)), Exhausted)


def test_no_limit_in_money_counts_none() -> None:
    world = World(TriggerLimits(per_day_cost_usd=None), spends=RepairLimits(cost_usd=None, minutes=1))
    for number in range(1, 4):
        assert isinstance(world.begin(claim(number)), Begun)
        assert world.ledger.end(claim(number).attempt, outcome="gave_up", minutes=0, cost_usd=None)


def test_a_limit_does_not_keep_a_crashed_attempt_from_its_own_line() -> None:
    world = World(TriggerLimits(per_pull_request=1))
    world.begin(claim(1, pull=5))
    assert isinstance(world.begin(claim(1, pull=5)), Begun)


def may(world: World, fingerprint: str, asker: Claim, limits: TriggerLimits) -> bool:
    spent = exhausted(world.ledger.entries(), asker.trigger, asker.attempt, limits, world.clock.now())
    return fingerprint not in spent and "*" not in spent


def test_limit_of_a_failure() -> None:
    world = World()
    limits = TriggerLimits(per_fingerprint=2)
    for number in (1, 2, 3):
        world.begin(claim(number))
    world.end(1, "aa")
    asker = claim(9)
    world.end(2, outcome="no_failures")
    world.end(3, "bb")
    assert may(world, "aa", asker, limits)
    world.begin(claim(4))
    world.end(4, "aa")
    assert not may(world, "aa", asker, limits)
    assert may(world, "bb", asker, limits)
    world.clock.sleep(10 * 24 * HOUR)
    assert not may(world, "aa", asker, limits)  # a failure is remembered longer than a day


def test_an_attempt_that_told_nothing_counts_for_every_failure_of_its_branch_for_a_day() -> None:
    world = World()
    limits = TriggerLimits(per_fingerprint=1)
    world.begin(claim(1, branch="feature"))
    assert may(world, "aa", claim(1, branch="feature"), limits)  # itself does not count
    assert not may(world, "aa", claim(2, branch="feature"), limits)
    assert may(world, "aa", claim(3, branch="main"), limits)
    assert may(world, "aa", claim(4, branch="feature", fork="stranger/shop"), limits)
    world.clock.sleep(24 * HOUR + 1)
    assert may(world, "aa", claim(5, branch="feature"), limits)


# --- retry, stop, what was left behind ------------------------------------------------------------------------------


def test_retry_is_the_last_fix_of_the_pull_request() -> None:
    world = World()
    fix = Fix(("a.py",), "look", 3, "search")
    for number, command in ((1, Fix(("old.py",))), (2, fix), (3, Explain())):
        wanted = claim(number, pull=5)
        world.begin(replace(wanted, trigger=replace(wanted.trigger, command=command)))
        world.end(number)
        world.clock.sleep(60)
    world.begin(claim(4, pull=6))

    def retried(number: int, pull: int) -> object:
        wanted = claim(number, pull=pull)
        begun = world.begin(replace(wanted, trigger=replace(wanted.trigger, command=Retry())))
        assert isinstance(begun, Begun)
        assert world.state(number).claim == begun.claim
        return begun.claim.trigger.command

    assert retried(5, 5) == Retry(fix)
    assert retried(6, 5) == Retry(fix)  # of a retry too
    assert retried(7, 8) == Retry(Fix())


def test_stopped_attempts_stay_stopped_whatever_publish_writes_after() -> None:
    world = World()
    world.begin(claim(1, pull=5))
    world.begin(claim(2, pull=5))
    world.end(2)
    assert [entry.attempt for entry in world.ledger.running(5)] == [claim(1).attempt]
    assert world.ledger.running(6) == ()
    world.ledger.stop((claim(1).attempt, claim(2).attempt))
    assert (world.state(1).state, world.state(2).state) == (State.STOPPED, State.ENDED)
    world.end(1, outcome="stopped", minutes=0.5)
    assert (world.state(1).state, world.state(1).minutes) == (State.STOPPED, 0.5)


def test_a_declined_attempt_is_written_so() -> None:
    world = World()
    world.begin(claim(1))
    world.ledger.end(claim(1).attempt, outcome="stopped", reason="declined", minutes=0, cost_usd=0)
    assert world.state(1).state is State.DECLINED


def test_attempts_whose_run_ended_without_a_word() -> None:
    world = World()
    for number in (1, 2, 3):
        world.begin(claim(number))
    world.over(1)
    world.end(2)
    assert [entry.attempt for entry in world.ledger.abandoned(world.ledger.entries(), OwnRun(1, ""))] == [
        claim(1).attempt
    ]
    assert world.ledger.abandoned(world.ledger.entries(), OwnRun(10_001, "")) == ()


# --- what others wrote ----------------------------------------------------------------------------------------------


def test_lines_that_cannot_be_read_are_kept_aside_and_said() -> None:
    world = World()
    world.begin(claim(1))
    (line,) = written(world.forge)
    corrupt = [
        "{torn",
        "[]",
        '{"attempt": 1}',
        line.replace("claimed", "won"),
        "\ufffd" * 10,
        line.replace('"sha":"0', '"sha":"x'),
    ]
    world.forge.push(BRANCH, {"ledger/attempts.jsonl": "\r\n\n".join([corrupt[0], line, *corrupt[1:]])})
    entries = world.ledger.entries()
    assert [entry.attempt for entry in entries] == [claim(1).attempt]
    assert world.ledger.problems == (
        "6 line(s) of ledger/attempts.jsonl cannot be read and do not count; "
        "the next write moves them to ledger/corrupt.jsonl",
    )
    world.begin(claim(2))
    assert len(written(world.forge)) == 2
    assert [kept.strip() for kept in written(world.forge, "ledger/corrupt")] == corrupt
    assert world.ledger.entries() and world.ledger.problems == ()
    world.forge.push(BRANCH, {"ledger/attempts.jsonl": "\n".join([*written(world.forge), corrupt[0], "more"])})
    world.end(1)
    assert [kept.strip() for kept in written(world.forge, "ledger/corrupt")] == [*corrupt, "{torn", "more"]


def test_bytes_that_are_no_text_and_lines_without_end_are_kept_too() -> None:
    world = World()
    world.begin(claim(1))
    raw = [b"\xff\xfe", b'{"a":"' + b"x" * 100_000, b"[" * 60_000]
    world.forge.push(BRANCH, {"x": "y"})
    forge = world.forge
    sha = forge.branches[BRANCH]
    mode, content = forge.commits[sha].files["ledger/attempts.jsonl"]
    forge.commits[sha] = replace(
        forge.commits[sha],
        files={**forge.commits[sha].files, "ledger/attempts.jsonl": (mode, content + b"\n".join(raw))},
    )
    world.end(1)
    kept = forge.commits[forge.branches[BRANCH]].files["ledger/corrupt.jsonl"][1]
    assert kept == b"".join(line + b"\n" for line in raw)


def test_a_line_of_a_later_version_counts_and_stays_as_it_is() -> None:
    world = World()
    world.begin(claim(1, pull=5))
    (line,) = written(world.forge)
    later = line[:-1] + ',"mood":"good"}'
    world.forge.push(BRANCH, {"ledger/attempts.jsonl": later + "\n"})
    world.begin(claim(2, pull=5))
    assert later in written(world.forge) and len(world.ledger.entries()) == 2


def test_a_link_in_the_ledger_is_not_repeated() -> None:
    """Others can write to the branch: what is replied is made from the run's number."""
    world = World()
    world.begin(claim(1, sha="a" * 40))
    (line,) = written(world.forge)
    world.forge.push(BRANCH, {"ledger/attempts.jsonl": line.replace("https://github.test/", "https://evil.test/")})
    assert world.begin(claim(2, sha="a" * 40)) == Busy(f"https://github.test/{REPOSITORY}/actions/runs/10001")


def test_a_claim_says_which_failures_had_enough_runs() -> None:
    world = World(TriggerLimits(per_fingerprint=1))
    world.begin(claim(1))
    world.end(1, "aa")
    begun = world.begin(claim(2))
    assert isinstance(begun, Begun)
    assert begun.claim.exhausted == ("aa",)
    begun = world.begin(claim(3))  # the second has not said what it works on
    assert isinstance(begun, Begun)
    assert begun.claim.exhausted == ("*",)
    assert from_json(to_json(begun.claim)) == begun.claim
