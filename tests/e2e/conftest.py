"""What several end-to-end tests of the action share: one whole repair, whose bundle the others publish again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.action_world import Analyzed, World
from tests.github_server import GitHubServer
from tests.github_server.payloads import of_run


@pytest.fixture(scope="session")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyzed]:
    """A failed run on the default branch, repaired in one job by the search engine."""
    folder = tmp_path_factory.mktemp("repaired")
    with GitHubServer(folder / "github") as server:
        world = World.make(server, folder / "steps")
        failed = world.failed_run()
        step = world.action("workflow_run", of_run(world.shop, failed))
        bundle = folder / "steps" / "step-1" / "workspace" / "grokfix-bundle"
        yield Analyzed(world, failed, step, bundle, tuple(server.journal))
