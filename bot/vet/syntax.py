"""Reading Python for the rules: trees, inventories, and what is new in one tree against another."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


@lru_cache(maxsize=64)
def parse(text: str) -> ast.Module | None:
    """The syntax tree of a source, None where Python cannot read it (hostile depth and NUL included)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody's code are no warning of ours
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def shape(node: ast.AST) -> str:
    """A node's structure without positions: equal for code that differs in layout only."""
    return ast.dump(node)


def fresh(before: ast.AST, after: ast.AST, kinds: type[Node] | tuple[type[Node], ...]) -> Iterator[Node]:
    """Nodes of the given kinds in `after` beyond those of equal shape in `before`: moved code is not new."""
    known = Counter(shape(node) for node in ast.walk(before) if isinstance(node, kinds))
    for node in ast.walk(after):
        if isinstance(node, kinds):
            key = shape(node)
            if known[key] > 0:
                known[key] -= 1
            else:
                yield node


Branch = tuple[ast.expr | ast.pattern, list[ast.AST], bool]


def branches(before: ast.AST, after: ast.AST) -> Iterator[Branch]:
    """Conditions that are new, each with what happens where they hold, and (True) where they do not."""
    for statement in fresh(before, after, ast.If):
        yield statement.test, list(statement.body), False
        if statement.orelse:
            yield statement.test, list(statement.orelse), True
    for expression in fresh(before, after, ast.IfExp):
        yield expression.test, [expression.body], False
        yield expression.test, [expression.orelse], True
    for operation in fresh(before, after, ast.BoolOp):
        yield operation.values[0], list(operation.values[1:]), False
    for case in fresh(before, after, ast.match_case):
        yield case.pattern, list(case.body), False
        if case.guard is not None:
            yield case.guard, list(case.body), False


def functions(tree: ast.AST, prefix: str = "") -> dict[str, Function]:
    """Functions and methods by qualified name; of several with one name the last, as at run time."""
    found: dict[str, Function] = {}
    for node in _statements(tree):
        if isinstance(node, Function):
            found[prefix + node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= functions(node, f"{prefix}{node.name}.")
    return found


def function_of(tree: ast.AST, name: str) -> Function | None:
    """A function or method by its plain name, wherever it stands."""
    return next((node for node in ast.walk(tree) if isinstance(node, Function) and node.name == name), None)


def dotted(node: ast.AST) -> str:
    """The dotted name of a Name, Attribute or call of one ("os.environ.get"); "" for all else."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def origins(tree: ast.AST) -> dict[str, str]:
    """Local name → dotted origin, from the imports of a file ("p" → "pickle", "run" → "subprocess.run")."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def resolved(node: ast.AST, known: Mapping[str, str]) -> str:
    """The dotted name of a node with its first part as `origins` knows it."""
    head, dot, rest = dotted(node).partition(".")
    return known.get(head, head) + dot + rest


def literals(node: ast.AST) -> Iterator[object]:
    """Constants below a node, negative numbers as such, docstrings left out."""
    docstrings = {id(child.value) for child in ast.walk(node) if isinstance(child, ast.Expr) and _is_docstring(child)}
    negated = set()
    for child in ast.walk(node):
        if (
            isinstance(child, ast.UnaryOp)
            and isinstance(child.op, ast.USub)
            and isinstance(child.operand, ast.Constant)
        ):
            negated.add(id(child.operand))
            if isinstance(child.operand.value, (int, float)):
                yield -child.operand.value
        elif isinstance(child, ast.Constant) and id(child) not in docstrings and id(child) not in negated:
            yield child.value


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a statement binds at its own level."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))
    }


def without_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    """A body without its leading docstring."""
    return body[1:] if body and _is_docstring(body[0]) else body


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements of a module or class, also those under `if` and `try`, which define as well."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
            yield from _statements(node)
        elif isinstance(node, ast.stmt):
            yield node
