"""Where a fix goes; names of fix branches: plain, and no two targets share one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import PublishSettings
from bot.propose.types import StopReason
from bot.publish.destination import CommitOnto, Open, decide, fix_branch
from bot.publish.post import post
from bot.result import RunOutcome
from bot.trigger.own import is_own_branch
from tests.unit.publish.world import make

FINGERPRINT = "0123456789ab" + "f" * 52


@pytest.mark.parametrize(
    "target",
    [
        "main",
        "feature/cart",
        "feature-cart",
        "feature_cart",
        "a..b",
        "x.lock",
        "-x",
        "ünïcode",
        "@{-1}",
        "a" * 300,
        "…",
    ],
)
def test_a_name_is_one_that_git_takes(target: str) -> None:
    name = fix_branch(target, FINGERPRINT)
    folder, slug, fingerprint = name.split("/")
    assert (folder, fingerprint) == ("grokfix", "0123456789ab") and is_own_branch(name)
    assert slug and slug.isascii() and slug.replace("-", "").replace("_", "").isalnum() and len(slug) <= 70
    assert not slug.startswith("-")


def test_two_targets_never_share_one() -> None:
    targets = ["feature/cart", "feature-cart", "feature--cart", "feature cart", "Feature/cart", "a" * 300, "a" * 301]
    assert len({fix_branch(target, FINGERPRINT) for target in targets}) == len(targets)
    assert fix_branch("main", FINGERPRINT) == "grokfix/main/0123456789ab"


def test_a_commit_never_goes_onto_the_default_branch(tmp_path: Path) -> None:
    """It may be the head of a pull request too: from main into a release."""
    it = make(tmp_path, pull_request=True)
    trigger = replace(it.claim.trigger, branch="main", base_branch="release")
    settings = PublishSettings(on_pull_request="commit")
    place = decide(replace(it.claim, trigger=trigger), FINGERPRINT, it.forge, settings, several=False)
    assert isinstance(place, Open) and place.base == "main"
    assert isinstance(decide(it.claim, FINGERPRINT, it.forge, settings, several=False), CommitOnto)


@pytest.mark.parametrize("fork", ["", "mallory/shop"])
@pytest.mark.parametrize("merged", [False, True])
def test_a_pull_request_that_is_over_gets_nothing(tmp_path: Path, fork: str, merged: bool) -> None:
    it = make(tmp_path, pull_request=True, fork=fork)
    assert it.claim.trigger.pull_request is not None
    it.forge.close(it.claim.trigger.pull_request, merged=merged)
    before = dict(it.forge.branches)
    posted = post(it.claim, it.bundle, it.forge, it.settings, it.clock, it.scratch)
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.DECLINED)
    assert f"was {'merged' if merged else 'closed'}" in posted.summary
    assert {name: sha for name, sha in it.forge.branches.items() if name != "grokfix-data"} == {
        name: sha for name, sha in before.items() if name != "grokfix-data"
    }
