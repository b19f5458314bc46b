"""A polluting test with what puts its changes back taken out: what is left has to be the test as it was."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from bot.vet.syntax import Function, dotted, shape

_LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await)
_FIXTURE = "monkeypatch"
_COPIES = frozenset({"dict", "list", "set", "copy", "deepcopy"})


def only_puts_back(before: Function, after: Function) -> bool:
    """Whether `after` is `before` but for a monkeypatch fixture that gives the test copies of what it changes, and for
    `try … finally` around its body with what was saved before it."""
    known = {argument.arg for argument in before.args.args}
    arguments = [each for each in after.args.args if each.arg in known or each.arg != _FIXTURE]
    same_head = [each.arg for each in arguments] == [each.arg for each in before.args.args] and (
        len(after.args.args) - len(arguments) <= 1
        and type(before) is type(after)
        and list(map(shape, before.decorator_list)) == list(map(shape, after.decorator_list))
        and not (after.args.kwonlyargs or after.args.vararg or after.args.kwarg or after.args.defaults)
    )
    return same_head and list(map(shape, _without(after.body))) == list(map(shape, before.body))


def _without(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    left: list[ast.stmt] = []
    saved: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.Expr) and lends_a_copy(statement.value):
            continue
        if _saves(statement):
            saved.append(statement)
            continue
        if isinstance(statement, ast.Try) and not statement.handlers and not statement.orelse and _calm(statement):
            left += _without(statement.body)
            saved = []
            continue
        left += [*saved, statement]
        saved = []
    return [*left, *saved]


def lends_a_copy(call: ast.expr) -> bool:
    """`monkeypatch.setattr(module, "name", dict(module.name))`: the test starts with what it would have had."""
    if not isinstance(call, ast.Call) or dotted(call.func) != f"{_FIXTURE}.setattr" or call.keywords:
        return False
    if len(call.args) != 3 or not isinstance(call.args[1], ast.Constant):
        return False
    name = call.args[1].value
    return isinstance(name, str) and _same_or_copy(call.args[2], f"{dotted(call.args[0])}.{name}")


def _same_or_copy(value: ast.expr, name: str) -> bool:
    if dotted(value) == name and isinstance(value, ast.Attribute):
        return True
    if not isinstance(value, ast.Call) or value.keywords:
        return False
    if not value.args:
        return dotted(value.func) == f"{name}.copy"
    word = dotted(value.func).rpartition(".")[2]
    return len(value.args) == 1 and word in _COPIES and dotted(value.args[0]) == name


def _saves(statement: ast.stmt) -> bool:
    """`saved = dict(module.name)`: a plain name for a copy of something."""
    if not isinstance(statement, ast.Assign) or not all(isinstance(each, ast.Name) for each in statement.targets):
        return False
    value = statement.value
    inner = value.args[0] if isinstance(value, ast.Call) and len(value.args) == 1 else value
    if isinstance(inner, ast.Call):
        inner = inner.func.value if isinstance(inner.func, ast.Attribute) and not inner.args else inner
    return isinstance(inner, ast.Attribute) and bool(dotted(inner)) and _same_or_copy(value, dotted(inner))


def _calm(statement: ast.Try) -> bool:
    """Nothing in `finally` leaves it, which would swallow the test's own failure."""
    return bool(statement.finalbody) and not any(
        isinstance(node, _LEAVING) for part in statement.finalbody for node in ast.walk(part)
    )
