"""Who may start the action and what it ignores: full payloads, through its own entry point (SECURITY, cases 1 to 12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.action_world import SETTINGS, Step, World, ledger
from tests.command_line import BUGGY
from tests.github_server import GitHubServer, Refuse
from tests.github_server.payloads import of_comment, of_push, of_run


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps")


@pytest.fixture
def pull(world: World) -> int:
    """A red pull request of this repository."""
    shop = world.shop
    shop.commit("cheaper", {"shop/cart.py": BUGGY["shop/cart.py"] + "\n"}, "Break it", start="main")
    number = shop.add_pull("cheaper", "main", title="Cheaper", user="maintainer").number
    world.failed_run("cheaper", event="pull_request", pull_requests=[number])
    return number


def comment_on(world: World, number: int, user: str, body: str, action: str = "created", **options: Any) -> Step:
    comment = world.shop.add_comment(number, user, body)
    return world.action("issue_comment", of_comment(world.shop, comment, action), mode="claim", **options)


def nothing_happened(world: World, step: Step) -> None:
    assert step.exit_code == 0, step.log
    assert step.outputs["proceed"] == "false", step.log
    assert "grokfix-data" not in world.shop.branches
    assert world.server.writes == ()


def test_a_writer_may(world: World, pull: int) -> None:
    step = comment_on(world, pull, "maintainer", "/grok fix")
    assert step.outputs["proceed"] == "true", step.log
    assert len(ledger(world)) == 1
    [asked, progress] = world.shop.comments(pull)
    assert [each.content for each in world.shop.reactions(asked.id)] == ["eyes"]
    assert "grokfix is looking into it" in progress.body


@pytest.mark.parametrize("user", ["reader", "stranger"])
def test_1_who_may_not_write_starts_nothing(world: World, pull: int, user: str) -> None:
    nothing_happened(world, comment_on(world, pull, user, "/grok fix"))


def test_2_an_edited_comment_is_ignored(world: World, pull: int) -> None:
    nothing_happened(world, comment_on(world, pull, "maintainer", "/grok fix", "edited"))


@pytest.mark.parametrize(
    "body", ["> /grok fix", "```\n/grok fix\n```", "/grok fixx", "please /grok fix", "    /grok fix"]
)
def test_3_what_is_no_command_is_ignored(world: World, pull: int, body: str) -> None:
    nothing_happened(world, comment_on(world, pull, "maintainer", body))


def test_4_a_bot_is_denied_unless_listed(world: World, pull: int) -> None:
    world.shop.collaborators["helper[bot]"] = "write"
    nothing_happened(world, comment_on(world, pull, "helper[bot]", "/grok fix"))
    listed = SETTINGS + "triggers:\n  bots: ['helper[bot]']\n"
    world.shop.commit("main", {".github/grokfix.yml": listed}, "A bot may ask")
    assert comment_on(world, pull, "helper[bot]", "/grok fix").outputs["proceed"] == "true"


@pytest.mark.parametrize("status", [404, 500])
def test_5_unknown_permission_is_none(world: World, pull: int, status: int) -> None:
    world.server.fault("GET", "/permission$", Refuse(status, "no"), times=20)
    nothing_happened(world, comment_on(world, pull, "maintainer", "/grok fix"))


def test_6_a_plain_issue_is_none_of_our_business(world: World) -> None:
    issue = world.shop.add_issue(title="Broken", user="maintainer")
    nothing_happened(world, comment_on(world, issue.number, "maintainer", "/grok fix"))


def test_7_a_wrong_command_gets_the_usage(world: World, pull: int) -> None:
    step = comment_on(world, pull, "maintainer", "/grok fix --base_url=http://evil.example")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false")
    assert "grokfix-data" not in world.shop.branches
    [_, reply] = world.shop.comments(pull)
    assert "/grok explain" in reply.body
    assert "http://evil.example" not in reply.body.replace("`", "").split("What can be")[1]


def test_8_a_run_of_a_fork_on_main_is_diagnosed_only(world: World) -> None:
    fork = world.server.fork(world.shop, "mallory")
    sha = fork.commit("main", {"shop/cart.py": BUGGY["shop/cart.py"] + "# fork\n"}, "Mine")
    world.shop.add_pull("main", "main", from_fork=fork, user="mallory")
    run = world.failed_run(
        "main", head_sha=sha, head_repository="mallory/shop", event="pull_request", actor="mallory", pull_requests=[]
    )
    step = world.action("workflow_run", of_run(world.shop, run), mode="claim")
    assert step.exit_code == 0, step.log
    if step.outputs["proceed"] == "true":
        assert '"diagnosis_only":true' in step.outputs["trigger"]


def test_9_a_writer_who_reruns_a_run_of_a_fork_lends_it_nothing(world: World) -> None:
    fork = world.server.fork(world.shop, "mallory")
    sha = fork.commit("main", {"shop/cart.py": BUGGY["shop/cart.py"] + "# fork\n"}, "Mine")
    run = world.failed_run(
        "main",
        head_sha=sha,
        head_repository="mallory/shop",
        event="pull_request",
        actor="mallory",
        triggering_actor="maintainer",
    )
    payload = of_run(world.shop, run)
    payload["workflow_run"]["head_repository"] = payload["repository"]  # what the event says counts nothing
    step = world.action("workflow_run", payload, mode="claim")
    assert step.exit_code == 0, step.log
    assert step.outputs["proceed"] == "false" or '"diagnosis_only":true' in step.outputs["trigger"]


def test_10_a_head_that_moved_is_left_alone(world: World) -> None:
    run = world.failed_run()
    payload = of_run(world.shop, run)
    world.shop.commit("main", {"README.md": "later\n"}, "Later")
    step = world.action("workflow_run", payload, mode="claim")
    nothing_happened(world, step)
    assert "moved" in step.log


@pytest.mark.parametrize("branch", ["grokfix/main/0123456789ab", "grokfix-data"])
def test_11_own_branches_start_nothing(world: World, branch: str) -> None:
    world.shop.commit(branch, {"shop/cart.py": BUGGY["shop/cart.py"] + "\n"}, "Ours", start="main")
    before = dict(world.shop.branches)
    run = world.failed_run(branch)
    step = world.action("workflow_run", of_run(world.shop, run), mode="claim")
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false")
    assert dict(world.shop.branches) == before


def test_12_ten_triggers_of_one_commit_are_one_run(world: World) -> None:
    started = []
    for number in range(10):
        run = world.shop.add_run(f"CI {number}", head_sha=world.red, branch="main", event="push", conclusion="failure")
        run.actor = run.triggering_actor = "maintainer"
        own = world.shop.add_run(
            "grokfix", head_sha=world.red, branch="main", event="workflow_run", status="in_progress"
        )
        started.append(world.start("workflow_run", of_run(world.shop, run), run_id=own.id, mode="claim"))
    steps = [each.wait() for each in started]
    assert [step.exit_code for step in steps] == [0] * 10, steps
    assert sorted(step.outputs["proceed"] for step in steps) == ["false"] * 9 + ["true"]
    assert len(ledger(world)) == 1


def test_a_push_without_reports_asks_for_nothing(world: World) -> None:
    step = world.action("push", of_push(world.shop, "main", "maintainer"))
    nothing_happened(world, step)
    assert "Nothing to do" in step.summary


def test_settings_of_a_pull_request_count_nothing(world: World, pull: int) -> None:
    world.shop.commit("cheaper", {".github/grokfix.yml": "version: 1\ntriggers: {bots: ['evil[bot]']}\n"}, "Let me in")
    world.failed_run("cheaper", event="pull_request", pull_requests=[pull])
    world.shop.collaborators["evil[bot]"] = "write"
    nothing_happened(world, comment_on(world, pull, "evil[bot]", "/grok fix"))
