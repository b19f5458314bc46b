"""The definitions of a file, with their lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from bot.evidence.text import one_line
from bot.ports import ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.files import Text, Unreadable
from bot.propose.model.tools.look import unreadable
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted
from bot.vet.syntax import Function, parse

_MOST = 300
_CHARACTERS = 14_000
_SIGNATURE = 200
_LINE = 300  # characters of a line in which a definition is looked for
_LONGEST = 2_000  # of a line that is kept until secrets are taken out of it

# What begins a definition in the languages that share a repository with Python. Anchored, and each blank is matched
# once, so that no line takes more than one look.
_DEFINITION = re.compile(
    r"[ \t]*(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub|unsafe|override|"
    r"open|sealed|inline|virtual|const|extern|partial)[ \t(]+){0,5}"
    r"(?:function|func|fn|def|class|interface|struct|enum|trait|impl|type|module|namespace|object|record|macro_rules!|"
    r"sub|proc|defmodule|defp|CREATE (?:TABLE|VIEW|FUNCTION|INDEX))\b[ \t*]*[\w.$<(\[\"'`&:]"
    r"|[ \t]*(?:export[ \t]+)?(?:const|let|var)[ \t]+\w+[ \t]*=[ \t]*(?:async\b|function\b|\()"
    r"|\#{1,6}[ \t]+\S"
    r"|\[[\w.\"' -]+\][ \t]*$"
)


class Outline:
    """Classes, functions and module-level names; in other languages than Python by the look of their lines."""

    spec: ToolSpec = schema.spec(
        "outline",
        """Definitions of a file, with the numbers of their lines: classes, functions with their signatures,
        module-level names. Cheaper than reading a long file.""",
        {"path": schema.path()},
        ("path",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        path = arguments.text("path").strip().removeprefix("./")
        text = desk.files.read(path)
        if isinstance(text, Unreadable):
            return unreadable(path, text, desk)
        note = ""
        tree = parse(text.content) if path.endswith((".py", ".pyi")) else None
        if tree is not None:
            found = list(_python(tree))
        else:
            found = list(_by_lines(text))
            if path.endswith((".py", ".pyi")):
                note = " Python cannot parse it, so this is by the look of its lines."
        if not found:
            return ToolResult(f"No definitions in {one_line(path, 200)!r} ({counted(len(text.lines), 'line')}).{note}")
        shown = [_cut(desk.redact(line)) for line in found[:_MOST]]
        more = f", the first {len(shown)} of them" if len(found) > len(shown) else ""
        head = f"{counted(len(found), 'definition')}{more}; {counted(len(text.lines), 'line')}.{note}"
        return ToolResult(f"{head}\n{desk.listing(f'outline {path}', shown, _CHARACTERS)}")


def signature(node: Function) -> str:
    """`async def name(arguments) -> result` on one line."""
    try:
        arguments = ast.unparse(node.args)
        returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    except RecursionError:  # defaults nested beyond reason
        arguments, returns = "…", ""
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return one_line(f"{kind} {node.name}({arguments}){returns}", _LONGEST)


def _python(tree: ast.Module) -> Iterator[str]:
    pending: list[tuple[ast.stmt, int]] = [(node, 0) for node in reversed(tree.body)]
    while pending:
        node, depth = pending.pop()
        where = f"{node.lineno}-{node.end_lineno or node.lineno}"
        indent = "    " * depth
        inner: list[ast.stmt]
        if isinstance(node, Function):
            yield f"{where:>12}  {indent}{signature(node)}"
            inner = [child for child in node.body if isinstance(child, Function | ast.ClassDef)]
        elif isinstance(node, ast.ClassDef):
            yield f"{where:>12}  {indent}{_class(node)}"
            inner = list(node.body)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            # what stands under a condition is defined all the same
            pending += [(child, depth) for child in reversed(list(_within(node)))]
            continue
        else:
            names = _names(node)
            if names:
                yield f"{node.lineno:>12}  {indent}{names}"
            continue
        pending += [(child, depth + 1) for child in reversed(inner)]


def _within(node: ast.stmt) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            yield from child.body
        elif isinstance(child, ast.stmt):
            yield child


def _class(node: ast.ClassDef) -> str:
    try:
        bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
    except RecursionError:
        bases = "…"
    return one_line(f"class {node.name}({bases})" if bases else f"class {node.name}", _LONGEST)


def _names(node: ast.stmt) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return ", ".join(target.id for target in targets if isinstance(target, ast.Name))


def _by_lines(text: Text) -> Iterator[str]:
    for number, line in enumerate(text.lines, 1):
        if _DEFINITION.match(line[:_LINE]):
            yield f"{number:>12}  {line[:_LONGEST].rstrip()}"


def _cut(line: str) -> str:
    return line if len(line) <= _SIGNATURE else line[:_SIGNATURE] + "…"
