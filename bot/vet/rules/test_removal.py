"""No test is deleted, renamed, or hidden behind another one of its name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, functions
from bot.vet.types import Grade, Objection

NAME = "test_removal"

_TEST_OF_OTHERS = re.compile(
    r"""\b(?:it|test|describe|specify)\s*\(\s*(?P<quote>['"`])(?P<title>.*?)(?P=quote)"""
    r"""|\bfunc\s+(?P<go>Test\w+)\s*\(|\bfn\s+(?P<rust>\w+)\s*\(|\b(?:void|fun|def)\s+(?P<method>test\w*)\s*\("""
)


def check(subject: Subject) -> Iterator[Objection]:
    """By name: Python by its syntax tree, others by the words that open a test."""
    for file in subject.files():
        if not file.is_test or not file.existed:
            continue
        if file.change.status == "D":
            message = f"{file.path}, a file of the tests, is deleted or renamed"
            yield Objection(NAME, file.path, message, Grade.BLOCKED)
        elif file.is_python:
            yield from _python(file)
        elif file.before is not None and file.after is not None:
            gone = _titles(file.before) - _titles(file.after)
            for title in sorted(gone):
                yield Objection(NAME, file.path, f"the test {title[:80]!r} is deleted or renamed", Grade.BLOCKED)


def _python(file: EditedFile) -> Iterator[Objection]:
    before, after = functions(file.tree_before), functions(file.tree_after)
    for name, function in before.items():
        if is_test_name(name) and name not in after:
            message = f"the test {name} is deleted or renamed"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, function.lineno)
    definitions, known = _definitions(file.tree_after), _definitions(file.tree_before)
    for name, count in definitions.items():
        if count > 1 and known[name] < count:
            message = f"{name} is defined {count} times; the last definition hides the others"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, after[name].lineno if name in after else None)


def is_test_name(qualified: str) -> bool:
    """Whether a function of this qualified name is collected as a test."""
    return qualified.rpartition(".")[2].startswith("test")


def _definitions(tree: ast.AST, prefix: str = "") -> Counter[str]:
    """How often each name is defined by `def` and `class` at module and class level, decorated overloads aside."""
    found: Counter[str] = Counter()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found[prefix + node.name] += 1
            found += _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, Function) and not any(isinstance(d, ast.Attribute) for d in node.decorator_list):
            found[prefix + node.name] += 1
    return found


def _titles(text: str) -> set[str]:
    return {
        match["title"] or match["go"] or match["rust"] or match["method"] or ""
        for match in _TEST_OF_OTHERS.finditer(text)
    }
