"""The action as GitHub runs it: workflows that `grokfix init` wrote, the real image and sandbox, by act."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import repositories
from tests.act.run import Act, ActRun, Host
from tests.action_world import PATCH, World, ledger
from tests.command_line import BUGGY, grokfix, text
from tests.github_server import GitHubServer, TokenKind
from tests.github_server.payloads import of_comment, of_push, of_run
from tests.model_server import ModelServer, fix

pytestmark = [pytest.mark.docker, pytest.mark.act]

NEW_TEST = (
    "tests/test_cheapest_order.py",
    "from shop.cart import cheapest\n\n\ndef test_cheapest_in_the_middle():\n    assert cheapest([2, 1, 3]) == 1\n",
)
CI = """\
name: CI
on: [push, pull_request]
permissions: {contents: read}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: python -m pytest --junitxml=reports/junit.xml
"""
STEP = """\
      - if: failure()
        id: grokfix
        uses: grokfix/grokfix@v0.1.0
        with: {junit: reports/*.xml, engine: search}
"""


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps", settings="version: 1\n")


def project(world: World, folder: Path, mode: str) -> Path:
    """A clone with the workflow that `grokfix init` writes for it."""
    repositories.make(folder, {**BUGGY, ".github/workflows/ci.yml": CI})
    done = grokfix("init", folder, "--mode", mode, "--yes", cwd=folder)
    assert done.exit_code == 0, text(done)
    repositories.commit(folder, {}, "grokfix init")
    return folder


def run(
    act: Act, world: World, folder: Path, event: str, payload: Mapping[str, Any], workflow: str, **options: Any
) -> ActRun:
    server = world.server

    def mint(_job: str, grants: Mapping[str, str]) -> str:
        return server.token(TokenKind.ACTIONS, {name.replace("_", "-"): level for name, level in grants.items()})

    host = Host(server.server_url, server.api_url, server.graphql_url)
    given: dict[str, Any] = {"sha": world.red, "run_id": 4711} | options
    return act.run_workflow(folder, f".github/workflows/{workflow}", event, payload, host=host, mint=mint, **given)


def test_three_jobs_for_a_failed_run(act: Act, world: World, tmp_path: Path) -> None:
    with ModelServer([fix("The comparison keeps the dearest price.", PATCH, NEW_TEST)]) as model:
        settings = f"version: 1\nengine: model\nmodel:\n  name: scripted\n  base_url: {model.base_url}\n"
        world.shop.commit("main", {".github/grokfix.yml": settings}, "Ask the model")
        failed = world.failed_run()
        folder = project(world, tmp_path / "project", "three-jobs")
        done = run(
            act,
            world,
            folder,
            "workflow_run",
            of_run(world.shop, failed),
            "grokfix.yml",
            secrets={"XAI_API_KEY": "xai-test-key"},
        )
    assert done.exit_code == 0, done.log
    assert dict(done.jobs) == {"claim": "success", "analyze": "success", "publish": "success"}, done.log
    assert done.left_behind == ()
    [pull] = world.shop.pulls.values()
    seen = world.shop.seen(pull.head_sha)
    assert seen.parents == (world.shop.branches["main"],)
    assert seen.verified
    assert b"price < best" in seen.files["shop/cart.py"]
    assert seen.files[NEW_TEST[0]] == NEW_TEST[1].encode()
    assert pull.draft
    assert "The comparison keeps the dearest price" in pull.title
    [line] = ledger(world)
    assert (line["outcome"], line["pull_requests"]) == ("repaired", [pull.number])
    trace = world.shop.file("grokfix-data", f"traces/{line['attempt']}/trace.jsonl")
    assert trace is not None
    assert json.loads(trace.splitlines()[0])["format"] == "grokfix-trace/1"
    assert "xai-test-key" not in done.log
    assert b"xai-test-key" not in trace


def test_a_command_on_a_pull_request(act: Act, world: World, tmp_path: Path) -> None:
    shop = world.shop
    shop.commit("main", {"shop/cart.py": BUGGY["shop/cart.py"].replace("price > best", "price < best")}, "Mend it")
    shop.commit("cheaper", {"shop/cart.py": BUGGY["shop/cart.py"]}, "Break it", start="main")
    pull = shop.add_pull("cheaper", "main", title="Cheaper", user="maintainer")
    world.failed_run("cheaper", event="pull_request", pull_requests=[pull.number])
    comment = shop.add_comment(pull.number, "maintainer", "Please:\n\n/grok fix --engine search\n")
    folder = project(world, tmp_path / "project", "one-job")
    done = run(act, world, folder, "issue_comment", of_comment(shop, comment), "grokfix.yml")
    assert done.exit_code == 0, done.log
    assert done.left_behind == ()
    stacked = shop.pulls[pull.number + 1]
    assert (stacked.base_branch, stacked.draft) == ("cheaper", True), done.log
    assert shop.seen(stacked.head_sha).parents == (shop.branches["cheaper"],)
    [_, progress] = shop.comments(pull.number)
    assert f"#{stacked.number}" in progress.body
    assert len(progress.edits) >= 3  # starting, on its way, the result
    assert sorted(each.content for each in shop.reactions(comment.id)) == ["eyes", "rocket"]
    [line] = ledger(world)
    assert line["outcome"] == "repaired"


WAVERING = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.9"\n',
    "tests/test_wavers.py": (
        "def test_wavers():\n    assert next(iter({'spam', 'eggs', 'toast'})) == 'spam'\n\n\n"
        "def test_holds():\n    assert True\n"
    ),
}
"""A test that depends on the order of hashes: its runs differ from the first seeds on."""


def test_a_night_in_two_shards(act: Act, github: GitHubServer, tmp_path: Path) -> None:
    settings = "version: 1\ntriage: {minutes: 4, runs: 16, suspects: 1}\n"
    world = World.make(github, tmp_path / "steps", settings, files=WAVERING, bug={"NEWS.md": "news\n"})
    folder = tmp_path / "project"
    repositories.make(folder, WAVERING)
    done = grokfix("init", folder, "--triage", cwd=folder)
    assert done.exit_code == 0, text(done)
    workflow = folder / ".github/workflows/grokfix-triage.yml"
    written, index = workflow.read_text(), "${{ strategy.job-index }}"
    assert written.count(index) == 1
    # act does not know strategy.job-index: both shards' artifacts would have one name, and one would be lost.
    workflow.write_text(written.replace(index, "${{ startsWith(matrix.shard, '1/') && 'one' || 'two' }}"))
    repositories.commit(folder, {}, "grokfix init --triage")
    payload = {"schedule": "37 3 * * *", "repository": {"full_name": "octo/shop", "default_branch": "main"}}
    night = run(act, world, folder, "schedule", payload, "grokfix-triage.yml", seconds=560.0)
    assert night.exit_code == 0, night.log
    assert dict(night.jobs) == {"claim": "success", "triage": "success", "publish": "success"}, night.log
    assert night.left_behind == ()
    [line] = ledger(world)
    # So few runs prove no cause: whether it is more than a suspect is the laboratory's tests' affair.
    assert (line["state"], line["claim"]["trigger"]["kind"]) == ("ended", "schedule"), night.log
    kept = [path for path in world.shop.seen("grokfix-data").files if path.startswith("flaky/nights/")]
    assert len(kept) == 2  # what CI ran, and what the two shards did
    summary = next(step.summary for step in night.steps if step.job == "publish" and "Flaky tests" in step.summary)
    assert "tests/test_wavers.py::test_wavers" in summary
    assert "handed in nothing" not in summary, night.log


def test_a_step_after_the_tests(act: Act, world: World, tmp_path: Path) -> None:
    sha = world.shop.commit("main", {".github/workflows/ci.yml": CI + STEP}, "grokfix as a step")
    folder = tmp_path / "project"
    token = world.token({"contents": "read"})
    url = world.shop.clone_url.replace("://", f"://x-access-token:{token}@")
    repositories.git(tmp_path, "clone", "--quiet", "--depth=1", url, str(folder))
    done = run(act, world, folder, "push", of_push(world.shop, "main", "maintainer"), "ci.yml", sha=sha)
    step = done.step("test", "grokfix")
    assert step.outputs["outcome"] == "repaired", done.log
    # The workflow gives its token no right to write: the fix is in the summary, and nothing else was changed.
    assert "price &lt; best" in step.summary or "price < best" in step.summary
    assert done.left_behind == ()
