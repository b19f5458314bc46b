"""Calls of a function with small values, as literals: from its annotations, its defaults and its own constants."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.propose.search.regression_test import is_literal
from bot.propose.search.source import FunctionNode
from bot.testgen.types import Unwritten

MOST_CALLS = 300
_MOST_OF_A_KIND = 14
_NUMBERS = ("0", "1", "2", "3", "-1", "7", "10", "100")
_FLOATS = ("0.0", "1.0", "2.5", "-1.5", "10.0", "100.0")
_STRINGS = ("''", "'a'", "'Ab c'", "'hello world'", "'12'", "'a,b'", "'x-1'")
_ELEMENTS = {"int": ("3", "1", "2"), "float": ("2.5", "1.0", "4.0"), "str": ("'b'", "'a'", "'c'")}
_UNKNOWN = ("3", "'ab c'", "[3, 1, 2]", "1", "0", "-1", "''", "[]", "2.5", "['b', 'a']", "{'a': 1}", "None", "True")
_SEQUENCES = frozenset({"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence", "Iterator"})
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_SETS = frozenset({"set", "Set", "frozenset", "FrozenSet", "AbstractSet"})
_OPEN = frozenset({"object", "Any", "Hashable"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call as source text. constructor: arguments of the class where it is a method, else None.

    positional: one by one. keywords: (name, value).
    """

    constructor: tuple[str, ...] | None
    positional: tuple[str, ...]
    keywords: tuple[tuple[str, str], ...] = ()

    @property
    def data(self) -> str:
        """As the worker in the box reads it: a literal of (constructor's arguments or None, arguments, keywords)."""
        built = "None" if self.constructor is None else f"([{', '.join(self.constructor)}], {{}})"
        named = ", ".join(f"{name!r}: {value}" for name, value in self.keywords)
        return f"({built}, [{', '.join(self.positional)}], {{{named}}})"

    @property
    def arguments(self) -> str:
        """What stands between the brackets."""
        return ", ".join([*self.positional, *(f"{name}={value}" for name, value in self.keywords)])


def calls_of(module: ast.Module, qualname: str, node: FunctionNode) -> tuple[Call, ...] | Unwritten:
    """At most 300 calls, the plainest first; Unwritten where no small value can stand for an argument."""
    if isinstance(node, ast.AsyncFunctionDef):
        return Unwritten("it is asynchronous, and calls are tried plainly")
    if node.name.startswith("__"):
        return Unwritten("Python calls it by itself, not by its name")
    owner = _owner(module, qualname)
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if decorators & {"property", "cached_property", "functools.cached_property"} or any(
        decorator.endswith((".setter", ".deleter")) for decorator in decorators
    ):
        return Unwritten("it is a property, which is not called")
    bound = owner is not None and "staticmethod" not in decorators
    own = _pools(node.args, skip=int(bound), constants=_constants(node))
    if isinstance(own, Unwritten):
        return own
    if owner is None or not bound or "classmethod" in decorators:
        return tuple(Call(None, *given) for given in _given(own, MOST_CALLS))
    built = _construction(owner)
    if isinstance(built, Unwritten):
        return built
    constructors = [given for given, keywords in _given(built, 8) if not keywords]
    share = max(1, MOST_CALLS // max(1, len(constructors)))
    calls = [[Call(one, *given) for given in _given(own, share)] for one in constructors]
    mixed = [call for row in itertools.zip_longest(*calls) for call in row if call is not None]
    return tuple(mixed[:MOST_CALLS])


@dataclass(frozen=True, slots=True)
class _Pool:
    """Values for one parameter, likeliest first."""

    name: str
    values: tuple[str, ...]
    optional: bool
    by_name: bool


def _owner(module: ast.Module, qualname: str) -> ast.ClassDef | None:
    *owners, _ = qualname.split(".")
    body: list[ast.stmt] = module.body
    found: ast.ClassDef | None = None
    for name in owners:
        found = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == name), None)
        body = [] if found is None else found.body
    return found


def _construction(owner: ast.ClassDef) -> list[_Pool] | Unwritten:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _pools(node.args, skip=1, constants=())
    if any("dataclass" in ast.unparse(decorator) for decorator in owner.decorator_list):
        fields = [node for node in owner.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
        arguments = [ast.arg(ast.unparse(node.target), node.annotation) for node in fields]
        defaults = [node.value for node in fields if node.value is not None]
        return _pools(ast.arguments([], arguments, None, [], [], None, defaults), skip=0, constants=())
    return []


def _pools(arguments: ast.arguments, *, skip: int, constants: Sequence[object]) -> list[_Pool] | Unwritten:
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [None] * required + list(arguments.defaults)
    listed = [(one, value, False) for one, value in zip(positional, defaults, strict=True)][skip:]
    listed += [(one, value, True) for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    found = []
    for argument, default, by_name in listed:
        values = _values(argument.annotation, constants)
        if not values and default is None:
            said = ast.unparse(argument.annotation) if argument.annotation is not None else ""
            return Unwritten(f"its argument `{argument.arg}: {said}` has no small value to try")
        if default is not None:
            written = ast.unparse(default)
            values = _unique((*_near(default), *values, *([written] if is_literal(written) else ())))
        found.append(_Pool(argument.arg, tuple(values), default is not None, by_name))
    return found


def _near(default: ast.expr) -> tuple[str, ...]:
    match default:
        case ast.Constant(value=bool() as value):
            return (str(not value),)
        case ast.Constant(value=int() as value):
            return (str(value + 1), str(value - 1))
        case _:
            return ()


def _constants(node: FunctionNode) -> tuple[object, ...]:
    """Values that the function itself names, but for its docstring: its boundaries are among them."""
    documentation = node.body[0].value if isinstance(node.body[0], ast.Expr) else None
    found = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and one is not documentation]
    return tuple(value for value in dict.fromkeys(found) if not isinstance(value, str) or len(value) <= 40)


def _values(annotation: ast.expr | None, constants: Sequence[object]) -> tuple[str, ...]:
    """Literals of the annotated type; () where none is known to be of it."""
    numbers = [value for value in constants if isinstance(value, int) and not isinstance(value, bool)]
    numbers = [value for value in numbers if abs(value) < 10**6]
    floats = [value for value in constants if isinstance(value, float) and abs(value) < 1e9]
    strings = [value for value in constants if isinstance(value, str) and value]
    integers = _unique([str(value + step) for value in numbers for step in (0, 1, -1)])[:_MOST_OF_A_KIND]
    texts = _unique([repr(value) for value in strings] + [repr(f"a{value}b") for value in strings])[:_MOST_OF_A_KIND]
    match annotation:
        case None:
            return _unique((*_UNKNOWN[:3], *integers[:6], *texts[:4], *_UNKNOWN[3:]))
        case ast.Constant(value=None):
            return ("None",)
        case ast.Constant(value=str() as quoted):
            try:
                return _values(ast.parse(quoted, mode="eval").body, constants)
            except (SyntaxError, ValueError, RecursionError):
                return ()
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _unique((*_values(left, constants), *_values(right, constants)))
        case ast.Subscript(value=head, slice=inside):
            return _of_container(ast.unparse(head).rpartition(".")[2], inside, constants)
    match ast.unparse(annotation).rpartition(".")[2]:
        case "int":
            return _unique((*_NUMBERS[:3], *integers, *_NUMBERS[3:]))
        case "float" | "complex" | "Real" | "Number":
            steps = [repr(value + step) for value in floats for step in (0.0, 0.5, -0.5)]
            return _unique((*_FLOATS[:3], *steps, *(f"{value}.0" for value in integers), *_FLOATS[3:]))
        case "str" | "AnyStr" | "LiteralString":
            return _unique((*_STRINGS[:4], *texts, *_STRINGS[4:]))
        case "bool":
            return ("True", "False")
        case "bytes":
            return ("b'ab'", "b''", "b'a b'")
        case "tuple" | "Tuple":
            return ("(1, 2)", "()", "('a',)")
        case name if name in _SEQUENCES:
            return ("[3, 1, 2]", "[]", "['b', 'a']", "[1]", "[1, 1]")
        case name if name in _MAPPINGS:
            return ("{'a': 1, 'b': 2}", "{}")
        case name if name in _SETS:
            return ("{1, 2}", "{'a'}")
        case name if name in _OPEN:
            return _UNKNOWN
        case _:
            return ()


def _of_container(name: str, inside: ast.expr, constants: Sequence[object]) -> tuple[str, ...]:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        return tuple(ast.unparse(part) for part in parts if is_literal(ast.unparse(part)))
    if name == "Optional":
        return _unique((*_values(parts[0], constants), "None"))
    if name in ("Union", "Annotated", "Final"):
        chosen = parts if name == "Union" else parts[:1]
        return _unique([value for part in chosen for value in _values(part, constants)])
    members = [_elements(part, constants) for part in parts if ast.unparse(part) != "..."]
    if not members or not all(members):
        return ()
    if name in _SEQUENCES:
        one = members[0]
        found = [one[:3], (), one[:1], (one[0], one[0]), tuple(reversed(one[:4])), one[3:6]]
        return _unique([f"[{', '.join(values)}]" for values in found])
    if name in _SETS:
        return _unique([f"{{{', '.join(members[0][:count])}}}" for count in (2, 1)])
    if name in _MAPPINGS and len(members) == 2:
        pairs = list(zip(members[0], members[1], strict=False))
        return _unique(
            ["{" + ", ".join(f"{key}: {value}" for key, value in pairs[:count]) + "}" for count in (2, 1, 0)]
        )
    if name in ("tuple", "Tuple"):
        if len(parts) > len(members):  # tuple[int, ...]
            return _unique([f"({', '.join(members[0][:3])})", "()", f"({members[0][0]},)"])
        rows = [tuple(member[min(step, len(member) - 1)] for member in members) for step in range(3)]
        return _unique([f"({', '.join(row)}{',' if len(row) == 1 else ''})" for row in rows])
    return ()


def _elements(annotation: ast.expr, constants: Sequence[object]) -> tuple[str, ...]:
    return _unique((*_ELEMENTS.get(ast.unparse(annotation), ()), *_values(annotation, constants)))


def _given(pools: Sequence[_Pool], most: int) -> Iterator[tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]:
    """Arguments for the parameters: all combinations of the required ones where they are few, else each value of each
    in turn and values of one rank together; then an optional one more at a time."""
    required = [pool for pool in pools if not pool.optional]
    optional = [pool for pool in pools if pool.optional]
    seen: set[tuple[tuple[str, str], ...]] = set()
    rows = list(itertools.islice(_rows(required), most))
    few = rows[: max(4, most // max(1, 4 * len(optional)))] if optional else []
    extended = ([*row, (pool, value)] for pool in optional for row in few for value in pool.values[:6])
    given = 0
    for row in itertools.chain(rows[: most if not optional else max(4, most // 2)], extended):
        positional = tuple(value for pool, value in row if not pool.by_name and not pool.optional)
        keywords = tuple((pool.name, value) for pool, value in row if pool.by_name or pool.optional)
        key = (*(("", value) for value in positional), *keywords)
        if key not in seen and given < most:
            seen.add(key)
            given += 1
            yield positional, keywords


def _rows(pools: Sequence[_Pool]) -> Iterator[list[tuple[_Pool, str]]]:
    longest = max((len(pool.values) for pool in pools), default=0)
    for rank in range(longest):
        yield [(pool, pool.values[(rank + position) % len(pool.values)]) for position, pool in enumerate(pools)]
    for base in range(3):
        for changed in pools:
            for value in changed.values:
                yield [(pool, value if pool is changed else pool.values[base % len(pool.values)]) for pool in pools]
    for values in itertools.islice(itertools.product(*(pool.values for pool in pools)), MOST_CALLS):
        yield list(zip(pools, values, strict=True))


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
