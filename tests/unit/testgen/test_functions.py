"""Which functions a change adds or alters, whether a test reaches them, where their tests go, how they are mutated."""

from __future__ import annotations

import pytest

from bot.evidence.types import TestId
from bot.testgen.functions import changed_functions, reached
from bot.testgen.mutants import MOST, mutants_of
from bot.testgen.placing import module_name, place_for
from bot.testgen.pruning import tests_in as names_in
from bot.testgen.pruning import without
from bot.testgen.types import Function
from bot.toolchains.types import LineHits
from bot.workspace.types import ChangedRange

BEFORE = """\
def kept(a):
    return a


def altered(a):
    return a + 1
"""
AFTER = '''\
from typing import Protocol, overload


def kept(a):
    """Now with a docstring."""
    # and a comment
    return a


def altered(a):
    return a + 2


def stub(a):
    raise NotImplementedError


class Thing(Protocol):
    def shape(self) -> int: ...


class Real:
    @property
    def size(self):
        return 1

    def grow(self, by=1):
        def inner():
            return by

        return inner()


if True:

    def conditional():
        return 3
'''


def changed(before: str | None, after: str, path: str = "shop/cart.py") -> list[str]:
    whole = (ChangedRange(path, 1, after.count("\n") + 1),)
    found = changed_functions(whole, {path: after}.get, {path: before}.get if before else lambda _: None)
    return [f"{each.qualname}{'+' if each.is_new else ''}" for each in found]


def test_added_and_altered_functions_are_found() -> None:
    assert changed(BEFORE, AFTER) == ["altered", "Real.size+", "Real.grow+", "conditional+"]


def test_a_function_that_only_moved_is_not_altered() -> None:
    assert changed(BEFORE, "import os\n\n\n" + BEFORE) == []


def test_a_change_of_signature_or_decorator_counts() -> None:
    assert changed(BEFORE, BEFORE.replace("kept(a)", "kept(a, b=1)")) == ["kept"]
    assert changed(BEFORE, BEFORE.replace("def kept", "@cache\ndef kept")) == ["kept"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests/test_cart.py", AFTER),
        ("shop/cart.js", AFTER),
        ("shop/broken.py", "def broken(:\n"),
        ("shop/deep.py", f"def deep():\n    return {'(' * 5000}{')' * 5000}\n"),
        ("shop/nul.py", "def nul():\n    return '\0'\n"),
    ],
)
def test_what_is_no_code_to_test_or_no_python_gives_nothing(path: str, text: str) -> None:
    assert changed(None, text, path) == []


def test_only_lines_of_the_body_count_as_reached() -> None:
    function = Function("shop/cart.py", "total", 3, 8, 5, True)
    test = TestId("tests/test_cart.py", "tests.test_cart", "test_total")

    def hit(path: str, *lines: int) -> LineHits:
        return LineHits({test: {path: frozenset(lines)}})

    assert reached(function, hit("shop/cart.py", 5))
    assert not reached(function, hit("shop/cart.py", 3, 4, 9))
    assert not reached(function, hit("shop/other.py", 5))


@pytest.mark.parametrize(
    ("path", "others", "module"),
    [
        ("cart.py", (), "cart"),
        ("shop/cart.py", ("shop/__init__.py",), "shop.cart"),
        ("src/shop/cart.py", ("src/shop/__init__.py",), "shop.cart"),
        ("src/cart.py", (), "cart"),
        ("shop/cart.py", (), "shop.cart"),
        ("shop/__init__.py", ("shop/__init__.py",), "shop"),
        ("a/b/c/d.py", ("a/b/__init__.py", "a/b/c/__init__.py"), "b.c.d"),
    ],
)
def test_a_file_is_imported_by_its_packages(path: str, others: tuple[str, ...], module: str) -> None:
    assert module_name(path, {path, *others}) == module


def test_tests_go_beside_the_nearest_ones_under_a_name_nobody_has() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/cart.py": "",
        "tests/test_other.py": "from shop.other import x\n",
        "tests/unit/test_things.py": "import unittest\nfrom shop.cart import y\nclass T(unittest.TestCase): ...\n",
        "elsewhere/test_cart_total.py": "",
    }
    function = Function("shop/cart.py", "total", 1, 2, 2, True)
    place = place_for(function, files, files.get, (), suite_path="", unittest_style=False)
    assert place.example == "tests/unit/test_things.py"
    assert place.path == "tests/unit/test_cart_total_2.py"
    assert place.unittest_style


def test_a_project_without_tests_gets_a_folder() -> None:
    function = Function("cart.py", "Basket.__add__", 1, 2, 2, True)
    place = place_for(function, {"cart.py": ""}, {"cart.py": ""}.get, (), suite_path="api", unittest_style=True)
    assert (place.path, place.example, place.unittest_style) == ("api/tests/test_cart_basket_add.py", "", True)


def test_mutants_change_the_function_and_nothing_else() -> None:
    text = '''\
def other(a):
    return a < 1


def clamp(value, low, high):
    """Between."""
    if low > high:
        raise ValueError("empty range")
    return max(low, min(value, high)) + 1
'''
    function = Function("a.py", "clamp", 5, 9, 7, True)
    mutants = mutants_of(function, text)
    assert 3 <= len(mutants) <= MOST
    assert {7, 9} <= {mutant.line for mutant in mutants} <= {7, 8, 9}
    for mutant in mutants:
        changed_text = mutant.apply(text)
        assert changed_text != text
        compile(changed_text, "a.py", "exec")
        assert changed_text.startswith(text[: text.index("    if low")])
        assert mutant.line != 8 or mutant.rule != "constant"


FILE = """\
import json
import pytest

from shop import total


@pytest.mark.parametrize("a", [1])
def test_one(a):
    assert total([a]) == a


class TestBasket:
    def test_two(self):
        assert json.loads("2") == 2


def test_three():
    assert total([]) == 0
"""


def test_tests_are_taken_out_with_what_only_they_needed() -> None:
    assert names_in(FILE) == ("test_one", "TestBasket::test_two", "test_three")
    left = without(FILE, {"test_one", "TestBasket::test_two"})
    assert left == "from shop import total\n\n\ndef test_three():\n    assert total([]) == 0\n"
    assert without(FILE, set()) == FILE
    assert without(FILE, set(names_in(FILE))) == ""
    assert without("def test_a(:", {"test_b"}) == ""
