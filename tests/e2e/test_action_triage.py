"""Triage in GitHub Actions, from the event to the end state on the code host.

The shards' runs are written down here, but for one test and for tests/e2e/test_action_act.py: what a laboratory sees is
tested elsewhere, and a night of real runs takes minutes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.evidence.types import TestId
from bot.flaky.nights import dump, load
from bot.flaky.types import Cause, Counts, Failed, Finding, Night, Proof, RunRecord, RunSource, Shard, Trial
from bot.toolchains.types import PLAIN
from bot.trigger.dashboard_boxes import ALL, Verb, box, key_of
from tests.action_world import READS, SETTINGS, Step, World, ledger
from tests.github_server import GitHubServer, JobSpec
from tests.github_server.state import Issue

QUICK = SETTINGS + "triage: {minutes: 1, runs: 8, suspects: 1, quarantine_days: 14}\n"
FILES = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.9"\n',
    "tests/test_cart.py": "def test_total():\n    assert True\n\n\ndef test_cheapest():\n    assert True\n",
    "CODEOWNERS": "/tests/ @octo/shopkeepers\n",
}
SCHEDULE = {"schedule": "37 3 * * *", "repository": {"full_name": "octo/shop", "default_branch": "main"}}
TOTAL = TestId("tests/test_cart.py", "tests.test_cart", "test_total")
CHEAPEST = TestId("tests/test_cart.py", "tests.test_cart", "test_cheapest")
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
            at=1_700_000_000.0 + run,
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
    return Night(session, Shard(number, of), 1_700_000_000.0, sha, "docker", records, findings)


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


def dashboard(world: World) -> Issue:
    [issue] = [each for each in world.shop.issues.values() if each.title == "Flaky tests"]
    return issue


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
    report = json.loads((tmp_path / "publish/grokfix-flaky/triage.json").read_text())
    assert [test["verdict"] for test in report["tests"]] == ["flaky"]
