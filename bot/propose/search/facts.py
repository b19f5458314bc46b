"""Facts of functions and files that a repair can be made of: names and the part they play, conditions, expressions.

Roles are guesses from use; a name without a role fits anywhere, so a guess only decides what is tried early.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from functools import lru_cache

from bot.propose.search.source import FunctionNode

Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef


class Role(Flag):
    """What a name seems to hold."""

    UNKNOWN = 0
    COLLECTION = auto()
    NUMBER = auto()
    CALLABLE = auto()
    OBJECT = auto()
    MODULE = auto()


GROWING = frozenset({"append", "add", "extend", "update", "insert", "appendleft", "push", "put"})
_OF_COLLECTIONS = GROWING | {"pop", "popleft", "popitem", "items", "keys", "values", "get", "sort", "index", "count"}
_MAKES_COLLECTION = frozenset(
    {"list", "dict", "set", "tuple", "sorted", "deque", "defaultdict", "Counter", "frozenset"}
)
_TAKES_COLLECTION = frozenset({"len", "sum", "sorted", "reversed", "enumerate", "zip", "any", "all", "set", "list"})
_MAKES_NUMBER = frozenset({"len", "int", "float", "sum", "abs", "ord", "round"})


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one function (or of a module's top level), nested functions included.

    bound: local name → first line where it is bound, arguments first. grown: names that something is added to.
    conditions, expressions: nodes that a fix may borrow, in the order of the text.
    """

    arguments: tuple[str, ...]
    bound: Mapping[str, int]
    roles: Mapping[str, Role]
    grown: tuple[str, ...]
    conditions: tuple[ast.expr, ...]
    expressions: tuple[ast.expr, ...]


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """Facts of a whole file: names of its top level by kind, attributes that it reads and how often, its strings."""

    functions: tuple[str, ...]
    classes: tuple[str, ...]
    imports: tuple[str, ...]
    values: tuple[str, ...]
    attributes: Mapping[str, int]
    methods: Mapping[str, int]
    strings: Mapping[str, int]


@lru_cache(maxsize=256)
def facts(scope: Scoped) -> Facts:
    """Facts of a function, module or class body; computed once a node."""
    arguments = parameters(scope)
    line = getattr(scope, "lineno", 0)
    bound = dict.fromkeys(arguments, line)
    roles: dict[str, Role] = {}
    grown: dict[str, None] = {}
    conditions: list[ast.expr] = []
    expressions: list[ast.expr] = []
    for node in _own_nodes(scope):
        for name in _bindings(node):
            bound[name] = min(bound.get(name, 1 << 30), getattr(node, "lineno", line))
        for name, role in _uses(node):
            roles[name] = roles.get(name, Role.UNKNOWN) | role
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in GROWING:
                grown[name] = None
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                conditions.extend(test.values if isinstance(test, ast.BoolOp) else [test])
            case ast.comprehension(ifs=tests):
                conditions.extend(tests)
            case _:
                pass
        if isinstance(node, ast.Subscript | ast.Attribute | ast.Call | ast.BinOp):
            expressions.append(node)
    expressions.sort(key=lambda node: (node.lineno, node.col_offset))
    return Facts(arguments, bound, roles, tuple(grown), tuple(conditions), tuple(expressions))


def parameters(scope: ast.AST) -> tuple[str, ...]:
    if not isinstance(scope, FunctionNode):
        return ()
    given = scope.args
    found = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return tuple(argument.arg for argument in found if argument is not None)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    pending: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop(0)
        yield node
        if isinstance(scope, ast.Module | ast.ClassDef) and isinstance(node, FunctionNode | ast.ClassDef):
            continue
        pending.extend(ast.iter_child_nodes(node))


def _bindings(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                if alias.name != "*":
                    yield alias.asname or alias.name.partition(".")[0]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case _:
            return


def _uses(node: ast.AST) -> Iterator[tuple[str, Role]]:
    """Roles that one node gives to the names directly in it."""
    match node:
        case ast.Subscript(value=value, slice=index):
            yield from _named(value, Role.COLLECTION)
            yield from _named(index, Role.UNKNOWN)
        case ast.Slice(lower=lower, upper=upper):
            yield from _named(lower, Role.NUMBER)
            yield from _named(upper, Role.NUMBER)
        case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
            yield from _named(iterated, Role.COLLECTION)
            if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and iterated.func.id == "range":
                yield from _named(node.target, Role.NUMBER)
        case ast.Call(func=ast.Name(id=name), args=given):
            yield name, Role.CALLABLE
            role = Role.NUMBER if name in ("range", "abs", "round", "chr") else Role.UNKNOWN
            role = Role.COLLECTION if name in _TAKES_COLLECTION else role
            for argument in given:
                yield from _named(argument, role)
        case ast.Attribute(value=value, attr=name):
            yield from _named(value, Role.COLLECTION if name in _OF_COLLECTIONS else Role.OBJECT)
        case ast.Compare(left=left, ops=ops, comparators=others):
            yield from _compared(left, ops, others)
        case ast.BinOp(left=left, op=op, right=right):
            if not isinstance(op, ast.Add | ast.Mod | ast.Mult) or _is_number(left) or _is_number(right):
                yield from _named(left, Role.NUMBER)
                yield from _named(right, Role.NUMBER)
        case ast.AugAssign(target=target, op=op, value=value):
            if not isinstance(op, ast.Add) or _is_number(value):
                yield from _named(target, Role.NUMBER)
        case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _named(target, _made(value))
        case ast.Import() | ast.ImportFrom():
            for name in _bindings(node):
                yield name, Role.MODULE
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, Role.CALLABLE
        case _:
            return


def _compared(left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> Iterator[tuple[str, Role]]:
    members = [left, *others]
    for before, op, after in zip(members, ops, others, strict=False):
        if isinstance(op, ast.In | ast.NotIn):
            yield from _named(after, Role.COLLECTION)
        elif isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and (_is_number(before) or _is_number(after)):
            yield from _named(before, Role.NUMBER)
            yield from _named(after, Role.NUMBER)


def _named(node: ast.AST | None, role: Role) -> Iterator[tuple[str, Role]]:
    if isinstance(node, ast.Name):
        yield node.id, role


def _is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool() | str() | None):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _MAKES_NUMBER
        case ast.UnaryOp(op=ast.USub()):
            return True
        case _:
            return False


def _made(value: ast.expr) -> Role:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return Role.COLLECTION
        case ast.Call(func=ast.Name(id=name)) if name in _MAKES_COLLECTION:
            return Role.COLLECTION
        case ast.Subscript(slice=ast.Slice()):
            return Role.COLLECTION
        case ast.BinOp(op=ast.Sub() | ast.Div() | ast.FloorDiv()):
            return Role.NUMBER
        case _:
            return Role.NUMBER if _is_number(value) else Role.UNKNOWN


@lru_cache(maxsize=64)
def module_facts(module: ast.Module) -> ModuleFacts:
    """Facts of a whole file; computed once a file."""
    functions: dict[str, None] = {}
    classes: dict[str, None] = {}
    imports: dict[str, None] = {}
    values: dict[str, None] = {}
    for statement in module.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                functions[statement.name] = None
            case ast.ClassDef():
                classes[statement.name] = None
            case ast.Import() | ast.ImportFrom():
                imports.update(dict.fromkeys(_bindings(statement)))
            case _:
                values.update(dict.fromkeys(name for node in ast.walk(statement) for name in _bindings(node)))
    attributes: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    strings: Counter[str] = Counter()
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                methods[name] += 1
            case ast.Attribute(attr=name):
                attributes[name] += 1
            case ast.Constant(value=str(text)) if 0 < len(text) <= 40:
                strings[text] += 1
            case _:
                pass
    for name, calls in methods.items():
        attributes[name] -= calls
    held = {name: times for name, times in attributes.items() if times > 0}
    return ModuleFacts(tuple(functions), tuple(classes), tuple(imports), tuple(values), held, methods, strings)


@lru_cache(maxsize=256)
def comprehension_names(scope: Scoped) -> frozenset[str]:
    """Names bound by comprehensions alone: they live nowhere else."""
    inside: set[str] = set()
    for node in _own_nodes(scope):
        if isinstance(node, ast.comprehension):
            inside.update(target.id for target in ast.walk(node.target) if isinstance(target, ast.Name))
    outside = set(parameters(scope))
    pending: list[ast.AST] = [scope]
    while pending:
        node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                pending.extend([child.iter, *child.ifs])
                continue
            outside.update(_bindings(child))
            pending.append(child)
    return frozenset(inside - outside)


@lru_cache(maxsize=64)
def unbound(module: ast.Module) -> frozenset[str]:
    """Names that a file reads and that nothing in it, nor the interpreter, binds; empty after a star import."""
    read: set[str] = set()
    bound = {"__file__", "__class__", "__path__", "__annotations__", "WindowsError"}
    for node in ast.walk(module):
        bound.update(_bindings(node))
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return frozenset()
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.arg(arg=name) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case _:
                pass
    return frozenset(name for name in read - bound if not hasattr(builtins, name))
