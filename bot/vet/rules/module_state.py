"""A function that answers differently the second time is a repair only of the first call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.syntax import Function, bound_names, dotted, functions
from bot.vet.types import Grade, Objection

NAME = "module_state"

_CHANGING = frozenset(
    {"append", "add", "update", "pop", "insert", "extend", "remove", "clear", "setdefault", "popleft"}
)


def check(subject: Subject) -> Iterator[Objection]:
    """Functions of source that newly change what a module keeps: a cache can be honest, so that a person looks."""
    for file in subject.source():
        kept = {name for statement in _plain(file.tree_after) for name in bound_names(statement)}
        for name, function in functions(file.tree_after).items():
            old = functions(file.tree_before).get(name)
            changed = _changed(function, kept) - (_changed(old, kept) if old is not None else set())
            if changed:
                message = (
                    f"{file.path}:{function.lineno} {name} changes {', '.join(sorted(changed))} of its module:"
                    " the next call can go another way"
                )
                yield Objection(NAME, file.path, message, Grade.REVIEW, function.lineno)


def _plain(tree: ast.Module) -> Iterator[ast.stmt]:
    kinds = (ast.Assign, ast.AnnAssign)
    return (statement for statement in tree.body if isinstance(statement, kinds))


def _changed(function: Function, kept: set[str]) -> set[str]:
    """Names of the module that a function changes, but for those that are names of its own."""
    shared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    own = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
    own |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} - shared
    found = set(shared)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            found.add(dotted(node.func.value))
        elif isinstance(node, ast.Call) and dotted(node.func) == "next" and node.args:
            found.add(dotted(node.args[0]))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(dotted(node.value))
    return found & kept - own
