"""Neighbours of a failing test: the same test with one input changed, to see how far a repair reaches."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import cast

from bot.evidence.types import TestId
from bot.verify.neighbours import Kind, Other, is_one, others_of, otherwise
from bot.vet.syntax import Function, Node, dotted, functions, parse

MARK = "_grokfix_variant_"
"""Stands in the name of every variant, before its number."""
_NO_SUBJECT = frozenset({"raises", "warns", "approx", "isclose", "fail", "skip", "param", "fixture", "print", "patch"})
"""Last names of calls whose arguments say what is expected, not what is asked."""
_ENDS = (None, True, False, 0, 1, "", b"", ...)
_LONG = 3
"""Elements from which on a list is data, in which no single one should decide."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One function of the file. site: number of the input that differs; value: what stood there, None for a list.

    holder: number of the list that the input is an element of, -1 where it is of none or of a short one.
    """

    name: str
    kind: Kind
    site: int
    value: object
    holder: int


@dataclass(frozen=True, slots=True)
class Variants:
    """text: the test file whose only tests are the variants `made`."""

    path: str
    text: str
    made: tuple[Variant, ...]

    @property
    def count(self) -> int:
        return len(self.made)


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    """A literal of the test that its subject is given. name, whole: the constant of the module that it is part of."""

    node: ast.expr
    name: str = ""
    whole: ast.expr | None = None


def vary(source: str, target: TestId, most: int) -> Variants | None:
    """Variants of one Python test, at most `most`; None where the test or an input that can be varied is not found.

    Inputs are literals in arguments of calls, in assignments and in rows of `parametrize`; what stands on the expected
    side of an assertion is left as it is, but for the variants of kind WANTED, where only that differs.
    """
    tree = parse(source)
    if tree is None:
        return None
    inner = target.node_id.partition("[")[0].split("::")[1:]
    known = functions(tree)
    function = known.get(".".join(inner))
    if function is None:
        return None
    sites = _sites(function, tree)
    if not sites:
        return None
    holders = {id(part): number for number, site in enumerate(sites) for part in _elements(site.node)}
    wanted = [_Site(node) for node in _asserted(function)]
    turns = chain(_in_turn(wanted, otherwise), _in_turn(sites, others_of))
    chosen = [(site, kind, text) for site, kind, other in turns if (text := _written(function, site, other))][:most]
    lines = source.splitlines()
    for name, other in known.items():
        if name.rpartition(".")[2].startswith("test"):
            lines[other.lineno - 1] = lines[other.lineno - 1].replace(f"def {other.name}", f"def un{other.name}", 1)
    blanks = " " * function.col_offset
    block: list[str] = []
    made: list[Variant] = []
    for number, (site, kind, text) in enumerate(chosen):
        name = f"{function.name}{MARK}{number}"
        place = sites.index(site) if site in sites else -1
        made.append(Variant(name, kind, place, getattr(site.node, "value", None), holders.get(id(site.node), -1)))
        renamed = text.replace(f"def {function.name}", f"def {name}", 1)
        block += ["", *(f"{blanks}{line}" if line else line for line in renamed.splitlines())]
    end = function.end_lineno or function.lineno
    return Variants(target.file, "\n".join([*lines[:end], *block, *lines[end:], ""]), tuple(made))


def _in_turn(
    sites: Sequence[_Site], others: Callable[[ast.expr], Iterator[Other]]
) -> Iterator[tuple[_Site, Kind, ast.expr]]:
    """Another value for each site in turn, so that a limit on the number leaves out none of them."""
    each = [[(site, kind, other) for kind, other in others(site.node)] for site in sites]
    return (made for made in chain.from_iterable(zip_longest(*each)) if made is not None)


# --- what is varied ---------------------------------------------------------------------------------------------------


def _sites(function: Function, tree: ast.Module) -> list[_Site]:
    expected = {id(node) for side in _expected(function) for node in ast.walk(side)}
    wanted = {node.id for side in _expected(function) for node in ast.walk(side) if isinstance(node, ast.Name)}
    constants = {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and _is_literal(statement.value)
    }
    found: dict[int, _Site] = {}
    asked: set[str] = set()
    for node in ast.walk(ast.Module(function.body, [])):
        if id(node) in expected:
            continue
        if isinstance(node, ast.Call) and not _is_assertion(node) and not _says_expected(node):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                found |= {id(part): _Site(part) for part in _parts(argument) if id(part) not in expected}
                asked |= {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.Assign) and not (
            isinstance(node.targets[0], ast.Name) and node.targets[0].id in wanted
        ):
            found |= {id(part): _Site(part) for part in _parts(node.value)}
    for name in sorted(asked & set(constants) - wanted):
        found |= {id(part): _Site(part, name, constants[name]) for part in _parts(constants[name])}
    for row in _rows(function, asked - wanted):
        found |= {id(part): _Site(part) for part in _parts(row)}
    return list(found.values())


def _expected(function: Function) -> Iterator[ast.expr]:
    """Sides of assertions that say what should come out: the second, or the first where only that is a literal."""
    for node in ast.walk(function):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and _is_assertion(node) and len(node.args) > 1:
            sides = list(node.args)
        else:
            continue
        yield from sides[:1] if _is_literal(sides[0]) else sides[1:]


def _rows(function: Function, asked: set[str]) -> Iterator[ast.expr]:
    """Values that `parametrize` gives to parameters which the subject is asked with."""
    for names, rows in _tables(function):
        for row in rows:
            cells = row.elts if len(names) > 1 and isinstance(row, (ast.Tuple, ast.List)) else [row]
            yield from (cell for name, cell in zip(names, cells, strict=False) if name in asked)


def _tables(function: Function) -> Iterator[tuple[list[str], list[ast.expr]]]:
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call) or dotted(decorator).rpartition(".")[2] != "parametrize":
            continue
        if len(decorator.args) < 2 or not isinstance(decorator.args[1], (ast.List, ast.Tuple)):
            continue
        first = decorator.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            names = [name.strip() for name in first.value.split(",")]
        else:
            names = [str(each.value) for each in getattr(first, "elts", ()) if isinstance(each, ast.Constant)]
        yield names, decorator.args[1].elts


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """A literal and the literals within it; nothing of what is computed, and no value that code may well single out."""
    if not _is_literal(node):
        return
    inner = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
    data = {id(part) for each in inner for part in _elements(each)}
    for part in inner:
        if isinstance(part, ast.Constant):
            varied = part.value not in _ENDS or (is_one(part) and id(part) in data)
        else:
            varied = isinstance(part, (ast.List, ast.Tuple))
        if varied:
            yield part


def _elements(node: ast.expr) -> Iterator[ast.expr]:
    """What a list of some length holds itself."""
    if isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) >= _LONG:
        yield from node.elts


def _asserted(function: Function) -> Iterator[ast.expr]:
    """Literals that a plain assertion compares with for equality."""
    for node in ast.walk(ast.Module(function.body, [])):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            sides = [node.test.left, *node.test.comparators] if isinstance(node.test.ops[0], ast.Eq) else []
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            is_equal = dotted(node.value.func).rpartition(".")[2].lower().replace("_", "") == "assertequal"
            sides = node.value.args[:2] if is_equal else []
        else:
            continue
        literal = [side for side in sides if _is_literal(side)]
        if len(sides) == 2 and len(literal) == 1:
            yield literal[0]


def _is_literal(node: ast.expr) -> bool:
    allowed = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Load)
    return all(isinstance(part, allowed) for part in ast.walk(node))


def _is_assertion(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2].lower().startswith("assert")


def _says_expected(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in _NO_SUBJECT


# --- how it is written ------------------------------------------------------------------------------------------------


def _written(function: Function, site: _Site, other: ast.expr) -> str:
    """The function's source with another value at one place."""
    copies: dict[int, object] = {}
    written = copy.deepcopy(function, copies)
    if site.whole is not None:
        value = _replaced(copy.deepcopy(site.whole, copies), copies[id(site.node)], other)
        written.body.insert(0, ast.Assign([ast.Name(site.name, ast.Store())], value))
    else:
        written = _replaced(written, copies[id(site.node)], other)
        for decorator in written.decorator_list:
            _keep_row(decorator, other)
    return ast.unparse(ast.fix_missing_locations(written))


def _replaced(tree: Node, node: object, other: ast.expr) -> Node:
    if tree is node:
        return cast(Node, other)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, other)
            elif isinstance(value, list):
                value[:] = [other if each is node else each for each in value]
    return tree


def _keep_row(decorator: ast.expr, other: ast.expr) -> None:
    """Of a table of `parametrize` only the row that is varied; the others are no neighbours of anything."""
    if not isinstance(decorator, ast.Call) or not any(part is other for part in ast.walk(decorator)):
        return
    table = decorator.args[1]
    if isinstance(table, (ast.List, ast.Tuple)):
        table.elts = [row for row in table.elts if any(part is other for part in ast.walk(row))]
        decorator.keywords = [keyword for keyword in decorator.keywords if keyword.arg != "ids"]
