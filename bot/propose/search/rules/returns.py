"""Wrong or missing return value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role, facts
from bot.propose.search.scope import conditions, names, role, scope_of
from bot.propose.search.source import (
    FunctionNode,
    code,
    enclosing_function,
    expressions,
    is_generator,
    own_nodes,
    span,
)
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import insert_after, negation, operands, replace, rewrite

NAME = "return_value"

MOST_NAMES = 8


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Another result, or a result where there was none."""
    if isinstance(statement, FunctionNode):
        yield from _end_of(source, statement)
        return
    function = enclosing_function(source, statement)
    if function is None or (isinstance(function, ast.AsyncFunctionDef) and is_generator(function)):
        return
    match statement:
        case ast.Return(value=None):
            for place, result in enumerate((*names(source, statement)[:MOST_NAMES], "True", "False", "[]", "0")):
                yield rewrite(source, statement, f"return {result}", NAME, 2.6 + 0.1 * place)
        case ast.Return(value=ast.expr() as value):
            yield from _other(source, value)
        case ast.Expr(value=ast.Call() | ast.Compare() | ast.BinOp() | ast.Name() | ast.Attribute() as value):
            start = span(source, statement)[0]
            edit = (Edit(start, start, "return "),)
            yield Candidate(source.path, statement.lineno, edit, NAME, 2.2, "return the result of the expression")
        case ast.Assign(targets=[ast.Name() as target], value=value):
            edit = (Edit(span(source, target)[0], span(source, value)[0], "return "),)
            yield Candidate(source.path, statement.lineno, edit, NAME, 4.0, f"return instead of setting `{target.id}`")
        case _:
            pass
    for node in expressions(source, statement):
        if isinstance(node, ast.Yield) and node.value is not None:
            start = span(source, node)[0]
            edit = (Edit(start, span(source, node.value)[0], "yield from "),)
            yield Candidate(source.path, node.lineno, edit, NAME, 2.2, "`yield` becomes `yield from`")
        elif isinstance(node, ast.YieldFrom):
            edit = (Edit(span(source, node)[0], span(source, node.value)[0], "yield "),)
            yield Candidate(source.path, node.lineno, edit, NAME, 2.2, "`yield from` becomes `yield`")


def _other(source: Source, value: ast.expr) -> Iterator[Candidate]:
    text = code(source, value)
    near = names(source, value)[:MOST_NAMES]
    match value:
        case ast.Constant(value=bool() as truth):
            yield from _answers(source, value, near)
            yield replace(source, value, str(not truth), NAME, 1.8)
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            yield replace(source, value, negation(text), NAME, 2.6)
            yield replace(source, value, "True", NAME, 3.6)
            yield replace(source, value, "False", NAME, 3.6)
        case ast.Tuple(elts=parts):
            for part in parts:
                yield replace(source, value, code(source, part), NAME, 2.8)
        case ast.Call(func=function) if not isinstance(function, ast.Name) or function.id != "list":
            yield replace(source, value, f"bool({text})", NAME, 4.0)
        case _:
            pass
    if not isinstance(value, ast.Constant):
        for place, name in enumerate(near[:5]):
            if name != text and Role.CALLABLE not in role(source, value, name):
                late = 0.12 * place
                yield replace(source, value, operands(name, "+", text), NAME, 3.4 + late)
                yield replace(source, value, operands(text, "+", name), NAME, 3.4 + late)
                yield replace(source, value, f"{text}, {name}", NAME, 4.2 + late)
                yield replace(source, value, operands(text, "or", name), NAME, 3.8 + late)
        yield replace(source, value, "None", NAME, 4.4)
    for place, name in enumerate(near):
        if name != text:
            late = 0.1 * place + (1.5 if Role.CALLABLE in role(source, value, name) else 0.0)
            yield replace(source, value, name, NAME, 2.8 + late)


def _answers(source: Source, value: ast.expr, near: tuple[str, ...]) -> Iterator[Candidate]:
    """Where a function says yes or no without looking: it looks at a name of its scope."""
    for place, name in enumerate(near):
        if Role.CALLABLE in role(source, value, name):
            continue
        late = 0.15 * place
        if Role.NUMBER in role(source, value, name):
            yield replace(source, value, f"{name} == 0", NAME, 2.6 + late)
            yield replace(source, value, f"{name} != 0", NAME, 3.0 + late)
            yield replace(source, value, f"{name} > 0", NAME, 3.2 + late)
        yield replace(source, value, f"not {name}", NAME, 2.8 + late)
        yield replace(source, value, f"bool({name})", NAME, 3.4 + late)
        yield replace(source, value, f"{name} is None", NAME, 3.6 + late)
        yield replace(source, value, f"{name} is not None", NAME, 3.6 + late)
    for place, condition in enumerate(conditions(source, value)[:6]):
        text = code(source, condition)
        yield replace(source, value, text, NAME, 3.2 + 0.15 * place)
        yield replace(source, value, negation(text), NAME, 3.2 + 0.15 * place)


def _end_of(source: Source, function: FunctionNode) -> Iterator[Candidate]:
    """A function that may fall off its end returns something."""
    last = function.body[-1]
    if isinstance(last, ast.Return | ast.Raise) or is_generator(function):
        return
    local = [name for name in facts(scope_of(source, last)).bound if name not in ("self", "cls")]
    results = [*reversed(local[-MOST_NAMES:]), "None", "False", "True", "[]", "0", "self"]
    gives = any(isinstance(node, ast.Return) and node.value is not None for node in own_nodes(function))
    for place, result in enumerate(results):
        cost = (2.4 if gives else 2.8) + 0.12 * place
        found = insert_after(source, last, (f"return {result}",), NAME, cost)
        if found is not None and (result != "self" or "self" in facts(scope_of(source, last)).arguments):
            yield found
