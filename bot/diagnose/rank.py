"""Traceback, spectrum and recent changes → one ranked list.

The three are treated as independent witnesses: a line's suspiciousness is one minus the product of what each of them
leaves of its innocence. On 135 real Python bugs trace and Ochiai together put the right function first in 45 %, Ochiai
alone in 38 %, the trace alone in 22 % (FauxPy's study on BugsInPy).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.diagnose.calls import Called, called_functions
from bot.diagnose.changes import changed_statements
from bot.diagnose.frames import traces
from bot.diagnose.ochiai import LineScore, line_scores
from bot.diagnose.source_files import Function, SourceFile, Sources
from bot.diagnose.types import Location, Spectrum
from bot.evidence.types import Cluster
from bot.workspace.types import ChangedRange

MOST_LOCATIONS = 200

_OCHIAI = 0.8
_TRACE = 0.6
_CHANGED = 0.7  # a changed line that the failing tests run, in a diff of few statements
_CHANGED_ELSEWHERE = 0.3  # one that they do not run, as far as known
_CALLED = (0.35, 0.25, 0.18, 0.12)  # without a spectrum, by distance from the test
_DEFINED_OUTSIDE = 0.4  # of its user's suspiciousness: a constant, a default, a class attribute, run by the import
_USERS = 8


@dataclass(slots=True)
class _Suspect:
    innocence: float = 1.0
    reasons: list[str] = field(default_factory=list)

    def accuse(self, weight: float, reason: str) -> None:
        self.innocence *= 1 - weight
        if reason not in self.reasons:
            self.reasons.append(reason)


Place = tuple[str, int]


def localize(
    cluster: Cluster,
    spectrum: Spectrum | None,
    changed: tuple[ChangedRange, ...],
    tree: Path,
    is_test: Callable[[str], bool],
) -> tuple[Location, ...]:
    """Ranked locations, best first: one per statement, at its first line, at most 200.

    Product code only; test code stands in the list only where nothing else does. Ties go to what the tests call most
    directly, then by path and line, so that equal evidence gives equal lists.
    """
    sources = Sources(tree)
    called = called_functions(sources, cluster.ids, is_test)
    suspects: dict[Place, _Suspect] = {}

    def accuse(path: str, line: int, weight: float, reason: str) -> None:
        source = sources.get(path)
        if source is not None and 0 < line <= len(source.lines):
            place = (path, source.statement(line))
            suspects.setdefault(place, _Suspect()).accuse(weight, reason)

    for trace in traces(cluster, sources, is_test):
        accuse(trace.path, trace.line, trace.weight * _TRACE, trace.reason)
    scores = {} if spectrum is None else line_scores(spectrum, cluster.ids)
    scored = _by_statement(scores, sources, is_test)
    for (path, line), score in scored.items():
        accuse(path, line, score.score * _OCHIAI, _counts(score))
    if not scored:
        for path, line, weight, reason in _called_statements(called, sources):
            accuse(path, line, weight, reason)
    for (path, line), size in changed_statements(changed, sources.get).items():
        known = (path, line) in suspects
        weight = (_CHANGED if known else _CHANGED_ELSEWHERE) * max(0.4, 1 - size / 400)
        accuse(path, line, weight, "changed since the last good revision")
    for path, line, weight, reason in tuple(_defined_outside(suspects, sources, is_test)):
        accuse(path, line, weight, reason)
    return _ranked(suspects, called, sources, is_test)


def _ranked(
    suspects: Mapping[Place, _Suspect], called: tuple[Called, ...], sources: Sources, is_test: Callable[[str], bool]
) -> tuple[Location, ...]:
    distances = {(each.path, each.function.name): each.distance for each in called}
    product = [place for place in suspects if not is_test(place[0])]
    locations = []
    for path, line in product or suspects:
        source = sources.get(path)
        symbol = source.symbol(line) if source else ""
        suspect = suspects[path, line]
        suspiciousness = round(1 - suspect.innocence, 6)
        distance = distances.get((path, symbol), 99)
        locations.append((-suspiciousness, distance, path, line, symbol, "; ".join(suspect.reasons)))
    locations.sort()
    return tuple(
        Location(path, line, symbol, -negative, reason)
        for negative, _, path, line, symbol, reason in locations[:MOST_LOCATIONS]
    )


def _by_statement(
    scores: Mapping[Place, LineScore], sources: Sources, is_test: Callable[[str], bool]
) -> dict[Place, LineScore]:
    """The best line's score for each statement of product code."""
    best: dict[Place, LineScore] = {}
    for (path, line), score in scores.items():
        source = None if is_test(path) else sources.get(path)
        if source is None:
            continue
        place = (path, source.statement(line))
        if place not in best or best[place].score < score.score:
            best[place] = score
    return best


def _counts(score: LineScore) -> str:
    failing = f"{score.failing} of {score.failing_all} failing"
    return f"run by {failing} and {score.passing} of {score.passing_all} passing tests"


def _called_statements(called: tuple[Called, ...], sources: Sources) -> Iterator[tuple[str, int, float, str]]:
    for each in called:
        source = sources.get(each.path)
        if source is None:
            continue
        weight = _CALLED[min(each.distance, len(_CALLED)) - 1]
        far = "called by the failing test" if each.distance == 1 else f"{each.distance} calls from the failing test"
        for line in sorted(set(_body_lines(source, each.function))):
            yield each.path, line, weight, far


def _body_lines(source: SourceFile, function: Function) -> Iterator[int]:
    """First lines of the statements of a function's body, its docstring and nested functions left out."""
    body = function.node.body
    if (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        body = body[1:]
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.stmt):
            yield source.statement(node.lineno)
        pending.extend(ast.iter_child_nodes(node))


def _defined_outside(
    suspects: Mapping[Place, _Suspect], sources: Sources, is_test: Callable[[str], bool]
) -> Iterator[tuple[str, int, float, str]]:
    """Values that imports computed and suspicious functions use: module constants, class attributes, defaults.

    No spectrum shows them, for the import runs before any test.
    """
    best: dict[tuple[str, str], float] = {}
    for (path, line), suspect in suspects.items():
        source = None if is_test(path) else sources.get(path)
        if source is not None and (symbol := source.symbol(line)):
            best[path, symbol] = max(best.get((path, symbol), 0.0), 1 - suspect.innocence)
    for (path, symbol), score in sorted(best.items(), key=lambda item: (-item[1], item[0]))[:_USERS]:
        source = sources.get(path)
        function = source.function(symbol) if source else None
        if source is None or source.module is None or function is None:
            continue
        weight = score * _DEFINED_OUTSIDE
        used = {node.id for node in ast.walk(function.node) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(function.node) if isinstance(node, ast.Attribute)}
        for line in _assignments(source.module.body, used):
            yield path, line, weight, f"a value that {symbol} uses"
        for node in ast.walk(source.module):
            if isinstance(node, ast.ClassDef) and node.name == function.class_name.rpartition(".")[2]:
                for line in _assignments(node.body, attributes):
                    yield path, line, weight, f"an attribute that {symbol} uses"
        if any(isinstance(default, (ast.List, ast.Dict, ast.Set, ast.Call)) for default in function.node.args.defaults):
            yield path, function.header, weight, f"a default of {symbol} that is shared between calls"


def _assignments(body: list[ast.stmt], names: set[str]) -> Iterator[int]:
    for node in body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(name, ast.Name) and name.id in names for target in targets for name in ast.walk(target)):
            yield node.lineno
