"""Whole statements: one that is missing, one too many, one in the wrong place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import GROWING, Role, facts
from bot.propose.search.scope import names, role, scope_of
from bot.propose.search.source import (
    FunctionNode,
    Loop,
    block_of,
    blocks,
    code,
    enclosing_function,
    enclosing_loop,
    indentation,
    line_end,
    newline,
    owns_lines,
    segment,
    span,
)
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import brief, deletion, insert_after, insert_before

NAME = "statement"

MOST_NAMES = 8
_LEFT_ALONE = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal),
)
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """A statement inserted at, taken from, or moved to or from the place."""
    if isinstance(statement, _LEFT_ALONE):
        return
    yield from _inserted(source, statement)
    yield from _deleted(source, statement)
    yield from _moved(source, statement)


def _inserted(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    if enclosing_function(source, statement) is None:
        return
    for text, cost in _missing(source, statement):
        for found in (
            insert_before(source, statement, (text,), NAME, cost),
            None if isinstance(statement, _LEAVES) else insert_after(source, statement, (text,), NAME, cost + 0.1),
        ):
            if found is not None:
                yield found


def _missing(source: Source, statement: ast.stmt) -> Iterator[tuple[str, float]]:
    """What is commonly forgotten: adding to a collection, carrying a loop's variable on, counting, leaving the loop."""
    near = [name for name in names(source, statement) if name not in ("self", "cls")]
    values = [name for name in near if role(source, statement, name) is not Role.CALLABLE][:MOST_NAMES]
    for collection, method in _growing(source, statement, near):
        late = 0.0
        for name in values:
            if name != collection:
                yield f"{collection}.{method}({name})", 3.2 + late
                late += 0.15
    loop = enclosing_loop(source, statement)
    if loop is not None:
        for place, (name, other) in enumerate(_carried(source, statement, loop, values)):
            yield f"{name} = {other}", 3.4 + 0.08 * place
        for place, name in enumerate(_counters(source, statement, values)[:3]):
            yield f"{name} += 1", 3.4 + 0.2 * place
            yield f"{name} -= 1", 3.8 + 0.2 * place
        if not isinstance(statement, Loop):
            yield "break", 3.6
            yield "continue", 4.0


def _growing(source: Source, statement: ast.stmt, near: list[str]) -> Iterator[tuple[str, str]]:
    """Collections of the scope with the method that they grow by: the one used, or the one of what they began as."""
    function: FunctionNode | None = enclosing_function(source, statement)
    seen: set[tuple[str, str]] = set()
    while function is not None:
        for node in ast.walk(function):
            pair: tuple[str, str] | None = None
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in GROWING:
                    pair = (name, method)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.List() | ast.ListComp()):
                    pair = (name, "append")
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Set() | ast.SetComp()):
                    pair = (name, "add")
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=maker))):
                    method = {"set": "add", "list": "append", "deque": "append", "Queue": "append"}.get(maker, "")
                    pair = (name, method) if method else None
                case _:
                    pass
            if pair is not None and pair not in seen and pair[0] in near and pair[1] not in ("insert", "update"):
                seen.add(pair)
                yield pair
        function = enclosing_function(source, function)


def _carried(source: Source, statement: ast.stmt, loop: ast.AST, values: list[str]) -> Iterator[tuple[str, str]]:
    """Assignments between names: first of those that the loop reads but never sets."""
    known = facts(scope_of(source, statement)).bound
    inside = list(ast.walk(loop))
    read = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    stored = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    targets = [name for name in known if name in read and name not in stored]
    for name in [*targets, *(name for name in known if name in stored)]:
        for other in values:
            if other != name and name in values:
                yield name, other


def _counters(source: Source, statement: ast.stmt, values: list[str]) -> list[str]:
    return [name for name in values if Role.NUMBER in role(source, statement, name)]


def _deleted(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    text = segment(source, statement)
    compound = any(True for _ in blocks(statement))
    docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    if docstring or isinstance(statement, ast.Pass):
        return
    if not compound:
        cost = 3.8 if isinstance(statement, ast.Assign) else 3.0
        what = f"without {brief(text)}"
        yield Candidate(source.path, statement.lineno, (deletion(source, statement),), NAME, cost, what)
    match statement:
        case ast.Continue() | ast.Break():
            other = "break" if isinstance(statement, ast.Continue) else "continue"
            start, end = span(source, statement)
            edit = (Edit(start, end, other),)
            yield Candidate(source.path, statement.lineno, edit, NAME, 1.6, f"{brief(text)} becomes `{other}`")
        case ast.If(orelse=[]) if owns_lines(source, statement):
            yield from _without_header(source, statement)
        case _:
            pass
    if isinstance(statement, ast.If):
        start = span(source, statement)[0]
        if source.text.startswith("elif", start):
            edit = (Edit(start, start + 4, "if"),)
            yield Candidate(source.path, statement.lineno, edit, NAME, 2.4, "`elif` becomes `if`")
        else:
            yield from _chained(source, statement)


def _chained(source: Source, statement: ast.If) -> Iterator[Candidate]:
    """Two `if`s in a row: only the first that holds."""
    block = block_of(source, statement)
    place = block.index(statement)
    start = span(source, statement)[0]
    if place and isinstance(block[place - 1], ast.If) and not getattr(block[place - 1], "orelse", ()):
        between = source.text[span(source, block[place - 1])[1] : start]
        if "#" not in between:
            edit = (Edit(start, start + 2, "elif"),)
            yield Candidate(source.path, statement.lineno, edit, NAME, 2.4, "`if` becomes `elif`")


def _without_header(source: Source, statement: ast.If) -> Iterator[Candidate]:
    """The block of an `if` always runs; only for a block of single lines, which can be dedented safely."""
    indent = indentation(source, statement)
    if indent is None or any(part.lineno != part.end_lineno for part in statement.body):
        return
    first, last = span(source, statement.body[0])[0], span(source, statement)[1]
    if statement.body[0].lineno == statement.lineno:
        return
    lines = [source.text[slice(*span(source, part))] for part in statement.body]
    if "#" in source.text[first:last] or any(not owns_lines(source, part) for part in statement.body):
        return
    text = f"{newline(source)}{indent}".join(lines)
    edit = Edit(span(source, statement)[0], last, text)
    what = f"the block under {brief(code(source, statement.test))} always runs"
    yield Candidate(source.path, statement.lineno, (edit,), NAME, 3.4, what)


def _moved(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Exchanged with the next one, out of the block that it ends, or into the block before it."""
    if not owns_lines(source, statement):
        return
    block = block_of(source, statement)
    place = block.index(statement)
    simple = not any(True for _ in blocks(statement))
    text = segment(source, statement)
    if place + 1 < len(block) and simple:
        following = block[place + 1]
        if owns_lines(source, following) and not any(True for _ in blocks(following)):
            one, other = span(source, statement), span(source, following)
            edits = (Edit(*one, segment(source, following)), Edit(*other, text))
            what = f"{brief(text)} comes after {brief(segment(source, following))}"
            yield Candidate(source.path, statement.lineno, edits, NAME, 2.6, what)
    if _holds_text_of_many_lines(statement):
        return
    parent = source.parents[statement]
    if place == len(block) - 1 and place and isinstance(parent, ast.If | ast.With | Loop):
        yield from _out_of_block(source, statement, parent)
    if place:
        yield from _into_block(source, statement, block[place - 1])


def _holds_text_of_many_lines(statement: ast.stmt) -> bool:
    """Whether indenting the statement's lines would change a string."""
    return any(
        isinstance(node, ast.Constant | ast.JoinedStr) and node.lineno != node.end_lineno
        for node in ast.walk(statement)
    )


def _indents(source: Source, statement: ast.stmt, old: str, new: str) -> tuple[Edit, ...]:
    """Edits that change the indentation of every line of a statement; none where a line is not indented so."""
    edits: list[Edit] = []
    for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
        start = source.offsets[line - 1]
        if not source.text[start : line_end(source, start)].strip():
            continue
        if not source.text.startswith(old, start):
            return ()
        edits.append(Edit(start, start + len(old), new))
    return tuple(edits)


def _into_block(source: Source, statement: ast.stmt, before: ast.stmt) -> Iterator[Candidate]:
    """Indented one level, to the end of the block that stands above it."""
    inner = list(blocks(before))
    indent = indentation(source, statement)
    if not inner or indent is None or isinstance(before, FunctionNode | ast.ClassDef):
        return
    last = inner[-1][-1]
    deeper = indentation(source, last)
    if not owns_lines(source, last) or deeper is None or not deeper.startswith(indent):
        return
    edits = _indents(source, statement, indent, deeper)
    if edits:
        what = f"{brief(segment(source, statement))} moves into the block above"
        yield Candidate(source.path, statement.lineno, edits, NAME, 2.8, what)


def _out_of_block(source: Source, statement: ast.stmt, parent: ast.stmt) -> Iterator[Candidate]:
    """The last statement of a block comes after the block instead."""
    text = segment(source, statement)
    what = f"{brief(text)} moves out of its block"
    outer, inner = indentation(source, parent), indentation(source, statement)
    if outer is None or inner is None:
        return
    if parent.end_lineno == statement.end_lineno:
        edits = _indents(source, statement, inner, outer)
        if edits:
            yield Candidate(source.path, statement.lineno, edits, NAME, 2.8, what)
    elif statement.lineno == statement.end_lineno:  # another branch follows
        found = insert_after(source, parent, (text,), NAME, 3.2, what)
        if found is not None:
            edits = (deletion(source, statement), *found.edits)
            yield Candidate(source.path, statement.lineno, edits, NAME, found.cost, what)
