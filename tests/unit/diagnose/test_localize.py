"""Ranking: traceback, spectrum, changes and calls, on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.diagnose.ochiai import line_scores
from bot.diagnose.rank import MOST_LOCATIONS, localize
from bot.diagnose.types import Location, Spectrum
from bot.evidence.test_paths import is_test_path
from bot.evidence.types import Cluster, Failure, Frame, Outcome, Phase, TestCase, TestId
from bot.workspace.types import ChangedRange

SHOP = """\
RATE = 0.2
UNUSED = 1


class Cart:
    limit = 10

    def __init__(self, prices=[]):
        self.prices = prices

    def total(self):
        result = sum(self.prices)
        if result > self.limit:
            result = (
                result
                - RATE
            )
        return result


def tax(amount):
    return amount * RATE


def unrelated():
    return 1
"""

TEST = """\
from shop import Cart, tax


def make():
    return Cart([1])


def test_total():
    assert make().total() == 1


def test_tax():
    assert tax(1) == 2
"""


def write(tree: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    return tree


def ident(name: str, file: str = "tests/test_shop.py") -> TestId:
    return TestId(file, file.removesuffix(".py").replace("/", "."), name)


def failing(
    *tests: TestId,
    frames: tuple[tuple[str, int], ...] = (),
    exception: str = "AssertionError",
    message: str = "",
    phase: Phase = Phase.CALL,
) -> Cluster:
    inside = tuple(Frame(path, line, "", not path.startswith("/")) for path, line in frames)
    cases = [TestCase(test, Outcome.FAILED, message=message, phase=phase) for test in tests]
    return Cluster("0" * 64, tuple(Failure(case, exception, message, inside, "0" * 64) for case in cases))


def run(
    tree: Path, cluster: Cluster, spectrum: Spectrum | None = None, changed: tuple[ChangedRange, ...] = ()
) -> tuple[Location, ...]:
    return localize(cluster, spectrum, changed, tree, is_test_path)


def places(locations: tuple[Location, ...]) -> list[tuple[str, int]]:
    return [(location.path, location.line) for location in locations]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path, {"shop.py": SHOP, "tests/test_shop.py": TEST})


# --- the score ------------------------------------------------------------------------------------------------------


def test_ochiai_by_hand() -> None:
    fail, other, good, better = (ident(name) for name in ("fail", "other", "good", "better"))
    spectrum = Spectrum(
        {
            fail: {"a.py": frozenset({1, 2, 3})},
            other: {"a.py": frozenset({1, 9})},  # fails for another reason
            good: {"a.py": frozenset({1, 2}), "b.py": frozenset({5})},
            better: {"a.py": frozenset({1})},
        },
        frozenset({fail, other}),
    )
    scores = line_scores(spectrum, [fail])
    assert {line: round(score.score, 4) for (_, line), score in scores.items()} == {
        1: round(1 / 3**0.5, 4),
        2: round(1 / 2**0.5, 4),
        3: 1.0,
    }
    first = scores["a.py", 1]
    assert (first.failing, first.failing_all, first.passing, first.passing_all) == (1, 1, 2, 2)


def test_targets_without_data_do_not_count() -> None:
    fail, lost = ident("fail"), ident("lost")
    spectrum = Spectrum({fail: {"a.py": frozenset({1})}}, frozenset({fail, lost}))
    assert line_scores(spectrum, [fail, lost])["a.py", 1].score == 1.0
    assert line_scores(spectrum, [lost]) == {}


# --- merging ----------------------------------------------------------------------------------------------------------


def test_lines_of_one_statement_are_one_location(tree: Path) -> None:
    total, tax = ident("test_total"), ident("test_tax")
    spectrum = Spectrum(
        {
            total: {"shop.py": frozenset({12, 13, 15, 16, 18}), "tests/test_shop.py": frozenset({9})},
            tax: {"shop.py": frozenset({12, 13, 18, 22})},
        },
        frozenset({total}),
    )
    locations = run(tree, failing(total, frames=(("tests/test_shop.py", 9),)), spectrum)
    assert places(locations)[0] == ("shop.py", 14)
    assert locations[0].symbol == "Cart.total"
    assert locations[0].reason == "run by 1 of 1 failing and 0 of 1 passing tests"
    assert len(set(places(locations))) == len(locations)
    assert all(0 < location.suspiciousness <= 1 for location in locations)
    assert not any(is_test_path(location.path) for location in locations)


def test_the_traceback_outweighs_lines_that_were_only_run(tree: Path) -> None:
    total = ident("test_total")
    spectrum = Spectrum({total: {"shop.py": frozenset({9, 12, 13, 18, 22})}}, frozenset({total}))
    frames = (("tests/test_shop.py", 9), ("shop.py", 12), ("shop.py", 22), ("/usr/lib/python3/x.py", 3))
    locations = run(tree, failing(total, frames=frames, exception="TypeError"), spectrum)
    assert places(locations)[:2] == [("shop.py", 22), ("shop.py", 12)]
    assert locations[0].reason.startswith("TypeError is raised here; run by")
    assert locations[1].reason.startswith("1 call above the failure on the traceback")


def test_changed_lines_are_prime_suspects(tree: Path) -> None:
    total = ident("test_total")
    spectrum = Spectrum({total: {"shop.py": frozenset({12, 13, 18})}}, frozenset({total}))
    changed = (ChangedRange("shop.py", 18, 19), ChangedRange("shop.py", 25, 26), ChangedRange("gone.py", 1, 2))
    locations = run(tree, failing(total), spectrum, changed)
    assert places(locations)[0] == ("shop.py", 18)
    assert "changed since the last good revision" in locations[0].reason
    by_place = {(location.path, location.line): location.suspiciousness for location in locations}
    assert by_place["shop.py", 26] < by_place["shop.py", 12]  # changed, and not run by the failing test
    assert ("shop.py", 19) not in by_place  # a blank line


def test_values_that_imports_computed_are_listed_below_their_users(tree: Path) -> None:
    total = ident("test_total")
    spectrum = Spectrum({total: {"shop.py": frozenset({9, 12, 13, 14})}}, frozenset({total}))
    locations = run(tree, failing(total), spectrum)
    by_place = {(location.path, location.line): location for location in locations}
    assert by_place["shop.py", 1].reason == "a value that Cart.total uses"
    assert by_place["shop.py", 6].reason == "an attribute that Cart.total uses"
    assert by_place["shop.py", 8].reason == "a default of Cart.__init__ that is shared between calls"
    assert ("shop.py", 2) not in by_place
    assert by_place["shop.py", 1].suspiciousness < by_place["shop.py", 14].suspiciousness


def test_equal_evidence_gives_equal_lists_whatever_the_order(tree: Path) -> None:
    first, second = ident("test_total"), ident("test_tax")
    lines = {"shop.py": frozenset({22, 12, 13, 9})}
    one = run(tree, failing(first, second), Spectrum({first: lines, second: lines}, frozenset({first, second})))
    two = run(tree, failing(second, first), Spectrum({second: lines, first: lines}, frozenset({second, first})))
    assert one == two


# --- without a spectrum -----------------------------------------------------------------------------------------------


def test_functions_that_the_test_calls(tree: Path) -> None:
    locations = run(tree, failing(ident("test_tax"), frames=(("tests/test_shop.py", 13),)))
    assert places(locations)[0] == ("shop.py", 22)
    assert locations[0].reason == "called by the failing test"
    assert "unrelated" not in {location.symbol for location in locations}


def test_methods_behind_a_helper_of_the_test(tree: Path) -> None:
    symbols = {location.symbol for location in run(tree, failing(ident("test_total")))}
    assert {"Cart.total", "Cart.__init__"} <= symbols
    assert "tax" not in symbols


@pytest.mark.parametrize(
    ("files", "test"),
    [
        pytest.param({"src/pkg/core.py": "def f():\n    return 1\n"}, "from pkg.core import f", id="src layout"),
        pytest.param(
            {"pkg/__init__.py": "from .core import f\n", "pkg/core.py": "def f():\n    return 1\n"},
            "from pkg import f",
            id="passed on by the package",
        ),
        pytest.param(
            {"pkg/__init__.py": "", "pkg/core.py": "def f():\n    return 1\n"},
            "from pkg import core",
            id="through the module",
        ),
        pytest.param(
            {"pkg/__init__.py": "", "pkg/core.py": "def f():\n    return 1\n"}, "import pkg.core as c", id="renamed"
        ),
        pytest.param(
            {
                "pkg/inner.py": "def f():\n    return 1\n",
                "pkg/core.py": "from . import inner\ndef g():\n    inner.f()\n",
            },
            "from pkg.core import g",
            id="two calls away",
        ),
    ],
)
def test_imports_are_resolved(tmp_path: Path, files: dict[str, str], test: str) -> None:
    call = {"c": "c.f()", "g": "g()", "core": "core.f()"}.get(test.rsplit(maxsplit=1)[-1], "f()")
    write(tmp_path, {**files, "tests/test_f.py": f"{test}\n\ndef test_f():\n    assert {call} == 2\n"})
    locations = run(tmp_path, failing(ident("test_f", "tests/test_f.py")))
    assert "f" in {location.symbol for location in locations}


def test_test_code_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, {"tests/test_a.py": "def test_a():\n    assert 1 == 2\n"})
    locations = run(tmp_path, failing(ident("test_a", "tests/test_a.py"), frames=(("tests/test_a.py", 2),)))
    assert places(locations) == [("tests/test_a.py", 2)]
    assert run(tmp_path, failing(ident("test_b", "tests/gone.py"))) == ()


# --- collection -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "path", "line", "reason"),
    [
        ("cannot import name 'Kart' from 'shop' (/box/shop.py)", "shop.py", 5, "'Cart' is nearest"),
        ("cannot import name 'zzz' from 'shop' (/box/shop.py)", "shop.py", 1, "not defined"),
        ("module 'shop' has no attribute 'taxes'", "shop.py", 21, "'tax' is nearest"),
        ("No module named 'pkg.modle'", "pkg/__init__.py", 1, "has no module 'modle'"),
    ],
)
def test_a_missing_name_points_at_who_should_define_it(
    tree: Path, message: str, path: str, line: int, reason: str
) -> None:
    write(tree, {"pkg/__init__.py": "VALUE = 1\n"})
    module = TestId("tests/test_shop.py", "tests.test_shop", "")
    cluster = failing(
        module,
        frames=(("tests/test_shop.py", 1),),
        exception="ImportError",
        message=message,
        phase=Phase.COLLECTION,
    )
    locations = run(tree, cluster)
    assert places(locations)[0] == (path, line)
    assert reason in locations[0].reason


def test_a_syntax_error_is_where_python_says(tree: Path) -> None:
    write(tree, {"broken.py": "def f():\n    return (\n"})
    module = TestId("tests/test_shop.py", "tests.test_shop", "")
    frames = (("tests/test_shop.py", 1), ("broken.py", 2))
    cluster = failing(module, frames=frames, exception="SyntaxError", phase=Phase.COLLECTION)
    (location,) = run(tree, cluster)
    assert (location.path, location.line) == ("broken.py", 2)
    assert location.reason == "SyntaxError while importing here"


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_hostile_paths_and_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("PASSWORD = 1\n")
    tree = tmp_path / "tree"
    write(tree, {"deep.py": "x = " + "(" * 3000 + "\n", "bytes.py": "", "tests/test_a.py": "def test_a(): 0\n"})
    (tree / "bytes.py").write_bytes(b"def f():\n    return '\xff\xfe'\n")
    (tree / "link.py").symlink_to(secret)
    (tree / "folder").symlink_to(tmp_path)
    frames = tuple(
        (path, line)
        for path in ("../secret.py", "link.py", "folder/secret.py", "/etc/passwd", "a\0b.py", "deep.py", "bytes.py")
        for line in (-1, 0, 1, 2, 10**9)
    )
    locations = run(tree, failing(ident("test_a", "tests/test_a.py"), frames=frames, exception="X"))
    assert {location.path for location in locations} <= {"deep.py", "bytes.py"}
    assert all(0 < location.line <= 3 for location in locations)


def test_the_list_is_bounded(tmp_path: Path) -> None:
    write(tmp_path, {"big.py": "def f():\n" + "    x = 1\n" * 5000})
    test = ident("test_a")
    spectrum = Spectrum({test: {"big.py": frozenset(range(2, 5002))}}, frozenset({test}))
    assert len(run(tmp_path, failing(test), spectrum)) == MOST_LOCATIONS
