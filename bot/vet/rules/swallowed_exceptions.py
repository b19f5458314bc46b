"""A failure is mended, not caught and forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from bot.vet.subject import Subject
from bot.vet.syntax import Function, dotted, fresh, functions
from bot.vet.types import Grade, Objection

NAME = "swallowed_exceptions"

_BROAD = frozenset({"", "Exception", "BaseException", "AssertionError", "SystemExit", "KeyboardInterrupt"})

_MANY = 5
"""Exceptions in one handler from which on it is meant to catch whatever comes."""


def check(subject: Subject) -> Iterator[Objection]:
    """More broad handlers that do not raise than a function had before; narrow ones are a programmer's right."""
    for file in subject.source():
        before, after = functions(file.tree_before), functions(file.tree_after)
        scopes: list[tuple[ast.AST | None, ast.AST]] = [(before.get(name), node) for name, node in after.items()]
        scopes.append((_module_level(file.tree_before), _module_level(file.tree_after)))
        for old, new in scopes:
            handlers = _broad(new)
            surplus = len(handlers) - (len(_broad(old)) if old is not None else 0)
            for handler in handlers[len(handlers) - surplus :] if surplus > 0 else ():
                silent = _silent(handler.body)
                what = (
                    "catches everything and goes on" if silent else "catches every exception without raising it again"
                )
                grade = Grade.BLOCKED if silent else Grade.REVIEW
                yield Objection(NAME, file.path, f"{file.path}:{handler.lineno} {what}", grade, handler.lineno)
        for guarded in fresh(file.tree_before, file.tree_after, ast.Try):
            leaving = next((n for s in guarded.finalbody for n in ast.walk(s) if isinstance(n, ast.Return)), None)
            if leaving is not None:
                message = f"{file.path}:{leaving.lineno} returns from a finally, which drops whatever was raised"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, leaving.lineno)
        for call in fresh(file.tree_before, file.tree_after, ast.Call):
            if dotted(call.func).rpartition(".")[2] == "suppress" and any(dotted(a) in _BROAD for a in call.args):
                message = f"{file.path}:{call.lineno} suppresses every exception"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, call.lineno)


def _module_level(tree: ast.Module) -> ast.Module:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return ast.Module([statement for statement in tree.body if not isinstance(statement, definitions)], [])


def _broad(scope: ast.AST) -> list[ast.ExceptHandler]:
    inner = {id(n) for f in ast.walk(scope) if isinstance(f, Function) and f is not scope for n in ast.walk(f)}
    handlers = [node for node in ast.walk(scope) if isinstance(node, ast.ExceptHandler) and id(node) not in inner]
    return sorted((h for h in handlers if _is_broad(h) and not _raises(h)), key=lambda handler: handler.lineno)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if len(kinds) >= _MANY:
        return True
    return any(dotted(kind).removeprefix("builtins.") in _BROAD for kind in kinds)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _silent(body: Sequence[ast.stmt]) -> bool:
    """Nothing is done with the failure: pass, continue, a constant comes back or is set."""
    for statement in body:
        if isinstance(statement, (ast.Pass, ast.Continue, ast.Break)):
            continue
        value = getattr(statement, "value", None)
        if not isinstance(statement, (ast.Return, ast.Expr, ast.Assign)):
            return False
        if value is not None and any(isinstance(node, ast.Call) for node in ast.walk(value)):
            return False
    return True
