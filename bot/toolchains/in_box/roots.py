"""Imports come from the workspace, not from another checkout that happens to be installed.

A developer's interpreter often holds an editable install of the very project, pointing at the developer's tree. The box
is a copy of that tree: without this, tests in the box would import the original, and no patch would have any effect.
"""

from __future__ import annotations

import importlib.util
import os
import sys

_STANDARD = os.path.realpath(os.path.dirname(os.__file__)) + os.sep
_NEVER = frozenset({"tests", "test", "docs", "doc", "examples", "benchmarks", "scripts", "tools", "build", "dist"})


def prefer(workspace: str, candidates: tuple[str, ...]) -> None:
    """Put those of `candidates` (folders relative to `workspace`) first on `sys.path` whose packages would otherwise
    be found elsewhere or not at all; child processes inherit it through PYTHONPATH."""
    chosen = []
    for candidate in candidates:
        folder = os.path.normpath(os.path.join(workspace, candidate))
        if os.path.isdir(folder) and _is_shadowed(folder, os.path.realpath(workspace)):
            chosen.append(folder)
    if chosen:
        sys.path[:0] = chosen
        importlib.invalidate_caches()
        inherited = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join([*chosen, *([inherited] if inherited else [])])


def _is_shadowed(folder: str, workspace: str) -> bool:
    for entry in os.scandir(folder):
        name, extension = os.path.splitext(entry.name)
        is_package = not extension and entry.is_dir() and os.path.isfile(os.path.join(entry.path, "__init__.py"))
        is_module = extension == ".py" and name not in ("setup", "conftest", "noxfile", "tasks", "__init__")
        if name in _NEVER or not name.isidentifier() or not (is_package or is_module):
            continue
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            continue
        origin = "" if spec is None else os.path.realpath(spec.origin or "")
        if spec is not None and (spec.origin in ("built-in", "frozen") or _is_standard(origin)):
            continue
        if spec is None or (spec.origin and not origin.startswith(workspace + os.sep)):
            return True
    return False


def _is_standard(origin: str) -> bool:
    return origin.startswith(_STANDARD) and not origin.startswith(
        (_STANDARD + "site-packages", _STANDARD + "dist-packages")
    )
