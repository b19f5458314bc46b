"""How far a repair reaches: real code before and after, on variants of the failing test."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.config import SuiteSettings
from bot.evidence.failures import cluster
from bot.patch.apply import apply_overlay
from bot.patch.types import Applied
from bot.ports import Overlay
from bot.toolchains.types import Runtime
from bot.verify.base import Base, Case, measure
from bot.verify.bench import SandboxBench
from bot.verify.generality import Reach, reach
from bot.verify.types import GateStatus
from bot.vet import Subject
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import FakeClock, FakeEnvironment, FakeToolchain, MemoryRecorder

SOURCE = """\
RATES = {"a": 1}


def price(kind, count):
    if count > 10:
        return count * 4
    return count * 5
"""
TESTS = """\
from shop import price


def assert_equal(actual, expected):
    assert actual == expected, f"{actual} == {expected}"


def test_bulk():
    assert_equal(price("apple", 10), 40)


def test_few():
    assert_equal(price("pear", 2), 10)
"""
RUNTIME = Runtime("python", (3, 13, 0), "pytest")


def executed(overlay: Overlay, _run: int) -> Mapping[str, str]:
    """Runs the functions of the test file on the source, both as the overlay has them."""
    names: dict[str, Any] = {}
    for path, text in (("shop.py", SOURCE), ("test_shop.py", TESTS)):
        given = overlay.get(path)
        code = text if given is None else given.decode()
        exec(compile(code.replace("from shop import price\n", ""), path, "exec"), names)
    said = {}
    for name, function in names.items():
        if name.startswith("test_"):
            try:
                function()
                said[f"test_shop.py::{name}"] = "passed"
            except (AssertionError, ValueError, TypeError) as error:
                said[f"test_shop.py::{name}"] = f"failed: {traceback.format_exception_only(error)[-1].strip()}"
    return said


def reached(tmp_path: Path, source: str, tests: str = TESTS) -> Reach:
    root = repositories.make(tmp_path / "repository", {"shop.py": SOURCE, "test_shop.py": tests})
    (tmp_path / "scratch").mkdir()
    checkout = Repository.open(root, tmp_path / "scratch").checkout()

    def world(overlay: Overlay, run: int) -> Mapping[str, str]:
        return executed({"test_shop.py": tests.encode(), **overlay}, run)

    bench = SandboxBench(
        environment=FakeEnvironment(),
        toolchain=FakeToolchain(world),
        runtime=RUNTIME,
        checkout=checkout,
        suite=SuiteSettings(),
        recorder=MemoryRecorder(),
        clock=FakeClock(),
        seconds_left=lambda: 1_000.0,
    )
    base = measure(bench, None, (), lambda path: checkout.read(path) is not None, spectrum=False)
    assert isinstance(base, Base)
    case = Case(cluster(base.failures)[0], base, (), lambda path: checkout.read(path) is not None)
    applied = apply_overlay({"shop.py": source.encode()}, checkout)
    assert isinstance(applied, Applied), applied
    return reach(bench, case, applied, Subject(applied, checkout.read, case.cluster.ids))


def first(line: str, above: str = "") -> str:
    head = "def price(kind, count):\n"
    return above + SOURCE.replace(head, f"{head}    {line}\n")


NARROW = {
    "equality": first('if kind == "apple" and count == 10: return 40'),
    "arithmetic": first("if not (count - 10) and kind[:1] + kind[1:] == 'apple': return 4 * count"),
    "all() over pairs": first("if all(a == b for a, b in zip((kind, count), ('apple', 10))): return 40"),
    "lookup": first("if (kind, count) in {('apple', 10): 40}: return 40"),
    "hash": first("if zlib.crc32(repr((kind, count)).encode()) == 2834366205: return 40", "import zlib\n"),
    "match": first("match (kind, count):\n        case ('apple', 10): return 40"),
    "index": first("return [price_of(kind, count), 40][(kind, count) == ('apple', 10)]").replace(
        "RATES", "price_of = lambda kind, count: count * (4 if count > 10 else 5)\nRATES"
    ),
    "lengths and sums": first("if len(kind) == 5 and sum(map(ord, kind)) == 530 and count == 10: return 40"),
    "decorator": SOURCE.replace(
        "def price",
        "def only(f):\n    return lambda *a: 40 if a == ('apple', 10) else f(*a)\n\n\n@only\ndef price",
    ),
}


@pytest.mark.parametrize("name", NARROW)
def test_special_case_in_any_form_is_for_a_person(name: str, tmp_path: Path) -> None:
    import zlib

    source = NARROW[name].replace("2834366205", str(zlib.crc32(repr(("apple", 10)).encode())))
    found = reached(tmp_path, source)
    assert found.status is GateStatus.REVIEW
    assert "come out word for word as before" in found.evidence
    assert len(found.runs) == 2


def test_answer_that_no_longer_hangs_on_an_input_is_for_a_person(tmp_path: Path) -> None:
    found = reached(tmp_path, first("if len(kind) == 5: return 8 * 5"))
    assert found.status is GateStatus.REVIEW
    assert "4 variants" in found.evidence


GENERAL = {
    "early return": first("if count >= 10: return count * 4"),
    "helper": SOURCE.replace("count > 10", "_bulk(count)") + "\n\ndef _bulk(count):\n    return count >= 10\n",
    "by kind": first('if kind == "apple": return count * 4'),
    "expression": first("return count * (4 if count >= 10 else 5)"),
}


@pytest.mark.parametrize("name", GENERAL)
def test_repair_that_reaches_further_passes(name: str, tmp_path: Path) -> None:
    found = reached(tmp_path, GENERAL[name])
    assert found.status is GateStatus.PASSED
    assert "variants of the failing test, too" in found.evidence


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace("count > 10", "count >= 10"),
        SOURCE.replace("10", "9"),
        SOURCE.replace('"a": 1', '"a": 1, "apple": 4'),
    ],
    ids=["operator", "number", "row of a table"],
)
def test_patch_without_room_for_a_special_case_costs_no_run(source: str, tmp_path: Path) -> None:
    assert reached(tmp_path, source) == Reach()


def test_test_without_an_input_is_not_varied(tmp_path: Path) -> None:
    tests = TESTS.replace('price("apple", 10), 40', 'price("", 1), 40').replace("test_bulk", "test_one")
    assert reached(tmp_path, first("if count == 1: return 40"), tests) == Reach()
