"""How rules write: a change of an expression, an operator or a statement becomes the smallest edit of the text.

Comments and formatting outside the changed characters stay as they are. Parentheses are added only where the
grammar of the surrounding expression asks for them (Python reference, "Operator precedence").
"""

from __future__ import annotations

import ast
import bisect
import re
from functools import lru_cache

from bot.propose.search.source import block_of, indentation, line_end, newline, owns_lines, span
from bot.propose.search.types import Candidate, Edit, Source

_BINARY: dict[type[ast.operator], int] = {
    ast.BitOr: 6,
    ast.BitXor: 7,
    ast.BitAnd: 8,
    ast.LShift: 9,
    ast.RShift: 9,
    ast.Add: 10,
    ast.Sub: 10,
    ast.Mult: 11,
    ast.MatMult: 11,
    ast.Div: 11,
    ast.FloorDiv: 11,
    ast.Mod: 11,
    ast.Pow: 13,
}
_LOOSE, _TERNARY, _OR, _AND, _NOT, _COMPARE, _UNARY, _AWAIT, _ATOM = 0, 1, 2, 3, 4, 5, 12, 14, 15
_IN_DESCRIPTION = 60

_OPERATORS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare)
"""Parents with something of their own beside an operand, so that brackets around it are the operand's."""


def precedence(node: ast.expr) -> int:
    """How tightly an expression's own operator binds; 15 for what needs no parentheses anywhere."""
    match node:
        case ast.BinOp():
            return _BINARY[type(node.op)]
        case ast.BoolOp():
            return _OR if isinstance(node.op, ast.Or) else _AND
        case ast.UnaryOp():
            return _NOT if isinstance(node.op, ast.Not) else _UNARY
        case ast.Compare():
            return _COMPARE
        case ast.IfExp() | ast.Lambda():
            return _TERNARY
        case ast.Await():
            return _AWAIT
        case ast.NamedExpr() | ast.Yield() | ast.YieldFrom() | ast.Starred():
            return _LOOSE
        case _:
            return _ATOM


@lru_cache(maxsize=4096)
def _text_precedence(text: str) -> int:
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return _LOOSE
    if node.col_offset > 0:
        return _ATOM  # in parentheses already
    if isinstance(node, ast.Tuple):
        return _ATOM if text.startswith("(") and text.endswith(")") else _LOOSE
    return precedence(node)


def _required(parent: ast.AST, node: ast.expr) -> int:  # one line a case of the grammar
    match parent:
        case ast.BinOp(op=ast.Pow()):
            return _AWAIT if node is parent.left else _UNARY
        case ast.BinOp():
            return _BINARY[type(parent.op)] + (0 if node is parent.left else 1)
        case ast.UnaryOp():
            return _NOT if isinstance(parent.op, ast.Not) else _UNARY
        case ast.BoolOp():
            return (_OR if isinstance(parent.op, ast.Or) else _AND) + 1
        case ast.Compare():
            return _COMPARE + 1
        case ast.Attribute():
            return _ATOM
        case ast.Subscript():
            return _ATOM if node is parent.value else _LOOSE
        case ast.Call():
            return _ATOM if node is parent.func else _TERNARY
        case ast.Await():
            return _ATOM
        case ast.IfExp():
            return _TERNARY if node is parent.orelse else _OR
        case ast.comprehension() | ast.FormattedValue():
            return _OR
        case ast.Starred() | ast.Dict():
            return _COMPARE + 1
        case ast.expr() | ast.keyword() | ast.withitem():
            return _TERNARY
        case _:
            return _LOOSE


def operand(text: str, at_least: int = _ATOM) -> str:
    """The text, in parentheses where its operator binds more loosely than `at_least`."""
    return text if _text_precedence(text) >= at_least else f"({text})"


def operands(left: str, operator: str, right: str) -> str:
    """`left operator right` with the parentheses it needs; the operator is one of Python's binary or boolean ones."""
    probe = ast.parse(f"a {operator} b", mode="eval").body
    level = precedence(probe)
    strict = 1 if isinstance(probe, ast.Compare) else 0
    return f"{operand(left, level + strict)} {operator} {operand(right, level + 1)}"


def negation(text: str) -> str:
    return f"not {operand(text, _NOT)}"


def _in_parentheses(source: Source, start: int, end: int) -> bool:
    return source.text[start - 1 : start] == "(" and source.text[end : end + 1] == ")"


def _continues_word(before: str, after: str) -> bool:
    return (before.isalnum() or before == "_") and (after.isalnum() or after == "_")


def brief(text: str) -> str:
    """One line of at most 60 characters, in back quotes, for a description."""
    flat = re.sub(r"\s+", " ", text).strip().replace("`", "'")
    return f"`{flat if len(flat) <= _IN_DESCRIPTION else flat[: _IN_DESCRIPTION - 1] + '…'}`"


def replace(source: Source, node: ast.expr, text: str, rule: str, cost: float, description: str = "") -> Candidate:
    """The expression becomes `text`, parenthesised as its surroundings need."""
    start, end = span(source, node)
    old = source.text[start:end]
    parent = source.parents[node]
    binds = _text_precedence(text)
    shares_brackets = (
        isinstance(node, ast.GeneratorExp) and isinstance(parent, ast.Call) and span(source, parent)[1] == end
    )
    own_brackets = isinstance(parent, _OPERATORS) and _in_parentheses(source, start, end)
    if own_brackets and binds >= _required(parent, node):
        start, end = start - 1, end + 1
    loose = binds < _required(parent, node) and not own_brackets
    written = f"({text})" if shares_brackets or loose else text
    if _continues_word(source.text[start - 1 : start], written[0]):
        written = f" {written}"  # `not(x)`, `return[x]`: the bracket was the separator
    if _continues_word(written[-1], source.text[end : end + 1]):
        written = f"{written} "
    what = description or f"{brief(old)} becomes {brief(text)}"
    return Candidate(source.path, node.lineno, (Edit(start, end, written),), rule, cost, what)


def swap(source: Source, one: ast.expr, other: ast.expr, rule: str, cost: float) -> Candidate:
    """Two expressions change places."""
    first = replace(source, one, _text(source, other), rule, cost)
    second = replace(source, other, _text(source, one), rule, cost)
    what = f"{brief(_text(source, one))} and {brief(_text(source, other))} change places"
    return Candidate(source.path, one.lineno, first.edits + second.edits, rule, cost, what)


def _text(source: Source, node: ast.AST) -> str:
    start, end = span(source, node)
    return source.text[start:end]


def operator_between(source: Source, left: int, right: int, operator: str) -> tuple[int, int] | None:
    """Where an operator ("<", "not in", "and", …) stands between two operands that end at `left`, start at `right`.

    Brackets, comments and line ends may stand there too.
    """
    gap = re.sub(r"#[^\r\n]*", lambda match: " " * len(match.group()), source.text[left:right])
    words = [re.escape(word) for word in operator.split()]
    pattern = r"(?:\s|\\)+".join(words)
    if operator[0].isalpha():
        pattern = rf"(?<![\w]){pattern}(?![\w])"
    match = re.search(pattern, gap)
    return None if match is None else (left + match.start(), left + match.end())


def reoperator(
    source: Source, left: ast.expr, right: ast.expr, old: str, new: str, rule: str, cost: float
) -> Candidate | None:
    """The operator between two expressions becomes another; None where it cannot be found in the text."""
    place = operator_between(source, span(source, left)[1], span(source, right)[0], old)
    if place is None:
        return None
    start, end = place
    written = new
    if new[0].isalpha():
        before, after = source.text[start - 1 : start], source.text[end : end + 1]
        written = ("" if before.isspace() else " ") + new + ("" if after.isspace() else " ")
    line = left.end_lineno or left.lineno
    return Candidate(source.path, line, (Edit(start, end, written),), rule, cost, f"`{old}` becomes `{new}`")


# --- statements -----------------------------------------------------------------------------------------------------


def indent_unit(source: Source) -> str:
    """One level of indentation as the file writes it; four spaces where it has none."""
    for node in ast.walk(source.module):
        body = getattr(node, "body", None)
        if isinstance(node, ast.stmt) and isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            outer, inner = indentation(source, node), indentation(source, body[0])
            if outer is not None and inner is not None and inner.startswith(outer) and inner != outer:
                return inner[len(outer) :]
    return "    "


def insert_before(
    source: Source, statement: ast.stmt, lines: tuple[str, ...], rule: str, cost: float, description: str = ""
) -> Candidate | None:
    """New lines above a statement, at its indentation; a leading tab in a line stands for one level more."""
    indent = indentation(source, statement)
    start = span(source, statement)[0]
    if indent is None or (isinstance(statement, ast.If) and source.text.startswith("elif", start)):
        return None
    end = newline(source)
    text = "".join(f"{written}{end}{indent}" for written in _indented(source, lines))
    what = description or f"insert {brief(' '.join(lines))}"
    return Candidate(source.path, statement.lineno, (Edit(start, start, text),), rule, cost, what)


def insert_after(
    source: Source,
    statement: ast.stmt,
    lines: tuple[str, ...],
    rule: str,
    cost: float,
    description: str = "",
    indent: str | None = None,
) -> Candidate | None:
    """New lines below a statement, at its indentation or the given one."""
    if not owns_lines(source, statement):
        return None
    own = indentation(source, statement)
    indent = own if indent is None else indent
    if indent is None:
        return None
    place = line_end(source, span(source, statement)[1])
    text = "".join(f"{newline(source)}{indent}{written}" for written in _indented(source, lines))
    what = description or f"insert {brief(' '.join(lines))}"
    line = statement.end_lineno or statement.lineno
    return Candidate(source.path, line, (Edit(place, place, text),), rule, cost, what)


def _indented(source: Source, lines: tuple[str, ...]) -> list[str]:
    unit = indent_unit(source) if any(line.startswith("\t") for line in lines) else ""
    return [unit + line[1:] if line.startswith("\t") else line for line in lines]


def rewrite(source: Source, statement: ast.stmt, text: str, rule: str, cost: float, description: str = "") -> Candidate:
    """A simple statement becomes `text`; a comment behind it stays."""
    start, end = span(source, statement)
    what = description or f"{brief(source.text[start:end])} becomes {brief(text)}"
    return Candidate(source.path, statement.lineno, (Edit(start, end, text),), rule, cost, what)


def deletion(source: Source, statement: ast.stmt) -> Edit:
    """The edit that removes a statement with its lines, or leaves `pass` where the block would be empty."""
    start, end = span(source, statement)
    if len(block_of(source, statement)) == 1 or not owns_lines(source, statement):
        return Edit(start, end, "pass")
    line_start = start - len(indentation(source, statement) or "")
    line_stop = line_end(source, end)
    following = bisect.bisect_right(source.offsets, line_stop)
    return Edit(line_start, source.offsets[following] if following < len(source.offsets) else len(source.text), "")
