"""An order made certain: what is taken from a set or a folder is taken in sorted order."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from bot.propose.search.source import span
from bot.propose.search.types import Candidate, Edit, Source
from bot.vet.syntax import dotted

_FOLDERS = frozenset({"listdir", "iterdir", "glob", "rglob", "iglob", "scandir"})
_WALKS = frozenset({"walk", "fwalk"})
_ORDERED = frozenset({"sorted", "range", "enumerate", "zip", "reversed", "splitlines", "split", "readlines", "map"})
_TAKING = frozenset({"list", "tuple", "join", "iter", "enumerate", "deque", "fromkeys", "extend", "zip", "chain"})
_APPLYING = frozenset({"map", "filter", "reduce", "starmap"})
"""Calls whose arguments after the first are gone through."""
_CHOOSING = frozenset({"max", "min", "sorted", "nsmallest", "nlargest"})
"""Calls that, given a key, leave open which of several equal ones comes first."""
_BY_NAME = "key=lambda entry: entry.name"


def of_sets(source: Source, lines: Collection[int]) -> Iterator[Candidate]:
    """Whatever is gone through in the lines that ran; then, by their text, what has no order among itself."""
    sites = [node for node in _gone_through(source.module) if _unordered(source, node, lines)]
    for key in ("", "key=str"):
        for node in sites:
            yield _sorted(source, node, key)


def of_folders(source: Source, lines: Collection[int]) -> Iterator[Candidate]:
    """Answers of the file system in the lines that ran; then what was made of them."""
    asked = [
        node
        for node in ast.walk(source.module)
        if isinstance(node, ast.Call) and _word(node) in _FOLDERS | _WALKS and node.lineno in lines
    ]
    for call in asked:
        if _word(call) in _FOLDERS and not isinstance(source.parents.get(call), ast.withitem):
            yield _sorted(source, call, _BY_NAME if _word(call) == "scandir" else "")
    if asked:
        key = _BY_NAME if any(_word(call) == "scandir" for call in asked) else ""
        for node in _gone_through(source.module):
            if node not in asked and _unordered(source, node, lines):
                yield _sorted(source, node, key)


def _sorted(source: Source, node: ast.expr, key: str) -> Candidate:
    start, end = span(source, node)
    text = source.text[start:end]
    made = f"sorted({text}{f', {key}' if key else ''})"
    if _is_only_argument_of_next(source, node):
        made = f"iter({made})"
    by = ", by its text" if key == "key=str" else ""
    what = f"`{ast.unparse(node)}` comes in no certain order and is now taken in sorted order{by}"
    return Candidate(source.path, node.lineno, (Edit(start, end, made),), "sorted", 1.0, what)


def _gone_through(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)):
            yield node.iter
        elif isinstance(node, ast.Starred) and isinstance(node.ctx, ast.Load):
            yield node.value
        elif isinstance(node, ast.Call):
            word = _word(node)
            if word in _TAKING:
                yield from (node.args if word in ("zip", "chain") else node.args[:1])
            elif word in _APPLYING:
                yield from node.args[1:]
            elif word in _CHOOSING and any(keyword.arg == "key" for keyword in node.keywords):
                yield from node.args[-1:]


def _unordered(source: Source, node: ast.expr, lines: Collection[int]) -> bool:
    if node.lineno not in lines or isinstance(node, (ast.List, ast.Tuple, ast.Constant, ast.JoinedStr, ast.Starred)):
        return False
    if isinstance(node, ast.Call) and _word(node) in _ORDERED:
        return False
    # The brackets of a generator that is an only argument are the call's.
    return not (isinstance(node, ast.GeneratorExp) and source.text[span(source, node)[0]] == "(")


def _is_only_argument_of_next(source: Source, node: ast.expr) -> bool:
    parent = source.parents.get(node)
    return isinstance(parent, ast.Call) and _word(parent) == "next" and parent.args[:1] == [node]


def _word(node: ast.Call) -> str:
    """The last part of what is called, also where it is a method of something computed."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
