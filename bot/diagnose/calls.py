"""Which product functions a test calls, by reading: imports and calls resolved through the syntax trees.

For tests without a spectrum, and to break ties where there is one: what a test calls itself is closer to its failure
than what lies five calls deeper.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.diagnose.source_files import Function, SourceFile, Sources
from bot.evidence.types import TestId

_DEEPEST = 4
_MOST = 400
_ROOTS = ("", "src", "lib")
_CONSTRUCTING = frozenset({"__init__", "__post_init__", "__new__"})
_PREPARING = frozenset({"setUp", "setUpClass", "setup_method", "setup_class", "setup", "setup_module", "setUpModule"})


@dataclass(frozen=True, slots=True)
class Called:
    """A function `distance` calls away from a test (1: the test calls it itself)."""

    path: str
    function: Function
    distance: int


def test_function(sources: Sources, test: TestId) -> tuple[SourceFile, Function] | None:
    """The source of a test, None where it is not there under its name (made at run time, inherited)."""
    source = sources.get(test.file) if test.file else None
    if source is None:
        return None
    module = test.file.removesuffix(".py").replace("/", ".")
    scope = test.classname.removeprefix(module).strip(".")
    name = test.name.partition("[")[0]
    function = source.function(f"{scope}.{name}" if scope else name)
    return (source, function) if function else None


def called_functions(sources: Sources, tests: tuple[TestId, ...], is_test: Callable[[str], bool]) -> tuple[Called, ...]:
    """Product functions that `tests` reach by calls that can be resolved, nearest first, at most 400."""
    frontier: list[tuple[SourceFile, Function]] = []
    for test in tests[:20]:
        found = test_function(sources, test)
        if found is not None:
            frontier.append(found)
            frontier += _prepared(*found)
    reached: dict[tuple[str, str], Called] = {}
    helpers: set[tuple[str, str]] = set()  # of the tests: no step away from them
    classes: dict[tuple[str, str], SourceFile] = {}
    attributes: set[str] = set()
    for distance in range(1, _DEEPEST + 1):
        following: list[tuple[SourceFile, Function]] = []
        pending = list(frontier)
        while pending:
            uses = _uses(sources, *pending.pop(0))
            classes |= {(place.path, name): place for place, name in uses.classes}
            attributes |= uses.attributes
            # An object's class is not followed through assignments: methods of that name in the classes met will do.
            for place, function in (*uses.functions, *([] if pending else _methods(classes, attributes))):
                key = (place.path, function.name)
                if key in reached or key in helpers or len(reached) >= _MOST:
                    continue
                if is_test(place.path):
                    helpers.add(key)
                    pending.append((place, function))
                else:
                    reached[key] = Called(place.path, function, distance)
                    following.append((place, function))
        frontier = following
    return tuple(reached.values())


def module_file(sources: Sources, dotted: str, beside: str = "") -> SourceFile | None:
    """The file of module `dotted`: from the root, src, lib, or the folder of the importing file and those above it."""
    relative = dotted.replace(".", "/")
    roots = [*_ROOTS]
    folder = posixpath.dirname(beside)
    while folder:
        roots.append(folder)
        folder = posixpath.dirname(folder)
    for root in roots:
        for path in (posixpath.join(root, relative + ".py"), posixpath.join(root, relative, "__init__.py")):
            source = sources.get(path)
            if source is not None:
                return source
    return None


def _prepared(source: SourceFile, test: Function) -> Iterator[tuple[SourceFile, Function]]:
    """What runs before a test in its file: its class's set-up, module set-up, fixtures it names."""
    wanted = {argument.arg for argument in ast.walk(test.node.args) if isinstance(argument, ast.arg)}
    for function in source.functions:
        name = function.name.rpartition(".")[2]
        if (name in _PREPARING and function.class_name in ("", test.class_name)) or (
            name in wanted and function is not test
        ):
            yield source, function


@dataclass(frozen=True, slots=True)
class _Uses:
    """What a function's text uses: functions and classes found by name, and the names of all attributes."""

    functions: tuple[tuple[SourceFile, Function], ...]
    classes: tuple[tuple[SourceFile, str], ...]
    attributes: frozenset[str]


def _uses(sources: Sources, source: SourceFile, function: Function) -> _Uses:
    imported = dict(_imports(source.module)) | dict(_imports(function.node))
    functions: list[tuple[SourceFile, Function]] = []
    classes: list[tuple[SourceFile, str]] = []
    attributes: set[str] = set()
    for node in ast.walk(function.node):
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        dotted = _dotted(node)
        if not dotted:
            continue
        for place, name in _resolve(sources, source, function, dotted, imported):
            target = place.function(name)
            if target is not None:
                functions.append((place, target))
            elif any(other.class_name == name for other in place.functions):
                classes.append((place, name))
    return _Uses(tuple(functions), tuple(classes), frozenset(attributes))


def _methods(classes: dict[tuple[str, str], SourceFile], attributes: set[str]) -> Iterator[tuple[SourceFile, Function]]:
    """Constructors of the classes met, and their methods and properties that go by a name in use."""
    for (_, name), place in list(classes.items()):
        for function in place.functions:
            method = function.name.rpartition(".")[2]
            if function.class_name == name and (method in _CONSTRUCTING or method in attributes):
                yield place, function


def _dotted(node: ast.AST) -> str:
    """ "a.b.c" of a chain of names, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _imports(tree: ast.AST | None) -> Iterator[tuple[str, str]]:
    """Local name → what it stands for: "module" or "module:name"; leading dots stay."""
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name, alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                yield alias.asname or alias.name, f"{module}:{alias.name}"


def _resolve(
    sources: Sources, source: SourceFile, function: Function, dotted: str, imported: dict[str, str]
) -> Iterator[tuple[SourceFile, str]]:
    """Candidates (file, qualified name) for a dotted name used in `function`."""
    head, _, rest = dotted.partition(".")
    if head in ("self", "cls") and function.class_name and rest:
        yield source, f"{function.class_name}.{rest}"
        return
    names = sorted((name for name in imported if dotted == name or dotted.startswith(name + ".")), key=len)
    if not names:
        yield source, f"{function.name}.{dotted}"  # a function inside this one
        yield source, dotted
        return
    name = names[-1]
    rest = dotted[len(name) :].lstrip(".")
    module, _, member = imported[name].partition(":")
    yield from _follow(sources, source, module, ".".join(filter(None, (member, rest))), 0)


def _follow(
    sources: Sources, source: SourceFile, module: str, member: str, depth: int
) -> Iterator[tuple[SourceFile, str]]:
    """A member of a module, through modules that only pass it on (`from .cart import total` in `__init__`)."""
    if depth > 4 or not member:
        return
    place = _module(sources, source, module)
    head, _, rest = member.partition(".")
    inner = _module(sources, source, f"{module}.{head}" if not module.endswith(".") else module + head)
    if inner is not None and rest:
        yield inner, rest
    if place is None:
        return
    yield place, member
    passed_on = dict(_imports(place.module)).get(head)
    if passed_on is not None and place.function(member) is None:
        origin, _, name = passed_on.partition(":")
        if name:
            yield from _follow(sources, place, origin, ".".join(filter(None, (name, rest))), depth + 1)


def _module(sources: Sources, source: SourceFile, module: str) -> SourceFile | None:
    level = len(module) - len(module.lstrip("."))
    if not level:
        return module_file(sources, module, source.path)
    folder = posixpath.dirname(source.path)
    for _ in range(level - 1):
        folder = posixpath.dirname(folder)
    base = posixpath.join(folder, module[level:].replace(".", "/")).rstrip("/")
    return sources.get(base + ".py") or sources.get(posixpath.join(base, "__init__.py"))
