"""`grokfix testgen` in the process sandbox: without a key, and with a model behind a real HTTP server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bot import process
from tests import model_server, repositories
from tests.command_line import grokfix, text
from tests.model_server import ModelServer

BEFORE = {
    "shop/__init__.py": "",
    "shop/cart.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_cart.py": "from shop.cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
}
CLAMP = '''

def clamp(value: int, low: int, high: int) -> int:
    """The nearest number that is not below `low` and not above `high`."""
    if low > high:
        raise ValueError("empty range")
    if value < low:
        return low
    if value > high:
        return high
    return value
'''
# Called with small values on purpose or not, this must not happen: the worker breaks the call off.
ERASE = '''

def erase(path: str) -> int:
    """Remove what was written."""
    with open("{marker}", "w") as file:
        file.write(path)
    return 1
'''


def project(folder: Path, added: str, tests: str = "") -> Path:
    repositories.make(folder, BEFORE)
    files = {"shop/cart.py": BEFORE["shop/cart.py"] + added}
    if tests:
        files["tests/test_cart.py"] = tests
    repositories.commit(folder, files, "second")
    return folder


def write_tests(repository: Path, out: Path, *more: str, **environment: str) -> dict[str, Any]:
    arguments: tuple[str | Path, ...] = (
        repository,
        "--since",
        "HEAD~1",
        "--sandbox",
        "process",
        "--output",
        out,
        "--format",
        "json",
        *more,
    )
    done = grokfix("testgen", *arguments, cwd=repository, environment=environment, seconds=280)
    assert done.exit_code == 0, text(done)
    told = json.loads(done.stdout)
    assert json.loads((out / "tests.json").read_text()) == told
    assert isinstance(told, dict)
    return told


def test_without_a_key_a_function_is_pinned_by_calls_that_notice_its_changes(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    repository = project(tmp_path / "repository", CLAMP + ERASE.format(marker=marker))
    told = write_tests(repository, tmp_path / "out", "--apply")
    clamp, erase = told["functions"]
    assert (clamp["name"], clamp["author"], clamp["test_file"]) == ("clamp", "calls", "tests/test_cart_clamp.py")
    assert clamp["killed"] >= clamp["mutants"] * 0.6 and clamp["mutants"] >= 10
    assert all(test["kills"] and test["run_id"] and test["proof"] for test in clamp["tests"])
    source = (repository / "tests/test_cart_clamp.py").read_text()
    assert "today" in source and "with pytest.raises(ValueError):" in source
    assert (erase["test_file"], erase["tests"]) == (None, [])
    assert not marker.exists()
    assert repositories.git(repository, "status", "--short").split() == ["??", "tests/test_cart_clamp.py"]
    assert told["patch"].startswith("diff --git") and told["cost_usd"] == 0
    page = (tmp_path / "out" / "tests.md").read_text()
    assert "Characterisation tests record what the code does today" in page and "| `clamp` |" in page
    repositories.git(repository, "apply", "--check", "--reverse", str(tmp_path / "out" / "tests.patch"))


GOOD = """\
from shop.cart import clamp


def test_below():
    assert clamp(1, 2, 3) == 2


def test_above():
    assert clamp(9, 2, 3) == 3


def test_it_is_a_function():
    assert clamp is not None


def test_an_empty_range_is_none():
    assert clamp(1, 3, 2) is None
"""


def test_of_a_models_tests_those_stay_that_can_fail(tmp_path: Path) -> None:
    beside = BEFORE["tests/test_cart.py"] + "\n\ndef test_again():\n    assert total([]) == 0\n"
    repository = project(tmp_path / "repository", CLAMP, beside)
    good = model_server.say(
        json.dumps(
            {
                "source": GOOD,
                "checks": [{"name": "test_below", "what": "what is too small is raised to `low`"}],
                "notes": "",
            }
        ),
        match="test_cart_clamp.py",
    )
    with ModelServer([good]) as server:
        told = write_tests(
            repository, tmp_path / "out", "--base-url", server.base_url, XAI_API_KEY="sk-test-0123456789"
        )
        [request] = server.requests
    messages = json.dumps(request.body["messages"])
    assert "def clamp(value: int" in messages and "def test_again" in messages
    assert request.body["response_format"]["json_schema"]["name"] == "tests"
    [clamp] = told["functions"]
    assert clamp["author"] == "model"
    assert {test["name"] for test in clamp["tests"]} == {"test_below", "test_above"}
    assert clamp["tests"][0]["checks"] == "what is too small is raised to `low`"
    why = {each["name"]: each["why"] for each in clamp["dropped"]}
    assert why["test_it_is_a_function"] == "it notices no change of the function"
    assert why["test_an_empty_range_is_none"].startswith("it fails on the code as it is: ValueError")
    assert told["usage"]["requests"] == 1 and told["usage"]["prompt_tokens"] > 0
    assert "for it fails on the code as it is" in (tmp_path / "out" / "tests.md").read_text()
    assert "sk-test-0123456789" not in (tmp_path / "out" / "trace.jsonl").read_text()


def test_hostile_and_useless_files_of_a_model_are_refused_and_named(tmp_path: Path) -> None:
    """A skip, and a name that escapes: the whole file is refused by rule, and calls take over."""
    repository = project(tmp_path / "repository", "\n\ndef double(a: int) -> int:\n    return a * 2\n")
    source = "import pytest\n\n\n@pytest.mark.skip\ndef test_double():\n    assert True\n"
    answer = model_server.say(json.dumps({"source": source, "checks": [], "notes": ""}))
    with ModelServer([answer]) as server:
        told = write_tests(
            repository,
            tmp_path / "out",
            "--base-url",
            server.base_url,
            "--engine",
            "model",
            XAI_API_KEY="sk-test-0123456789",
        )
    [double] = told["functions"]
    assert double["test_file"] is None and told["patch"] is None
    assert double["why"].startswith(("refused by rule", "none of the tests"))


def test_where_the_model_cannot_be_asked_calls_take_over_and_it_is_said(tmp_path: Path) -> None:
    added = "\n\ndef double(a: int) -> int:\n    return a * 2\n\n\ndef triple(a: int) -> int:\n    return a * 3\n"
    repository = project(tmp_path / "repository", added)
    with ModelServer([model_server.error(401, {"error": "no such key: sk-test-0123456789"})]) as server:
        told = write_tests(
            repository, tmp_path / "out", "--base-url", server.base_url, XAI_API_KEY="sk-test-0123456789"
        )
        assert len(server.requests) == 1  # it is not asked again for the second function
    double, triple = told["functions"]
    assert (double["author"], triple["author"]) == ("calls", "calls")
    assert double["remarks"][0].startswith("the model cannot be asked any more")
    assert "sk-test-0123456789" not in json.dumps(told)


def test_nothing_to_do_and_unknown_revisions_are_said(tmp_path: Path) -> None:
    repository = project(tmp_path / "repository", "\n\nLIMIT = 3\n")
    told = write_tests(repository, tmp_path / "out")
    assert (told["functions"], told["reached"], told["patch"]) == ([], [], None)
    done = grokfix("testgen", repository, "--since", "nowhere", "--sandbox", "process", cwd=repository)
    assert done.exit_code == 2 and "no commit 'nowhere'" in text(done)


def test_where_the_runner_is_unittest_so_are_the_tests(tmp_path: Path) -> None:
    """Seen red and green by unittest itself, and readable by it in the work tree."""
    settings = "version: 1\nsuites:\n  - {name: tests, test: [python, -m, unittest]}\n"
    beside = (
        "import unittest\n\nfrom cart import total\n\n\nclass TestTotal(unittest.TestCase):\n"
        "    def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n"
    )
    before = {"cart.py": BEFORE["shop/cart.py"], "test_cart.py": beside, ".github/grokfix.yml": settings}
    repository = repositories.make(tmp_path / "repository", before)
    added = "\n\ndef double(a: int) -> int:\n    return a * 2\n"
    repositories.commit(repository, {"cart.py": before["cart.py"] + added}, "second")
    told = write_tests(repository, tmp_path / "out", "--apply")
    [double] = told["functions"]
    assert (told["runner"], double["test_file"]) == ("unittest", "test_cart_double.py"), told
    assert double["tests"][0]["name"].startswith("TestDouble::test_double")
    source = (repository / "test_cart_double.py").read_text()
    assert "import unittest" in source and "pytest" not in source
    again = process.run((sys.executable, "-B", "-m", "unittest", "test_cart_double.py"), cwd=repository, seconds=60)
    assert again.exit_code == 0, again.stdout.decode()
