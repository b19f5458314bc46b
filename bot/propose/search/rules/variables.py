"""Wrong variable or swapped arguments: another name of the same scope, another expression of the same function."""

from __future__ import annotations

import ast
import difflib
import itertools
from collections.abc import Iterator

from bot.propose.search.facts import Role, module_facts, unbound
from bot.propose.search.scope import borrowed, fits, is_builtin, names, role
from bot.propose.search.source import code, expressions, span
from bot.propose.search.types import Candidate, Source
from bot.propose.search.writing import replace, swap

NAME = "variable"

MOST_INSTEAD = 14


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Other names, other order, other expressions that the function already uses."""
    for node in expressions(source, statement):
        match node:
            case ast.Name():
                yield from _name(source, node)
            case ast.Call(args=given) if len(given) > 1:
                yield from _swaps(source, given, 1.6)
                yield from _rotations(source, node, given)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) if 1 < len(parts) <= 5:
                yield from _swaps(source, parts, 1.9)
            case ast.Dict():
                pass
            case ast.IfExp(body=body, orelse=orelse):
                yield swap(source, body, orelse, NAME, 1.8)
            case ast.Slice(lower=ast.expr() as lower, upper=ast.expr() as upper):
                yield swap(source, lower, upper, NAME, 2.2)
            case _:
                pass
        if isinstance(node, ast.Call) and len(node.keywords) > 1:
            yield from _swaps(source, [keyword.value for keyword in node.keywords], 2.4)
        yield from _other_expression(source, node)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        if _plain(target) and _plain(value):
            yield swap(source, target, value, NAME, 2.6)


def _plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def _name(source: Source, node: ast.Name) -> Iterator[Candidate]:
    own = role(source, node, node.id)
    parent = source.parents[node]
    called = isinstance(parent, ast.Call) and node is parent.func
    if called and is_builtin(node.id):
        return
    if called:
        known = module_facts(source.module)
        others = [*known.functions, *known.classes, *known.imports]
        base = 3.0
    else:
        others = list(names(source, node))
        base = 2.0 if isinstance(node.ctx, ast.Load) else 2.6
    if isinstance(node.ctx, ast.Del):
        return
    if node.id in unbound(source.module):  # misspelt, or renamed elsewhere: it cannot stay
        known = module_facts(source.module)
        every = dict.fromkeys((*names(source, node), *known.functions, *known.classes, *known.imports, *known.values))
        for place, other in enumerate(difflib.get_close_matches(node.id, every, n=5, cutoff=0.6)):
            yield replace(source, node, other, NAME, 1.0 + 0.1 * place)
    tried = 0
    for other in others:
        if other == node.id or tried >= MOST_INSTEAD:
            continue
        theirs = role(source, node, other)
        if called or fits(own & ~Role.CALLABLE, theirs & ~Role.CALLABLE):
            unlike = 0.0
        else:
            unlike = 1.2
        if not called and theirs is Role.CALLABLE:
            unlike = 2.0
        yield replace(source, node, other, NAME, base + unlike + 0.08 * tried)
        tried += 1
    if not called and isinstance(node.ctx, ast.Load):
        for place, value in enumerate(module_facts(source.module).values[:8]):
            if value not in others and value != node.id:
                yield replace(source, node, value, NAME, 3.4 + 0.1 * place)


def _swaps(source: Source, parts: list[ast.expr], cost: float) -> Iterator[Candidate]:
    for one, other in itertools.combinations(parts[:6], 2):
        movable = not isinstance(one, ast.Starred | ast.Slice) and not isinstance(other, ast.Starred | ast.Slice)
        if movable and code(source, one) != code(source, other):
            yield swap(source, one, other, NAME, cost + (0.0 if parts.index(other) == parts.index(one) + 1 else 0.3))


def _rotations(source: Source, node: ast.Call, given: list[ast.expr]) -> Iterator[Candidate]:
    if len(given) != 3 or any(isinstance(part, ast.Starred) for part in given):
        return
    start, end = span(source, given[0])[0], span(source, given[2])[1]
    texts = [code(source, part) for part in given]
    head = source.text[span(source, node)[0] : start]
    tail = source.text[end : span(source, node)[1]]
    for order in ((1, 2, 0), (2, 0, 1)):
        written = ", ".join(texts[index] for index in order)
        yield replace(source, node, f"{head}{written}{tail}", NAME, 2.6)


def _other_expression(source: Source, node: ast.expr) -> Iterator[Candidate]:
    """An expression of the same kind from the same function, or a plain name for a computed value."""
    if not isinstance(node, ast.Subscript | ast.Call | ast.Attribute):
        return
    parent = source.parents[node]
    if isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Call) and node is parent.func):
        return
    if isinstance(getattr(node, "ctx", ast.Load()), ast.Del):
        return
    stored = isinstance(getattr(node, "ctx", None), ast.Store)
    own = ast.unparse(node)
    tried: set[str] = {own}
    for donor in borrowed(source, node):
        text = code(source, donor)
        if text in tried or (stored and isinstance(donor, ast.Call | ast.BinOp)):
            continue
        if isinstance(donor, ast.Attribute) and isinstance(source.parents.get(donor), ast.Call):
            continue
        if isinstance(donor, ast.BinOp):
            continue
        if not stored and any(part is node for part in ast.walk(donor)) and not isinstance(donor, ast.Subscript):
            continue
        tried.add(text)
        same_kind = 0.0 if type(donor) is type(node) else 0.6
        yield replace(source, node, text, NAME, 3.2 + same_kind + 0.08 * len(tried))
    if not stored:
        for place, name in enumerate(names(source, node)[:10]):
            if role(source, node, name) is not Role.CALLABLE:
                yield replace(source, node, name, NAME, 2.8 + 0.1 * place)
