"""A map of the repository for one failure: which files there are, and what those near the failure define.

Near is: suspicious, changed lately, the failing test's own, or imported from there. Files that are far are counted by
folder, so that a large repository costs no more than a small one.
"""

from __future__ import annotations

import ast
import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bot.diagnose.calls import module_file
from bot.diagnose.source_files import SourceFile, Sources
from bot.diagnose.types import Evidence

_MOST_FILES = 20_000  # of the listing
_MOST_READ = 120  # files parsed
_STEPS = 2  # imports followed from a test or a suspect
_NAMED = 60  # files named one by one although nothing ties them to the failure
_MEMBERS = 12  # methods listed of a class
_SKIPPED = frozenset({".git", "node_modules", "__pycache__", ".tox", ".venv", "venv"})
_LINE = 160  # characters


def repo_map(tree: Path, evidence: Evidence, characters: int) -> str:
    """Lines of text, nearest files first, at most `characters` of them. The same for the same tree and evidence."""
    paths = tuple(_listing(tree))
    sources = Sources(tree)
    near = _near(evidence, sources, frozenset(paths))
    ranked = sorted(near, key=lambda path: (-near[path], path))
    lines: list[str] = []
    left = characters
    for path in ranked:
        entry = [path, *_definitions(sources.get(path))]
        size = sum(len(line) + 1 for line in entry)
        if size > left * 2 // 3 and size > len(path) + 1:  # one long file must not push all others out
            entry = [path]
            size = len(path) + 1
        if size > left:
            break
        lines += entry
        left -= size
    for line in _rest([path for path in paths if path not in near]):
        if len(line) + 1 > left:
            break
        lines.append(line)
        left -= len(line) + 1
    return "\n".join(lines)


def _listing(tree: Path) -> Iterator[str]:
    """Repository paths of regular files, sorted, at most 20,000; links are not followed."""
    count = 0
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            place = Path(folder, name)
            if count >= _MOST_FILES:
                return
            if not name.isprintable() or not stat.S_ISREG(place.lstat().st_mode):
                continue
            count += 1
            yield place.relative_to(tree).as_posix()


def _near(evidence: Evidence, sources: Sources, paths: frozenset[str]) -> dict[str, float]:
    """How near each file is; those that nothing ties to the failure are not in it."""
    near: dict[str, float] = {}

    def tie(path: str, weight: float) -> None:
        if path in paths:
            near[path] = max(near.get(path, 0.0), weight)

    for place in evidence.locations:
        tie(place.path, 2 + place.suspiciousness)
    for changed in evidence.changed:
        tie(changed.path, 1.9)
    for test in evidence.cluster.ids:
        tie(test.file, 1.8)
    edge = sorted(near, key=lambda path: (-near[path], path))
    for step in range(1, _STEPS + 1):
        found: set[str] = set()
        for path in edge[: _MOST_READ // _STEPS]:
            found.update(_imported(sources, path))
        edge = sorted(found - near.keys())
        for path in edge:
            tie(path, 1 / step)
    return near


def _imported(sources: Sources, path: str) -> Iterator[str]:
    """Files of the repository that a Python file imports."""
    source = sources.get(path) if path.endswith(".py") else None
    if source is None or source.module is None:
        return
    for node in ast.walk(source.module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = _package(path, node.level)
            module = ".".join(filter(None, (package, node.module or "")))
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            place = module_file(sources, name, path) if name else None
            if place is not None:
                yield place.path


def _package(path: str, level: int) -> str:
    """What the dots of a relative import stand for."""
    folder = path
    for _ in range(level):
        folder = posixpath.dirname(folder)
    return folder.replace("/", ".") if level else ""


def _definitions(source: SourceFile | None) -> Iterator[str]:
    for node in source.module.body if source is not None and source.module is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"  {node.lineno}: def {node.name}({ast.unparse(node.args)})"[:_LINE]
        elif isinstance(node, ast.ClassDef):
            members = [each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            more = f", … ({len(members) - _MEMBERS} more)" if len(members) > _MEMBERS else ""
            listed = f": {', '.join(members[:_MEMBERS])}{more}" if members else ""
            yield f"  {node.lineno}: class {node.name}{listed}"[:_LINE]


def _rest(paths: list[str]) -> Iterator[str]:
    """Files by name where they are few, else folders with their counts."""
    if len(paths) <= _NAMED:
        yield from paths
        return
    counts = Counter(posixpath.dirname(path) or "." for path in paths)
    for folder, count in sorted(counts.items(), key=lambda item: (item[0].count("/"), item[0])):
        yield f"{folder}/ ({count} {'file' if count == 1 else 'files'})"
