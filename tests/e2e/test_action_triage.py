"""Triage in GitHub Actions, from the event to the end state on the code host.

The shards' runs are written down here, but for one test and for tests/e2e/test_action_act.py: what a laboratory sees is
tested elsewhere, and a night of real runs takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.evidence.types import TestId
from bot.flaky.nights import dump, load
from bot.flaky.types import Cause, Counts, Failed, Finding, Night, Proof, RunRecord, RunSource, Shard, Trial
from bot.toolchains.types import PLAIN
from bot.trigger.dashboard_boxes import ALL, Verb, key_of
from tests.action_world import READS, SETTINGS, Step, World, ledger
from tests.dashboard_ticks import dashboard, edited, ticked
from tests.github_server import GitHubServer, JobSpec

QUICK = SETTINGS + "triage: {minutes: 1, runs: 8, suspects: 1, quarantine_days: 14}\n"
FILES = {
    "pyproject.toml": (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.9"\n'
        # The plugins are those of our own development environment: importing them takes a second a run.
        '[tool.pytest.ini_options]\naddopts = "-p no:hypothesispytest -p no:playwright -p no:anyio"\n'
    ),
    "tests/test_cart.py": "def test_total():\n    assert True\n\n\ndef test_cheapest():\n    assert True\n",
    "CODEOWNERS": "/tests/ @octo/shopkeepers\n",
}
SCHEDULE = {"schedule": "37 3 * * *", "repository": {"full_name": "octo/shop", "default_branch": "main"}}
TOTAL = TestId("tests/test_cart.py", "tests.test_cart", "test_total")
CHEAPEST = TestId("tests/test_cart.py", "tests.test_cart", "test_cheapest")
START = time.time()
LOST = "handed in nothing"


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps", QUICK, files=FILES, bug={"NEWS.md": "news\n"})


def claim(world: World, shards: int = 2, event: str = "schedule", **options: Any) -> Step:
    payload = {**SCHEDULE, "sender": {"login": "maintainer"}} if event == "workflow_dispatch" else SCHEDULE
    return world.action(event, payload, mode="claim", shard=str(shards), **options)


def claimed(world: World, shards: int = 2, **options: Any) -> str:
    step = claim(world, shards, **options)
    assert (step.exit_code, step.outputs["proceed"]) == (0, "true"), step.log
    return step.outputs["trigger"]


def night(trigger: str, number: int = 1, of: int = 2, *, failing: Sequence[int] = (1, 4), runs: int = 6) -> Night:
    """What a shard hands in: test_cheapest fails in some of its runs, and a proof why."""
    told = json.loads(trigger)
    session, sha = f"night-{told['attempt']}", told["trigger"]["sha"]
    records = tuple(
        RunRecord(
            key=f"rerun:{session}/{number}/{run}",
            source=RunSource.RERUN,
            group="branch:main",
            commit=sha,
            environment="docker",
            attempt=1,
            at=START + run,
            seconds=30.0,
            tests=(TOTAL, CHEAPEST),
            failed={CHEAPEST: Failed("f" * 64, "AssertionError", "3 == 1")} if run in failing else {},
        )
        for run in range(runs)
    )
    keys = tuple(record.key for record in records)
    trials = tuple(
        Trial(label, (CHEAPEST,), PLAIN, Counts(6, failed), keys=keys)
        for label, failed in (("provoked", 6), ("removed", 0), ("provoked again", 6))
    )
    finding = Finding(CHEAPEST, (Proof(Cause.HASH_ORDER, "PYTHONHASHSEED=3", trials),), ())
    findings = (finding,) if failing else ()
    return Night(session, Shard(number, of), START, sha, "docker", records, findings)


def handed(place: Path, *nights: Night) -> Path:
    """The workspace of the publishing job, with the artifacts as they are downloaded."""
    place.mkdir(parents=True, exist_ok=True)
    for each in nights:
        folder = place / "grokfix-bundle" / f"grokfix-night-{each.shard.number - 1}"
        folder.mkdir(parents=True)
        (folder / "night.jsonl").write_bytes(dump(each))
    return place


def publish(world: World, trigger: str, place: Path, **options: Any) -> Step:
    return world.action("schedule", SCHEDULE, mode="publish", trigger=trigger, workspace=place, **options)


def whole_night(world: World, place: Path, **options: Any) -> Step:
    """Claimed, handed in by two shards, published."""
    trigger = claimed(world)
    step = publish(world, trigger, handed(place, night(trigger, 1, **options), night(trigger, 2, **options)))
    assert step.exit_code == 0, step.log
    return step


def kept(world: World) -> list[Night]:
    """The nights on the data branch, those of reruns only."""
    files = world.shop.seen("grokfix-data").files
    nights = [load(files[path]) for path in sorted(files) if path.startswith("flaky/nights/")]
    assert all(isinstance(each, Night) for each in nights)
    return [each for each in nights if isinstance(each, Night) and each.session.startswith("night-")]


def in_page(uploaded: Path) -> Any:
    """The data that stands in flaky.html."""
    text = (uploaded / "flaky.html").read_text()
    [data] = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(data)


def test_the_first_night(world: World, tmp_path: Path) -> None:
    step = whole_night(world, tmp_path / "publish")
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("flaky", "needs_human")
    [whole] = kept(world)
    assert len(whole.records) == 12
    assert [(change.test, change.state) for change in whole.changes] == [(CHEAPEST, "flaky")]
    [line] = ledger(world)
    assert (line["state"], line["outcome"], line["claim"]["trigger"]["kind"]) == ("ended", "flaky", "schedule")
    assert line["claim"]["trigger"]["command"]["name"] == "triage"
    body = dashboard(world).body
    for told in ("test_cheapest", "4 of 12", "hash order", "octo/shopkeepers"):
        assert told in body
        assert told in step.summary or told == "octo/shopkeepers"
    assert LOST not in body + step.summary
    uploaded = tmp_path / "publish" / step.outputs["bundle"]
    assert sorted(each.name for each in uploaded.iterdir()) == ["flaky.html", "summary.md", "triage.json"]
    report = json.loads((uploaded / "triage.json").read_text())
    assert [test["verdict"] for test in report["tests"]] == ["flaky"]
    assert in_page(uploaded) == report


def test_the_second_night_reads_only_what_is_new_and_counts_both(world: World, tmp_path: Path) -> None:
    whole_night(world, tmp_path / "first")
    before = len(world.server.journal)
    step = whole_night(world, tmp_path / "second", failing=())
    downloads = [each for each in world.server.journal[before:] if "artifacts" in each.path and "/runs/" in each.path]
    assert downloads == []
    assert len(kept(world)) == 2
    assert step.outputs["outcome"] == "flaky"
    body = dashboard(world).body
    assert "4 of 24" in body
    assert "hash order" in body, "what was proved on the first night holds"
    assert [change.test for each in kept(world) for change in each.changes] == [CHEAPEST]
    page = in_page(tmp_path / "second" / step.outputs["bundle"])
    weeks = [week for test in page["tests"] for week in test["weeks"]]
    assert (sum(runs for _, runs, *_ in weeks), sum(failures for _, _, failures, *_ in weeks)) == (24, 4)


def test_a_lost_shard_is_said_and_not_guessed(world: World, tmp_path: Path) -> None:
    trigger = claimed(world)
    step = publish(world, trigger, handed(tmp_path / "publish", night(trigger, 2)))
    assert (step.exit_code, step.outputs["outcome"]) == (0, "flaky"), step.log
    assert "Shards that handed in nothing: 1." in step.summary
    assert "Shards that handed in nothing: 1." in dashboard(world).body
    assert "2 of 6" in dashboard(world).body
    [whole] = kept(world)
    assert any(LOST in problem for problem in whole.problems)


def test_nothing_handed_in_is_no_good_news(world: World, tmp_path: Path) -> None:
    whole_night(world, tmp_path / "first")
    trigger = claimed(world)
    step = publish(world, trigger, handed(tmp_path / "second"))
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "infrastructure"), step.log
    assert "no shard handed in anything" in step.summary
    assert "4 of 12" in dashboard(world).body
    assert len(kept(world)) == 1


def test_a_night_killed_while_publishing_goes_on(world: World, tmp_path: Path) -> None:
    trigger = claimed(world)
    place = handed(tmp_path / "publish", night(trigger, 1), night(trigger, 2))
    publish(world, trigger, place)
    before = world.shop.branches["grokfix-data"]
    step = publish(world, trigger, place)  # the job is run again
    assert (step.exit_code, step.outputs["outcome"]) == (0, "flaky"), step.log
    assert len(kept(world)) == 1
    assert len(ledger(world)) == 1
    assert "4 of 12" in dashboard(world).body
    files = [name for name in world.shop.seen("grokfix-data").files if name.startswith("flaky/nights/")]
    assert files == [name for name in world.shop.seen(before).files if name.startswith("flaky/nights/")]


def test_a_claim_killed_and_run_again_is_the_same_night(world: World) -> None:
    first = claim(world, run_id=77).outputs["trigger"]
    second = claim(world, run_id=77)
    assert second.outputs["proceed"] == "true", second.log
    assert json.loads(first)["attempt"] == json.loads(second.outputs["trigger"])["attempt"]
    assert len(ledger(world)) == 1


def test_two_nights_at_once_on_one_commit_are_one(world: World) -> None:
    own = world.shop.add_run("grokfix triage", branch="main", event="schedule", status="in_progress", conclusion=None)
    claimed(world, run_id=own.id)
    step = claim(world, event="workflow_dispatch")
    assert step.outputs["proceed"] == "false", step.log
    assert "being worked on" in step.log


def test_two_nights_at_once_on_two_commits_are_both_kept(world: World, tmp_path: Path) -> None:
    first = claimed(world)
    world.shop.commit("main", {"NEWS.md": "more\n"}, "More")
    second = claimed(world)
    steps = [
        world.start(
            "schedule",
            SCHEDULE,
            mode="publish",
            trigger=trigger,
            workspace=handed(tmp_path / name, night(trigger, 1), night(trigger, 2)),
        )
        for name, trigger in (("first", first), ("second", second))
    ]
    for each in steps:
        done = each.wait()
        assert done.exit_code == 0, done.log
    assert len({each.session for each in kept(world)}) == 2
    assert [line["state"] for line in ledger(world)] == ["ended", "ended"]


# --- what is handed in is not believed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "forged"),
    [
        ("another session", lambda it: replace(it, session="night-0000")),
        ("another commit", lambda it: replace(it, commit="0" * 40)),
        ("shard 1 of 3", lambda it: replace(it, shard=Shard(1, 3))),
        (
            "not its own",
            lambda it: replace(
                it, records=(*it.records, replace(it.records[0], key="ci:1/1/test", source=RunSource.CI))
            ),
        ),
        ("not its own", lambda it: replace(it, records=(replace(it.records[0], key=f"rerun:{it.session}/2/0"),))),
    ],
    ids=["session", "commit", "shards", "history", "another shard's"],
)
def test_a_night_that_no_job_of_this_claim_can_have_made(world: World, tmp_path: Path, said: str, forged: Any) -> None:
    trigger = claimed(world)
    step = publish(world, trigger, handed(tmp_path / "publish", forged(night(trigger, 1))))
    assert (step.exit_code, step.outputs["outcome"]) == (0, "stopped"), step.log
    assert said in step.summary
    assert kept(world) == []


def test_garbage_links_and_pipes_are_not_read(world: World, tmp_path: Path) -> None:
    trigger = claimed(world)
    place = handed(tmp_path / "publish", night(trigger, 2))
    folders = [place / "grokfix-bundle" / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "night.jsonl").write_bytes(b"\xff" * 1000)
    (folders[1] / "night.jsonl").symlink_to("/dev/zero")
    os.mkfifo(folders[2] / "night.jsonl")
    step = publish(world, trigger, place)
    assert (step.exit_code, step.outputs["outcome"]) == (0, "flaky"), step.log
    assert step.summary.count("is no regular file") == 2
    assert "Shards that handed in nothing: 1." in step.summary


def test_a_night_tells_no_secret_and_no_command(world: World, tmp_path: Path) -> None:
    trigger = claimed(world, 1)
    token = world.token()
    hostile = replace(CHEAPEST, name=f"test[::error::x {token} @octo/team <img src=x> fixes #1]")
    one = night(trigger, 1, 1)
    records = tuple(
        replace(
            each,
            tests=(TOTAL, hostile),
            failed=dict.fromkeys((hostile,) if each.failed else (), Failed("f" * 64, "AssertionError", "no")),
        )
        for each in one.records
    )
    place = handed(tmp_path / "publish", replace(one, records=records, findings=()))
    step = publish(world, trigger, place, token=token)
    assert step.exit_code == 0, step.log
    body = dashboard(world).body
    data = b"".join(world.shop.seen("grokfix-data").files.values()).decode("utf-8", "replace")
    page = (place / step.outputs["bundle"] / "flaky.html").read_text()
    for text in (body, step.summary, step.log, data, page):
        assert token not in text
    assert "<img" not in page
    assert "<img" not in re.sub(r"(`+).*?\1", "", body + step.summary)  # in code it is nothing but letters
    assert not any(line.startswith("::error") for line in step.log.splitlines())


# --- the history ------------------------------------------------------------------------------------------------------


def test_of_an_incomplete_scan_nothing_is_acted_on(world: World, tmp_path: Path) -> None:
    """The history has both outcomes at one commit; tonight it cannot be read to its end."""
    for conclusion in ("failure", "success"):
        world.shop.add_run(
            "CI",
            head_sha=world.red,
            branch="main",
            event="push",
            conclusion=conclusion,
            actor="maintainer",
            artifacts={"junit": {"junit.xml": report(failed=conclusion == "failure")}},
            jobs=(JobSpec("test", conclusion),),
        )
    trigger = claimed(world)
    quiet = [night(trigger, number, failing=()) for number in (1, 2)]
    step = publish(world, trigger, handed(tmp_path / "whole", *quiet))
    assert step.outputs["outcome"] == "flaky", step.log + step.summary
    # The next one spends all calls that it may make before it comes so far.
    world.shop.commit("main", {"NEWS.md": "older\n"}, "More")
    trigger = claimed(world)
    files = world.shop.seen("grokfix-data").files
    [reading] = [name for name in files if b"history-" + json.loads(trigger)["attempt"].encode() in files[name]]
    told = load(files[reading])
    assert isinstance(told, Night)
    assert told.scan is not None
    cut = replace(told, scan=replace(told.scan, complete=False, problems=("the calls were used up",)))
    world.shop.commit("grokfix-data", {reading: dump(cut).decode()}, "Cut short")
    quiet = [night(trigger, number, failing=()) for number in (1, 2)]
    step = publish(world, trigger, handed(tmp_path / "cut", *quiet))
    assert step.outputs["outcome"] == "no_failures", step.log + step.summary
    assert "could not be read whole" in step.summary


def report(*, failed: bool) -> bytes:
    inner = '<failure message="3 == 1">tests/test_cart.py:6: AssertionError</failure>' if failed else ""
    return (
        '<testsuite name="pytest" tests="2">'
        '<testcase classname="tests.test_cart" name="test_total" file="tests/test_cart.py" time="0.01"/>'
        f'<testcase classname="tests.test_cart" name="test_cheapest" file="tests/test_cart.py" time="0.01">{inner}'
        "</testcase></testsuite>"
    ).encode()


# --- the dashboard ----------------------------------------------------------------------------------------------------


def test_a_writer_ticks_quarantine_and_gets_a_pull_request(world: World, tmp_path: Path) -> None:
    whole_night(world, tmp_path / "first")
    body = dashboard(world).body
    event = edited(world, ticked(body, Verb.QUARANTINE, key_of(CHEAPEST)))
    step = world.action("issues", event, mode="claim", shard="2")
    assert (step.outputs["proceed"], step.outputs["shards"]) == ("true", "[]"), step.log
    done = publish(world, step.outputs["trigger"], tmp_path / "quarantine")
    assert done.exit_code == 0, done.log
    [pull] = world.shop.pulls.values()
    assert done.outputs["pull-request"].endswith(f"/pull/{pull.number}")
    listed = json.loads(world.shop.seen(pull.head_sha).files["grokfix-quarantine.json"])
    [entry] = listed["tests"]
    assert (entry["test"], entry["owner"]) == ("tests/test_cart.py::test_cheapest", "@octo/shopkeepers")
    assert "[x]" not in dashboard(world).body
    # Merged, the next night sees it quarantined; ticked again, it comes out.
    seen = world.shop.seen(pull.head_sha).files
    added = {name: seen[name].decode() for name in seen if seen[name] != world.shop.seen("main").files.get(name)}
    world.shop.commit("main", added, "Merge it")
    whole_night(world, tmp_path / "second")
    body = dashboard(world).body
    assert f"quarantined until {entry['until']}" in body
    event = edited(world, ticked(body, Verb.UNQUARANTINE, key_of(CHEAPEST)))
    step = world.action("issues", event, mode="claim", shard="2")
    done = publish(world, step.outputs["trigger"], tmp_path / "release")
    assert done.exit_code == 0, done.log
    release = max(world.shop.pulls.values(), key=lambda each: each.number)
    assert release.number != pull.number
    assert "grokfix-quarantine.json" not in world.shop.seen(release.head_sha).files


@pytest.mark.parametrize("key", [ALL, key_of(CHEAPEST)], ids=["all suspects", "one test"])
def test_a_writer_ticks_look_again(world: World, tmp_path: Path, key: str) -> None:
    whole_night(world, tmp_path / "first")
    event = edited(world, ticked(dashboard(world).body, Verb.TRIAGE, key))
    step = world.action("issues", event, mode="claim", shard="2")
    if key == ALL:  # the only one has a proven cause: nothing is left to find out
        assert step.outputs["proceed"] == "false", step.log
        assert "[x]" not in dashboard(world).body
        return
    assert step.outputs["shards"] == '["1/1"]', step.log
    trigger = step.outputs["trigger"]
    assert json.loads(trigger)["trigger"]["command"]["tests"] == ["tests/test_cart.py::test_cheapest"]
    done = publish(world, trigger, handed(tmp_path / "again", night(trigger, 1, 1)))
    assert done.exit_code == 0, done.log
    assert "6 of" in dashboard(world).body
    assert "[x]" not in dashboard(world).body


@pytest.mark.parametrize("who", ["reader", "github-actions[bot]", "stranger"])
def test_who_may_not_tick_is_not_obeyed(world: World, tmp_path: Path, who: str) -> None:
    whole_night(world, tmp_path / "first")
    body = dashboard(world).body
    event = edited(world, ticked(body, Verb.QUARANTINE, key_of(CHEAPEST)), sender=who)
    step = world.action("issues", event, mode="claim", shard="2")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false"), step.log
    assert dashboard(world).body == body or who == "github-actions[bot]"
    assert world.shop.pulls == {}
    assert len(ledger(world)) == 1


def test_a_body_that_was_edited_elsewhere_is_put_back(world: World, tmp_path: Path) -> None:
    whole_night(world, tmp_path / "first")
    body = dashboard(world).body
    event = edited(world, ticked(body, Verb.QUARANTINE, key_of(CHEAPEST)).replace("test_cheapest", "test_total"))
    step = world.action("issues", event, mode="claim", shard="2")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false"), step.log
    assert dashboard(world).body == body
    assert len(ledger(world)) == 1


def test_other_issues_are_nobodys_dashboard(world: World, tmp_path: Path) -> None:
    whole_night(world, tmp_path / "first")
    event = edited(world, dashboard(world).body)
    event["issue"] = {"number": 99, "title": "Mine", "body": "<!-- grokfix:dashboard flaky -->", "user": {"login": "x"}}
    step = world.action("issues", event, mode="claim", shard="2")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false"), step.log


# --- one job that really runs -----------------------------------------------------------------------------------------


def test_a_shard_that_only_reads_runs_the_tests(world: World, tmp_path: Path) -> None:
    trigger = claimed(world, 1)
    before = dict(world.shop.branches)
    workspace = tmp_path / "matrix"
    workspace.mkdir()
    step = world.action(
        "schedule",
        SCHEDULE,
        mode="analyze",
        trigger=trigger,
        shard="1/1",
        token=world.token(READS),
        workspace=workspace,
    )
    assert step.exit_code == 0, step.log
    assert dict(world.shop.branches) == before
    place = tmp_path / "publish"
    place.mkdir()
    (workspace / "grokfix-bundle").rename(place / "grokfix-bundle")
    done = publish(world, trigger, place)
    assert (done.exit_code, done.outputs["outcome"]) == (0, "no_failures"), done.log
    [whole] = kept(world)
    assert 1 <= len(whole.records) <= 8
    assert [each.title for each in world.shop.issues.values()] == []  # nothing to tell, so nobody is told


def test_a_shard_that_cannot_run_is_red_and_its_night_goes_on(world: World, tmp_path: Path) -> None:
    trigger = claimed(world)
    step = world.action("schedule", SCHEDULE, mode="analyze", trigger=trigger, shard="1/3", token=world.token(READS))
    assert step.exit_code == 2, step.log
    assert "divided into 2" in step.log
