"""A Python file, parsed so that rules can edit its text: where a node stands, which statement a line belongs to.

`ast` counts columns in UTF-8 bytes and knows no comments; every offset given here counts characters of the text as it
was read, whatever its line ends, byte-order mark or alphabet.
"""

from __future__ import annotations

import ast
import bisect
import re
import sys
import warnings
from collections import deque
from collections.abc import Iterator

from bot.propose.search.types import Source

LONGEST = 1_000_000
"""Characters; a longer file is generated or data, and every candidate would cost a parse of it."""

DEEPEST = 150
"""Levels of nesting; beyond it the recursive walks of `ast` come near the interpreter's limit."""

MOST_EXPRESSIONS = 300

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_LINE_END = re.compile(r"\r\n|\r|\n")
_BYTE_ORDER_MARK = "\ufeff"


def parse(path: str, text: str) -> Source | None:
    """Parse the decoded text of a file; None where it is not Python that this interpreter reads, too long or too deep.

    path: repository path, POSIX. Hostile text raises nothing.
    """
    if len(text) > LONGEST:
        return None
    first = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
    module = parse_module(text[first:])
    if module is None:
        return None
    parents = _parents(module)
    if parents is None:
        return None
    offsets = (first, *(match.end() for match in _LINE_END.finditer(text)))
    return Source(path, text, module, parents, offsets)


def parse_module(text: str) -> ast.Module | None:
    """`ast.parse` with refusal as a value; warnings about the text (invalid escapes) are its author's, not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _parents(module: ast.Module) -> dict[ast.AST, ast.AST] | None:
    parents: dict[ast.AST, ast.AST] = {}
    level: list[ast.AST] = [module]
    for _ in range(DEEPEST):
        below: list[ast.AST] = []
        for node in level:
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.expr_context):  # one shared object, with no parent of its own
                    parents[child] = node
                    below.append(child)
        if not below:
            return parents
        level = below
    return None


def offset(source: Source, line: int, column: int) -> int:
    """Character offset of `ast`'s position: line from 1, column from 0 in UTF-8 bytes."""
    start = source.offsets[line - 1]
    end = source.offsets[line] if line < len(source.offsets) else len(source.text)
    text = source.text[start:end]
    if text.isascii():
        return start + column
    return start + len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "surrogatepass"))


def span(source: Source, node: ast.AST) -> tuple[int, int]:
    """Start and end of a node in characters: of an expression without parentheses around it, of a function or class
    with its decorators."""
    line, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
    end_line, end_column = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
    decorators = getattr(node, "decorator_list", ())
    start = offset(source, line, column)
    if decorators:
        start = source.text.rindex("@", 0, offset(source, decorators[0].lineno, decorators[0].col_offset))
    return start, offset(source, end_line, end_column)


def segment(source: Source, node: ast.AST) -> str:
    """The node's text as it stands in the file."""
    start, end = span(source, node)
    return source.text[start:end]


def code(source: Source, node: ast.AST) -> str:
    """The node's text for use elsewhere: as it stands where it is on one line, else rewritten on one; in brackets
    where it would not be one operand without."""
    text = segment(source, node)
    if "\n" in text or "\r" in text:
        text = ast.unparse(node)
    bare = isinstance(node, ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Tuple)
    return f"({text})" if bare and not (text.startswith("(") and text.endswith(")")) else text


def newline(source: Source) -> str:
    """The line end that the file uses."""
    match = _LINE_END.search(source.text)
    return match.group() if match else "\n"


def indentation(source: Source, statement: ast.stmt) -> str | None:
    """White space before a statement that begins its own line; None where something else stands before it."""
    start = span(source, statement)[0]
    line_start = source.offsets[bisect.bisect_right(source.offsets, start) - 1]
    before = source.text[line_start:start]
    return before if not before.strip(" \t\f") else None


def line_end(source: Source, position: int) -> int:
    """Offset of the end of the line that holds `position`, before its line end."""
    match = _LINE_END.search(source.text, position)
    return match.start() if match else len(source.text)


def owns_lines(source: Source, statement: ast.stmt) -> bool:
    """Whether no other statement shares the statement's first or last line."""
    if indentation(source, statement) is None:
        return False
    end = span(source, statement)[1]
    rest = source.text[end : line_end(source, end)].strip()
    return not rest or rest.startswith("#")


# --- which statement, which block -------------------------------------------------------------------------------------


def heads(statement: ast.stmt) -> Iterator[ast.AST]:
    """Nodes of a statement's own line: the parts of a compound statement that are not its blocks."""
    for name, value in ast.iter_fields(statement):
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.ExceptHandler):
                if child.type is not None:
                    yield child.type
            elif isinstance(child, ast.match_case):
                yield child.pattern
                if child.guard is not None:
                    yield child.guard
            elif (
                isinstance(child, ast.AST) and not isinstance(child, ast.stmt) and name not in ("annotation", "returns")
            ):
                yield child


def _covers(statement: ast.stmt, line: int) -> bool:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    decorators = getattr(statement, "decorator_list", ())
    if decorators:
        first = min(first, decorators[0].lineno)
    if isinstance(statement, ast.Try | ast.TryStar) and any(handler.lineno == line for handler in statement.handlers):
        return True
    if isinstance(statement, ast.Match) and any(case.pattern.lineno == line for case in statement.cases):
        return True
    block = next(blocks(statement), None)
    if block:
        last = max(first, block[0].lineno - 1) if block[0].lineno > statement.lineno else statement.lineno
    return first <= line <= last


def statement_at(source: Source, line: int) -> ast.stmt | None:
    """The innermost statement whose header covers the line (from 1); the enclosing one for `else:` and the like, None
    where there is none."""
    found: ast.stmt | None = None
    enclosing: ast.stmt | None = None
    body: list[ast.stmt] = source.module.body
    while body:
        inner: list[ast.stmt] = []
        for statement in body:
            first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", ()))])
            if first <= line <= (statement.end_lineno or statement.lineno):
                if _covers(statement, line):
                    found = found if found is not None and found.lineno == statement.lineno else statement
                enclosing = statement
                inner = [child for block in blocks(statement) for child in block]
                if inner or found is statement:
                    break
        body = inner
    if found is None and enclosing is not None and not isinstance(enclosing, FunctionNode | ast.ClassDef):
        stripped = source.text[source.offsets[line - 1] : line_end(source, source.offsets[line - 1])].strip()
        return enclosing if re.match(r"(else|finally|elif|except|case)\b", stripped) else None
    return found


def statements_at(source: Source, line: int) -> tuple[ast.stmt, ...]:
    """All statements that a line may mean: `statement_at` and those that begin on its line, beside or inside it."""
    found = statement_at(source, line)
    if found is None:
        return ()
    near: list[ast.stmt] = [found]
    for statement in block_of(source, found):
        if statement.lineno == line and statement is not found:
            near.append(statement)
    if line == found.lineno:
        inner = (statement for block in blocks(found) for statement in block)
        near.extend(statement for statement in inner if statement.lineno == line)
    return tuple(near)


def blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists directly inside a statement or module, in order."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        value = getattr(statement, name, None)
        if not isinstance(value, list):
            continue
        if name in ("handlers", "cases"):
            for part in value:
                yield part.body
        elif value:
            yield value


def block_of(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    """The statement list that holds the statement."""
    return next(block for block in blocks(source.parents[statement]) if statement in block)


def ancestors(source: Source, node: ast.AST) -> Iterator[ast.AST]:
    """Parents of a node, innermost first."""
    parent = source.parents.get(node)
    while parent is not None:
        yield parent
        parent = source.parents.get(parent)


def enclosing_function(source: Source, node: ast.AST) -> FunctionNode | None:
    """The innermost function around the node (not the node itself)."""
    return next((parent for parent in ancestors(source, node) if isinstance(parent, FunctionNode)), None)


def enclosing_class(source: Source, node: ast.AST) -> ast.ClassDef | None:
    """The innermost class around the node."""
    return next((parent for parent in ancestors(source, node) if isinstance(parent, ast.ClassDef)), None)


def enclosing_loop(source: Source, node: ast.AST) -> Loop | None:
    """The innermost loop around the node within its function."""
    child = node
    for parent in ancestors(source, node):
        if isinstance(parent, Loop) and child not in parent.orelse:
            return parent
        if isinstance(parent, FunctionNode | ast.ClassDef):
            return None
        child = parent
    return None


def is_generator(function: FunctionNode) -> bool:
    """Whether the function yields: what it returns is then no result (and no value at all in an asynchronous one)."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Nodes of a function's body, without those of functions and classes defined in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def expressions(source: Source, statement: ast.stmt) -> Iterator[ast.expr]:
    """Editable expressions of a statement's header, outermost first, at most 300 (a table of data has more): no
    annotations, no docstring, no patterns.

    Inside an f-string the positions are right on Python 3.12 and later only; before, a node counts where its text
    reads back as itself.
    """
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return
    given = 0
    pending: deque[tuple[ast.AST, bool]] = deque((head, False) for head in heads(statement))
    while pending and given < MOST_EXPRESSIONS:
        node, inside = pending.popleft()
        if isinstance(node, ast.pattern):
            continue
        if isinstance(node, ast.expr) and (not inside or _reads_back(source, node)):
            given += 1
            yield node
        inside = inside or isinstance(node, ast.JoinedStr)
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.arg) or (inside and isinstance(child, ast.Constant | ast.JoinedStr)):
                continue
            pending.append((child, inside))


def _reads_back(source: Source, node: ast.expr) -> bool:
    if isinstance(node, ast.FormattedValue | ast.JoinedStr):
        return False
    if sys.version_info >= (3, 12):
        return True
    try:
        text = segment(source, node)
        return ast.dump(ast.parse(text, mode="eval").body) == ast.dump(node)
    except (SyntaxError, ValueError, IndexError):
        return False
