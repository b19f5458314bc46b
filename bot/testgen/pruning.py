"""A test file without some of its tests, and without the imports that only these needed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from bot.propose.search.source import FunctionNode, parse_module


def tests_in(source: str) -> tuple[str, ...]:
    """Names of the tests in a file ("test_a", "TestThing::test_b"), () where it is no Python."""
    module = parse_module(source)
    return () if module is None else tuple(name for name, _ in _tests(module))


def without(source: str, names: Collection[str]) -> str:
    """The file without these tests; a class that has lost its last one goes too. "" where no test is left."""
    module = parse_module(source)
    if module is None:
        return ""
    tests = dict(_tests(module))
    left = [name for name in tests if name not in names]
    if not left:
        return ""
    doomed: list[ast.stmt] = [node for name, node in tests.items() if name in names]
    doomed += [
        node
        for node in module.body
        if isinstance(node, ast.ClassDef)
        and any(name.startswith(f"{node.name}::") for name in tests)
        and not any(name.startswith(f"{node.name}::") for name in left)
    ]
    source = _cut(source, doomed)
    return _without_idle_imports(source) if doomed else source


def _tests(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in module.body:
        if isinstance(node, FunctionNode) and node.name.startswith("test"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, FunctionNode) and inner.name.startswith("test"):
                    yield f"{node.name}::{inner.name}", inner


def _cut(source: str, nodes: list[ast.stmt]) -> str:
    lines = source.split("\n")
    for node in nodes:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        for number in range(first, (node.end_lineno or node.lineno) + 1):
            lines[number - 1] = "\0"
    kept = [line for line in lines if line != "\0"]
    text: list[str] = []
    for line in kept:
        if line.strip() or len(text) < 2 or any(one.strip() for one in text[-2:]):
            text.append(line)
    return "\n".join(text).rstrip() + "\n"


def _without_idle_imports(source: str) -> str:
    module = parse_module(source)
    if module is None:
        return source
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    idle: list[ast.stmt] = []
    for node in module.body:
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module != "__future__"):
            names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            if "*" not in names and not names & used:
                idle.append(node)
    return _cut(source, idle).lstrip("\n")
