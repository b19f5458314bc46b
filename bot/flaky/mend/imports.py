"""Names that a change needs and the file may not have yet: what they are called, and the line that brings them."""

from __future__ import annotations

import ast
import sys

from bot.propose.search.source import line_end, newline, owns_lines, span
from bot.propose.search.types import Edit, Source
from bot.vet.syntax import bound_names, origins

_SOURCES = ("src.", "lib.", "python.")


def imported(source: Source, module: str, name: str = "") -> tuple[str, tuple[Edit, ...]] | None:
    """What `module` (or `name` of it) is called in the file, with the edit that imports it where nothing does yet.

    None where the name that it would get means something else there.
    """
    origin = f"{module}.{name}" if name else module
    known = _at_top(source.module)
    for local, whence in known.items():
        if whence == origin:
            return local, ()
    if name and module in known.values():
        return f"{next(local for local, whence in known.items() if whence == module)}.{name}", ()
    package, _, last = module.rpartition(".")
    local = name or last
    if local in _names(source.module):
        return None
    if name:
        line = f"from {module} import {name}"
    else:
        line = f"from {package} import {last}" if package else f"import {module}"
    return local, (_line_at_top(source, line),)


def brought_as(source: Source, whence: str, name: str) -> tuple[Edit, ...] | None:
    """The import by which `name` means `whence` ("shop.rates.load"); () where it does already, None where it means
    something else."""
    if _at_top(source.module).get(name) == whence:
        return ()
    if name in _names(source.module):
        return None
    module, _, last = whence.rpartition(".")
    called = "" if name == last else f" as {name}"
    return (_line_at_top(source, f"from {module} import {last}{called}" if module else f"import {last}{called}"),)


def module_of(path: str, source: Source) -> str:
    """The dotted name by which the file's imports know the module at `path`; else the name that its path suggests."""
    whole = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    parts = whole.split(".")
    used = set(origins(source.module).values())
    for first in range(len(parts)):
        name = ".".join(parts[first:])
        if any(origin == name or origin.startswith(f"{name}.") for origin in used):
            return name
    return next((whole.removeprefix(each) for each in _SOURCES if whole.startswith(each)), whole)


def _at_top(module: ast.Module) -> dict[str, str]:
    """Imports that every function of the file sees."""
    body: list[ast.stmt] = [each for each in module.body if isinstance(each, (ast.Import, ast.ImportFrom))]
    return origins(ast.Module(body, []))


def _names(module: ast.Module) -> set[str]:
    """Every name that the file binds or reads anywhere, arguments too."""
    found = {name for each in ast.walk(module) if isinstance(each, ast.stmt) for name in bound_names(each)}
    found |= {each.id for each in ast.walk(module) if isinstance(each, ast.Name)}
    return found | {each.arg for each in ast.walk(module) if isinstance(each, ast.arg)}


def _line_at_top(source: Source, line: str) -> Edit:
    """Where it belongs among the imports by name, the standard library's above all others; else below the docstring."""
    end = newline(source)
    body = source.module.body
    imports = [each for each in body if isinstance(each, (ast.Import, ast.ImportFrom)) and owns_lines(source, each)]
    own = _rank(ast.parse(line).body[0])
    above: list[ast.stmt] = [each for each in imports if _rank(each) <= own]
    below = [each for each in imports if _rank(each) > own]
    if below and (not above or _rank(below[0])[0] == own[0]):
        start = span(source, below[0])[0]
        gap = "" if _rank(below[0])[0] == own[0] else end
        return Edit(start, start, f"{line}{end}{gap}")
    if not above:
        above = [each for each in body[:1] if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
    if not above:
        start = source.offsets[0]
        return Edit(start, start, f"{line}{end}{end}{end}")
    place = line_end(source, span(source, above[-1])[1])
    gap = "" if _rank(above[-1])[0] == own[0] else end
    return Edit(place, place, f"{end}{gap}{line}")


def _rank(statement: ast.stmt) -> tuple[int, bool, str]:
    """Imports in the order in which tools sort them: from the future, of the standard library, of all others."""
    if isinstance(statement, ast.ImportFrom):
        name = "." * statement.level + (statement.module or "")
    else:
        name = statement.names[0].name if isinstance(statement, ast.Import) else ""
    top = name.partition(".")[0]
    group = 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2 if top else 3
    return (group if name else -1), isinstance(statement, ast.ImportFrom), name
