"""What people without rights, and what lies in a hostile checkout, can make the action do: full payloads, whole runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import repositories
from tests.action_world import BUG, GRANTS, GREEN, JUNIT, READS, SETTINGS, World, ledger
from tests.command_line import BUGGY
from tests.github_server import GitHubServer
from tests.github_server.payloads import of_pull, of_push, of_run
from tests.model_server import ModelServer


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps")


# --- whose money it is -----------------------------------------------------------------------------------------------


def contained(base_url: str) -> str:
    return f"version: 1\nmodel: {{name: scripted, base_url: {base_url}}}\n"


@pytest.mark.docker
@pytest.mark.usefixtures("docker_image")
def test_a_strangers_failed_run_is_diagnosed_and_no_model_is_asked(github: GitHubServer, tmp_path: Path) -> None:
    """Whoever sends pull requests could else spend the owners' money, a run a push."""
    with ModelServer([]) as model:  # any request is a miss, and fails the test
        world = World.make(github, tmp_path / "steps", contained(model.base_url), branch="later")
        shop, fork = world.shop, github.fork(world.shop, "mallory")
        shop.git.delete_ref("refs/heads/later")
        number = shop.add_pull("later", "main", user="mallory", from_fork=fork).number
        run = world.failed_run(
            "later",
            head_sha=world.red,
            head_repository="mallory/shop",
            event="pull_request",
            actor="mallory",
            pull_requests=[],
        )
        step = world.action("workflow_run", of_run(shop, run), engine="", api_key="sk-owners-money")
        assert model.requests == []
    assert step.exit_code == 0, step.log
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("gave_up", "needs_human"), step.log
    assert step.outputs["patch"] == step.outputs["pull-request"] == ""
    assert "Nothing was changed" in step.summary and "test_cheapest" in step.summary
    assert set(shop.branches) == {"main", "grokfix-data"}
    assert shop.comments(number) == []
    [line] = ledger(world)
    assert (line["state"], line["cost_usd"]) == ("ended", 0.0)


@pytest.mark.docker
@pytest.mark.usefixtures("docker_image")
def test_a_forks_step_asks_no_model_even_where_a_key_lies(github: GitHubServer, tmp_path: Path) -> None:
    with ModelServer([]) as model:
        world = World.make(github, tmp_path / "steps", contained(model.base_url))
        shop, fork = world.shop, github.fork(world.shop, "mallory")
        head = fork.commit("mine", {"README.md": "mine\n"}, "Mine", start="main")
        pull = shop.add_pull("mine", "main", user="mallory", from_fork=fork)
        workspace = tmp_path / "workspace"
        url = fork.clone_url.replace("://", f"://x-access-token:{world.token(READS)}@")
        repositories.git(tmp_path, "clone", "--quiet", "--branch=mine", url, str(workspace))
        (workspace / "junit.xml").write_text(JUNIT)
        step = world.action(
            "pull_request",
            of_pull(shop, pull),
            token=world.token(READS),
            workspace=workspace,
            engine="model",
            api_key="sk-owners-money",
            junit="*.xml",
            environment={"GITHUB_ACTOR": "mallory", "GITHUB_SHA": head},
        )
        assert model.requests == []
    assert (step.exit_code, step.outputs["outcome"]) == (0, "repaired"), step.log
    assert "no model was asked" in step.summary and "git apply" in step.summary
    assert world.server.writes == ()


def test_a_forks_code_never_runs_without_a_sandbox(github: GitHubServer, tmp_path: Path) -> None:
    """`sandbox.kind: process` is for one's own code: a stranger's would run beside the token."""
    world = World.make(github, tmp_path / "steps", SETTINGS, branch="later")
    shop = world.shop
    fork = github.fork(shop, "mallory")
    shop.git.delete_ref("refs/heads/later")
    number = shop.add_pull("later", "main", user="mallory", from_fork=fork).number
    _, step = world.ask(number, "/grok fix")
    assert step.exit_code == 2, step.log
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "infrastructure")
    assert "set sandbox.kind to docker" in step.summary


# --- what lies in the checkout ---------------------------------------------------------------------------------------


def checkout(folder: Path, changes: dict[str, str]) -> Path:
    repositories.make(folder, {**GREEN, **changes})
    (folder / "reports").mkdir()
    (folder / "reports" / "junit.xml").write_text(JUNIT)
    return folder


@pytest.mark.parametrize("junit", ["reports/*.xml", "**/*.xml", "reports/stolen.xml", "linked/*.xml"])
def test_reports_are_not_read_through_links_of_the_checkout(world: World, tmp_path: Path, junit: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "stolen.xml").write_text(JUNIT.replace("assert 3 == 1", "TOP SECRET"))
    workspace = checkout(tmp_path / "workspace", BUG)
    (workspace / "reports" / "stolen.xml").symlink_to(outside / "stolen.xml")
    (workspace / "linked").symlink_to(outside)
    step = world.action(
        "push",
        of_push(world.shop, "main", "maintainer"),
        workspace=workspace,
        junit=junit,
        environment={"GITHUB_SHA": world.red},
    )
    assert step.exit_code == 2, step.log
    assert "leads out of the workspace" in step.summary
    assert "TOP SECRET" not in step.log + step.summary


@pytest.mark.parametrize("where", ["bundle", "in/side"])
def test_the_bundle_is_written_through_no_link(world: World, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    workspace = checkout(tmp_path / "workspace", BUG)
    (workspace / where.split("/", maxsplit=1)[0]).symlink_to(outside)
    step = world.action(
        "push",
        of_push(world.shop, "main", "maintainer"),
        workspace=workspace,
        junit="reports/*.xml",
        bundle=where,
        environment={"GITHUB_SHA": world.red},
    )
    assert step.exit_code == 2, step.log
    assert list(outside.iterdir()) == []


# --- secrets, and the jobs that have none ----------------------------------------------------------------------------


def test_jobs_that_set_nothing_up_need_no_set_up_secret(github: GitHubServer, tmp_path: Path) -> None:
    """Or owners would hand the secret to jobs that have a token that may write."""
    settings = SETTINGS + "suites:\n- {name: default, setup_secrets: [INDEX_TOKEN]}\n"
    world = World.make(github, tmp_path / "steps", settings)
    step = world.action("workflow_run", of_run(world.shop, world.failed_run()), mode="claim")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "true"), step.log
    trigger = step.outputs["trigger"]
    analyzed = world.action("workflow_run", {}, mode="analyze", trigger=trigger, token=world.token(READS))
    assert analyzed.exit_code == 2 and "INDEX_TOKEN" in analyzed.log
    published = world.action("workflow_run", {}, mode="publish", trigger=trigger)
    assert (published.exit_code, published.outputs["outcome"]) == (0, "stopped"), published.log


def test_neither_token_nor_key_leaves_the_process(github: GitHubServer, tmp_path: Path) -> None:
    """Tests that print their surroundings, in the weakest sandbox there is: nothing of it in what anybody can read."""
    spy = "import os, pathlib\nprint(dict(os.environ))\nprint(pathlib.Path('.git').exists())\n"
    files = {**GREEN, "tests/test_cart.py": spy + BUGGY["tests/test_cart.py"]}
    world = World.make(github, tmp_path / "steps", files=files)
    token = world.token(GRANTS)
    key = "sk-0123456789abcdefghijklmnopqrstuvwxyz"
    step = world.action("workflow_run", of_run(world.shop, world.failed_run()), token=token, api_key=key)
    assert step.outputs["outcome"] == "repaired", step.log
    left = tmp_path / "steps" / "step-1" / "workspace" / "grokfix-bundle"
    texts = [step.log, step.summary, json.dumps(step.outputs)]
    texts += [path.read_text() for path in left.iterdir()]
    texts += [content.decode() for content in world.shop.seen("grokfix-data").files.values()]
    texts += [pull.body for pull in world.shop.pulls.values()]
    for text in texts:
        assert token not in text and key not in text
