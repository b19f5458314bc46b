"""What the traceback says: project frames, and the module that an import was expected to be in."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.diagnose.calls import module_file
from bot.diagnose.source_files import SourceFile, Sources
from bot.evidence.text import one_line
from bot.evidence.types import Cluster, Failure, Phase

_DECAY = 0.8
_CANNOT_IMPORT = re.compile(r"cannot import name '([\w.]+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


@dataclass(frozen=True, slots=True)
class Trace:
    """A place the traceback points at; `weight` in 0…1 falls with the distance from where it was raised."""

    path: str
    line: int
    weight: float
    reason: str


def traces(cluster: Cluster, sources: Sources, is_test: Callable[[str], bool]) -> tuple[Trace, ...]:
    """Places named by the failures of a cluster, strongest first; of several for one line the strongest.

    Product frames come with their distance from the innermost product frame. Frames of test code come last, whatever
    their place on the stack, with a weight that a product frame always exceeds.
    """
    best: dict[tuple[str, int], Trace] = {}
    for failure in cluster.failures:
        for trace in (*_missing_names(failure, sources), *_stack(failure, is_test)):
            key = (trace.path, trace.line)
            if key not in best or best[key].weight < trace.weight:
                best[key] = trace
    return tuple(sorted(best.values(), key=lambda trace: (-trace.weight, trace.path, trace.line)))


def _stack(failure: Failure, is_test: Callable[[str], bool]) -> Iterator[Trace]:
    inside = [frame for frame in failure.frames if frame.in_project]
    product = [frame for frame in inside if not is_test(frame.path)]
    exception = one_line(failure.exception, 60) or "the failure"
    collecting = failure.case.phase is Phase.COLLECTION
    for distance, frame in enumerate(reversed(product)):
        if distance == 0:
            reason = f"{exception} {'while importing' if collecting else 'is raised'} here"
            reason = reason if inside[-1] is frame else f"the last product code on the traceback of {exception}"
        else:
            reason = f"{distance} {'call' if distance == 1 else 'calls'} above the failure on the traceback"
        yield Trace(frame.path, frame.line, _DECAY**distance, reason)
    for distance, frame in enumerate(reversed([frame for frame in inside if is_test(frame.path)])):
        yield Trace(frame.path, frame.line, 0.05 * _DECAY**distance, f"the test fails here with {exception}")


def _missing_names(failure: Failure, sources: Sources) -> Iterator[Trace]:
    """Where a name or module should have been that an import did not find."""
    message = failure.message
    beside = failure.case.id.file
    if match := _CANNOT_IMPORT.search(message) or _swapped(_NO_ATTRIBUTE.search(message)):
        name, module = match[1], match[2]
        source = module_file(sources, module, beside)
        if source is not None:
            yield _nearest(source, name)
    elif match := _NO_MODULE.search(message):
        package, _, name = match[1].rpartition(".")
        source = module_file(sources, package, beside) if package else None
        if source is not None:
            yield Trace(source.path, 1, 0.9, f"its package has no module {name!r}")


def _swapped(match: re.Match[str] | None) -> tuple[str, str, str] | None:
    return (match[0], match[2], match[1]) if match else None


def _nearest(source: SourceFile, name: str) -> Trace:
    """The definition in `source` whose name is most like the missing one, or else its first line."""
    defined = dict(_defined(source))
    close = difflib.get_close_matches(name, defined, n=1, cutoff=0.5)
    if close:
        return Trace(source.path, defined[close[0]], 1.0, f"{name!r} is expected here; {close[0]!r} is nearest")
    return Trace(source.path, 1, 0.9, f"{name!r} is expected in this module and not defined")


def _defined(source: SourceFile) -> Iterator[tuple[str, int]]:
    for node in source.module.body if source.module else ():
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Assign(targets=targets):
                yield from ((target.id, node.lineno) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node.lineno
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                yield from ((alias.asname or alias.name, node.lineno) for alias in names)
            case _:
                pass
