"""Where a name is used: by syntax tree in Python, as a word elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.evidence.text import one_line
from bot.ports import ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.files import Unreadable
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted
from bot.vet.syntax import Function, parse

_MOST = 120
_CHARACTERS = 14_000
_SHOWN = 200
_PARSED = 4 << 20
"""Bytes of Python that are parsed for one search (a few seconds); past them the name is looked for as a word."""
_READ = 200 << 20
"""Bytes that are looked through in all."""
_FOUND = 4_000
"""Uses after which no further file is looked at."""

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class _Use:
    path: str
    line: int
    kind: str
    inside: str


class FindReferences:
    """Definitions first, then imports, calls and other uses."""

    spec: ToolSpec = schema.spec(
        "find_references",
        """Where a name is defined, imported, called and otherwise used, with the function that each use stands in. By
        syntax in Python (so no comments and strings), as a word in other files. Of a dotted name the last part counts:
        uses are found by name, not by type.""",
        {"name": schema.text("A function, class, method, attribute or variable: `total` or `Cart.total`.", 200)},
        ("name",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        wanted = arguments.text("name").strip().removesuffix("()")
        if not _NAME.fullmatch(wanted):
            return ToolResult(
                f"{one_line(wanted, 100)!r} is no name of code; for other text use search_code.", ok=False
            )
        name = wanted.rpartition(".")[2]
        uses, notes = _search(name, desk)
        if not uses:
            return ToolResult(f"{name!r} occurs in no file of the repository, neither in code nor as a word.{notes}")
        uses.sort(key=lambda use: (_ORDER.index(use.kind), use.path, use.line))
        definitions = sum(use.kind == "definition" for use in uses)
        lines, size = [], 0
        for use in uses[:_MOST]:
            line = f"{use.path}:{use.line}: {use.kind}{f' in {use.inside}' if use.inside else ''}: {_text(use, desk)}"
            size += len(line) + 1
            if size > _CHARACTERS:
                break
            lines.append(line)
        head = f"{counted(len(uses), 'use')} of {name!r} ({counted(definitions, 'definition')})"
        if len(lines) < len(uses):
            head += f", the first {len(lines)} of them: definitions and imports first"
        return ToolResult(f"{head}.{notes}\n{desk.listing(f'uses of {name}', lines, 2 * _CHARACTERS)}")


_ORDER = ("definition", "import", "call", "write", "attribute", "read", "keyword", "word")


def _search(name: str, desk: Desk) -> tuple[list[_Use], str]:
    uses: list[_Use] = []
    parsed = 0
    by_word = False
    for text in desk.files.holding(name, _READ):
        if text is None:
            return uses, f" Only the first {_READ >> 20} MB of the repository were looked through."
        if len(uses) >= _FOUND:
            return uses, " For so common a name only some of the files were looked at; search_code takes a glob."
        tree = None
        if text.path.endswith((".py", ".pyi")):
            parsed += len(text.content)
            by_word = by_word or parsed > _PARSED
            tree = parse(text.content) if parsed <= _PARSED else None
        found = _in_tree(tree, name) if tree is not None else _in_lines(text.lines, name)
        uses.extend(dict.fromkeys(_Use(text.path, *use) for use in found))  # two on one line are one
    note = " It occurs in so many files that the later ones were searched for the word only." if by_word else ""
    return uses, note


def _in_tree(tree: ast.Module, name: str) -> Iterator[tuple[int, str, str]]:
    """(line, kind, function or class around it)."""
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    called: set[int] = set()
    while pending:
        node, inside = pending.pop()
        around = inside
        if isinstance(node, Function | ast.ClassDef):
            around = f"{inside}.{node.name}".lstrip(".")
            if node.name == name:
                yield node.lineno, "definition", inside
        elif isinstance(node, ast.Call):
            called.add(id(node.func))
        kind = _kind(node, name, called)
        if kind:
            yield getattr(node, "lineno", 1), kind, inside
        pending += [(child, around) for child in ast.iter_child_nodes(node)]


def _kind(node: ast.AST, name: str, called: set[int]) -> str:
    match node:
        case ast.Name(id=found, ctx=context) if found == name:
            return "call" if id(node) in called else "read" if isinstance(context, ast.Load) else "write"
        case ast.Attribute(attr=found, ctx=context) if found == name:
            return "call" if id(node) in called else "attribute" if isinstance(context, ast.Load) else "write"
        case ast.alias(name=found, asname=other) if name in (*found.split("."), other):
            return "import"
        case ast.ImportFrom(module=str(module)) if name in module.split("."):
            return "import"
        case ast.arg(arg=found) if found == name:
            return "write"
        case ast.keyword(arg=found) if found == name:
            return "keyword"
    return ""


def _in_lines(lines: tuple[str, ...], name: str) -> Iterator[tuple[int, str, str]]:
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for number, line in enumerate(lines, 1):
        if name in line and word.search(line):
            yield number, "word", ""


def _text(use: _Use, desk: Desk) -> str:
    text = desk.files.read(use.path)
    if isinstance(text, Unreadable) or use.line > len(text.lines):
        return ""
    shown = desk.redact(text.lines[use.line - 1]).strip()
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
