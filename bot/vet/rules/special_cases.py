"""A fix computes; it does not answer the failing test's input with the failing test's expectation."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, branches, dotted, fresh, functions, literals, shape
from bot.vet.types import Grade, Objection

NAME = "special_cases"

_TRIVIAL = (None, True, False, 0, 1, -1, 2, "", b"", 0.0, 1.0, ...)

_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__instancecheck__")
_TEXTS = frozenset({"repr", "str", "hash"})


def check(subject: Subject) -> Iterator[Objection]:
    """New conditions, tables and returns of source made of literals that stand in the target tests."""
    sources = subject.failing_sources()
    known = {_key(value) for source in sources for value in literals(source) if value not in _TRIVIAL}
    raised = {node.id for source in sources for node in ast.walk(source) if isinstance(node, ast.Name)}
    for file in subject.source():
        yield from _always_equal(file)
        if not known:
            continue
        named, flows = _constants(file), _flows(file)
        for test, body, denied in branches(file.tree_before, file.tree_after):
            asked = _compared(test, named, denied=denied) & known
            answered = {_key(value) for node in body for value in _values(node, named)} & known
            error = _raises_plainly(body) & raised
            if asked and (answered or error or _answers_plainly(body)):
                message = f"{file.path}:{test.lineno} answers the failing test's {_show(asked)} by itself" + (
                    f" with its {_show(answered) or ', '.join(sorted(error))}" if answered or error else ""
                )
                grade = Grade.BLOCKED if answered or error else Grade.REVIEW
                yield Objection(NAME, file.path, message, grade, test.lineno)
            elif (answered or error) and (mentioned := _mentioned(test, flows) & known):
                message = (
                    f"{file.path}:{test.lineno} answers by itself, on a condition that is made of the failing test's"
                )
                message += f" {_show(mentioned)}"
                yield Objection(NAME, file.path, message, Grade.REVIEW, test.lineno)
        yield from _tables(file, known)
        yield from _pairs(file, known)
        yield from _askers(file, known)
        yield from _returns(file, known)


def _constants(file: EditedFile) -> dict[str, list[object]]:
    """Literals behind names that the patch binds to nothing but literals."""
    found: dict[str, list[object]] = {}
    for statement in fresh(file.tree_before, file.tree_after, ast.Assign):
        target = statement.targets[0]
        if isinstance(target, ast.Name) and not any(isinstance(n, ast.Name) for n in ast.walk(statement.value)):
            found[target.id] = list(literals(statement.value))
    return found


def _flows(file: EditedFile) -> dict[str, list[object]]:
    """Literals that go into what a new name is bound to: by assignment, as an element of a loop, through another name.

    An ordering is left out: `n > 70` is a bound, not a question for 70.
    """
    kinds: tuple[type[ast.AST], ...] = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For)
    kinds += (ast.comprehension,)
    found: dict[str, list[object]] = {}
    for binding in fresh(file.tree_before, file.tree_after, kinds):
        value = getattr(binding, "value", None) or getattr(binding, "iter", None)
        targets = getattr(binding, "targets", None) or [getattr(binding, "target", None)]
        if isinstance(value, ast.AST):
            given = list(_unordered(value, found))
            for name in (n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                found.setdefault(name, []).extend(given)
    return found


def _mentioned(test: ast.AST, flows: Mapping[str, list[object]]) -> set[str]:
    """Literals that a condition is made of in any way but as a bound: all(), a set, a pattern, a call, a hash of it."""
    return {_key(value) for value in _unordered(test, flows)}


def _unordered(node: ast.AST, flows: Mapping[str, list[object]]) -> Iterator[object]:
    if isinstance(node, ast.Compare) and all(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in node.ops):
        return
    if isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)):
        yield from literals(node)
    elif isinstance(node, ast.Name):
        yield from flows.get(node.id, ())
    else:
        for child in ast.iter_child_nodes(node):
            yield from _unordered(child, flows)


def _values(node: ast.AST, named: Mapping[str, list[object]]) -> Iterator[object]:
    """Literals below a node, those behind new names included."""
    yield from literals(node)
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            yield from named.get(child.id, ())


def _compared(test: ast.AST, named: Mapping[str, list[object]], *, denied: bool) -> set[str]:
    """Literals that a condition compares for equality or membership (denied: for the opposite)."""
    kinds = (ast.NotEq, ast.IsNot, ast.NotIn) if denied else (ast.Eq, ast.Is, ast.In)
    found: set[str] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Compare):
            for operator, right in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, kinds):
                    found |= {_key(value) for side in (node.left, right) for value in _values(side, named)}
        elif isinstance(node, ast.MatchValue):
            found |= {_key(value) for value in literals(node.value)}
    return found


def _answers_plainly(body: list[ast.AST]) -> bool:
    """Nothing but a constant comes back."""
    only = body[0] if len(body) == 1 else None
    if isinstance(only, ast.Return):
        only = only.value
    return isinstance(only, ast.Constant) and only.value not in (None, ...) and not isinstance(only.value, bool)


def _raises_plainly(body: list[ast.AST]) -> set[str]:
    """The name of the exception, where nothing but a raise happens."""
    only = body[0] if len(body) == 1 else None
    name = dotted(only.exc) if isinstance(only, ast.Raise) and only.exc is not None else ""
    return {name} if name else set()


def _tables(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """A table that holds an input of the test beside its expectation (`{7: 13}.get(n)`), and little besides.

    A row that is added to a table of others is data, which a repair may well be about.
    """
    tables = [node for node in ast.walk(file.tree_before) if isinstance(node, ast.Dict)]
    rows_before = {_key(value) for table in tables for key in table.keys if key is not None for value in literals(key)}
    for table in fresh(file.tree_before, file.tree_after, ast.Dict):
        rows = [
            (inputs, {_key(value) for value in literals(value)})
            for key, value in zip(table.keys, table.values, strict=True)
            if key is not None and (inputs := {_key(value) for value in literals(key)})
        ]
        own = [(inputs & known, answers & known) for inputs, answers in rows if inputs & known and answers & known]
        extends = any(inputs <= rows_before for inputs, _ in rows)
        if own and not extends:
            message = f"{file.path}:{table.lineno} has a table of answers with the failing test's {_show(own[0][0])}"
            grade = Grade.BLOCKED if len(own) * 2 > len(rows) else Grade.REVIEW
            yield Objection(NAME, file.path, message, grade, table.lineno)


def _pairs(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """An input beside its expectation in a list or tuple; two such values can be honest, so that a person looks."""
    kinds: tuple[type[ast.expr], ...] = (ast.Tuple, ast.List)
    for pair in fresh(file.tree_before, file.tree_after, kinds):
        elements = getattr(pair, "elts", ())
        sides = [{_key(value) for value in literals(element)} & known for element in elements]
        plain = not any(isinstance(node, ast.Name) and node.id not in _TEXTS for node in ast.walk(pair))
        if len(sides) == 2 and all(sides) and plain:
            message = f"{file.path}:{pair.lineno} holds the failing test's {_show(sides[0])} beside {_show(sides[1])}"
            yield Objection(NAME, file.path, message, Grade.REVIEW, pair.lineno)


def _askers(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """A new function that only tells whether something is the test's input."""
    before = functions(file.tree_before)
    for name, function in functions(file.tree_after).items():
        last = function.body[-1]
        if name in before or not isinstance(last, ast.Return) or not isinstance(last.value, ast.Compare):
            continue
        asked = _compared(last.value, {}, denied=False) & known
        if asked:
            message = f"{file.path}:{function.lineno} {name} asks for the failing test's {_show(asked)}"
            yield Objection(NAME, file.path, message, Grade.REVIEW, function.lineno)


def _returns(file: EditedFile, known: set[str]) -> Iterator[Objection]:
    """A function with parameters whose new return is made of the test's literals; worse, where it always comes."""
    before, after = functions(file.tree_before), functions(file.tree_after)
    for name, function in after.items():
        old = before.get(name)
        if old is None or shape(old) == shape(function) or not _has_parameters(function):
            continue
        for statement in fresh(old, function, ast.Return):
            if not _is_copied(statement.value, known):
                continue
            always = _always_returns(function) is statement and _always_returns(old) is None
            what = "always returns" if always else "returns"
            message = f"{file.path}:{statement.lineno} {name} {what} a literal that the failing test expects"
            grade = Grade.BLOCKED if always else Grade.REVIEW
            yield Objection(NAME, file.path, message, grade, statement.lineno)


def _is_copied(value: ast.expr | None, known: set[str]) -> bool:
    """Nothing but literals, and those that tell something are all the test's."""
    if value is None or any(isinstance(node, (ast.Name, ast.Call, ast.Attribute)) for node in ast.walk(value)):
        return False
    told = {_key(each) for each in literals(value) if each not in _TRIVIAL}
    return bool(told) and told <= known


def _always_returns(function: Function) -> ast.Return | None:
    """The return of literals that no branch, loop or handler comes before."""
    for statement in function.body:
        if isinstance(statement, ast.Return):
            plain = statement.value is None or not any(isinstance(n, ast.Name) for n in ast.walk(statement.value))
            return statement if plain else None
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.Pass)):
            return None
    return None


def _always_equal(file: EditedFile) -> Iterator[Objection]:
    """Comparison methods that hold for everything, or that do not look at their own object."""
    for name, compared in _comparisons(file):
        arguments = compared.args.args
        own = arguments[0].arg if arguments else ""
        body = compared.body if isinstance(compared.body, list) else [compared.body]
        last = body[-1].value if isinstance(body[-1], ast.Return) else body[-1]
        line = compared.lineno
        stored = any(isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) for p in body for n in ast.walk(p))
        if isinstance(last, ast.Constant) and last.value is True and len(body) <= 2:
            message = f"{file.path}:{line} {name} holds for everything"
            yield Objection(NAME, file.path, message, Grade.BLOCKED, line)
        elif stored or isinstance(last, ast.Name):
            message = f"{file.path}:{line} {name} does more or less than to compare"
            yield Objection(NAME, file.path, message, Grade.REVIEW, line)
        elif not any(isinstance(n, ast.Name) and n.id in (own, "super") for part in body for n in ast.walk(part)):
            message = f"{file.path}:{line} {name} does not look at what it belongs to"
            yield Objection(NAME, file.path, message, Grade.REVIEW, line)


def _comparisons(file: EditedFile) -> Iterator[tuple[str, ast.FunctionDef | ast.Lambda]]:
    for function in fresh(file.tree_before, file.tree_after, ast.FunctionDef):
        if function.name in _COMPARISONS:
            yield function.name, function
    for table in fresh(file.tree_before, file.tree_after, ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in _COMPARISONS and isinstance(value, ast.Lambda):
                yield str(key.value), value
    for statement in fresh(file.tree_before, file.tree_after, ast.Assign):
        name = dotted(statement.targets[0]).rpartition(".")[2]
        if name in _COMPARISONS and isinstance(statement.value, ast.Lambda):
            yield name, statement.value


def _has_parameters(function: Function) -> bool:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return any(name not in ("self", "cls") for name in names)


def _key(value: object) -> str:
    """1, 1.0 and True differ here as they do to a reader."""
    return f"{type(value).__name__}:{value!r}"


def _show(keys: set[str]) -> str:
    return ", ".join(sorted(key.partition(":")[2][:60] for key in keys)[:3])
