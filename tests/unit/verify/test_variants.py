"""Neighbours of a failing test: what is varied, and what is left."""

from __future__ import annotations

import ast
from collections.abc import Collection

import pytest

from bot.evidence.types import TestId
from bot.verify.neighbours import Kind
from bot.verify.variants import MARK, vary

INPUTS = frozenset(Kind) - {Kind.WANTED}


def bodies(source: str, most: int = 100, kinds: Collection[Kind] = frozenset(Kind)) -> list[str]:
    found = vary(source, TestId.from_node_id("test_shop.py::test_it"), most)
    if found is None:
        return []
    tree = ast.parse(found.text)  # what comes out can be read
    written = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and MARK in node.name}
    assert len(written) == found.count <= most
    return [
        ast.unparse(ast.Module([*(ast.Expr(each) for each in node.decorator_list), *node.body], []))
        for node in (written[made.name] for made in found.made if made.kind in kinds)
    ]


@pytest.mark.parametrize(
    ("source", "varied", "left"),
    [
        ("def test_it():\n    assert f(7) == 49\n", "f(8) == 49", "== 50"),
        ("def test_it():\n    assert 49 == f(7)\n", "49 == f(8)", "50 =="),
        ("def test_it():\n    assert f(7) == Money(49)\n", "f(8) == Money(49)", "Money(50)"),
        ("def test_it():\n    got = f(7)\n    assert got == Money(49)\n", "f(8)", "Money(50)"),
        ("def test_it():\n    want = 49\n    assert f(7) == want\n", "f(8)", "want = 50"),
        ("def test_it():\n    x = [3, 4]\n    assert f(x) == 7\n", "x = [4, 3]", "== 8"),
        (
            "def test_it():\n    with pytest.raises(ValueError, match='no'):\n        f('yes')\n",
            "f('ye')",
            "match='noq'",
        ),
        ("def test_it():\n    assert f(7) == pytest.approx(4.5)\n", "f(14)", "approx(5.5)"),
        ("def test_it():\n    assert f(size=7) == 3\n", "size=6", "== 4"),
        ("GIVEN = 'ab'\n\ndef test_it():\n    assert f(GIVEN) == 3\n", "GIVEN = 'abq'\nassert f(GIVEN)", "== 4"),
        (
            "@pytest.mark.parametrize(('a', 'b'), [(7, 49), (8, 64)], ids=['x', 'y'])\n"
            "def test_it(a, b):\n    assert f(a) == b\n",
            "[(9, 64)])",
            "50",
        ),
        ("def test_it():\n    self.assertEqual(f(b'x1', 'w'), 4)\n", "f(b'x1q', 'w')", ", 5)"),
    ],
)
def test_inputs_are_varied_and_expectations_left(source: str, varied: str, left: str) -> None:
    found = bodies(source, kinds=INPUTS)
    assert any(varied in body for body in found), found
    assert not any(left in body for body in found), found


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("def test_it():\n    assert f(7) == 49\n", ["assert f(7) == 52"]),
        ("def test_it():\n    assert 'ab' == f(7)\n", ["assert 'ab and more' == f(7)"]),
        ("def test_it():\n    self.assertEqual(f(7), [4])\n", ["self.assertEqual(f(7), [4, 'something else'])"]),
        (
            "def test_it():\n    assert f(7) == {'a': 4}\n",
            ["assert f(7) == {'a': 4, 'something else': 'something else'}"],
        ),
        ("def test_it():\n    assert f(7) > 49\n    assert any(x == 3 for x in f(8))\n", []),
        ("def test_it():\n    if f(7) == 49:\n        assert f(8) != 64\n", []),
    ],
)
def test_expectation_of_a_plain_assertion_is_varied_by_itself(source: str, wanted: list[str]) -> None:
    assert bodies(source, kinds={Kind.WANTED}) == wanted


def test_texts_and_lists_of_other_lengths_and_other_letters() -> None:
    assert bodies("def test_it():\n    f('Az 1!')\n", kinds={Kind.LETTERS}) == ["f('Ba 1!')"]
    assert "f('b cd')" in bodies("def test_it():\n    f('a cd')\n", kinds={Kind.LETTERS})
    lengths = bodies("def test_it():\n    f([1, 7, 9])\n", kinds={Kind.LENGTH})
    assert sorted(len(ast.literal_eval(body[2:-1])) for body in lengths) == [2, 4, 5, 6]
    assert bodies("def test_it():\n    f([1, 7, 9])\n", kinds={Kind.ONE})[0] == "f([2, 7, 9])"
    assert bodies("def test_it():\n    f([1, 7])\n", kinds={Kind.ONE}) == []


def test_each_variant_differs_in_one_place() -> None:
    for body in bodies("def test_it():\n    assert f(7, 8) == 3\n", kinds=INPUTS):
        assert ("f(7, " in body) != (", 8)" in body)


def test_every_input_has_its_turn_within_a_limit() -> None:
    found = bodies("def test_it():\n    assert f(7, 'abc', 3.5) == 3\n", most=4)
    asked = [body.partition(" ==")[0] for body in found[1:]]
    assert asked == ["assert f(8, 'abc', 3.5)", "assert f(7, 'bcd', 3.5)", "assert f(7, 'abc', 4.5)"]


@pytest.mark.parametrize(
    "source",
    [
        "def test_other():\n    assert f(7) == 3\n",
        "def test_it():\n    assert f() == 3\n",
        "def test_it():\n    assert f(0, 1, '', None, True) == 3\n",
        "def test_it(:\n",
        "",
        "x = " + "(" * 5000,
    ],
)
def test_nothing_to_vary(source: str) -> None:
    assert bodies(source) == []


def test_only_variants_are_tests_and_the_class_stays() -> None:
    source = (
        "import unittest\n\n\nclass TestShop(unittest.TestCase):\n    def setUp(self):\n        self.x = 1\n\n"
        "    def test_it(self):\n        self.assertEqual(f(7), 3)\n\n    def test_other(self):\n        pass\n"
    )
    found = vary(source, TestId.from_node_id("test_shop.py::TestShop::test_it"), 4)
    assert found is not None
    (shop,) = (node for node in ast.parse(found.text).body if isinstance(node, ast.ClassDef))
    names = [node.name for node in shop.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in names if name.startswith("test")] == [f"test_it{MARK}{number}" for number in range(4)]
    assert "setUp" in names
