"""`grokfix triage` in the process sandbox, as its user runs it: flaky, broken and sound suites, shards and their merge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import repositories
from tests.command_line import grokfix, text

BASKET = {
    "shop/__init__.py": "",
    "shop/rates.py": "RATE = {'EUR': 1}\n\n\ndef price(cents):\n    return cents * RATE['EUR']\n",
    "tests/test_prices.py": (
        "from shop import rates\n\n\n"
        "def test_a_new_rate():\n    rates.RATE['EUR'] = 2\n    assert rates.price(2) == 4\n\n\n"
        "def test_nothing():\n    assert rates.price(0) == 0\n\n\n"
        "def test_the_price():\n    assert rates.price(5) == 5\n"
    ),
    # The plugins are those of our own development environment: importing them takes a second a run.
    "pyproject.toml": (
        '[tool.pytest.ini_options]\npythonpath = ["."]\n'
        'addopts = "-p no:hypothesispytest -p no:playwright -p no:anyio"\n'
    ),
}
SECONDS = 400
"""Limit of one session: some fifty runs of pytest, on a machine that may be busy."""
VICTIM = "tests/test_prices.py::test_the_price"
POLLUTER = "tests/test_prices.py::test_a_new_rate"


def triage(repository: Path, out: Path, *more: str | Path, expected: int = 0) -> dict[str, Any]:
    """Result of a session; what it wrote has to say the same as what it printed."""
    ended = grokfix(
        "triage",
        repository,
        *more,
        "--sandbox",
        "process",
        "--output",
        out,
        "--format",
        "json",
        cwd=out.parent,
        seconds=SECONDS,
    )
    assert ended.exit_code == expected, text(ended)
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told == json.loads((out / "triage.json").read_text(encoding="utf-8"))
    return told


def by_id(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in told["tests"]}


def test_broken_is_not_flaky_and_its_commit_is_named(tmp_path: Path) -> None:
    sound = {
        **BASKET,
        "tests/test_prices.py": "from shop.rates import price\n\n\ndef test_one():\n    assert price(1) == 1\n",
    }
    repository = repositories.make(tmp_path / "shop", sound)
    repositories.commit(repository, {"README": "words\n"}, "words")
    broken = repositories.commit(
        repository, {"shop/rates.py": "def price(cents):\n    return cents + 1\n"}, "a faster price"
    )
    repositories.commit(repository, {"README": "more words\n"}, "more words")
    told = triage(repository, tmp_path / "out", "--good", "HEAD~3", "--runs", "120")
    (test,) = told["tests"]
    assert test["verdict"] == "broken"
    assert test["regression"]["first_bad"] == broken
    assert test["regression"]["at_good"]["failures"] == 0
    assert test["cause"] is None


def test_sound_suite_has_nothing_to_tell(tmp_path: Path) -> None:
    sound = {
        **BASKET,
        "tests/test_prices.py": "from shop.rates import price\n\n\ndef test_one():\n    assert price(1) == 1\n",
    }
    repository = repositories.make(tmp_path / "shop", sound)
    told = triage(repository, tmp_path / "out", "--runs", "8")
    assert (told["tests"], told["stable"]) == ([], 1)
    # Half of eight runs are no proof: that they ended early stands there.
    assert any("all 4 runs of the screening" in problem for problem in told["problems"])


def test_a_victim_seen_by_shards_that_merge_in_any_order_and_a_lost_one_is_named(tmp_path: Path) -> None:
    repository = repositories.make(tmp_path / "shop", BASKET)
    for number in (1, 2):
        options = ("--shard", f"{number}/3", "--session", "night", "--runs", "110")
        triage(repository, tmp_path / f"shard-{number}", *options)
    merged = []
    for name, folders in (("a", ("shard-1", "shard-2")), ("b", ("shard-2", "shard-1"))):
        out = tmp_path / name
        folders_given = [tmp_path / folder for folder in folders]
        ended = grokfix(
            "triage", "merge", *folders_given, "--of", "3", "--output", out, "--format", "json", cwd=tmp_path
        )
        assert ended.exit_code == 0, text(ended)
        merged.append(json.loads(ended.stdout))
    assert merged[0] == merged[1]
    assert merged[0]["lost_shards"] == [3]
    found = by_id(merged[0])
    assert set(found) == {VICTIM}
    assert merged[0]["stable"] == 2
    victim = found[VICTIM]
    assert (victim["verdict"], victim["cause"]) == ("flaky", "order: victim")
    proof = victim["experiments"]["proofs"][0]
    assert proof["polluters"] == [POLLUTER]
    provoked, removed, again = proof["trials"][:3]
    assert provoked["failures"] == provoked["runs"] > 0
    assert removed["failures"] == 0 < removed["runs"]
    assert again["failures"] == again["runs"] > 0
    summary = (tmp_path / "a" / "summary.md").read_text(encoding="utf-8")
    assert "order: victim" in summary and "test_the_price" in summary
    parts = [json.loads((tmp_path / f"shard-{number}" / "triage.json").read_text()) for number in (1, 2)]
    assert all(part["runs"] <= 110 for part in parts)
    assert merged[0]["runs"] == sum(part["runs"] for part in parts)


def test_only_the_tests_that_were_asked_for(tmp_path: Path) -> None:
    repository = repositories.make(tmp_path / "shop", BASKET)
    ended = grokfix(
        "triage",
        repository,
        "test_the_price",
        "--sandbox",
        "process",
        "--output",
        tmp_path / "out",
        "--runs",
        "100",
        cwd=tmp_path,
        seconds=SECONDS,
    )
    assert ended.exit_code == 0, text(ended)
    assert "1 flaky" in ended.stdout.decode() and "test_a_new_rate" in ended.stdout.decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shard", "3/2", "--session", "x"), "--shard '3/2'"),
        (("--shard", "1/2"), "--session"),
        (("--of", "2"), "merge"),
        (("--good", "nowhere"), "no commit 'nowhere'"),
        (("test_no_such_thing",), "no test of the suite matches 'test_no_such_thing'"),
    ],
)
def test_wrong_words_are_told_before_anything_is_spent(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    repository = repositories.make(tmp_path / "shop", BASKET)
    ended = grokfix("triage", repository, *options, "--sandbox", "process", "--output", tmp_path / "out", cwd=tmp_path)
    assert ended.exit_code == 2
    assert said in text(ended)


def test_merge_of_nothing_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    ended = grokfix(
        "triage", "merge", tmp_path / "empty", tmp_path / "bad.jsonl", "--output", tmp_path / "out", cwd=tmp_path
    )
    assert ended.exit_code == 2
    assert "holds no night.jsonl" in text(ended) and "bad.jsonl" in text(ended)
