"""Existing tests keep every word; honest additions pass."""

from __future__ import annotations

import pytest

from bot.vet.types import Grade
from tests.unit.vet.patches import subject, verdict

CART = """
def total(prices, tax=0):
    return sum(prices) - tax
"""
FIXED = CART.replace("- tax", "+ tax")
TESTS = '''
"""Tests of the cart."""
import pytest
from shop.cart import total

CASES = [([1], 1), ([1, 2], 3)]


@pytest.fixture
def prices():
    return [3, 4]


def helper(values):
    return total(values, tax=5)


@pytest.mark.parametrize("values, expected", CASES)
def test_cases(values, expected):
    assert total(values) == expected


@pytest.mark.parametrize("tax", [1, 2])
def test_tax(prices, tax):
    result = total(prices, tax)
    assert result == 7 + tax
    assert isinstance(result, int)


class TestErrors:
    limit = 10

    def setup_method(self):
        self.values = [1]

    def test_text(self):
        with pytest.raises(TypeError):
            total("ab")
'''


def edit(*pairs: tuple[str, str]) -> str:
    text = TESTS
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def graded(after: str | None, path: str = "tests/test_cart.py") -> tuple[Grade, set[str]]:
    return verdict(subject({"shop/cart.py": CART, path: TESTS}, {"shop/cart.py": FIXED, path: after}))


BLOCKED = {
    "file deleted": (None, "test_removal"),
    "test deleted": (
        edit(("def test_cases(values, expected):\n    assert total(values) == expected", "x = 1")),
        "test_removal",
    ),
    "test renamed": (edit(("def test_tax", "def check_tax")), "test_removal"),
    "method renamed": (edit(("def test_text", "def text")), "test_removal"),
    "hidden by a second definition": (TESTS + "\n\ndef test_tax():\n    pass\n", "test_removal"),
    "skip mark": (edit(("def test_tax", "@pytest.mark.skip\ndef test_tax")), "test_skips"),
    "xfail mark": (edit(("def test_tax", "@pytest.mark.xfail(strict=False)\ndef test_tax")), "test_skips"),
    "skipif": (edit(("def test_tax", "@pytest.mark.skipif(True, reason='')\ndef test_tax")), "test_skips"),
    "skip in the body": (edit(("    result = total", "    pytest.skip('later')\n    result = total")), "test_skips"),
    "rerun": (edit(("def test_tax", "@pytest.mark.flaky(reruns=5)\ndef test_tax")), "test_skips"),
    "sleep": (edit(("    result = total", "    time.sleep(3)\n    result = total")), "test_skips"),
    "timeout": (edit(("def test_tax", "@pytest.mark.timeout(900)\ndef test_tax")), "test_skips"),
    "module switched off": (TESTS + "\npytestmark = pytest.mark.slow\n", "test_skips"),
    "class not collected": (edit(("    limit = 10", "    limit = 10\n    __test__ = False")), "test_skips"),
    "parameter skipped": (edit(("[1, 2])", "[1, pytest.param(2, marks=pytest.mark.skip)])")), "test_skips"),
    "assertion removed": (edit(("    assert isinstance(result, int)\n", "")), "test_assertions"),
    "assertion weakened": (edit(("assert result == 7 + tax", "assert result")), "test_assertions"),
    "expected value changed": (edit(("7 + tax", "6 + tax")), "test_assertions"),
    "assertion made true": (edit(("assert result == 7 + tax", "assert result == 7 + tax or True")), "test_assertions"),
    "assertion under a false condition": (
        edit(("    assert result == 7 + tax", "    if tax > 9:\n        assert result == 7 + tax")),
        "test_assertions",
    ),
    "assertion in a try": (
        edit(
            (
                "    assert result == 7 + tax\n",
                "    try:\n        assert result == 7 + tax\n    except AssertionError:\n        pass\n",
            )
        ),
        "test_assertions",
    ),
    "early return": (edit(("    assert result == 7", "    return\n    assert result == 7")), "test_assertions"),
    "result set by hand": (
        edit(("    assert result == 7", "    result = 7 + tax\n    assert result == 7")),
        "test_assertions",
    ),
    "walrus in a new assertion": (
        edit(("    assert result == 7", "    assert (result := 7 + tax)\n    assert result == 7")),
        "test_assertions",
    ),
    "broader exception": (edit(("raises(TypeError)", "raises(Exception)")), "test_assertions"),
    "another input": (edit(('total("ab")', "total(None)")), "test_assertions"),
    "parametrize case removed": (edit(("[1, 2])\ndef test_tax", "[1])\ndef test_tax")), "test_assertions"),
    "fixture's value changed": (edit(("return [3, 4]", "return [3, 5]")), "test_assertions"),
    "helper's constant changed": (edit(("tax=5", "tax=6")), "test_assertions"),
    "order of statements": (
        edit(
            (
                "    assert result == 7 + tax\n    assert isinstance(result, int)\n",
                "    assert isinstance(result, int)\n    assert result == 7 + tax\n",
            )
        ),
        "test_assertions",
    ),
    "table of cases changed": (edit(("([1], 1)", "([1], 2)")), "test_scaffolding"),
    "class constant changed": (edit(("limit = 10", "limit = 11")), "test_scaffolding"),
    "import of another thing": (
        edit(("from shop.cart import total", "from shop.fake import total")),
        "test_scaffolding",
    ),
    "import overruled": (edit(("CASES =", "from fake import total\n\nCASES =")), "test_scaffolding"),
    "name overruled": (TESTS + "\n\ndef total(values, tax=0):\n    return 9\n", "test_scaffolding"),
    "statement on import": (TESTS + "\n\ntotal.__defaults__ = (1,)\n", "test_scaffolding"),
    "autouse fixture": (
        TESTS + "\n\n@pytest.fixture(autouse=True)\ndef around():\n    yield\n",
        "test_scaffolding",
    ),
    "new set-up": (
        edit(("    def test_text", "    def teardown_method(self):\n        pass\n\n    def test_text")),
        "test_scaffolding",
    ),
    "base class changed": (edit(("class TestErrors:", "class TestErrors(Lenient):")), "test_scaffolding"),
    "mock of the subject": (
        edit(("    result = total", "    monkeypatch.setattr('shop.cart.total', len)\n    result = total")),
        "test_mocks",
    ),
    "no longer Python": (TESTS + "\n\ndef broken(:\n", "syntax_errors"),
    "exit": (TESTS + "\n\ndef test_more():\n    import os\n    os._exit(0)\n", "process_exits"),
}


@pytest.mark.parametrize(("after", "rule"), BLOCKED.values(), ids=BLOCKED)
def test_weakened_tests_are_blocked(after: str | None, rule: str) -> None:
    grade, rules = graded(after)
    assert grade is Grade.BLOCKED
    assert rule in rules


ALLOWED = {
    "untouched": TESTS,
    "new test function": TESTS + "\n\ndef test_empty():\n    assert total([]) == 0\n",
    "new test method": TESTS + "\n    def test_none(self):\n        assert total([]) == 0\n",
    "new test class": TESTS + "\n\nclass TestMore:\n    def test_empty(self):\n        assert total([]) == 0\n",
    "assertion added": edit(
        ("    assert isinstance(result, int)", "    assert isinstance(result, int)\n    assert result > 0")
    ),
    "case added at the end": edit(("[1, 2])\ndef test_tax", "[1, 2, 3])\ndef test_tax")),
    "import added": edit(("import pytest\n", "import math\nimport pytest\n")),
    "imports rearranged": edit(("from shop.cart import total", "from shop.cart import other, total")),
    "new constant": edit(("CASES =", "MORE = [5]\nCASES =")),
    "layout": edit(("CASES = [([1], 1), ([1, 2], 3)]", "CASES = [\n    ([1], 1),\n    ([1, 2], 3),\n]")),
    "comment and docstring": edit(
        ("def helper(values):\n", 'def helper(values):\n    """Sum with tax."""  # of five\n')
    ),
    "annotation of the result": edit(("def helper(values):", "def helper(values) -> int:")),
}


@pytest.mark.parametrize("after", ALLOWED.values(), ids=ALLOWED)
def test_honest_changes_of_tests_pass(after: str) -> None:
    assert graded(after) == (Grade.ALLOWED, set())


REVIEWED = {
    "new fixture": TESTS + "\n\n@pytest.fixture\ndef empty():\n    return []\n",
    "helper reworked": edit(
        ("    return total(values, tax=5)", "    answer = total(values, tax=5)\n    return answer")
    ),
}


@pytest.mark.parametrize("after", REVIEWED.values(), ids=REVIEWED)
def test_changes_around_tests_ask_for_a_person(after: str) -> None:
    assert graded(after)[0] is Grade.REVIEW


NEW_BAD = {
    "replaces the subject by name": (
        "def test_total(monkeypatch):\n    monkeypatch.setattr('shop.cart.total', lambda v: 3)\n    assert 1\n",
        "test_mocks",
    ),
    "replaces the subject through the module": (
        "from shop import cart\n\ndef test_total(mocker):\n    mocker.patch.object(cart, 'total', return_value=3)\n",
        "test_mocks",
    ),
    "overwrites the subject": ("from shop import cart\n\ncart.total = lambda v: 3\n", "test_mocks"),
    "skips itself": ("import pytest\n\n@pytest.mark.skip\ndef test_total():\n    assert 1\n", "test_skips"),
    "expects to fail": ("import pytest\n\n@pytest.mark.xfail\ndef test_total():\n    assert 0\n", "test_skips"),
    "ends the process": ("import sys\n\ndef test_total():\n    sys.exit(0)\n", "process_exits"),
    "patches the runner": ("import pytest\n\npytest.raises = None\n\ndef test_total():\n    pass\n", "runner_patching"),
    "replaces a module": (
        "import sys\n\nsys.modules['shop'] = None\n\ndef test_total():\n    pass\n",
        "runner_patching",
    ),
}


@pytest.mark.parametrize(("source", "rule"), NEW_BAD.values(), ids=NEW_BAD)
def test_new_tests_that_cheat_are_blocked(source: str, rule: str) -> None:
    path = "tests/test_new.py"
    case = subject({"shop/cart.py": CART}, {"shop/cart.py": FIXED, path: source}, new_tests=(path,))
    grade, rules = verdict(case)
    assert grade is Grade.BLOCKED
    assert rule in rules


NEW_GOOD = {
    "plain": "from shop.cart import total\n\n\ndef test_tax():\n    assert total([1], tax=2) == 3\n",
    "clock of the module replaced": "def test_t(monkeypatch):\n    monkeypatch.setattr('shop.cart.time.time', int)\n",
    "environment": "def test_t(monkeypatch):\n    monkeypatch.setenv('HOME', '/tmp')\n    assert True\n",
    "time limit": "import pytest\n\n\n@pytest.mark.timeout(5)\ndef test_t():\n    assert True\n",
    "double as an argument": "from unittest.mock import Mock\n\n\ndef test_t():\n    assert Mock()\n",
    "reader that skips": "def test_t(reader):\n    reader.skip(2)\n    assert reader.position == 2\n",
    "unittest": "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.fail()\n",
}


@pytest.mark.parametrize("source", NEW_GOOD.values(), ids=NEW_GOOD)
def test_honest_new_tests_pass(source: str) -> None:
    path = "tests/test_new.py"
    case = subject(
        {"shop/cart.py": "import time\n" + CART},
        {"shop/cart.py": "import time\n" + FIXED, path: source},
        new_tests=(path,),
    )
    assert verdict(case) == (Grade.ALLOWED, set())


CONFIGURATION = {
    "conftest": ({}, {"tests/conftest.py": "x = 1\n"}),
    "conftest changed": ({"conftest.py": "x = 1\n"}, {"conftest.py": "x = 2\n"}),
    "pytest.ini": ({"pytest.ini": "[pytest]\n"}, {"pytest.ini": "[pytest]\naddopts = -k nothing\n"}),
    "tox.ini": ({"tox.ini": "[tox]\n"}, {"tox.ini": "[tox]\nskipsdist = true\n"}),
    "coverage": ({".coveragerc": "[report]\nfail_under = 90\n"}, {".coveragerc": "[report]\nfail_under = 10\n"}),
    "pyproject's pytest": (
        {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ''\n"},
        {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k no'\n"},
    ),
    "pyproject's coverage": (
        {"pyproject.toml": "[tool.coverage.report]\nfail_under = 90\n"},
        {"pyproject.toml": "[tool.coverage.report]\nfail_under = 9\n"},
    ),
    "setup.cfg": ({"setup.cfg": "[metadata]\n"}, {"setup.cfg": "[metadata]\n[tool:pytest]\naddopts = -x\n"}),
    "plugin by entry point": (
        {"pyproject.toml": "[project]\nname = 'a'\n"},
        {"pyproject.toml": "[project]\nname = 'a'\n[project.entry-points.pytest11]\nx = 'x'\n"},
    ),
    "package.json": (
        {"package.json": '{"scripts": {"test": "jest"}}\n'},
        {"package.json": '{"scripts": {"test": "true"}}\n'},
    ),
    "shadow of pytest": ({}, {"pytest.py": "def raises(*a): pass\n"}),
    "sitecustomize": ({}, {"sitecustomize.py": "import os\n"}),
    "data": ({"tests/data/out.json": "[1]\n"}, {"tests/data/out.json": "[2]\n"}),
    "snapshot": ({"app/__snapshots__/a.snap": "1\n"}, {"app/__snapshots__/a.snap": "2\n"}),
    "JavaScript assertion": (
        {"src/a.test.js": "it('adds', () => {\n  expect(add(1, 2)).toBe(3)\n})\n"},
        {"src/a.test.js": "it('adds', () => {\n  expect(add(1, 2)).toBe(4)\n})\n"},
    ),
    "JavaScript skip": (
        {"src/a.test.js": "it('adds', () => {})\n"},
        {"src/a.test.js": "it('adds', () => {})\nit.skip('subtracts', () => {})\n"},
    ),
    "Go test gone": (
        {"a_test.go": "func TestAdd(t *testing.T) {\n}\n"},
        {"a_test.go": "func testAdd(t *testing.T) {\n}\n"},
    ),
}


@pytest.mark.parametrize(("before", "after"), CONFIGURATION.values(), ids=CONFIGURATION)
def test_runner_configuration_and_expectations_are_blocked(before: dict[str, str], after: dict[str, str]) -> None:
    assert verdict(subject(before, after))[0] is Grade.BLOCKED


def test_unrelated_project_metadata_is_for_review_only() -> None:
    before = {"pyproject.toml": "[project]\nversion = '1'\n[tool.pytest.ini_options]\naddopts = ''\n"}
    after = {"pyproject.toml": "[project]\nversion = '2'\n[tool.pytest.ini_options]\naddopts = ''\n"}
    assert verdict(subject(before, after)) == (Grade.REVIEW, {"dependencies"})


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("", Grade.ALLOWED),
        ('"""Tests."""\n\nfrom app import x\n\n__all__ = ["x"]\n', Grade.ALLOWED),
        ("import app\n\napp.rate = None\n", Grade.BLOCKED),
        ("def patch():\n    return 1\n", Grade.BLOCKED),
    ],
)
def test_a_new_package_file_of_tests_does_nothing(text: str, grade: Grade) -> None:
    assert verdict(subject({}, {"tests/__init__.py": text}))[0] is grade
