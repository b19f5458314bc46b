"""What an existing test may gain where a test is flaky: a polluter puts its changes back, a brittle one sets up itself.

With the gain taken out, what is left has to be the test as it was.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from bot.vet.syntax import Function, bound_names, dotted, shape, without_docstring

_FIXTURE = "monkeypatch"
_COPIES = frozenset({"dict", "list", "set", "copy", "deepcopy", "copy.copy", "copy.deepcopy"})
_RESTORING = frozenset({"update", "extend"})
_EXPECTING = (
    "assert",
    "expect",
    "raises",
    "warns",
    "fail",
    "approx",
    "skip",
    "xfail",
    "exit",
    "mock",
    "patch",
    "monkeypatch",
)
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
    return _same_head(before, after, {_FIXTURE}) and list(map(shape, _without(after.body, taken))) == list(
        map(shape, before.body)
    )


def only_sets_up(before: Function, after: Function, setters: Sequence[Function]) -> bool:
    """Whether `after` is `before` but for the set-up of the setters, one after the other at its beginning, and the
    fixtures that these ask for."""
    gain = [shape(each) for setter in setters for each in set_up_of(setter)]
    known = {argument.arg for argument in before.args.args}
    asked = {argument.arg for setter in setters for argument in setter.args.args} - known
    old = list(map(shape, without_docstring(before.body)))
    return (
        bool(gain)
        and _same_head(before, after, asked)
        and list(map(shape, without_docstring(after.body))) == [*gain, *old]
        and not {name for setter in setters for each in set_up_of(setter) for name in bound_names(each)}
        & ({node.id for node in ast.walk(before) if isinstance(node, ast.Name)} | known)
    )


def set_up_of(setter: Function) -> Sequence[ast.stmt]:
    """What a test does before it first expects anything; () where it begins with that or goes round it."""
    body = without_docstring(setter.body)
    count = next((number for number, each in enumerate(body) if _expects_or_ends(each)), len(body))
    return tuple(body[:count])


def _expects_or_ends(statement: ast.stmt) -> bool:
    if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom)):
        return True
    words = (dotted(node).lower() for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(part.startswith(_EXPECTING) for word in words for part in word.split("."))


def _same_head(before: Function, after: Function, may_gain: Collection[str]) -> bool:
    """Whether only parameters of these names are new."""
    known = {argument.arg for argument in before.args.args}
    gained = [each for each in after.args.args if each.arg in may_gain and each.arg not in known]
    kept = ast.arguments(
        posonlyargs=after.args.posonlyargs,
        args=[each for each in after.args.args if each not in gained],
        vararg=after.args.vararg,
        kwonlyargs=after.args.kwonlyargs,
        kw_defaults=after.args.kw_defaults,
        kwarg=after.args.kwarg,
        defaults=after.args.defaults,
    )
    return (
        type(before) is type(after)
        and shape(kept) == shape(before.args)
        and (before.returns and shape(before.returns)) == (after.returns and shape(after.returns))
        and list(map(shape, before.decorator_list)) == list(map(shape, after.decorator_list))
    )


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
