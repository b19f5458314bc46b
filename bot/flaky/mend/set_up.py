"""A brittle test gains the set-up that it lacked: what the tests before it do until their first expectation."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from textwrap import dedent

from bot.evidence.types import TestId
from bot.flaky.mend.imports import brought_as
from bot.propose.search.source import indentation, newline, parse, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.vet.cleanup import set_up_of
from bot.vet.syntax import Function, bound_names, function_of, origins, without_docstring


def set_up(
    source: Source, test: TestId, setters: Sequence[TestId], read: Callable[[str], str | None]
) -> Iterator[Candidate]:
    """The set-up of each setter in turn, one after the other at the beginning of the test; one candidate at most."""
    function = function_of(source.module, test.name.partition("[")[0])
    if function is None or function.args.defaults or function.args.kwonlyargs:
        return
    body = without_docstring(function.body)
    indent = indentation(source, body[0]) if body else None
    if indent is None:
        return
    taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    known = {argument.arg for argument in function.args.args}
    lines: list[str] = []
    edits: list[Edit] = []
    for setter in setters:
        there = source if setter.file == source.path else parse(setter.file, read(setter.file) or "")
        other = None if there is None else function_of(there.module, setter.name.partition("[")[0])
        if there is None or other is None:
            return
        statements = set_up_of(other)
        gained = {argument.arg for argument in other.args.args} - {"self", "cls"}
        brought = _brought(source, there, statements, gained)
        if not statements or brought is None or taken & {name for each in statements for name in bound_names(each)}:
            return
        edits += brought
        known |= gained
        begin, end = span(there, statements[0])[0], span(there, statements[-1])[1]
        column = " " * statements[0].col_offset
        lines += dedent(column + there.text[begin:end]).split(newline(there))
    first = span(source, body[0])[0]
    text = "".join(f"{line}{newline(source)}{indent}" if line else newline(source) for line in lines)
    edits += [Edit(first, first, text), *_arguments(source, function, known)]
    names = " and ".join(f"`{setter.name}`" for setter in setters[:3])
    what = f"`{function.name}` needs what {names} sets up before it, and now sets that up itself"
    yield Candidate(source.path, function.lineno, tuple(dict.fromkeys(edits)), "set-up", 1.0, what)


def _brought(
    source: Source, there: Source, statements: Sequence[ast.stmt], arguments: set[str]
) -> tuple[Edit, ...] | None:
    """Imports that the statements need in this file; None where they need what only the other file has."""
    bound = {name for each in statements for name in bound_names(each)} | arguments | set(dir(builtins))
    read = {
        node.id
        for each in statements
        for node in ast.walk(each)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    if source.path == there.path:
        return ()
    edits: list[Edit] = []
    for name in sorted(read - bound):
        whence = origins(there.module).get(name)
        if whence is None:
            return None
        brought = brought_as(source, whence, name)
        if brought is None:
            return None
        edits += brought
    return tuple(edits)


def _arguments(source: Source, function: Function, known: set[str]) -> tuple[Edit, ...]:
    names = [argument.arg for argument in function.args.args]
    more = ", ".join(sorted(known - set(names)))
    if not more:
        return ()
    if names:
        last = span(source, function.args.args[-1])[1]
        return (Edit(last, last, f", {more}"),)
    head = source.text.index("def ", span(source, function)[0])
    place = source.text.index("(", source.text.index(function.name, head)) + 1
    return (Edit(place, place, more),)
