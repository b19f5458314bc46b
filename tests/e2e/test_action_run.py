"""The action from event to pull request, in one process against the tests' GitHub server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_world import World, ledger
from tests.github_server import GitHubServer
from tests.github_server.payloads import of_run


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps")


def test_failed_run_on_the_default_branch(world: World) -> None:
    run = world.failed_run()
    step = world.action("workflow_run", of_run(world.shop, run))
    assert step.exit_code == 0, step.log
    assert step.outputs["outcome"] == "repaired", step.log
    print("\n".join(str(e) for e in world.server.journal))
    print(step.summary)
    print(ledger(world))
    for pull in world.shop.pulls.values():
        print(pull.title, pull.body)
