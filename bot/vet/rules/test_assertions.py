"""Existing tests keep every word: what a test does and expects may be added to with assertions, and not otherwise."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from bot.evidence.types import TestId
from bot.vet.cleanup import only_puts_back, only_sets_up
from bot.vet.rules.test_removal import is_test_name
from bot.vet.subject import CODE, EditedFile, Subject
from bot.vet.syntax import Function, dotted, function_of, functions, literals, parse, shape, without_docstring
from bot.vet.types import Grade, Objection

NAME = "test_assertions"

_EXPECTATIONS = ("assert", "expect", "raises", "warns", "fail", "approx")
_MEDDLING = frozenset(
    {"setattr", "delattr", "exec", "eval", "patch", "object", "__setattr__", "update", "pop", "clear"}
)


def check(subject: Subject) -> Iterator[Objection]:
    """Functions of existing Python test files by syntax, so that layout and docstrings are free; of other languages,
    every line that existed stays."""
    for file in subject.files():
        if not file.is_test or file.before is None or file.after is None:
            continue
        if file.is_python:
            after = functions(file.tree_after)
            for name, function in functions(file.tree_before).items():
                if name in after and not _allowed_gain(subject, file.path, name, function, after[name]):
                    yield from _function(file, name, function, after[name])
        elif CODE.fullmatch(file.path):
            yield from _lines(file)


def _allowed_gain(subject: Subject, path: str, name: str, before: Function, after: Function) -> bool:
    """A test that pollutes a flaky one may gain what takes its changes back; one that is flaky for want of a set-up,
    that set-up."""
    flake, last = subject.flake, name.rpartition(".")[2]
    if flake is None:
        return False

    def among(tests: Sequence[TestId]) -> bool:
        return any(test.file == path and test.name.partition("[")[0] == last for test in tests)

    if among(flake.polluters) and only_puts_back(before, after):
        return True
    if not among(subject.targets):
        return False
    setters = [_at_base(subject, test) for test in flake.setters]
    known = [each for each in setters if each is not None]
    return len(known) == len(setters) and only_sets_up(before, after, known)


def _at_base(subject: Subject, test: TestId) -> Function | None:
    content = subject.read(test.file)
    tree = None if content is None else parse(content.decode("utf-8", "replace"))
    return None if tree is None else function_of(tree, test.name.partition("[")[0])


def _function(file: EditedFile, name: str, before: Function, after: Function) -> Iterator[Objection]:
    if shape(before) == shape(after):
        return
    is_test = is_test_name(name)
    old, new = _steps(before.body), _steps(after.body)
    missing = _not_in_order(old, new)
    line = after.lineno
    if missing is not None:
        statement = missing[1]
        what = "an assertion" if _expects(statement) else "a statement"
        lost = Counter(map(repr, literals(before))) - Counter(map(repr, literals(after)))
        if is_test or _expects(statement) or lost:
            message = f"{name} loses or changes {what} (line {statement.lineno} before the patch)"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)
        else:
            message = f"{name}, which tests use, is changed"
            yield Objection(NAME, file.path, message, Grade.REVIEW, line)
    elif is_test:
        for statement in _added(old, new):
            if not _only_asserts(statement):
                message = (
                    f"{name} gains a statement that is no plain assertion; put new checks into a test of their own"
                )
                yield Objection(NAME, file.path, message, Grade.BLOCKED, statement.lineno)
                break
    elif len(new) > len(old):
        yield Objection(NAME, file.path, f"{name}, which tests use, is extended", Grade.REVIEW, line)
    if type(before) is not type(after) or shape(before.args) != shape(after.args):
        yield Objection(NAME, file.path, f"{name} changes its parameters", Grade.BLOCKED, line)
    yield from _decorators(file, name, before, after)


def _decorators(file: EditedFile, name: str, before: Function, after: Function) -> Iterator[Objection]:
    """Decorators stay; parametrize may gain cases at its end."""
    old = [d for d in before.decorator_list if not _is_parametrize(d)]
    new = [d for d in after.decorator_list if not _is_parametrize(d)]
    if [shape(d) for d in old] != [shape(d) for d in new]:
        yield Objection(NAME, file.path, f"{name} changes its decorators", Grade.BLOCKED, after.lineno)
    tables = [d for d in before.decorator_list if _is_parametrize(d)]
    others = [d for d in after.decorator_list if _is_parametrize(d)]
    if len(tables) != len(others) or not all(_extends(one, other) for one, other in zip(tables, others, strict=True)):
        message = f"{name} loses or changes cases of its parametrize"
        yield Objection(NAME, file.path, message, Grade.BLOCKED, after.lineno)


def _is_parametrize(node: ast.expr) -> bool:
    return dotted(node).endswith("parametrize")


def _extends(before: ast.expr, after: ast.expr) -> bool:
    if shape(before) == shape(after):
        return True
    if not isinstance(before, ast.Call) or not isinstance(after, ast.Call):
        return False
    if len(before.args) != 2 or len(after.args) != 2 or shape(before.args[0]) != shape(after.args[0]):
        return False
    if [shape(k) for k in before.keywords] != [shape(k) for k in after.keywords]:
        return False
    one, other = before.args[1], after.args[1]
    if not isinstance(one, (ast.List, ast.Tuple)) or not isinstance(other, (ast.List, ast.Tuple)):
        return False
    return [shape(e) for e in one.elts] == [shape(e) for e in other.elts[: len(one.elts)]]


_Step = tuple[str, ast.stmt]


def _steps(body: Sequence[ast.stmt], path: str = "") -> list[_Step]:
    """Statements in order, each with the headers it stands under; compound ones by their header."""
    steps: list[_Step] = []
    for statement in without_docstring(body) if not path else body:
        blocks = [
            (field, value)
            for field, value in ast.iter_fields(statement)
            if isinstance(value, list) and value and isinstance(value[0], (ast.stmt, ast.ExceptHandler, ast.match_case))
        ]
        if not blocks:
            steps.append((f"{path}{shape(statement)}", statement))
            continue
        inner = {field for field, _ in blocks}
        header = ",".join(
            f"{field}={_dump(value)}" for field, value in ast.iter_fields(statement) if field not in inner
        )
        here = f"{path}{type(statement).__name__}({header})"
        steps.append((here, statement))
        for field, value in blocks:
            for child in value:
                if isinstance(child, ast.stmt):
                    steps += _steps([child], f"{here}.{field}/")
                else:
                    label = _dump(child.type) if isinstance(child, ast.ExceptHandler) else _dump(child.pattern)
                    steps += _steps(child.body, f"{here}.{field}({label})/")
    return steps


def _dump(value: object) -> str:
    if isinstance(value, list):
        return "[" + ",".join(_dump(item) for item in value) + "]"
    return shape(value) if isinstance(value, ast.AST) else repr(value)


def _not_in_order(old: Sequence[_Step], new: Sequence[_Step]) -> _Step | None:
    """The first step of `old` that `new` does not have after the ones before it."""
    position = 0
    for step in old:
        while position < len(new) and new[position][0] != step[0]:
            position += 1
        if position == len(new):
            return step
        position += 1
    return None


def _added(old: Sequence[_Step], new: Sequence[_Step]) -> Iterator[ast.stmt]:
    known = Counter(key for key, _ in old)
    for key, statement in new:
        if known[key] > 0:
            known[key] -= 1
        else:
            yield statement


def _expects(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assert):
        return True
    words = (dotted(node).rpartition(".")[2].lower() for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(word.startswith(_EXPECTATIONS) for word in words)


def _only_asserts(statement: ast.stmt) -> bool:
    """`assert …` or `self.assertX(…)` that changes nothing on its way."""
    if isinstance(statement, ast.Expr) and _is_docstring_or_ellipsis(statement):
        return True
    good = isinstance(statement, ast.Assert) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and dotted(statement.value).rpartition(".")[2].startswith("assert")
    )
    meddles = any(
        isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom))
        or (isinstance(node, ast.Call) and dotted(node).rpartition(".")[2] in _MEDDLING)
        for node in ast.walk(statement)
    )
    return good and not meddles


def _is_docstring_or_ellipsis(statement: ast.Expr) -> bool:
    return isinstance(statement.value, ast.Constant)


def _lines(file: EditedFile) -> Iterator[Objection]:
    assert file.before is not None and file.after is not None
    kept = Counter(line.strip() for line in file.after.split("\n"))
    for number, line in enumerate(file.before.split("\n"), 1):
        text = line.strip()
        if not text or text.startswith(("//", "#", "*", "/*")):
            continue
        if kept[text] == 0:
            message = f"{file.path} loses or changes line {number}; existing tests stay as they are"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, number)
            return
        kept[text] -= 1
