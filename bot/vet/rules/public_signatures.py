"""What others call keeps its form, or a person says that it may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, functions, shape
from bot.vet.types import Grade, Objection

NAME = "public_signatures"


def check(subject: Subject) -> Iterator[Objection]:
    """Public functions, methods and classes of source that vanish, or that cannot be called as before."""
    for file in subject.source():
        if file.before is None:
            continue
        after = functions(file.tree_after)
        for name, function in functions(file.tree_before).items():
            if any(part.startswith("_") and not _is_special(part) for part in name.split(".")):
                continue
            if name not in after:
                yield _objection(file, f"{name} is removed or renamed", function.lineno)
            elif not _compatible(function, after[name]):
                yield _objection(file, f"{name} can no longer be called as before", after[name].lineno)
        for name in sorted(_classes(file.tree_before) - _classes(file.tree_after)):
            yield _objection(file, f"the class {name} is removed or renamed", 0)
    for change in subject.applied.changes:
        if change.status == "D" and change.path.endswith(".py") and not change.path.rpartition("/")[2].startswith("_"):
            message = f"the module {change.path} is deleted or renamed"
            yield Objection(NAME, change.path, message, Grade.REVIEW)


def _compatible(before: Function, after: Function) -> bool:
    old, new = before.args, after.args
    positional, others = [*old.posonlyargs, *old.args], [*new.posonlyargs, *new.args]
    if [a.arg for a in others[: len(positional)]] != [a.arg for a in positional]:
        return False
    if len(new.posonlyargs) > len(old.posonlyargs) or type(before) is not type(after):
        return False
    required_before = len(positional) - len(old.defaults)
    if len(others) - len(new.defaults) > required_before:
        return False
    for mine, theirs in ((old.defaults, new.defaults),):
        start = len(others) - len(theirs)
        for offset, default in enumerate(mine):
            index = required_before + offset - start
            if index < 0 or index >= len(theirs):
                return False
            if shape(default) != shape(theirs[index]) and not _same_meaning(default, theirs[index]):
                return False
    keywords = {a.arg: d is not None for a, d in zip(new.kwonlyargs, new.kw_defaults, strict=True)}
    known = {a.arg for a in old.kwonlyargs}
    if not known <= (keywords.keys() | {a.arg for a in new.args}):
        return False
    if any(not has_default for name, has_default in keywords.items() if name not in known):
        return False
    return (old.vararg is None or new.vararg is not None) and (old.kwarg is None or new.kwarg is not None)


def _same_meaning(before: ast.expr, after: ast.expr) -> bool:
    """A mutable default that becomes None: the classic repair, and callers see no difference."""
    return (
        isinstance(before, (ast.List, ast.Dict, ast.Set, ast.Call))
        and isinstance(after, ast.Constant)
        and after.value is None
    )


def _classes(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _objection(file: EditedFile, what: str, line: int) -> Objection:
    return Objection(NAME, file.path, f"{file.path}: {what}; others may call it", Grade.REVIEW, line or None)
