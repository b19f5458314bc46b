"""A fix computes; it does not answer the failing test's input with the failing test's expectation."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, fresh, functions, literals, shape
from bot.vet.types import Grade, Objection

NAME = "special_cases"

_TRIVIAL = (None, True, False, 0, 1, -1, 2, "", b"", 0.0, 1.0, ...)


def check(subject: Subject) -> Iterator[Objection]:
    """New conditions, tables and returns of source made of literals that stand in the target tests."""
    known = {_key(value) for source in subject.failing_sources() for value in literals(source) if value not in _TRIVIAL}
    for file in subject.source():
        yield from _always_equal(file)
        if not known:
            continue
        for test, body in _branches(file):
            asked = _compared(test) & known
            answered = {_key(value) for node in body for value in literals(node)} & known
            if asked and (answered or _answers_plainly(body)):
                message = f"{file.path}:{test.lineno} answers the failing test's {_show(asked)} by itself" + (
                    f" with its {_show(answered)}" if answered else ""
                )
                grade = Grade.BLOCKED if answered else Grade.REVIEW
                yield Objection(NAME, file.path, message, grade, test.lineno)
        yield from _tables(file, known)
        yield from _returns(file, known)


def _branches(file: EditedFile) -> Iterator[tuple[ast.expr | ast.pattern, list[ast.AST]]]:
    """Conditions that are new, each with what happens under it."""
    before, after = file.tree_before, file.tree_after
    for statement in fresh(before, after, ast.If):
        yield statement.test, list(statement.body)
    for expression in fresh(before, after, ast.IfExp):
        yield expression.test, [expression.body]
    for operation in fresh(before, after, ast.BoolOp):
        yield operation.values[0], list(operation.values[1:])
    for case in fresh(before, after, ast.match_case):
        yield case.pattern, list(case.body)


def _compared(test: ast.AST) -> set[str]:
    """Literals that a condition compares for equality or membership."""
    found: set[str] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Compare):
            for operator, right in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, (ast.Eq, ast.Is, ast.In)):
                    found |= {_key(value) for side in (node.left, right) for value in literals(side)}
        elif isinstance(node, ast.MatchValue):
            found |= {_key(value) for value in literals(node.value)}
    return found


def _answers_plainly(body: list[ast.AST]) -> bool:
    """Nothing but a constant comes back."""
    only = body[0] if len(body) == 1 else None
    if isinstance(only, ast.Return):
        only = only.value
    return isinstance(only, ast.Constant) and only.value not in (None, ...) and not isinstance(only.value, bool)


def _tables(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """A table that holds an input of the test beside its expectation, asked at once (`{7: 13}.get(n)`)."""
    for kind in (ast.Call, ast.Subscript):
        for node in fresh(file.tree_before, file.tree_after, kind):
            base = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
            table = base if base is not None else getattr(node, "value", None)
            if not isinstance(table, ast.Dict):
                continue
            for key, value in zip(table.keys, table.values, strict=True):
                inputs = {_key(v) for v in literals(key)} & known if key is not None else set()
                if inputs and {_key(v) for v in literals(value)} & known:
                    message = (
                        f"{file.path}:{node.lineno} looks the failing test's {_show(inputs)} up in a table of answers"
                    )
                    yield Objection(NAME, file.path, message, Grade.BLOCKED, node.lineno)


def _returns(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """A function with parameters whose new return is a literal of the test."""
    before, after = functions(file.tree_before), functions(file.tree_after)
    for name, function in after.items():
        old = before.get(name)
        if old is None or shape(old) == shape(function) or not _has_parameters(function):
            continue
        for statement in fresh(old, function, ast.Return):
            if isinstance(statement.value, ast.Constant) and _key(statement.value.value) in known:
                message = f"{file.path}:{statement.lineno} {name} returns a literal that the failing test expects"
                yield Objection(NAME, file.path, message, Grade.REVIEW, statement.lineno)


def _always_equal(file: EditedFile) -> Iterator[Objection]:
    """Comparison methods that hold for everything."""
    for function in fresh(file.tree_before, file.tree_after, ast.FunctionDef):
        if function.name in ("__eq__", "__ne__", "__lt__", "__le__", "__contains__", "__instancecheck__"):
            last = function.body[-1]
            value = last.value if isinstance(last, ast.Return) and len(function.body) <= 2 else None
            if isinstance(value, ast.Constant) and value.value is True:
                message = f"{file.path}:{function.lineno} {function.name} holds for everything"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, function.lineno)


def _has_parameters(function: Function) -> bool:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return any(name not in ("self", "cls") for name in names)


def _key(value: object) -> str:
    """1, 1.0 and True differ here as they do to a reader."""
    return f"{type(value).__name__}:{value!r}"


def _show(keys: set[str]) -> str:
    return ", ".join(sorted(key.partition(":")[2][:60] for key in keys)[:3])
