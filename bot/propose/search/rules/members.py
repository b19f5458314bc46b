"""Wrong method or attribute of the same object, wrong function of the same family, a result that is thrown away."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from bot.propose.search.facts import module_facts
from bot.propose.search.source import code, enclosing_class, expressions, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import replace, rewrite

NAME = "member"

_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("append", "extend", "insert", "appendleft", "add"),
    ("add", "append", "update", "discard"),
    ("update", "add", "setdefault", "extend"),
    ("pop", "popleft", "popitem", "remove", "get"),
    ("keys", "values", "items"),
    ("get", "pop", "setdefault"),
    ("remove", "discard", "pop"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("issubset", "issuperset", "isdisjoint"),
    ("intersection_update", "difference_update", "update"),
    ("strip", "lstrip", "rstrip"),
    ("removeprefix", "removesuffix", "lstrip", "rstrip"),
    ("split", "rsplit", "splitlines", "partition"),
    ("partition", "rpartition", "split"),
    ("find", "rfind", "index", "rindex"),
    ("startswith", "endswith"),
    ("lower", "upper", "casefold", "title", "capitalize"),
    ("title", "capitalize"),
    ("isdigit", "isnumeric", "isdecimal", "isalnum", "isalpha"),
    ("islower", "isupper"),
    ("ljust", "rjust", "center"),
    ("encode", "decode"),
    ("match", "search", "fullmatch"),
    ("findall", "finditer", "search"),
    ("group", "groups", "groupdict"),
    ("read", "readline", "readlines"),
    ("write", "writelines"),
    ("sort", "reverse"),
    ("copy", "deepcopy"),
    ("now", "utcnow"),
    ("load", "loads"),
    ("dump", "dumps"),
    ("bisect_left", "bisect_right"),
    ("heappush", "heappop", "heappushpop", "heapreplace"),
    ("exists", "is_file", "is_dir"),
    ("name", "stem", "suffix"),
    ("seconds", "total_seconds()"),
)
_FUNCTIONS: tuple[tuple[str, ...], ...] = (
    ("min", "max", "sum"),
    ("any", "all"),
    ("sorted", "reversed", "list", "set"),
    ("int", "float", "round", "str"),
    ("str", "repr"),
    ("list", "tuple", "set", "dict"),
    ("isinstance", "issubclass"),
    ("sum", "len", "max"),
    ("ceil", "floor", "trunc"),
    ("bisect_left", "bisect_right"),
    ("map", "filter"),
)
_IN_PLACE = frozenset({"sort", "reverse"})
_GIVES_NEW = frozenset(
    {"strip", "lstrip", "rstrip", "replace", "lower", "upper", "union", "intersection", "difference", "title",
     "removeprefix", "removesuffix", "copy", "with_suffix", "joinpath", "resolve", "casefold", "zfill", "encode"}
)  # fmt: skip
_OF_BUILTINS = sorted(
    {
        name
        for kind in (str, bytes, list, dict, set, tuple, int, float)
        for name in dir(kind)
        if not name.startswith("_")
    }
)
MOST_ATTRIBUTES = 12


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Other members and functions where the statement names one."""
    yield from _results(source, statement)
    for node in expressions(source, statement):
        match node:
            case ast.Attribute():
                yield from _attribute(source, node)
            case ast.Call(func=ast.Name(id="hasattr"), args=[holder, wanted]):
                text = f"getattr({code(source, holder)}, {code(source, wanted)}, None)"
                yield replace(source, node, text, NAME, 2.4)
            case ast.Call(func=ast.Name(id=name)):
                for family in _FUNCTIONS:
                    if name in family:
                        for place, other in enumerate(other for other in family if other != name):
                            yield replace(source, node.func, other, NAME, 1.5 + 0.2 * place)
            case ast.Call(func=ast.Attribute() as function, args=[], keywords=[]):
                yield replace(source, node, code(source, function), NAME, 2.6)
                yield replace(source, node, code(source, function.value), NAME, 2.6)
            case ast.Call(func=ast.Attribute(value=value)) if not isinstance(value, ast.Name) or value.id != "self":
                yield replace(source, node, code(source, value), NAME, 3.4)
            case ast.Name(id=name, ctx=ast.Load()):
                yield from _forgotten_self(source, node, name)
            case _:
                pass


def _renamed(source: Source, node: ast.Attribute, other: str, cost: float) -> Candidate:
    end = span(source, node)[1]
    edit = Edit(end - len(node.attr), end, other)
    line = node.end_lineno or node.lineno
    return Candidate(source.path, line, (edit,), NAME, cost, f"`.{node.attr}` becomes `.{other}`")


def _attribute(source: Source, node: ast.Attribute) -> Iterator[Candidate]:
    end = span(source, node)[1]
    if source.text[end - len(node.attr) : end] != node.attr:
        return  # a mangled or normalised identifier: the text is not the name
    parent = source.parents[node]
    called = isinstance(parent, ast.Call) and node is parent.func
    offered: dict[str, float] = {}
    for family in _FAMILIES:
        if node.attr in family:
            for place, other in enumerate(other for other in family if other != node.attr):
                offered.setdefault(other, 1.5 + 0.2 * place)
    if node.attr not in _OF_BUILTINS:
        for place, other in enumerate(difflib.get_close_matches(node.attr, _OF_BUILTINS, n=2, cutoff=0.8)):
            offered.setdefault(other, 1.8 + 0.2 * place)
    known = module_facts(source.module)
    seen = known.methods if called else known.attributes
    own = _own_members(source, node, called)
    alike = sorted((*own, *(name for name in seen if name not in own)), key=lambda name: -_likeness(name, node.attr))
    for place, other in enumerate([other for other in alike if other != node.attr][:MOST_ATTRIBUTES]):
        offered.setdefault(other, (2.0 if other in own or not own else 2.8) + 0.12 * place)
    for other, cost in offered.items():
        yield _renamed(source, node, other, cost)
    if not called and isinstance(node.ctx, ast.Load):
        yield replace(source, node, f"{code(source, node)}()", NAME, 2.8)


def _own_members(source: Source, node: ast.Attribute, called: bool) -> tuple[str, ...]:
    """Members of the class for `self.x`: methods where it is called, else the attributes that the class sets."""
    owner = enclosing_class(source, node)
    if owner is None or not isinstance(node.value, ast.Name) or node.value.id not in ("self", "cls"):
        return ()
    found: dict[str, None] = {}
    for inner in ast.walk(owner):
        match inner:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if called and not name.startswith("__"):
                found[name] = None
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()) if not called:
                found[name] = None
            case ast.AnnAssign(target=ast.Name(id=name)) if not called and source.parents.get(inner) is owner:
                found[name] = None
            case _:
                pass
    return tuple(found)


def _likeness(one: str, other: str) -> float:
    """Share of the words (split at underscores) and of the beginning that two names have in common, 0…2."""
    words, theirs = set(one.split("_")), set(other.split("_"))
    same = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        same += 1
    return len(words & theirs) / len(words | theirs) + same / max(len(one), len(other), 1)


def _forgotten_self(source: Source, node: ast.Name, name: str) -> Iterator[Candidate]:
    owner = enclosing_class(source, node)
    if owner is None:
        return
    for inner in ast.walk(owner):
        match inner:
            case ast.Attribute(value=ast.Name(id="self"), attr=attr) if attr == name:
                yield replace(source, node, f"self.{name}", NAME, 2.4)
                return
            case _:
                pass


def _results(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Methods that change in place against methods that give something new."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=value, attr=method), args=given) as call):
            target = code(source, value)
            if not isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
                return
            if method not in _IN_PLACE:
                usual = 1.6 if method in _GIVES_NEW else 3.4
                yield rewrite(source, statement, f"{target} = {code(source, call)}", NAME, usual)
            if len(given) == 1 and not isinstance(given[0], ast.Starred):
                yield rewrite(source, statement, f"{target} = {code(source, given[0])}", NAME, 3.4)
        case ast.Assign(value=ast.Call(func=ast.Attribute(value=value, attr=method)) as call):
            if method in _IN_PLACE:
                instead = "sorted" if method == "sort" else "list(reversed"
                close = ")" if method == "sort" else "))"
                yield replace(source, call, f"{instead}({code(source, value)}{close}", NAME, 1.6)
        case ast.Assign(targets=[ast.Subscript(value=holder)], value=value):
            yield rewrite(source, statement, f"{code(source, holder)}.update({code(source, value)})", NAME, 4.2)
            yield rewrite(source, statement, f"{code(source, holder)}.append({code(source, value)})", NAME, 3.6)
        case ast.Return(value=ast.Call(func=ast.Attribute(value=value, attr="sort")) as call):
            yield replace(source, call, f"sorted({code(source, value)})", NAME, 1.6)
        case _:
            return
