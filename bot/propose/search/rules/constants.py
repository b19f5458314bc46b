"""Wrong constant or initial value: numbers, truth, None, strings of the same file, empty collections."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from bot.propose.search.facts import Role, module_facts
from bot.propose.search.scope import names, role
from bot.propose.search.source import code, enclosing_function, expressions
from bot.propose.search.types import Candidate, Source
from bot.propose.search.writing import operand, replace

NAME = "constant"

MOST_STRINGS = 12


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Other constants in the places of the statement's constants and empty displays."""
    initial = _initial(statement)
    for node in expressions(source, statement):
        match node:
            case ast.Constant(value=bool() as value):
                yield replace(source, node, str(not value), NAME, 1.4)
                yield replace(source, node, "None", NAME, 3.0)
            case ast.Constant(value=int() | float() as value):
                yield from _number(source, node, value, initial is node)
            case ast.Constant(value=str() as value):
                yield from _string(source, node, value)
            case ast.Constant(value=None):
                for text, cost in (("False", 2.2), ("True", 2.4), ("0", 2.2), ("[]", 2.2), ("''", 2.4), ("{}", 2.6)):
                    yield replace(source, node, text, NAME, cost)
            case ast.List(elts=[], ctx=ast.Load()) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
                yield from _empty(source, node)
            case ast.Call(func=ast.Name(id="set" | "list" | "dict" | "tuple"), args=[], keywords=[]):
                yield from _empty(source, node)
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as infinity)]):
                if "inf" in infinity and not isinstance(source.parents[node], ast.UnaryOp):
                    yield replace(source, node, "-float('inf')", NAME, 1.6)
                    yield replace(source, node, "0", NAME, 2.2)
            case ast.List(elts=[only], ctx=ast.Load()) if not isinstance(only, ast.Starred):
                yield replace(source, node, "[]", NAME, 2.6)
            case _:
                pass
        if node is initial and not isinstance(node, ast.Constant):
            for place, text in enumerate(("0", "None", "[]", "1")):
                if text == code(source, node):
                    continue
                yield replace(source, node, text, NAME, 4.2 + 0.2 * place)


def _initial(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute()], value=value):
            return value
        case ast.AnnAssign(value=ast.expr() as value):
            return value
        case _:
            return None


def _number(source: Source, node: ast.Constant, value: int | float, initial: bool) -> Iterator[Candidate]:
    """Neighbours, the usual suspects, and for an initial value also infinity or an argument."""
    negative = isinstance(source.parents[node], ast.UnaryOp)
    offered: dict[str, float] = {}
    if isinstance(value, int) and abs(value) < 1 << 64:
        offered[str(value + 1)] = 1.3
        if value > 0:
            offered[str(value - 1)] = 1.3
    if not negative:
        for text, cost in (("0", 1.6), ("1", 1.6), ("-1", 1.7), ("2", 2.2), ("10", 3.4), ("100", 3.6), ("None", 3.0)):
            offered.setdefault(text, cost)
        if value:
            offered.setdefault(f"-{value}", 1.8)
    if isinstance(value, int) and 2 <= value < 1 << 32:
        offered.setdefault(str(value * 2), 3.2)
        offered.setdefault(str(value // 2), 3.2)
        offered.setdefault(str(value * 10), 3.2)
    for text, cost in offered.items():
        if text != str(value):
            yield replace(source, node, text, NAME, cost)
    if initial and not negative:
        for text, cost in (("float('-inf')", 2.4), ("float('inf')", 2.4), ("[]", 3.4), ("''", 3.4), ("False", 3.4)):
            yield replace(source, node, text, NAME, cost)
        for place, name in enumerate(names(source, node)[:5]):
            yield replace(source, node, name, NAME, 2.6 + 0.1 * place)
            if Role.COLLECTION in role(source, node, name):
                yield replace(source, node, f"{name}[0]", NAME, 2.6 + 0.1 * place)
    elif not negative:
        numbers = [name for name in names(source, node) if Role.NUMBER in role(source, node, name)]
        for place, name in enumerate(numbers[:5]):
            yield replace(source, node, name, NAME, 2.8 + 0.1 * place)


def _string(source: Source, node: ast.Constant, value: str) -> Iterator[Candidate]:
    """Other strings of the file, the most alike first; the same in another case, stripped, spaced or empty."""
    if isinstance(source.parents[node], ast.JoinedStr):
        return
    known = module_facts(source.module).strings
    alike = sorted(
        (text for text in known if text != value),
        key=lambda text: -difflib.SequenceMatcher(None, text, value[:80]).quick_ratio(),
    )
    for place, text in enumerate(alike[:MOST_STRINGS]):
        yield replace(source, node, repr(text), NAME, 2.4 + 0.12 * place)
    forms = {"": 2.6, value.lower(): 2.4, value.upper(): 2.6, value.strip(): 2.2, f"{value} ": 3.6, f" {value}": 3.6}
    if not value:
        forms.update({" ": 2.4, "\n": 2.8, ",": 3.2, "0": 3.2})
    for text, cost in forms.items():
        if text != value and len(text) <= 200:
            yield replace(source, node, repr(text), NAME, cost)
    if len(value) <= 1:
        yield replace(source, node, "None", NAME, 3.0)


def _empty(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """An empty collection of another kind, or one that already holds something."""
    text = code(source, node)
    for other, cost in (("[]", 2.2), ("{}", 2.4), ("set()", 2.4), ("()", 3.0), ("None", 2.6), ("0", 3.2), ("''", 3.2)):
        if other != text:
            yield replace(source, node, other, NAME, cost)
    if text == "[]":
        yield replace(source, node, "[[]]", NAME, 2.0)
        yield replace(source, node, "[None]", NAME, 3.0)
        yield replace(source, node, "[0]", NAME, 2.8)
        yield replace(source, node, "[1]", NAME, 3.2)
    if text in ("[]", "set()") and enclosing_function(source, node) is not None:
        opening, closing = ("[", "]") if text == "[]" else ("{", "}")
        for place, name in enumerate(names(source, node)[:8]):
            if role(source, node, name) is not Role.CALLABLE:
                yield replace(source, node, f"{opening}{operand(name)}{closing}", NAME, 2.3 + 0.1 * place)
