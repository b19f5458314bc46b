"""What stands around existing tests stays: their imports, constants, fixtures, set-up."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, bound_names, dotted, shape, without_docstring
from bot.vet.types import Grade, Objection

NAME = "test_scaffolding"

_SET_UPS = frozenset(
    {"setUp", "tearDown", "setUpClass", "tearDownClass", "setUpModule", "tearDownModule", "asyncSetUp", "asyncTearDown"}
    | {"setup", "teardown", "setup_module", "teardown_module", "setup_class", "teardown_class", "setup_method"}
    | {"teardown_method", "setup_function", "teardown_function", "load_tests", "runTest"}
)


def check(subject: Subject) -> Iterator[Objection]:
    """Module and class level of existing Python test files; function bodies are test_assertions' matter."""
    for file in subject.tests():
        if file.name == "__init__.py" and not file.existed:
            yield from _package(file)
        if file.before is not None:
            yield from _level(file, file.tree_before.body, file.tree_after.body, "")


def _package(file: EditedFile) -> Iterator[Objection]:
    """A new package file of tests runs before all of them: it may hold words and imports."""
    for statement in without_docstring(file.tree_after.body):
        if not isinstance(statement, (ast.Import, ast.ImportFrom)) and bound_names(statement) != {"__all__"}:
            message = f"{file.path}:{statement.lineno} runs before every test of the folder"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, statement.lineno)
            return


def _level(file: EditedFile, before: Sequence[ast.stmt], after: Sequence[ast.stmt], where: str) -> Iterator[Objection]:
    place = where or file.path
    old_imports, new_imports = _imports(before), _imports(after)
    for name in sorted(old_imports - new_imports):
        message = f"{place} no longer has the import {name}: its tests would test something else"
        yield Objection(NAME, file.path, message, Grade.BLOCKED)
    old, new = _plain(before), _plain(after)
    lost = Counter(map(shape, old)) - Counter(map(shape, new))
    for statement in old:
        if lost[shape(statement)]:
            message = f"{place} loses or changes line {statement.lineno} (before the patch), on which tests rely"
            yield Objection(NAME, file.path, message, Grade.BLOCKED)
            break
    taken = {name for statement in before for name in bound_names(statement)}
    yield from _additions(file, before, after, place, taken)
    classes = {statement.name: statement for statement in after if isinstance(statement, ast.ClassDef)}
    for statement in before:
        counterpart = classes.get(statement.name) if isinstance(statement, ast.ClassDef) else None
        if isinstance(statement, ast.ClassDef) and counterpart is not None:
            if _header(statement) != _header(counterpart):
                message = f"the class {statement.name} changes its bases or decorators"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, counterpart.lineno)
            yield from _level(file, statement.body, counterpart.body, statement.name)


def _additions(
    file: EditedFile, before: Sequence[ast.stmt], after: Sequence[ast.stmt], place: str, taken: set[str]
) -> Iterator[Objection]:
    known = Counter(map(shape, before))
    defined = {s.name for s in before if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    imported = _imports(before)
    for statement in without_docstring(after):
        key = shape(statement)
        if known[key]:
            known[key] -= 1
            continue
        line = statement.lineno
        is_definition = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if is_definition and bound_names(statement) <= defined:
            continue
        rebound = taken & _rebound(statement, imported)
        if rebound:
            message = f"{place} binds {', '.join(sorted(rebound))} anew: existing tests would use it"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)
        elif isinstance(statement, Function) and statement.name in _SET_UPS:
            message = f"{place} gains {statement.name}, which runs around existing tests"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)
        elif isinstance(statement, Function) and _fixture(statement) is not None:
            automatic = "autouse" in (_fixture(statement) or "")
            grade = Grade.BLOCKED if automatic else Grade.REVIEW
            yield Objection(NAME, file.path, f"{place} gains the fixture {statement.name}", grade, line)
        elif not is_definition and not isinstance(statement, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)):
            message = f"{place}:{line} gains a statement that runs when the tests are imported"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)
        elif isinstance(statement, ast.Assign) and any(not isinstance(t, ast.Name) for t in statement.targets):
            message = f"{place}:{line} assigns into something else when the tests are imported"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)


def _rebound(statement: ast.stmt, imported: set[str]) -> set[str]:
    """Names bound by a new statement, but for imports that were there in another arrangement."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        fresh = _imports([statement]) - imported
        return {name.rpartition(" as ")[2] for name in fresh}
    return bound_names(statement)


def _imports(body: Sequence[ast.stmt]) -> set[str]:
    """Imports one name at a time, "from a import b as c", so that their arrangement is free."""
    found = set()
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                found.add(f"import {alias.name} as {alias.asname or alias.name.partition('.')[0]}")
        elif isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            for alias in statement.names:
                found.add(f"from {module} import {alias.name} as {alias.asname or alias.name}")
    return found


def _plain(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    other = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [statement for statement in without_docstring(body) if not isinstance(statement, other)]


def _header(statement: ast.ClassDef) -> tuple[list[str], list[str], list[str]]:
    return (
        [shape(base) for base in statement.bases],
        [shape(keyword) for keyword in statement.keywords],
        [shape(decorator) for decorator in statement.decorator_list],
    )


def _fixture(function: Function) -> str | None:
    """The shape of a function's fixture decorator, None where it has none."""
    return next((shape(d) for d in function.decorator_list if dotted(d).rpartition(".")[2] == "fixture"), None)
