"""The same test under two names: ids from other reports, other root folders, and the words of a command line."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.evidence.types import TestId


@dataclass(frozen=True, slots=True)
class Resolution:
    """found: wanted id → the known id it is. missing: wanted ids that are none, or more than one, of the known."""

    found: Mapping[TestId, TestId]
    missing: tuple[TestId, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """ids: in the order of the known ones, each once. missing: selectors that select nothing."""

    ids: tuple[TestId, ...]
    missing: tuple[str, ...]


def resolve(wanted: Iterable[TestId], known: Iterable[TestId]) -> Resolution:
    """Find each wanted id among the known ones: equal, the same dotted name, or one a suffix of the other.

    A JUnit file without `file` attributes, one made in another root folder ("tests.test_cart" against
    "project.tests.test_cart") and one with absolute paths all match by module, class and name. A match must be the
    only one of its kind; the test's name, parameters included, must always be equal.
    """
    exact: set[TestId] = set()
    by_dotted: dict[tuple[str, ...], set[TestId]] = defaultdict(set)
    by_name: dict[str, list[tuple[tuple[str, ...], TestId]]] = defaultdict(list)
    for id in known:
        if id in exact:
            continue
        exact.add(id)
        scope = _scope(id)
        by_dotted[(*scope, id.name)].add(id)
        by_name[_key(id.name, scope)].append((scope, id))
    found: dict[TestId, TestId] = {}
    missing: list[TestId] = []
    for id in dict.fromkeys(wanted):
        match = id if id in exact else None
        if match is None:
            scope = _scope(id)
            candidates = by_dotted.get((*scope, id.name), set())
            if not candidates:
                # A list of candidates is walked per wanted id; names shared by thousands of tests stay cheap because
                # the walk compares tuples only.
                named = by_name.get(_key(id.name, scope), [])
                candidates = {other for other_scope, other in named if _is_suffix(scope, other_scope)}
            match = next(iter(candidates)) if len(candidates) == 1 else None
        if match is None:
            missing.append(id)
        else:
            found[id] = match
    return Resolution(found, tuple(missing))


def select(selectors: Iterable[str], known: Iterable[TestId]) -> Selection:
    """Known ids that command-line words mean.

    A word is a file or folder ("tests/test_x.py", "tests/"), a node id or the beginning of one
    ("tests/test_x.py::TestC"), a dotted name ("tests.test_x.TestC.test_y"), a class or function name ("TestC",
    "test_y", "TestC::test_y"), with or without parameters.
    """
    ids = tuple(dict.fromkeys(known))
    chosen: set[TestId] = set()
    missing: list[str] = []
    for selector in selectors:
        matches = [id for id in ids if _selects(selector, id)]
        if matches:
            chosen.update(matches)
        else:
            missing.append(selector)
    return Selection(tuple(id for id in ids if id in chosen), tuple(missing))


def _scope(id: TestId) -> tuple[str, ...]:
    """Module and class path of an id as segments, from its class name or else its file."""
    dotted = id.classname
    if not dotted and id.file:
        dotted = id.file.removesuffix(".py").replace("/", ".")
    return tuple(part for part in dotted.split(".") if part)


def _key(name: str, scope: tuple[str, ...]) -> str:
    """What two names of one test always share; a collection error has no name and is known by its module."""
    return name or (scope[-1] if scope else "")


def _is_suffix(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    shorter, longer = sorted((left, right), key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def _selects(selector: str, id: TestId) -> bool:
    head, bracket, parameters = selector.partition("[")
    path, separator, inner = head.replace("\\", "/").partition("::")
    if "/" in path or path.endswith(".py") or path == ".":
        return _selects_path(posixpath.normpath(path), separator + inner + bracket + parameters, id)
    dotted = ".".join((*_scope(id), id.name)) if id.name else ".".join(_scope(id))
    wanted = head.replace("::", ".") + bracket + parameters
    bare = dotted if bracket else dotted.partition("[")[0]
    return bare == wanted or bare.startswith(wanted + ".") or f".{bare}.".find(f".{wanted}.") >= 0


def _selects_path(path: str, rest: str, id: TestId) -> bool:
    if path == ".":
        return True
    if not id.file:  # known by its dotted name only
        scope = _scope(id)
        wanted = tuple(part for part in path.removesuffix(".py").split("/") if part)
        if scope[: len(wanted)] != wanted:
            return False
        inner = "".join(f"::{part}" for part in (*scope[len(wanted) :], id.name) if part)
        return not rest or _begins(inner, rest)
    if not rest:
        return id.file == path or id.file.startswith(path + "/")
    return id.file == path and _begins(id.node_id[len(id.file) :], rest)


def _begins(inner: str, rest: str) -> bool:
    return inner == rest or inner.startswith((rest + "::", rest + "["))
