"""`/grok test` on a pull request, from the comment to the answer: what is written stands in it as a diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_world import GREEN, World
from tests.github_server import GitHubServer

ADDED = GREEN["shop/cart.py"] + (
    "\n\ndef shipping(weight: int) -> int:\n"
    '    """What sending a parcel costs."""\n'
    "    if weight < 10:\n        return 5\n    return 9\n"
)


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps", bug={"README.md": "Later\n"})


def add(world: World, files: dict[str, str]) -> int:
    world.shop.commit("parcels", files, "Shipping", start=world.green)
    return world.shop.add_pull("parcels", "main", title="Shipping", user="maintainer").number


def test_tests_are_offered_for_what_the_pull_request_adds(world: World) -> None:
    number = add(world, {"shop/cart.py": ADDED})
    _, step = world.ask(number, "/grok test")
    assert step.exit_code == 0, step.log
    body = world.shop.comments(number)[-1].body
    assert "1 changed function, 0 of them reached by tests already" in body, body + step.log
    assert "| `shipping` |" in body and "characterisation" in body
    assert "+++ b/tests/test_cart_shipping.py" in body and "from shop.cart import shipping" in body
    assert sorted(world.shop.branches) == ["grokfix-data", "main", "parcels"]  # nothing is pushed


def test_a_pull_request_that_conflicts_is_told_so(world: World) -> None:
    number = add(world, {"README.md": "Sooner\n", "shop/cart.py": ADDED})
    _, step = world.ask(number, "/grok test")
    body = world.shop.comments(number)[-1].body
    assert "diff --git" not in body
    assert "merge" in body or "merge" in step.log
