"""Triage in GitHub Actions, from the event to the end state on the code host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.action_world import READS, SETTINGS, Step, World, ledger
from tests.github_server import GitHubServer

QUICK = SETTINGS + "triage: {minutes: 1, runs: 14, suspects: 2}\n"
FLAKY = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.9"\n',
    "shop/__init__.py": "",
    "shop/prices.py": 'RATE = {"eur": 1.0}\n\n\ndef price(euros):\n    return euros * RATE["eur"]\n',
    "tests/test_rate.py": (
        "from shop import prices\n\n\ndef test_dearer():\n"
        '    prices.RATE["eur"] = 2.0\n    assert prices.price(1) == 2.0\n'
    ),
    "tests/test_price.py": "from shop.prices import price\n\n\ndef test_price():\n    assert price(3) == 3.0\n",
    "tests/test_sum.py": "def test_sum():\n    assert 1 + 1 == 2\n",
}
"""test_price fails after test_dearer; in the order of the files it passes."""
VICTIM = "tests/test_price.py::test_price"


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    return World.make(github, tmp_path / "steps", QUICK, files=FLAKY, bug={"NEWS.md": "news\n"})


def schedule(world: World) -> dict[str, Any]:
    return {"schedule": "17 3 * * *", "repository": {"full_name": "octo/shop", "default_branch": "main"}}


def claim(world: World, shards: int = 2, **options: Any) -> Step:
    return world.action("schedule", schedule(world), mode="claim", shard=str(shards), **options)


def shard(world: World, trigger: str, part: str, place: Path, **options: Any) -> Step:
    """One job of the matrix; what it leaves is downloaded to `place` as the publishing job would have it."""
    workspace = world.folder / f"matrix-{world.runs}"
    workspace.mkdir(parents=True)
    token = world.token(READS)
    step = world.action(
        "schedule",
        schedule(world),
        mode="analyze",
        trigger=trigger,
        shard=part,
        token=token,
        workspace=workspace,
        **options,
    )
    if (workspace / "grokfix-bundle").exists():
        (place / "grokfix-bundle").mkdir(parents=True, exist_ok=True)
        (workspace / "grokfix-bundle").rename(place / "grokfix-bundle" / f"grokfix-night-{part[0]}")
    return step


def publish(world: World, trigger: str, place: Path, **options: Any) -> Step:
    return world.action("schedule", schedule(world), mode="publish", trigger=trigger, workspace=place, **options)


def nights(world: World) -> list[str]:
    return sorted(path for path in world.shop.seen("grokfix-data").files if path.startswith("flaky/nights/"))


def test_a_night_in_three_jobs(world: World, tmp_path: Path) -> None:
    claimed = claim(world)
    assert (claimed.exit_code, claimed.outputs["proceed"]) == (0, "true"), claimed.log
    assert claimed.outputs["shards"] == '["1/2", "2/2"]'
    trigger, place = claimed.outputs["trigger"], tmp_path / "publish"
    for part in ("1/2", "2/2"):
        step = shard(world, trigger, part, place)
        assert step.exit_code == 0, step.log
    step = publish(world, trigger, place)
    assert (step.exit_code, step.outputs["outcome"]) == (0, "flaky"), step.log
    print(claimed.log, step.log, step.summary)
    assert VICTIM in step.summary
    assert "test_dearer" in step.summary
    print(nights(world), ledger(world))
