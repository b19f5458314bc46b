"""New tests told on a pull request: from data that another job's untrusted code had a hand in."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from bot.ports import JsonValue
from bot.publish import tests_markdown
from tests.unit.publish.test_untrusted import HOSTILE, _acting

FUNCTION: dict[str, JsonValue] = {
    "name": "Cart.total",
    "test_file": "tests/test_cart_total.py",
    "author": "model",
    "tests": [{"name": "test_a"}],
    "dropped": [{"name": "test_b", "why": "it fails on the code as it is: assert 1 == 2"}],
    "mutants": 8,
    "killed": 6,
    "survivors": ["line 3: `<` becomes `<=`", "line 4: `a` becomes `b`"],
    "remarks": [],
    "why": None,
}


def test_what_was_kept_what_was_not_noticed_and_what_may_be_a_defect() -> None:
    body = tests_markdown.render({"summary": "One.", "functions": [FUNCTION], "patch": "diff --git a/x b/x\n+1\n"})
    assert "| `Cart.total` | 1 | 6 of 8 | written by the model |" in body
    assert "**Look at `Cart.total`:**" in body and "`<` becomes `<=`" in body
    assert "diff --git" not in body
    folded = tests_markdown.diff("diff --git a/x b/x\n+1\n", whole="tests.patch")
    assert "```diff\ndiff --git a/x b/x\n+1\n```" in folded
    assert "tests.patch" in tests_markdown.diff("+x\n" * 99_999, whole="tests.patch")


def test_a_function_without_tests_says_why() -> None:
    data: dict[str, JsonValue] = {"name": "f", "test_file": None, "why": "it is asynchronous"}
    assert "- `f`: no test: it is asynchronous" in tests_markdown.render({"functions": [data]})


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_it_acts(hostile: str) -> None:
    told: dict[str, JsonValue] = {
        **FUNCTION,
        "name": hostile,
        "survivors": [hostile],
        "remarks": [hostile],
        "dropped": [{"name": hostile, "why": f"it fails on the code as it is: {hostile}"}],
    }
    unwritten = {**told, "test_file": None, "why": hostile}
    data: dict[str, JsonValue] = {"summary": hostile, "problem": hostile, "functions": [told, unwritten]}
    body = tests_markdown.render(data) + tests_markdown.diff(hostile, whole="tests.patch")
    assert _acting(MarkdownIt("commonmark").enable("table").render(body)) == []
    assert not any(line.lstrip().startswith("/grok") for line in body.split("```")[0].splitlines())


@pytest.mark.parametrize("data", [{}, {"functions": 3}, {"functions": [None, {"tests": "x", "survivors": 7}]}])
def test_data_of_another_shape_does_no_harm(data: dict[str, JsonValue]) -> None:
    assert isinstance(tests_markdown.render(data), str)


def test_it_stays_short() -> None:
    assert len(tests_markdown.render({"functions": [FUNCTION] * 999})) < 40_000
    assert len(tests_markdown.diff("+x\n" * 99_999, whole="tests.patch")) < 21_000
