"""Which functions a change adds or alters, and which of these no test reaches."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from bot.evidence.test_paths import is_test_path
from bot.propose.search.source import FunctionNode, parse
from bot.testgen.types import Function
from bot.toolchains.types import LineHits
from bot.workspace.types import ChangedRange

_UNTESTABLE = frozenset({"overload", "abstractmethod", "typing.overload", "abc.abstractmethod"})
Read = Callable[[str], str | None]


def changed_functions(changed: tuple[ChangedRange, ...], read: Read, read_before: Read) -> tuple[Function, ...]:
    """Functions of the project that differ from what they were, in the order of files and lines.

    read, read_before: text of a file now and at the revision compared with. A function whose syntax is the same but for
    its docstring was not altered, wherever it stands now. Functions inside functions belong to the outer one; stubs
    and abstract methods have nothing to test.
    """
    ranges: dict[str, list[ChangedRange]] = {}
    for each in changed:
        if each.path.endswith(".py") and not is_test_path(each.path):
            ranges.setdefault(each.path, []).append(each)
    found = []
    for path, touched in ranges.items():
        now = _functions(path, read(path))
        before = _functions(path, read_before(path))
        for qualname, node in now.items():
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            last = node.end_lineno or node.lineno
            body = _body(node)
            if not body or _has_no_behaviour(node, body):
                continue
            if not any(each.first <= last and each.last >= first for each in touched):
                continue
            old = before.get(qualname)
            if old is None or _essence(old) != _essence(node):
                found.append(Function(path, qualname, first, last, body[0].lineno, old is None))
    return tuple(found)


def reached(function: Function, hits: LineHits) -> bool:
    """Whether some test executed a line of the function's body."""
    wanted = range(function.body, function.last + 1)
    return any(line in wanted for lines in hits.lines.values() for line in lines.get(function.path, ()))


def node_of(path: str, text: str | None, qualname: str) -> FunctionNode | None:
    """The function's syntax in the text of its file."""
    return _functions(path, text).get(qualname)


def _functions(path: str, text: str | None) -> Mapping[str, FunctionNode]:
    """Functions of a module and of its classes by qualified name; of several of one name the last, as for Python."""
    source = None if text is None else parse(path, text)
    return {} if source is None else dict(_below(source.module.body, ""))


def _below(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for node in body:
        if isinstance(node, FunctionNode):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _below(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _below([*node.body, *node.orelse], prefix)


def _body(node: FunctionNode) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


def _essence(node: FunctionNode) -> str:
    statements = ";".join(ast.dump(statement) for statement in _body(node))
    decorators = ";".join(ast.dump(decorator) for decorator in node.decorator_list)
    return f"{type(node).__name__} {decorators} {ast.dump(node.args)} {statements}"


def _has_no_behaviour(node: FunctionNode, body: list[ast.stmt]) -> bool:
    if any(ast.unparse(decorator) in _UNTESTABLE for decorator in node.decorator_list):
        return True
    return all(_is_stub(statement) for statement in body)


def _is_stub(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
        case _:
            return False
