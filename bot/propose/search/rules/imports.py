"""A name that nothing binds: the import that is missing. A misspelt name is the work of the rule of variables."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from bot.propose.search.facts import unbound
from bot.propose.search.source import expressions, line_end, newline, owns_lines, span
from bot.propose.search.types import Candidate, Edit, Source

NAME = "import"

_FROM: dict[str, tuple[str, ...]] = {
    "abc": ("ABC", "abstractmethod"),
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple", "ChainMap"),
    "contextlib": ("contextmanager", "suppress", "closing"),
    "copy": ("deepcopy",),
    "dataclasses": ("dataclass", "field", "replace"),
    "datetime": ("date", "datetime", "timedelta", "timezone"),
    "decimal": ("Decimal", "ROUND_HALF_UP"),
    "enum": ("Enum", "IntEnum", "auto"),
    "fractions": ("Fraction",),
    "functools": ("lru_cache", "partial", "reduce", "wraps", "cached_property"),
    "itertools": ("chain", "combinations", "groupby", "islice", "permutations", "product", "repeat", "zip_longest"),
    "math": ("ceil", "floor", "gcd", "inf", "isnan", "pi", "sqrt"),
    "operator": ("attrgetter", "itemgetter"),
    "pathlib": ("Path", "PurePath"),
    "typing": ("Any", "Callable", "Dict", "Iterable", "Iterator", "List", "Optional", "Tuple", "Union", "cast"),
}
_HOME = {name: module for module, names in _FROM.items() for name in names}


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Imports for the names of the statement that are bound nowhere."""
    missing = unbound(source.module)
    if not missing:
        return
    for node in expressions(source, statement):
        if not isinstance(node, ast.Name) or node.id not in missing:
            continue
        parent = source.parents[node]
        if node.id in sys.stdlib_module_names and isinstance(parent, ast.Attribute):
            yield from _at_top(source, node, f"import {node.id}")
        if node.id in _HOME:
            yield from _at_top(source, node, f"from {_HOME[node.id]} import {node.id}")


def _at_top(source: Source, node: ast.Name, text: str) -> Iterator[Candidate]:
    """Below the docstring and the imports from the future, as a line of its own."""
    last: ast.stmt | None = None
    for statement in source.module.body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not docstring and not future:
            break
        last = statement
    if last is None:
        first = source.module.body[0]
        place = min(span(source, first)[0], source.offsets[first.lineno - 1])
        edit = Edit(place, place, f"{text}{newline(source)}")
    elif owns_lines(source, last):
        place = line_end(source, span(source, last)[1])
        edit = Edit(place, place, f"{newline(source)}{text}")
    else:
        return
    yield Candidate(source.path, node.lineno, (edit,), NAME, 1.0, f"`{text}`: nothing binds `{node.id}`")
