"""The test that goes with a search's proposal: readable, in the neighbours' style, and never code from the box."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from bot.propose.search import regression_test
from bot.propose.search.regression_test import TellingCall, render

GCD = TellingCall(
    module="pack.numbers",
    qualname="gcd",
    how="function",
    constructor=None,
    arguments="4, 6",
    values=("4", "6"),
    kind="value",
    expected="2",
    iterator=False,
    before_kind="raises",
    before_text="RecursionError",
)


def test_function() -> None:
    assert render(GCD, unittest_style=False) == (
        "from pack.numbers import gcd\n\n\ndef test_gcd_regression():\n"
        '    """Raised RecursionError before the fix."""\n    assert gcd(4, 6) == 2\n'
    )


@pytest.mark.parametrize(
    ("changes", "unittest_style", "expected"),
    [
        ({"before_kind": "value", "before_text": "3"}, False, '"""Gave 3 before the fix."""'),
        ({"before_kind": "value", "before_text": repr("x" * 99)}, False, '"""Gave something else before the fix."""'),
        ({"expected": "True"}, False, "assert gcd(4, 6) is True"),
        ({"expected": "0.5"}, False, "assert gcd(4, 6) == pytest.approx(0.5)"),
        ({"iterator": True, "expected": "[1, 2]"}, False, "assert list(gcd(4, 6)) == [1, 2]"),
        ({"before_kind": "hangs", "before_text": ""}, False, "@pytest.mark.timeout(10)\ndef test_gcd_regression"),
        ({"qualname": "Bag.add", "how": "method", "constructor": "3, size=4"}, False, "Bag(3, size=4).add(4, 6) == 2"),
        ({"qualname": "Bag.of", "how": "class"}, False, "from pack.numbers import Bag\n"),
        ({"qualname": "Bag.of", "how": "static"}, False, "assert Bag.of(4, 6) == 2"),
        ({"kind": "changes", "values": ("[2, 1]",), "expected": "[[1, 2]]"}, False, "    gcd(*arguments)\n"),
        ({"kind": "changes", "values": ("[2, 1]",), "expected": "[[1, 2]]"}, False, "assert arguments == [[1, 2]]"),
        ({}, True, "class TestGcdRegression(unittest.TestCase):\n    def test_gcd_regression(self):\n"),
        ({}, True, "self.assertEqual(gcd(4, 6), 2)"),
        ({"expected": "0.5"}, True, "self.assertAlmostEqual(gcd(4, 6), 0.5)"),
    ],
)
def test_forms(changes: dict[str, object], unittest_style: bool, expected: str) -> None:
    call = replace(GCD, **changes)  # type: ignore[arg-type]
    assert call.is_sound()
    text = render(call, unittest_style)
    assert expected in text
    ast.parse(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": "__import__('os').system('id')"},
        {"arguments": "4), print(6"},
        {"arguments": "*range(3)"},
        {"arguments": "4, 6)\nimport os\n(0"},
        {"expected": "open('/etc/passwd').read()"},
        {"expected": "2\nimport os"},
        {"module": "pack; import os"},
        {"qualname": "gcd()"},
        {"constructor": "exec('1')", "how": "method", "qualname": "A.b"},
        {"values": ("exec('1')",)},
        {"how": "lambda"},
        {"kind": "raises"},
        {"before_text": '"""\nimport os\n"""'},
    ],
)
def test_what_the_box_says_is_not_code(changes: dict[str, object]) -> None:
    assert not replace(GCD, **changes).is_sound()  # type: ignore[arg-type]


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    assert regression_test.test_path(tmp_path, "tests/test_x.py", GCD) == "tests/test_gcd_regression.py"
    (tmp_path / "tests" / "test_gcd_regression.py").touch()
    assert regression_test.test_path(tmp_path, "tests/test_x.py", GCD) == "tests/test_gcd_regression_2.py"
    assert regression_test.test_path(tmp_path, "test_x.py", GCD) == "test_gcd_regression.py"
    for suffix in ("_2", "_3", "_4"):
        (tmp_path / "tests" / f"test_gcd_regression{suffix}.py").touch()
    assert regression_test.test_path(tmp_path, "tests/test_x.py", GCD) is None
