"""What others call keeps its form, or a person says that it may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, bound_names, functions, shape
from bot.vet.types import Grade, Objection

NAME = "public_signatures"


def check(subject: Subject) -> Iterator[Objection]:
    """Public functions, methods and classes of public modules that vanish, or that cannot be called as before."""
    for file in subject.source():
        if file.before is None or _is_private(file.path):
            continue
        after = functions(file.tree_after)
        # A name that is imported or assigned now is still there for whoever calls it.
        kept = {name for statement in file.tree_after.body for name in bound_names(statement)}
        for name, function in functions(file.tree_before).items():
            if any(part.startswith("_") and not _is_special(part) for part in name.split(".")):
                continue
            if name in after:
                for change in _changes(function, after[name], is_method="." in name):
                    yield _objection(file, f"{name} {change}", after[name].lineno)
            elif name not in kept:
                yield _objection(file, f"{name} is removed or renamed", function.lineno)
        for name in sorted(_classes(file.tree_before) - kept):
            yield _objection(file, f"the class {name} is removed or renamed", 0)
        for name in sorted(_exported(file.tree_before) - _exported(file.tree_after)):
            yield _objection(file, f"{name} is no longer in __all__", 0)
    for deleted in subject.files():
        gone = deleted.change.status == "D" and deleted.is_python and not deleted.is_test
        if gone and not _is_private(deleted.path):
            message = f"the module {deleted.path} is deleted or renamed"
            yield Objection(NAME, deleted.path, message, Grade.REVIEW)


def _changes(before: Function, after: Function, *, is_method: bool) -> Iterator[str]:
    """What a caller of `before` would notice, in words."""
    if isinstance(before, ast.AsyncFunctionDef) is not isinstance(after, ast.AsyncFunctionDef):
        yield "changes between async and plain"
    yield from _parameters(before.args, after.args)
    if before.returns is not None and (after.returns is None or shape(before.returns) != shape(after.returns)):
        now = "nothing" if after.returns is None else ast.unparse(after.returns)
        yield f"is annotated to return {now[:60]} where it was {ast.unparse(before.returns)[:60]}"
    if is_method and _binding(before) != _binding(after):
        yield "changes between method, static method, class method and property"


def _parameters(old: ast.arguments, new: ast.arguments) -> Iterator[str]:
    positional, others = [*old.posonlyargs, *old.args], [*new.posonlyargs, *new.args]
    names, now = [a.arg for a in positional], [a.arg for a in others]
    by_keyword = {a.arg for a in new.kwonlyargs}
    lost = [name for name in names if name not in now]
    for name in lost:
        yield f"takes {name} by keyword only" if name in by_keyword else f"loses or renames the parameter {name}"
    if not lost and now[: len(names)] != names:
        yield "takes its parameters in another order"
    if len(new.posonlyargs) > len(old.posonlyargs):
        yield f"takes {new.posonlyargs[len(old.posonlyargs)].arg} by position only"
    had, has = _defaults(old), _defaults(new)
    for argument in (*others, *new.kwonlyargs):
        name = argument.arg
        known = name in names or any(a.arg == name for a in old.kwonlyargs)
        if name not in has and (not known or name in had):
            yield f"now needs the parameter {name}"
        elif name in had and shape(had[name]) != shape(has[name]) and not _same_meaning(had[name], has[name]):
            yield f"has another default for {name}"
    for argument in old.kwonlyargs:
        if argument.arg not in by_keyword and argument.arg not in {a.arg for a in new.args}:
            yield f"loses or renames the parameter {argument.arg}"
    if old.vararg is not None and new.vararg is None:
        yield f"no longer takes *{old.vararg.arg}"
    if old.kwarg is not None and new.kwarg is None:
        yield f"no longer takes **{old.kwarg.arg}"


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    """Default by parameter, for those that have one."""
    positional = [*arguments.posonlyargs, *arguments.args]
    start = len(positional) - len(arguments.defaults)
    found = {a.arg: default for a, default in zip(positional[start:], arguments.defaults, strict=True)}
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found | {a.arg: default for a, default in keywords if default is not None}


def _same_meaning(before: ast.expr, after: ast.expr) -> bool:
    """A mutable default that becomes None: the classic repair, and callers see no difference."""
    return (
        isinstance(before, (ast.List, ast.Dict, ast.Set, ast.Call))
        and isinstance(after, ast.Constant)
        and after.value is None
    )


def _binding(function: Function) -> set[str]:
    kinds = {"staticmethod", "classmethod", "property", "cached_property"}
    names = {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in function.decorator_list}
    return names & kinds


def _classes(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def _exported(tree: ast.Module) -> set[str]:
    """Names in a literal `__all__`."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and bound_names(statement) == {"__all__"}:
            elements = getattr(statement.value, "elts", ())
            return {e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)}
    return set()


def _is_private(path: str) -> bool:
    """A module that is nobody's to import: a part of its path begins with an underscore."""
    return any(part.startswith("_") and not part.startswith("__") for part in path.split("/"))


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _objection(file: EditedFile, what: str, line: int) -> Objection:
    return Objection(NAME, file.path, f"{file.path}: {what}; others may call it", Grade.REVIEW, line or None)
