"""One test, several names; ambiguity is never resolved by luck."""

from __future__ import annotations

import pytest

from bot.evidence.matching import resolve, select
from bot.evidence.types import TestId

A = TestId("tests/test_a.py", "tests.test_a", "test_x")
B = TestId("tests/test_b.py", "tests.test_b", "test_x")
C = TestId("tests/test_a.py", "tests.test_a.TestC", "test_y[a::b-c/d]")
MODULE = TestId("tests/test_c.py", "tests.test_c", "")
KNOWN = (A, B, C, MODULE)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (A, A),
        (TestId("", "tests.test_a", "test_x"), A),  # xunit2 has no file
        (TestId("project/tests/test_a.py", "project.tests.test_a", "test_x"), A),  # run one folder up
        (TestId("test_a.py", "test_a", "test_x"), A),  # run inside of tests/
        (TestId.from_node_id("/home/ci/checkout/p/p/tests/test_a.py::test_x"), A),
        (TestId.from_node_id("tests\\test_a.py::test_x"), A),
        (TestId("", "tests.test_a.TestC", "test_y[a::b-c/d]"), C),
        (TestId("", "TestC", "test_y[a::b-c/d]"), C),
        (TestId("", "tests.test_c", ""), MODULE),  # a collection error
        (TestId("", "", "test_x"), None),  # A or B
        (TestId("", "test_a", "test_missing"), None),
        (TestId("", "tests.test_a.TestC", "test_y"), None),  # parameters are part of the name
        (TestId("", "est_a", "test_x"), None),  # no part of a word
        (TestId("", "other.tests_test_a", "test_x"), None),
    ],
)
def test_resolve(wanted: TestId, found: TestId | None) -> None:
    result = resolve([wanted], KNOWN)
    assert result.found.get(wanted) == found
    assert result.missing == (() if found else (wanted,))


def test_two_known_ids_of_one_dotted_name_are_ambiguous() -> None:
    twin = TestId("other/tests/test_a.py", "tests.test_a", "test_x")
    wanted = TestId("", "tests.test_a", "test_x")
    assert resolve([wanted], (A, twin)).missing == (wanted,)
    assert resolve([A], (A, twin)).found == {A: A}


def test_repeated_words_are_answered_once() -> None:
    wanted = TestId("", "nowhere", "test_x")
    assert resolve([wanted, wanted, A, A], iter(KNOWN)).missing == (wanted,)


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("tests/test_a.py", (A, C)),
        ("./tests/test_a.py", (A, C)),
        ("tests", KNOWN),
        ("tests/", KNOWN),
        (".", KNOWN),
        ("tests/test_a.py::test_x", (A,)),
        ("tests/test_a.py::TestC", (C,)),
        ("tests/test_a.py::TestC::test_y", (C,)),
        ("tests/test_a.py::TestC::test_y[a::b-c/d]", (C,)),
        ("tests.test_a.TestC.test_y", (C,)),
        ("tests.test_a", (A, C)),
        ("TestC", (C,)),
        ("TestC::test_y", (C,)),
        ("test_x", (A, B)),
        ("test_y[a::b-c/d]", (C,)),
        ("tests/test_c.py", (MODULE,)),
        ("tests/test_a.py::test", ()),
        ("tests/test_a.py::test_y[other]", ()),
        ("test", ()),
        ("tests/test_", ()),
        ("", ()),
    ],
)
def test_select(selector: str, chosen: tuple[TestId, ...]) -> None:
    result = select([selector], KNOWN)
    assert result.ids == chosen
    assert result.missing == (() if chosen else (selector,))


@pytest.mark.parametrize(
    ("selector", "matches"),
    [("tests/test_a.py", True), ("tests/test_a.py::TestC::test_y", True), ("tests/test_a.py::test_y", False)],
)
def test_select_knows_paths_of_ids_without_file(selector: str, matches: bool) -> None:
    id = TestId("", "tests.test_a.TestC", "test_y")
    assert bool(select([selector], [id]).ids) is matches


def test_selection_is_in_the_order_of_the_known() -> None:
    assert select(["tests/test_b.py", "tests/test_a.py::test_x"], KNOWN).ids == (A, B)
