"""The lines in a conftest.py that load grokfix_quarantine.py: put in, brought up to date, taken out. Pure.

By its path, for its name need not be importable: plain `pytest` does not have the current folder on the import path.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeAlias

_BEGIN = "# >>> grokfix quarantine: loads grokfix_quarantine.py, which says what it does"
_END = "# <<< grokfix quarantine"
_HOOKS = (("pytest_configure", "config", "config"), ("pytest_sessionstart", "session", "session.config"))
"""Names of hooks that a conftest.py may use for it, with their argument: the first that it does not have itself."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A conftest.py with the lines in it."""

    content: bytes


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """A conftest.py that is better left alone, and why."""

    why: str


Placing: TypeAlias = Placed | NotPlaced


def place(content: bytes | None, *, up: int) -> Placing:
    """content: of the conftest.py now, None where there is none. up: folders from it up to grokfix_quarantine.py."""
    rest = b"" if content is None else _cut(content)
    if rest is None:
        return NotPlaced("lines that grokfix wrote there were changed")
    try:
        text = rest.decode("utf-8")
        names = _names(ast.parse(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return NotPlaced("it cannot be read as Python")
    if "*" in names:
        return NotPlaced("it imports names that cannot be seen in it")
    hook = next((hook for hook in _HOOKS if hook[0] not in names), None)
    if hook is None:
        return NotPlaced("it has hooks of its own where the list would be loaded")
    newline = "\r\n" if "\r\n" in text else "\n"
    body = text if not text or text.endswith("\n") else text + newline
    block = _block(hook, up)
    if body:
        block = "\n\n" + block
    return Placed((body + block.replace("\n", newline)).encode())


def remove(content: bytes) -> bytes | None:
    """The conftest.py without the lines, as it was before; None where nothing else is in it."""
    rest = _cut(content)
    if rest is None:
        return content
    return rest if rest.strip() else None


def _block(hook: tuple[str, str, str], up: int) -> str:
    name, argument, config = hook
    return f"""{_BEGIN}
def {name}({argument}):
    import importlib.util
    import pathlib

    path = pathlib.Path(__file__).resolve().parents[{up}] / "grokfix_quarantine.py"
    plugins = {config}.pluginmanager
    if path.is_file() and not plugins.has_plugin("grokfix_quarantine"):
        spec = importlib.util.spec_from_file_location("grokfix_quarantine", str(path))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        plugins.register(module, "grokfix_quarantine")


{_END}
"""


def _cut(content: bytes) -> bytes | None:
    """The file without our lines and the blank lines before them; None where their marks are not a pair."""
    begin, end = _BEGIN.encode(), _END.encode()
    if begin not in content and end not in content:
        return content
    if content.count(begin) != 1 or content.count(end) != 1 or content.index(begin) > content.index(end):
        return None
    before, _, rest = content.partition(begin)
    after = rest.partition(end)[2].lstrip(b"\r\n")
    kept = before.rstrip(b"\r\n")
    if kept:
        kept += b"\r\n" if b"\r\n" in content else b"\n"
    return kept + after


def _names(module: ast.Module) -> set[str]:
    """Names that a module binds anywhere, functions' own ones too: more than needed, never fewer."""
    found: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found.update(alias.asname or alias.name for alias in aliases)
    return found
