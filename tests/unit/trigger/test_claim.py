"""From a trigger to a claim: the whole way, at once, and killed at every write."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bot.config import RepairLimits, Settings, TriggerLimits, TriggerSettings
from bot.errors import ConfigError, ForgeError
from bot.ports import Denied, JsonValue
from bot.trigger.claim import Answered, claim, from_json, to_json
from bot.trigger.data_branch import BRANCH
from bot.trigger.ledger import Ledger
from bot.trigger.types import (
    Claim,
    Command,
    Declined,
    Explain,
    Fix,
    Flaky,
    Help,
    Ignored,
    Retry,
    Stop,
    Test,
    Trigger,
    TriggerKind,
    WrongCommand,
)
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.trigger.sample import REPOSITORY, changed, of_run, own, red_main, said, shop, step

SETTINGS = Settings(limits=RepairLimits(minutes=1, cost_usd=0.01))
ME = 4_000


def ask(forge: FakeForge, trigger: Trigger, number: int = ME, settings: Settings = SETTINGS, job: str = "") -> object:
    return claim(trigger, forge, settings, FakeClock(), own(forge, number, job=job))


def claimed(answer: object) -> Claim:
    assert isinstance(answer, Claim), answer
    return answer


def ledger_lines(forge: FakeForge) -> list[str]:
    files = forge.commits[forge.branches[BRANCH]].files if BRANCH in forge.branches else {}
    return [line for path in files if path.startswith("ledger/") for line in files[path][1].decode().splitlines()]


# --- what becomes of a trigger --------------------------------------------------------------------------------------


def test_a_failed_run_is_claimed_in_seven_calls() -> None:
    forge = shop()
    Ledger(forge, FakeClock()).end("f" * 16, outcome="x", minutes=0, cost_usd=0, also={"x": b"x"})  # there is a branch
    trigger = red_main(forge)
    forge.calls.clear()
    found = claimed(ask(forge, trigger))
    assert found.trigger == trigger
    assert found.run_url == f"https://github.test/{REPOSITORY}/actions/runs/{ME}"
    assert not found.asked and not found.diagnosis_only
    assert [call.method for call in forge.calls] == [
        *("permission", "run", "branch"),
        *("branch", "file", "create_commit", "move_branch"),
    ]
    assert len(ledger_lines(forge)) == 1


def test_a_comment_is_claimed_and_seen() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    run = forge.add_run(forge.branches["feature"], branch="feature")
    comment = forge.say(pull.number, "dev", "/grok fix a.py")
    found = claimed(ask(forge, said(pull, Fix(("a.py",)), comment=comment.id)))
    assert found.asked and not found.diagnosis_only
    assert (found.trigger.sha, found.trigger.run_id) == (forge.branches["feature"], run.id)
    assert {content for _, content in forge.reactions[comment.id]} == {"eyes"}
    assert [call.method for call in forge.calls].index("react") < [c.method for c in forge.calls].index("create_commit")


@pytest.mark.parametrize("command", [Explain(), Flaky()])
def test_what_only_looks_pushes_nothing(command: Command) -> None:
    forge = shop()
    assert claimed(ask(forge, said(forge.add_pull("feature"), command))).diagnosis_only


def test_asked_for_tests_somebody_may_have_them_pushed() -> None:
    forge = shop()
    assert not claimed(ask(forge, said(forge.add_pull("feature"), Test()))).diagnosis_only


def test_a_forks_failed_run_is_only_diagnosed_whoever_started_it() -> None:
    """SECURITY 8 and 9."""
    forge = shop()
    sha = forge.add_commit([forge.branches["main"]], {}, "theirs")
    run = forge.add_run(sha, event="pull_request", head_repository="stranger/shop", actor="x", triggering_actor="dev")
    assert claimed(ask(forge, of_run(run))).diagnosis_only
    # the event says it is ours, the API does not
    lying = replace(of_run(run), head_repository=REPOSITORY, actor="dev")
    assert claimed(ask(forge, lying, ME)).diagnosis_only


def test_a_command_on_a_forks_pull_request_is_no_mere_diagnosis() -> None:
    forge = shop()
    sha = forge.add_commit([forge.branches["main"]], {}, "theirs")
    assert not claimed(ask(forge, said(forge.add_pull("x", fork="a/shop", head_sha=sha)))).diagnosis_only


def test_people_whom_only_the_api_names_are_asked_about_too() -> None:
    forge = shop()
    run = forge.add_run(forge.branches["main"], actor="passer")
    answer = ask(forge, replace(of_run(run), actor="dev", triggering_actor="dev"))
    assert isinstance(answer, Declined) and "passer" in answer.reason
    assert BRANCH not in forge.branches


def test_a_forks_step_cannot_write_and_does_not_try() -> None:
    forge = shop()
    sha = forge.add_commit([forge.branches["main"]], {}, "theirs")
    pull = forge.add_pull("x", fork="stranger/shop", head_sha=sha)
    trigger = replace(step(forge), sha=sha, branch="x", head_repository="stranger/shop", pull_request=pull.number)
    assert claimed(ask(forge, trigger)).diagnosis_only
    assert forge.writes == []


def test_a_token_that_cannot_write_begins_nothing_that_would_not_count() -> None:
    forge = shop()
    forge.denied["create_commit"] = Denied(403, "Resource not accessible by integration")
    with pytest.raises(ForgeError, match="contents: write"):
        ask(forge, red_main(forge))


@pytest.mark.parametrize("command", [Help(), WrongCommand("It is wrong.")])
def test_commands_that_only_need_a_reply(command: Command | WrongCommand) -> None:
    forge = shop()
    assert ask(forge, said(1, command)) == Answered(command)
    assert [call.method for call in forge.calls] == ["permission"]
    assert isinstance(ask(forge, said(1, command, by="passer")), Declined)


@pytest.mark.parametrize("by", ["passer", "sorter", "nobody", "spam[bot]"])
def test_those_who_may_not_ask_leave_no_trace(by: str) -> None:
    """SECURITY 1 and 4."""
    forge = shop()
    assert isinstance(ask(forge, said(forge.add_pull("feature"), by=by)), Declined)
    assert forge.writes == []


def test_a_command_on_our_own_pull_request_is_declined_with_a_word() -> None:
    forge = shop()
    forge.branches["grokfix/main/0123456789ab"] = forge.push("x", {"a": "b"})
    answer = ask(forge, said(forge.add_pull("grokfix/main/0123456789ab")))
    assert isinstance(answer, Declined) and "own" in answer.reply


def test_a_comment_that_is_gone_does_not_stop_its_attempt() -> None:
    forge = shop()
    forge.fail("react", ForgeError("gone", status=404))
    claimed(ask(forge, said(forge.add_pull("feature"))))


# --- liveness and limits --------------------------------------------------------------------------------------------


def test_a_command_on_a_commit_that_is_worked_on_gets_the_link() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    run = forge.add_run(forge.branches["feature"], branch="feature", pull_requests=(pull.number,))
    claimed(ask(forge, of_run(run)))
    answer = ask(forge, said(pull), ME + 1)
    assert isinstance(answer, Declined)
    assert answer.reply == (
        f"[A run](https://github.test/{REPOSITORY}/actions/runs/{ME}) is working on this commit already."
    )
    again = forge.add_run(forge.branches["feature"], branch="feature", pull_requests=(pull.number,), workflow="lint")
    assert isinstance(ask(forge, of_run(again), ME + 2), Ignored)
    own(forge, ME, status="completed", conclusion="failure")
    claimed(ask(forge, said(pull), ME + 3))


def test_ten_triggers_at_once_are_one_claim() -> None:
    """SECURITY 12."""
    forge = shop()
    triggers = [of_run(forge.add_run(forge.branches["main"], workflow=f"tests {number}")) for number in range(10)]
    runs = [own(forge, ME + number) for number in range(10)]

    def one(number: int) -> object:
        return claim(triggers[number], forge, SETTINGS, FakeClock(), runs[number])

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, range(10)))
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert sum(isinstance(answer, Ignored) for answer in answers) == 9
    assert len(ledger_lines(forge)) == 1


def test_ten_triggers_on_ten_commits_are_ten_claims() -> None:
    forge = shop()
    triggers = []
    for number in range(10):
        forge.branches[f"b{number}"] = forge.branches["main"]
        head = forge.push(f"b{number}", {"x": str(number)})
        triggers.append(of_run(forge.add_run(head, branch=f"b{number}")))
    runs = [own(forge, ME + number) for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: claim(triggers[n], forge, SETTINGS, FakeClock(), runs[n]), range(10)))
    assert all(isinstance(answer, Claim) for answer in answers)
    assert len(ledger_lines(forge)) == 10


@pytest.mark.parametrize("by_comment", [True, False])
def test_a_limit_is_told_to_whoever_asked(by_comment: bool) -> None:
    forge = shop()
    settings = replace(SETTINGS, triggers=TriggerSettings(limits=TriggerLimits(per_day=1)))
    claimed(ask(forge, red_main(forge), settings=settings))
    pull = forge.add_pull("feature")
    trigger = said(pull) if by_comment else of_run(forge.add_run(forge.branches["feature"], branch="feature"))
    answer = ask(forge, trigger, ME + 1, settings)
    assert isinstance(answer, Declined)
    assert "limits.per_day" in answer.reason
    assert answer.reply == (f"Not now: {answer.reason}" if by_comment else "")
    assert "react" not in forge.writes


def test_an_event_that_was_handled_is_not_handled_again() -> None:
    forge = shop()
    trigger = red_main(forge)
    found = claimed(ask(forge, trigger))
    Ledger(forge, FakeClock()).end(found.attempt, outcome="gave_up", reason="budget", minutes=1, cost_usd=0)
    answer = ask(forge, trigger, ME + 1)
    assert isinstance(answer, Ignored) and "'gave_up'" in answer.reason
    claimed(ask(forge, red_main(forge), ME + 2))  # another run of the same commit is another event


def test_a_dispatch_is_a_request_of_its_own_each_time() -> None:
    forge = shop()
    trigger = Trigger(TriggerKind.DISPATCH, REPOSITORY, "main", "dev", branch="main")
    first = claimed(ask(forge, trigger))
    assert first.asked and claimed(ask(forge, trigger)) == first
    Ledger(forge, FakeClock()).end(first.attempt, outcome="gave_up", minutes=1, cost_usd=0)
    assert claimed(ask(forge, trigger, ME + 1)).attempt != first.attempt


# --- stop -----------------------------------------------------------------------------------------------------------


def test_stop_cancels_what_runs_for_the_pull_request() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    claimed(ask(forge, said(pull, Fix(), comment=1), ME))
    claimed(ask(forge, said(pull, Explain(), comment=2), ME + 1))
    claimed(ask(forge, red_main(forge), ME + 2))
    forge.close(pull.number)  # also then
    answer = ask(forge, said(pull, Stop(), comment=3), ME + 3)
    url = f"https://github.test/{REPOSITORY}/actions/runs"
    assert answer == Answered(Stop(), (f"{url}/{ME}", f"{url}/{ME + 1}"))
    assert forge.cancelled == [ME, ME + 1]
    assert [entry.state.value for entry in Ledger(forge, FakeClock()).entries()].count("stopped") == 2
    assert ask(forge, said(pull, Stop(), comment=4), ME + 4) == Answered(Stop())


def test_stop_is_for_those_who_may_write() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    claimed(ask(forge, said(pull)))
    assert isinstance(ask(forge, said(pull, Stop(), by="passer", comment=2), ME + 1), Declined)
    assert forge.cancelled == []


def test_a_token_that_cannot_cancel_says_which_permission_it_lacks() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    claimed(ask(forge, said(pull)))
    forge.fail("cancel_run", ForgeError("forbidden", status=403))
    answer = ask(forge, said(pull, Stop(), comment=2), ME + 1)
    assert isinstance(answer, Declined) and "`actions: write`" in answer.reply


# --- killed at every write ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


def by_comment(forge: FakeForge) -> Trigger:
    pull = forge.add_pull("feature")
    return said(pull, comment=forge.say(pull.number, "dev", "/grok fix").id)


def by_step(forge: FakeForge) -> Trigger:
    return step(forge, run=ME)


@pytest.mark.parametrize("arrival", [red_main, by_comment, by_step])
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("writes", range(1, 5))
@pytest.mark.parametrize("same_run", [True, False])
def test_killed_at_any_write_and_run_again_it_is_one_line(
    arrival: Callable[[FakeForge], Trigger], existing: bool, writes: int, same_run: bool
) -> None:
    forge = shop()
    if existing:
        forge.push("other", {"x": "y"})
        claimed(ask(forge, of_run(forge.add_run(forge.branches["other"], branch="other")), 3_999))
    before = len(ledger_lines(forge))
    trigger = arrival(forge)
    forge.crash_after(writes, Killed())
    killed = False
    try:
        ask(forge, trigger, job="runner 1")
    except Killed:
        killed = True
    assert killed is (writes <= 3 if arrival is by_comment else writes <= 2)
    if killed:
        own(forge, ME, status="completed", conclusion="failure")
    forge.crash_after(10_000, Killed())
    # A step's run is the run under test: run again, it is the same. So is one that was not killed at all.
    number = ME if same_run or not killed or arrival is by_step else ME + 1
    found = claimed(ask(forge, trigger, number, job="runner 1"))
    assert len(ledger_lines(forge)) == before + 1
    (entry,) = [entry for entry in Ledger(forge, FakeClock()).entries() if entry.attempt == found.attempt]
    assert entry.claim == found and entry.own.id == number


@pytest.mark.parametrize("method", ["cancel_run", "create_commit", "move_branch"])
def test_stop_killed_and_run_again_stops(method: str) -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    claimed(ask(forge, said(pull, comment=1)))
    forge.fail(method, Killed(), after=True)
    with pytest.raises(Killed):
        ask(forge, said(pull, Stop(), comment=2), ME + 1)
    own(forge, ME, status="completed", conclusion="cancelled")
    assert isinstance(ask(forge, said(pull, Stop(), comment=2), ME + 1), Answered)
    (entry,) = Ledger(forge, FakeClock()).entries()
    assert entry.state.value == "stopped"


# --- between jobs ---------------------------------------------------------------------------------------------------

WHOLE = Claim(
    trigger=replace(said(5), sha="a" * 40, branch="wip/Größe", head_repository=REPOSITORY, base_branch="main"),
    attempt="0123456789abcdef",
    run_url="https://github.test/octo/shop/actions/runs/1",
    asked=True,
    progress_comment=7,
)


@pytest.mark.parametrize(
    "command",
    [None, Fix(), Fix(("a.py::t[x y]",), 'say "ü"', 3, "search"), Explain(("a",)), Flaky(), Retry(Fix(("b",)))],
)
def test_a_claim_is_the_same_on_the_other_side(command: Command | None) -> None:
    whole = replace(WHOLE, trigger=replace(WHOLE.trigger, command=command))
    text = to_json(whole)
    assert from_json(text) == whole
    assert text.isascii() and "\n" not in text


DATA: dict[str, JsonValue] = json.loads(to_json(WHOLE))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("attempt", "0123"),
        ("attempt", "../../../../x/y"),
        ("attempt", None),
        ("asked", 1),
        ("asked", "true"),
        ("extra", 1),
        ("run_url", "javascript:alert(1)"),
        ("run_url", "https://x/ [a](b)\n"),
        ("progress_comment", 0),
        ("progress_comment", "7"),
        ("trigger", None),
        ("trigger.kind", "root"),
        ("trigger.extra", 1),
        ("trigger.repository", "octo/shop/../x"),
        ("trigger.repository", "octo/shop\n"),
        ("trigger.sha", "a" * 39),
        ("trigger.sha", "main"),
        ("trigger.sha", "a" * 40 + "\n"),
        ("trigger.branch", "--force"),
        ("trigger.branch", "a b"),
        ("trigger.branch", "a..b"),
        ("trigger.sender", "@org/team"),
        ("trigger.pull_request", -1),
        ("trigger.pull_request", True),
        ("trigger.pull_request", 1.0),
        ("trigger.run_id", 10**30),
        ("trigger.command", {"name": "stop"}),
        ("trigger.command", {"name": "fix"}),
        ("trigger.command.hint", "x" * 501),
        ("trigger.command.attempts", 21),
        ("trigger.command.engine", "gpt"),
        ("trigger.command.tests", ["x"] * 21),
        ("trigger.command.tests", ["--collect-only"]),
        ("trigger.command.tests", [""]),
        ("trigger.workflow", "x" * 256),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_claim_that_we_did_not_write_is_refused(path: str, value: JsonValue) -> None:
    with pytest.raises(ConfigError) as error:
        from_json(json.dumps(changed(DATA, path, value)))
    assert str(error.value).isprintable() and len(str(error.value)) < 800


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "NaN", "{", "[" * 100_000, "\ud800", to_json(WHOLE) + "x"])
def test_no_claim_at_all(text: str) -> None:
    with pytest.raises(ConfigError):
        from_json(text)


def test_an_event_is_ignored_without_heavy_imports() -> None:
    program = "import sys, bot.trigger.events, bot.trigger.claim; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
