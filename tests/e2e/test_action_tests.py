"""`/grok test` on a pull request, from the comment to the stacked pull request with the new tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.action_world import GREEN, MOMENT, SETTINGS, Step, World, at, ledger
from tests.github_server import Call, GitHubServer

ADDED = GREEN["shop/cart.py"] + (
    "\n\ndef shipping(weight: int) -> int:\n"
    '    """What sending a parcel costs."""\n'
    "    if weight < 10:\n        return 5\n    return 9\n"
)
NEW_FILE = "tests/test_cart_shipping.py"


def make(server: GitHubServer, folder: Path) -> World:
    return World.make(server, folder, bug={"README.md": "Later\n"})


def add(world: World, files: dict[str, str]) -> int:
    """A pull request; the same in every world, so that what was written for one fits the others."""
    with at(world.server, MOMENT):
        world.shop.commit("parcels", files, "Shipping", start=world.green)
        return world.shop.add_pull("parcels", "main", title="Shipping", user="maintainer").number


@dataclass(frozen=True)
class Written:
    """Tests were written once, in one job: the world, the step and the bundle it left."""

    world: World
    number: int
    step: Step
    bundle: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("written")
    with GitHubServer(folder / "github") as server:
        world = make(server, folder / "steps")
        number = add(world, {"shop/cart.py": ADDED})
        _, step = world.ask(number, "/grok test")
        yield Written(world, number, step, folder / "steps" / "step-1" / "workspace" / "grokfix-bundle")


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return make(github, tmp_path / "steps")


def asked(world: World, number: int) -> str:
    """The claim of somebody who asks."""
    _, step = world.ask(number, "/grok test", mode="claim")
    assert step.outputs["proceed"] == "true", step.log
    return step.outputs["trigger"]


def branches(world: World) -> set[str]:
    return set(world.shop.branches) - {"main", "parcels", "grokfix-data"}


def test_tests_are_stacked_on_the_pull_request(written: Written) -> None:
    world, step = written.world, written.step
    assert step.exit_code == 0 and step.outputs["outcome"] == "no_failures", step.log
    stacked = world.shop.pulls[2]
    assert (stacked.base_branch, stacked.draft) == ("parcels", True)
    assert stacked.head_branch.startswith("grokfix/parcels/tests-") and len(stacked.head_branch) == 34
    assert step.outputs["pull-request"].endswith("/pull/2")
    seen, before = world.shop.seen(stacked.head_sha), world.shop.seen(world.shop.branches["parcels"])
    assert seen.verified and seen.parents == (world.shop.branches["parcels"],)
    assert {path for path, content in seen.files.items() if before.files.get(path) != content} == {NEW_FILE}
    assert b"from shop.cart import shipping" in seen.files[NEW_FILE]
    assert "| `shipping` |" in stacked.body and "characterisation" in stacked.body
    assert f"python -m pytest {NEW_FILE}" in stacked.body
    body = world.shop.comments(written.number)[-1].body
    assert "**The tests are draft pull request #2**, onto `parcels`." in body and "diff --git" not in body
    [line] = ledger(world)
    assert (line["outcome"], line["pull_requests"]) == ("no_failures", [2])


def test_asked_again_its_pull_request_is_brought_up_to_date(world: World, written: Written) -> None:
    number = add(world, {"shop/cart.py": ADDED})
    world.publish(asked(world, number), written.bundle)
    head = world.shop.pulls[2].head_sha
    again = world.publish(asked(world, number), written.bundle)
    assert again.outputs["pull-request"].endswith("/pull/2"), again.log
    assert list(world.shop.pulls) == [number, 2] and world.shop.pulls[2].head_sha == head
    assert "pull request #2" in world.shop.comments(number)[-1].body


def test_by_setting_they_are_a_commit_or_a_comment(world: World, written: Written) -> None:
    number = add(world, {"shop/cart.py": ADDED})
    trigger, head = asked(world, number), world.shop.branches["parcels"]
    settings = {".github/grokfix.yml": SETTINGS + "publish: {on_pull_request: comment}\n"}
    world.shop.commit("main", settings, "Settings")
    step = world.publish(trigger, written.bundle)
    assert branches(world) == set() and world.shop.branches["parcels"] == head, step.log
    body = world.shop.comments(number)[-1].body
    assert "Nothing was pushed: publish.on\\_pull\\_request" in body or "Nothing was pushed" in body
    assert f"+++ b/{NEW_FILE}" in body
    settings = {".github/grokfix.yml": SETTINGS + "publish: {on_pull_request: commit}\n"}
    world.shop.commit("main", settings, "Settings")
    step = world.publish(asked(world, number), written.bundle)
    seen = world.shop.seen(world.shop.branches["parcels"])
    assert seen.parents == (head,) and NEW_FILE in seen.files and branches(world) == set(), step.log


def test_a_head_that_moves_meanwhile_is_told_and_nothing_is_pushed(world: World, written: Written) -> None:
    number = add(world, {"shop/cart.py": ADDED})
    trigger, moved = asked(world, number), []
    commit = Call(lambda: moved.append(world.shop.commit("parcels", {"NEWS.md": "x"}, "More")))
    world.server.fault("GET", "/contents/", commit)
    step = world.publish(trigger, written.bundle)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "head_moved"), step.log
    assert branches(world) == set() and list(world.shop.pulls) == [number]
    assert moved[0][:12] in world.shop.comments(number)[-1].body


def test_to_a_fork_nothing_is_pushed_and_tests_are_written_all_the_same(github: GitHubServer, tmp_path: Path) -> None:
    """In Docker only would a fork's code be run; here it is said why not."""
    world = make(github, tmp_path / "steps")
    fork = github.fork(world.shop, "mallory")
    fork.commit("parcels", {"shop/cart.py": ADDED}, "Shipping", start="main")
    number = world.shop.add_pull("parcels", "main", user="mallory", from_fork=fork).number
    before = dict(fork.branches)
    _, step = world.ask(number, "/grok test")
    assert dict(fork.branches) == before and branches(world) == set()
    assert "is no sandbox" in step.log and step.outputs["outcome"] == "stopped"


def test_from_a_fork_the_tests_are_a_diff_in_the_comment(
    github: GitHubServer, tmp_path: Path, written: Written
) -> None:
    world = make(github, tmp_path / "steps")
    fork = github.fork(world.shop, "mallory")
    with at(github, MOMENT):
        fork.commit("parcels", {"shop/cart.py": ADDED}, "Shipping", start=world.green)
        number = world.shop.add_pull("parcels", "main", user="mallory", from_fork=fork).number
    before = dict(fork.branches)
    step = world.publish(asked(world, number), written.bundle)
    assert dict(fork.branches) == before and branches(world) == set(), step.log
    body = world.shop.comments(number)[-1].body
    assert "fork" in body and f"+++ b/{NEW_FILE}" in body


def test_a_pull_request_that_conflicts_is_told_so(world: World) -> None:
    number = add(world, {"README.md": "Sooner\n", "shop/cart.py": ADDED})
    _, step = world.ask(number, "/grok test")
    body = world.shop.comments(number)[-1].body
    assert "diff --git" not in body and branches(world) == set()
    assert "merge" in body or "merge" in step.log
