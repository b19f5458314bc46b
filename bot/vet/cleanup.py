"""A polluting test with what puts its changes back taken out: what is left has to be the test as it was."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from bot.vet.syntax import Function, bound_names, dotted, shape

_FIXTURE = "monkeypatch"
_COPIES = frozenset({"dict", "list", "set", "copy", "deepcopy", "copy.copy", "copy.deepcopy"})
_RESTORING = frozenset({"update", "extend"})
_CLEARING = (
    "clear",
    "reset",
    "restore",
    "close",
    "unlink",
    "remove",
    "rmtree",
    "chdir",
    "pop",
    "cache_clear",
    "unload",
)


def only_puts_back(before: Function, after: Function) -> bool:
    """Whether `after` is `before` but for a monkeypatch fixture that gives the test copies of what it changes, and for
    `try … finally` around its body with what was saved before it under names that the test does not have."""
    known = {argument.arg for argument in before.args.args}
    taken = {node.id for node in ast.walk(before) if isinstance(node, ast.Name)} | known
    gained = [each for each in after.args.args if each.arg == _FIXTURE and each.arg not in known]
    kept = ast.arguments(
        posonlyargs=after.args.posonlyargs,
        args=[each for each in after.args.args if each not in gained],
        vararg=after.args.vararg,
        kwonlyargs=after.args.kwonlyargs,
        kw_defaults=after.args.kw_defaults,
        kwarg=after.args.kwarg,
        defaults=after.args.defaults,
    )
    same_head = (
        type(before) is type(after)
        and shape(kept) == shape(before.args)
        and (before.returns and shape(before.returns)) == (after.returns and shape(after.returns))
        and list(map(shape, before.decorator_list)) == list(map(shape, after.decorator_list))
    )
    return same_head and list(map(shape, _without(after.body, taken))) == list(map(shape, before.body))


def _without(body: Sequence[ast.stmt], taken: Collection[str]) -> list[ast.stmt]:
    left: list[ast.stmt] = []
    saved: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.Expr) and lends_a_copy(statement.value):
            continue
        if _saves(statement, taken):
            saved.append(statement)
            continue
        if isinstance(statement, ast.Try) and not statement.handlers and not statement.orelse:
            names = {name for each in saved for name in bound_names(each)}
            if statement.finalbody and all(_puts_back(each, names) for each in statement.finalbody):
                left += _without(statement.body, {*taken, *names})
                saved = []
                continue
        left += [*saved, statement]
        saved = []
    return [*left, *saved]


def lends_a_copy(call: ast.expr) -> bool:
    """`monkeypatch.setattr(module, "name", dict(module.name))`: the test starts with what it would have had."""
    if not isinstance(call, ast.Call) or dotted(call.func) != f"{_FIXTURE}.setattr" or call.keywords:
        return False
    if len(call.args) != 3 or not isinstance(call.args[1], ast.Constant) or not _is_name(call.args[0]):
        return False
    name = call.args[1].value
    return isinstance(name, str) and _same_or_copy(call.args[2], f"{dotted(call.args[0])}.{name}")


def _same_or_copy(value: ast.expr, name: str) -> bool:
    if _is_name(value):
        return dotted(value) == name
    if not isinstance(value, ast.Call) or value.keywords or not _is_name(value.func):
        return False
    word = dotted(value.func)
    if not value.args:
        return word == f"{name}.copy"
    return len(value.args) == 1 and word in _COPIES and _is_name(value.args[0]) and dotted(value.args[0]) == name


def _is_name(node: ast.expr) -> bool:
    """A name or attributes of one: looking at it calls nothing that is written here."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _saves(statement: ast.stmt, taken: Collection[str]) -> bool:
    """`saved = dict(module.name)`: a plain name that the test does not have, for a copy of something."""
    if not isinstance(statement, ast.Assign) or not all(isinstance(each, ast.Name) for each in statement.targets):
        return False
    value = statement.value
    if bound_names(statement) & set(taken):
        return False
    if isinstance(value, ast.Call) and not value.args:
        if dotted(value.func) == "os.getcwd" and not value.keywords:
            return True
        inner = value.func.value if isinstance(value.func, ast.Attribute) else value
    else:
        inner = value.args[0] if isinstance(value, ast.Call) and len(value.args) == 1 else value
    return isinstance(inner, ast.Attribute) and _is_name(inner) and _same_or_copy(value, dotted(inner))


def _puts_back(statement: ast.stmt, saved: Collection[str]) -> bool:
    """What was saved is written back, or something is cleared or closed; nothing that could end the test otherwise."""
    if isinstance(statement, ast.Assign):
        places = [each.value if isinstance(each, ast.Subscript) else each for each in statement.targets]
        return all(isinstance(each, ast.Attribute) and _is_name(each) for each in places) and _is_saved(
            statement.value, saved
        )
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or call.keywords or not isinstance(call.func, ast.Attribute):
        return False
    if not _is_name(call.func) or dotted(call.func).partition(".")[0] in ("pytest", "unittest", "self"):
        return False
    word = call.func.attr
    if word in _RESTORING:
        return len(call.args) == 1 and _is_saved(call.args[0], saved)
    return word.lstrip("_").startswith(_CLEARING) and all(
        _is_name(each) or isinstance(each, ast.Constant) for each in call.args
    )


def _is_saved(value: ast.expr, saved: Collection[str]) -> bool:
    return isinstance(value, ast.Name) and value.id in saved
