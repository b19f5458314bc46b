"""Excerpts: whole functions, best first, within the budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.diagnose.excerpts import BYTES_PER_TOKEN, excerpt
from bot.diagnose.types import Location
from bot.evidence.types import Cluster, Failure, Frame, Outcome, TestCase, TestId

CODE = """\
LIMITS = {
    "a": 1,
}


def first(x):
    return x


@property
def second(x):
    def inner(y):
        return y

    return inner(x)
"""


def at(line: int, suspiciousness: float = 0.5, path: str = "code.py") -> Location:
    return Location(path, line, "", suspiciousness, "")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "long.py").write_text("def long():\n" + "".join(f"    x{line} = {line}\n" for line in range(2, 2000)))
    (tmp_path / "test_code.py").write_text("import code\n\ndef test_a():\n    x = 1\n    assert x == 2\n")
    return tmp_path


def test_functions_in_the_order_of_their_best_line(tree: Path) -> None:
    pieces = excerpt((at(15), at(7), at(10), at(13), at(2)), tree, 1000)
    assert [(piece.first, piece.suspicious) for piece in pieces] == [(10, (10, 15)), (6, (7,)), (12, (13,)), (1, (2,))]
    assert pieces[0].text == "\n".join(CODE.splitlines()[9:15])
    assert pieces[3].text == 'LIMITS = {\n    "a": 1,\n}'


@pytest.mark.parametrize("budget", [0, 1, 20, 40, 80, 1000])
def test_the_budget_holds(tree: Path, budget: int) -> None:
    locations = tuple(at(line, path=path) for path in ("long.py", "code.py") for line in (7, 13, 15))
    pieces = excerpt(locations, tree, budget, cluster())
    assert sum(len(piece.text.encode()) for piece in pieces) <= budget * BYTES_PER_TOKEN


def test_a_best_function_that_is_too_long_is_cut_around_its_suspicious_lines(tree: Path) -> None:
    first, second = excerpt((at(1000, path="long.py"), at(7)), tree, 400)
    assert first.path == "long.py"
    assert first.first <= 1000 < first.first + len(first.text.split("\n"))
    assert "x1000 = 1000" in first.text
    assert second.symbol == ""


def test_the_failing_test_is_shown_last_with_its_line_marked(tree: Path) -> None:
    pieces = excerpt((at(7),), tree, 1000, cluster())
    assert (pieces[-1].path, pieces[-1].first, pieces[-1].suspicious) == ("test_code.py", 3, (5,))
    assert pieces[-1].text.startswith("def test_a():")


def cluster() -> Cluster:
    case = TestCase(TestId("test_code.py", "test_code", "test_a[1-2]"), Outcome.FAILED)
    failure = Failure(case, "AssertionError", "", (Frame("test_code.py", 5, "test_a"),), "0" * 64)
    return Cluster("0" * 64, (failure, failure))
