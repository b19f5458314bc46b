"""Names of fix branches: plain, and no two targets share one."""

from __future__ import annotations

import pytest

from bot.publish.destination import fix_branch
from bot.trigger.own import is_own_branch

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
