"""Where nodes stand in the text, whatever its line ends and alphabet; which statement a line belongs to."""

from __future__ import annotations

import ast

import pytest

from bot.propose.search.source import (
    LONGEST,
    enclosing_class,
    enclosing_function,
    enclosing_loop,
    expressions,
    indentation,
    newline,
    owns_lines,
    parse,
    segment,
    statement_at,
)
from bot.propose.search.writing import indent_unit, operand, operands

TEXTS = {
    "plain": "def f(a):\n    return a + b\n",
    "crlf": "def f(a):\r\n    return a + b\r\n",
    "lone carriage returns": "def f(a):\r    return a + b\r",
    "byte-order mark": "\ufeffdef f(a):\n    return a + b\n",
    "not ASCII": "def f(naïve):\n    größe = 'żółw €'; return größe + naïve  # …\n",
    "beyond the basic plane": "x = '𝔘𝔫𝔦' + y + '🐢' + z\n",
    "tabs and form feed": "\x0cdef f(a):\n\treturn a + b\n",
    "separators that are no line ends": "x = 'a\u2028b\x0bc\x85d' + y\nz = x\n",
    "no last line end": "x = a + b",
    "multi-line": "x = f(\n    a,  # one\n    b\n)\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_expression_is_found_at_its_offsets(text: str) -> None:
    source = parse("a.py", text)
    assert source is not None
    checked = 0
    for node in ast.walk(source.module):
        if isinstance(node, ast.expr):
            assert ast.dump(ast.parse(segment(source, node), mode="eval").body) == ast.dump(
                ast.parse(ast.unparse(node), mode="eval").body
            )
            checked += 1
    assert checked


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def f(:\n", id="not Python"),
        pytest.param("x = 1\0\n", id="null byte"),
        pytest.param("print 'old'\n", id="Python 2"),
        pytest.param("x = " + "(" * 5000 + ")" * 5000, id="too many brackets"),
        pytest.param("x = " + "-" * 20_000 + "1", id="deep unary"),
        pytest.param("x = a" + ".b" * 400, id="deep attributes"),
        pytest.param("x = 1\n" * (LONGEST // 6 + 1), id="too long"),
        pytest.param("x = '\ud800'\n", id="lone surrogate"),
    ],
)
def test_unreadable_text_is_none(text: str) -> None:
    assert parse("a.py", text) is None


def test_warnings_about_the_text_are_not_ours() -> None:
    assert parse("a.py", "x = '\\d'\nassert (x, 1)\ny = x is 'a'\n") is not None


CODE = """\
import os

@decorated(
    1,
)
class Box:
    size = 1

    @property
    def width(self, default=[]):
        '''Text.'''
        if (self.size
                > 1):
            return 1
        elif self.size:
            return 2
        else:
            x = [
                1,

                2,
            ]
        try:
            y = 1; z = 2
        except (KeyError, ValueError):
            pass
        finally:
            w = 3
        for i in x: print(i)
        match x:
            case [1, y] if y:
                pass
            case _:
                pass
        # remark
        return y
"""
LINES = [
    (1, "Import"), (2, None), (3, "ClassDef"), (4, "ClassDef"), (6, "ClassDef"), (7, "Assign"), (9, "FunctionDef"),
    (10, "FunctionDef"), (11, "Expr"), (12, "If"), (13, "If"), (14, "Return"), (15, "If"), (16, "Return"), (17, "If"),
    (18, "Assign"), (20, "Assign"), (22, "Assign"), (23, None), (24, "Assign"), (25, "Try"), (26, "Pass"), (27, "Try"),
    (28, "Assign"), (29, "For"), (30, "Match"), (31, "Match"), (32, "Pass"), (33, "Match"), (35, None), (36, "Return"),
    (37, None), (99, None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind"), LINES)
def test_statement_at(line: int, kind: str | None) -> None:
    source = parse("a.py", CODE)
    assert source is not None
    found = statement_at(source, line)
    if line == 23:  # `try:` is its header
        kind = "Try"
    assert (None if found is None else type(found).__name__) == kind


def test_surroundings() -> None:
    source = parse("a.py", CODE)
    assert source is not None
    two = statement_at(source, 24)
    loop = statement_at(source, 29)
    last = statement_at(source, 36)
    assert two is not None and loop is not None and last is not None
    function, owner = enclosing_function(source, last), enclosing_class(source, last)
    assert function is not None and function.name == "width"
    assert owner is not None and owner.name == "Box"
    assert enclosing_loop(source, loop.body[0]) is loop  # type: ignore[attr-defined]
    assert enclosing_loop(source, last) is None
    assert indentation(source, last) == "        " and owns_lines(source, last)
    assert not owns_lines(source, two)
    assert indentation(source, loop.body[0]) is None  # type: ignore[attr-defined]
    assert newline(source) == "\n" and indent_unit(source) == "    "


def test_what_is_not_edited() -> None:
    """Annotations, docstrings and the literal parts of f-strings are no code to repair."""
    text = "def f(a: int = 1) -> str:\n    'doc'\n    x: dict[str, int] = {}\n    return f'{a + 1!r:>{w}} b'\n"
    source = parse("a.py", text)
    assert source is not None
    seen = [segment(source, node) for line in range(1, 5) for node in expressions(source, statement_at(source, line))]  # type: ignore[arg-type]
    assert "a + 1" in seen and "{}" in seen and "1" in seen
    assert not {"int", "str", "'doc'", "dict[str, int]", " b"} & set(seen)


@pytest.mark.parametrize(
    ("left", "operator", "right", "text"),
    [
        ("a", "+", "1", "a + 1"),
        ("a if b else c", "+", "1", "(a if b else c) + 1"),
        ("a + b", "*", "c", "(a + b) * c"),
        ("a", "-", "b - c", "a - (b - c)"),
        ("a - b", "-", "c", "a - b - c"),
        ("a or b", "and", "c", "(a or b) and c"),
        ("a and b", "or", "not c", "a and b or not c"),
        ("(a + b)", "*", "c", "(a + b) * c"),
        ("lambda: a", "or", "b", "(lambda: a) or b"),
        ("a < b", "==", "c", "(a < b) == c"),
    ],
)
def test_operands_are_bracketed_where_the_grammar_asks(left: str, operator: str, right: str, text: str) -> None:
    assert operands(left, operator, right) == text


def test_operand() -> None:
    assert [operand(text) for text in ("a", "a.b", "a + b", "-a", "a, b")] == ["a", "a.b", "(a + b)", "(-a)", "(a, b)"]
