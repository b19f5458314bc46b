"""Order, fairness, uniqueness and bounds of the candidates that all rules make together."""

from __future__ import annotations

import ast
import itertools
import math
import time
from collections.abc import Iterable

import pytest

from bot.diagnose.types import Location
from bot.propose.search.generate import generate
from bot.propose.search.rules import RULES

CODE = """\
def total(prices, discount):
    result = 0
    for index in range(len(prices) - 1):
        result += prices[index]
    if discount > 0 and result:
        result = result * discount
    return result
"""


def at(*lines: int, path: str = "shop.py") -> list[Location]:
    return [Location(path, line, "total", 1.0 / rank, "") for rank, line in enumerate(lines, 1)]


def read(texts: dict[str, str]) -> Iterable[object]:
    return texts.get  # type: ignore[return-value]


def test_every_result_compiles_and_none_is_met_twice() -> None:
    found = list(generate(at(4, 3, 5, 6, 7), {"shop.py": CODE}.get))
    trees = {ast.dump(ast.parse(candidate.apply(CODE))) for candidate in found}
    assert len(trees) == len(found) > 200
    assert ast.dump(ast.parse(CODE)) not in trees
    assert {candidate.rule for candidate in found} >= {rule.NAME for rule in RULES} - {"import", "identity"}


def test_the_order_is_cost_plus_log_of_rank_and_starves_nobody() -> None:
    lines = (4, 3, 5, 6, 7)
    found = list(generate(at(*lines), {"shop.py": CODE}.get))
    own = {line: rank for rank, line in enumerate(lines)}
    simple = [
        candidate for candidate in found if candidate.line in own and candidate.rule in ("comparison", "constant")
    ]
    priorities = [candidate.cost + math.log2(1 + own[candidate.line]) for candidate in simple]
    assert priorities == sorted(priorities)
    assert {candidate.line for candidate in found[: len(found) // 3]} >= set(lines)


def test_it_is_lazy() -> None:
    asked: list[str] = []

    def reading(path: str) -> str | None:
        asked.append(path)
        return CODE

    first = next(generate(at(4, 3), reading))
    assert first.path == "shop.py" and asked == ["shop.py"]
    large = "".join(f"def f{number}(a, b):\n    return a + b * {number}\n\n" for number in range(3000))
    begin = time.process_time()
    assert len(list(itertools.islice(generate(at(2, 5, 8), {"shop.py": large}.get), 20))) == 20
    assert time.process_time() - begin < 5.0


def test_bounds() -> None:
    assert len(list(generate(at(4, 3, 5, 6, 7), {"shop.py": CODE}.get, most=17))) == 17
    crowded = "x = [" + ", ".join(f"a{number} < b{number}" for number in range(2000)) + "]\n"
    begin = time.process_time()
    assert len(list(generate(at(1), {"shop.py": crowded}.get, most=5))) == 5
    assert time.process_time() - begin < 15.0


@pytest.mark.parametrize(
    "location",
    [
        Location("gone.py", 1, "", 1.0, ""),
        Location("notes.txt", 1, "", 1.0, ""),
        Location("broken.py", 1, "", 1.0, ""),
        Location("shop.py", 0, "", 1.0, ""),
        Location("shop.py", -3, "", 1.0, ""),
        Location("shop.py", 10_000, "", 1.0, ""),
        Location("empty.py", 1, "", 1.0, ""),
    ],
)
def test_places_that_hold_no_statement_are_passed_over(location: Location) -> None:
    texts = {"shop.py": CODE, "notes.txt": CODE, "broken.py": "def (:\n", "empty.py": ""}
    assert list(generate([location], texts.get)) == []
    assert next(generate([location, *at(4)], texts.get)).line == 4


def test_one_statement_named_by_several_lines_counts_once() -> None:
    text = "total = f(\n    a,\n    b,\n)\n"
    once = [candidate.apply(text) for candidate in generate(at(1), {"shop.py": text}.get)]
    thrice = [candidate.apply(text) for candidate in generate(at(2, 1, 3), {"shop.py": text}.get)]
    assert once == thrice


def test_several_files_keep_apart() -> None:
    other = CODE.replace("total", "sum_up")
    found = list(generate([*at(4), *at(4, path="other.py")], {"shop.py": CODE, "other.py": other}.get))
    assert {candidate.path for candidate in found} == {"shop.py", "other.py"}
    assert len(found) == 2 * len(list(generate(at(4), {"shop.py": CODE}.get)))


def test_comments_and_formatting_stay() -> None:
    text = "def f( a,b ):  # one\n    x = a<b   # two\n\n    return [ x,\n        a ]  # three\n"
    for candidate in generate(at(2, 4), {"shop.py": text}.get):
        after = candidate.apply(text)
        assert after.startswith("def f( a,b ):  # one\n") or candidate.rule in ("guard", "import")
        assert "# three" in after or candidate.description.startswith("without")
        if all("\n" not in text[edit.start : edit.end] for edit in candidate.edits):
            assert "# two" in after
