"""A condition negated, widened, narrowed, or never asked: `not c`, `c and d`, `c or d`, `while True` → `while x`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.propose.search.facts import Role
from bot.propose.search.scope import borrowed, conditions, names, role
from bot.propose.search.source import code, expressions, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.search.writing import negation, operands, replace

NAME = "condition"

MOST_NAMES = 8
MOST_CONDITIONS = 8


def candidates(source: Source, statement: ast.stmt) -> Iterator[Candidate]:
    """Changes of what a statement asks before it goes on."""
    for node in tests(source, statement):
        yield from _of_test(source, node)
    for node in expressions(source, statement):
        match node:
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                yield from _filter(source, node)
            case ast.BoolOp():
                yield from _operands_dropped(source, node)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                yield replace(source, node, code(source, inner), NAME, 1.5)
            case _:
                pass


def tests(source: Source, statement: ast.stmt) -> Iterator[ast.expr]:
    """The whole conditions in a statement's header."""
    match statement:
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            yield test
        case _:
            pass
    for node in expressions(source, statement):
        match node:
            case ast.IfExp(test=test):
                yield test
            case ast.ListComp(generators=parts) | ast.SetComp(generators=parts) | ast.GeneratorExp(generators=parts):
                for part in parts:
                    yield from part.ifs
            case _:
                pass
    if isinstance(statement, ast.Return | ast.Assign) and statement.value is not None and _asks(statement.value):
        yield statement.value


def _asks(node: ast.expr) -> bool:
    """Whether an expression is a question by its form."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in ("isinstance", "issubclass", "hasattr", "callable", "any", "all", "bool")
        case ast.Call(func=ast.Attribute(attr=name)):
            return name.startswith(("is", "has")) or name in ("startswith", "endswith")
        case _:
            return False


def _of_test(source: Source, test: ast.expr) -> Iterator[Candidate]:
    text = code(source, test)
    if isinstance(test, ast.Constant):
        for other, cost in _questions(source, test):
            yield replace(source, test, other, NAME, cost - 1.4)
        return
    if not isinstance(test, ast.UnaryOp) and not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        yield replace(source, test, negation(text), NAME, 1.8)
    if isinstance(test, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        yield replace(source, test, f"{text} is not None", NAME, 2.2)
        yield replace(source, test, f"{text} is None", NAME, 2.6)
    for reached in _reached_into(source, test):
        yield replace(source, test, operands(f"{reached} is None", "or", text), NAME, 2.4)
        yield replace(source, test, operands(f"{reached} is not None", "and", text), NAME, 2.4)
        yield replace(source, test, operands(reached, "and", text), NAME, 2.6)
        yield replace(source, test, operands(negation(reached), "or", text), NAME, 2.8)
    for other, cost in _questions(source, test):
        if other != text:
            yield replace(source, test, operands(text, "and", other), NAME, cost)
            yield replace(source, test, operands(text, "or", other), NAME, cost)
    for place, donor in enumerate(conditions(source, test)[:MOST_CONDITIONS]):
        other = code(source, donor)
        if other != text:
            yield replace(source, test, other, NAME, 3.6 + 0.1 * place)
    yield replace(source, test, "True", NAME, 3.6)
    yield replace(source, test, "False", NAME, 3.6)


def _reached_into(source: Source, test: ast.expr) -> Iterator[str]:
    """What a condition takes for granted by reading an attribute or an element of it."""
    found: dict[str, None] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name | ast.Attribute):
            name = code(source, node.value)
            if name not in ("self", "cls"):
                found[name] = None
    yield from found


def _questions(source: Source, test: ast.expr) -> Iterator[tuple[str, float]]:
    """Questions that the scope offers, with the cost of asking them."""
    place = 0
    for name in names(source, test):
        theirs = role(source, test, name)
        if theirs is Role.CALLABLE or name in ("self", "cls"):
            continue
        late = 0.12 * place
        yield name, 3.0 + late
        yield f"not {name}", 3.0 + late
        if Role.COLLECTION not in theirs and Role.NUMBER not in theirs:
            yield f"{name} is None", 3.4 + late
            yield f"{name} is not None", 3.4 + late
        if Role.NUMBER in theirs:
            yield f"{name} > 0", 3.6 + late
        place += 1
        if place >= MOST_NAMES:
            break
    own = [text for text in _own_attributes(source, test) if text != code(source, test)]
    for number, text in enumerate(own[:MOST_NAMES]):
        yield text, 3.4 + 0.12 * number
        yield f"not {text}", 3.4 + 0.12 * number
        yield f"{text} is not None", 3.6 + 0.12 * number
        yield f"{text} is None", 3.6 + 0.12 * number
    for number, donor in enumerate(conditions(source, test)[:MOST_CONDITIONS]):
        if donor is not test and not any(donor is part for part in ast.walk(test)):
            text = code(source, donor)
            yield text, 3.6 + 0.1 * number
            yield negation(text), 4.0 + 0.1 * number
    sought = [name for name in names(source, test) if Role.COLLECTION in role(source, test, name)][:3]
    asked = [node.id for node in ast.walk(test) if isinstance(node, ast.Name)][:2]
    for collection in sought:
        for name in asked:
            if name != collection:
                yield f"{name} in {collection}", 4.0
                yield f"{name} not in {collection}", 4.0


def _own_attributes(source: Source, test: ast.expr) -> list[str]:
    """`self.x` as the function reads or sets them, nearest lines first."""
    found: dict[str, None] = {}
    for node in borrowed(source, test):
        match node:
            case ast.Attribute(value=ast.Name(id="self")):
                parent = source.parents.get(node)
                if not (isinstance(parent, ast.Call) and node is parent.func):
                    found[code(source, node)] = None
            case _:
                pass
    return list(found)


def _operands_dropped(source: Source, node: ast.BoolOp) -> Iterator[Candidate]:
    word = "and" if isinstance(node.op, ast.And) else "or"
    for place, value in enumerate(node.values):
        if len(node.values) == 2:
            yield replace(source, node, code(source, node.values[1 - place]), NAME, 2.2)
        else:
            kept = [code(source, other) for other in node.values if other is not value]
            text = kept[0]
            for other in kept[1:]:
                text = f"{text} {word} {other}" if "(" in text else operands(text, word, other)
            yield replace(source, node, text, NAME, 2.4)
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            continue
        yield replace(source, value, negation(code(source, value)), NAME, 2.0)


def _filter(source: Source, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[Candidate]:
    """A comprehension that takes everything takes what is there; one that filters takes everything."""
    part = node.generators[-1]
    end = span(source, part.ifs[-1] if part.ifs else part.iter)[1]
    if part.ifs:
        if len(part.ifs) == 1:
            start = source.text.rindex("if", 0, span(source, part.ifs[0])[0])
            begin = len(source.text[:start].rstrip())
            edit = Edit(begin, end, "")
            yield Candidate(source.path, node.lineno, (edit,), NAME, 2.8, "the comprehension no longer filters")
        return
    targets = [target.id for target in ast.walk(part.target) if isinstance(target, ast.Name)]
    for name in targets[:3]:
        for test, cost in ((name, 3.0), (f"{name} is not None", 3.0)):
            edit = Edit(end, end, f" if {test}")
            yield Candidate(source.path, node.lineno, (edit,), NAME, cost, f"the comprehension takes `{test}` only")
