"""A repair that is ticked on the dashboard, from the tick to the pull request, and a bundle that was forged on the way.

One analysis is really run, in the process sandbox and without a model; both tests publish what it left.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.evidence.types import TestId
from bot.flaky.nights import dump, load
from bot.flaky.types import Cause, Counts, Failed, Finding, Night, Proof, RunRecord, RunSource, Shard, Trial
from bot.publish.bundle import NIGHT
from bot.toolchains.types import Conditions
from bot.trigger.dashboard_boxes import Verb, key_of
from tests.action_world import READS, SETTINGS, Step, World, ledger
from tests.dashboard_ticks import dashboard, edited, ticked
from tests.github_server import GitHubServer

ZOO = Path(__file__).parents[1] / "zoo/victim"
POUNDS = TestId("tests/test_basket.py", "tests.test_basket", "test_pounds")
LOADED = TestId("tests/test_admin.py", "tests.test_admin", "test_a_table_can_be_loaded")
OTHER = TestId("tests/test_invoice.py", "tests.test_invoice", "test_nothing_to_pay")
QUICK = SETTINGS + "triage: {minutes: 5, runs: 40, suspects: 1}\nlimits: {minutes: 3}\n"
SCHEDULE = {"schedule": "37 3 * * *", "repository": {"full_name": "octo/shop", "default_branch": "main"}}


def zoo() -> dict[str, str]:
    files = {
        path.relative_to(ZOO).as_posix(): path.read_text()
        for path in sorted(ZOO.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    # The plugins are those of our own development environment: importing them takes a second a run.
    return files | {"pytest.ini": "[pytest]\naddopts = -p no:hypothesispytest -p no:playwright -p no:anyio\n"}


def first_night(trigger: str) -> Night:
    """What a shard handed in a while ago: the victim failed after its polluter, and an experiment showed it."""
    told = json.loads(trigger)
    session, sha, now = f"night-{told['attempt']}", told["trigger"]["sha"], time.time()
    failed = {POUNDS: Failed("f" * 64, "KeyError", "'GBP'")}
    records = tuple(
        RunRecord(
            key=f"rerun:{session}/1/{run}",
            source=RunSource.RERUN,
            group="branch:main",
            commit=sha,
            environment="docker",
            attempt=1,
            at=now + run,
            seconds=1.0,
            tests=(LOADED, POUNDS) if run % 2 else (POUNDS, LOADED),
            failed=failed if run % 2 else {},
        )
        for run in range(8)
    )
    trials = tuple(
        Trial(label, tests, Conditions(in_order=True), Counts(4, failures), keys=(records[1].key,))
        for label, tests, failures in (
            ("provoked", (LOADED, POUNDS), 4),
            ("removed", (OTHER, POUNDS), 0),
            ("provoked again", (LOADED, POUNDS), 4),
        )
    )
    proof = Proof(Cause.VICTIM, f"fails after {LOADED.node_id}", trials, (LOADED,))
    return Night(session, Shard(1, 1), now, sha, "docker", records, (Finding(POUNDS, (proof,), ()),))


@dataclass
class Ticked:
    """trigger: what claim took. analyzed: the job that ran tests. bundle: the folder that it left."""

    trigger: str
    analyzed: Step
    bundle: Path


def the_tick(world: World, folder: Path) -> str:
    """A night is told, and somebody ticks the repair: the claim's trigger."""
    step = world.action("schedule", SCHEDULE, mode="claim", shard="1")
    night = first_night(step.outputs["trigger"])
    place = folder / "grokfix-bundle" / "grokfix-night-0"
    place.mkdir(parents=True)
    (place / "night.jsonl").write_bytes(dump(night))
    told = world.action("schedule", SCHEDULE, mode="publish", trigger=step.outputs["trigger"], workspace=folder)
    assert told.exit_code == 0, told.log
    event = edited(world, ticked(dashboard(world).body, Verb.FIX, key_of(POUNDS)))
    step = world.action("issues", event, mode="claim", shard="2")
    assert (step.outputs["proceed"], step.outputs["shards"], step.outputs["mend"]) == ("true", '["1/1"]', "true"), (
        step.log
    )
    return step.outputs["trigger"]


def publish(world: World, trigger: str, bundle: Path, place: Path) -> Step:
    """The publishing job, with the artifact as it is downloaded from a matrix."""
    shutil.copytree(bundle, place / "grokfix-bundle" / "grokfix-night-0")
    return world.action("issues", {}, mode="publish", trigger=trigger, workspace=place)


def test_a_ticked_repair_becomes_a_pull_request_and_a_forged_one_does_not(github: GitHubServer, tmp_path: Path) -> None:
    world = World.make(github, tmp_path / "steps", QUICK, files=zoo(), bug={"NEWS.md": "news\n"})
    trigger = the_tick(world, tmp_path / "first")
    workspace = tmp_path / "matrix"
    workspace.mkdir()
    analyzed = world.action(
        "issues",
        {},
        mode="analyze",
        trigger=trigger,
        shard="1/1",
        token=world.token(READS),
        workspace=workspace,
        seconds=500,
    )
    assert analyzed.exit_code == 0, analyzed.log
    bundle = workspace / "grokfix-bundle"
    night = load((bundle / "fix" / NIGHT).read_bytes())
    assert isinstance(night, Night)
    assert night.findings[0].proofs[0].polluters == (LOADED,), "the cause was shown anew"

    forged = publish(world, trigger, forge_night_and_patch(bundle, tmp_path / "forged"), tmp_path / "hostile")
    assert (forged.exit_code, forged.outputs["outcome"]) == (0, "stopped"), forged.log
    assert "test_assertions" in forged.summary
    assert world.shop.pulls == {}
    body = dashboard(world).body
    assert "[x]" not in body
    assert "stopped before the end" in body

    done = publish(world, trigger, bundle, tmp_path / "publish")
    assert done.exit_code == 0, done.log
    # Needs review: what is added to a polluter's file is a person's to judge.
    assert done.outputs["outcome"] == "needs_review", done.log + done.summary
    [pull] = world.shop.pulls.values()
    assert (pull.base_branch, done.outputs["pull-request"].endswith(f"/pull/{pull.number}")) == ("main", True)
    changed = world.shop.seen(pull.head_sha).files["tests/test_admin.py"].decode()
    assert 'monkeypatch.setattr(rates, "_rates"' in changed
    for told in ("times before and 0 of", "failed again under the same provocation", POUNDS.node_id):
        assert told in pull.body
    body = dashboard(world).body
    assert "[x]" not in body
    assert f"#{pull.number}" in body
    lines = {line["attempt"]: line for line in ledger(world)}
    line = lines[json.loads(trigger)["attempt"]]
    assert (line["state"], line["pull_requests"]) == ("ended", [pull.number])
    assert line["fingerprints"]
    assert line["cost_usd"] == 0.0


def forge_night_and_patch(bundle: Path, place: Path) -> Path:
    """A job that was broken out of: its night and gates agree with a patch that weakens the test it calls a polluter."""
    shutil.copytree(bundle, place)
    folder = place / "fix"
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    [repair] = result["repairs"]
    patch: str = repair["patch"]
    weaker = patch.replace('     rates.load({"EUR"', '-    rates.load({"EUR"')
    assert weaker != patch
    head = next(line for line in patch.splitlines() if line.startswith("@@"))
    old, new = head.split()[1:3]
    start, count = new.split(",")
    weaker = weaker.replace(head, head.replace(f"{old} {new}", f"{old} {start},{int(count) - 1}"))
    digest = hashlib.sha256(weaker.encode()).hexdigest()
    for gate in repair["gates"]:
        if gate["patch_sha256"]:
            gate["patch_sha256"] = digest
    result["patch"] = repair["patch"] = weaker
    return written(place, result)


def written(place: Path, result: dict[str, Any]) -> Path:
    """The result in its file, with its hash in the manifest."""
    folder = place / "fix"
    content = json.dumps(result)
    (folder / "result.json").write_text(content)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"]["result.json"] = hashlib.sha256(content.encode()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return place
