"""Says what an installed object is: `python describe.py NAME`, where NAME is dotted; answers in describe.json.

Importing runs the package's code, which is why this runs in a box.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from importlib import metadata

DOCSTRING = 8000
MEMBERS = 150
CANDIDATES = 12


def find(name: str) -> tuple[object, str, str]:
    """(object, module it was reached through, what is wrong): the longest importable beginning, then attributes."""
    parts = name.split(".")
    problem = ""
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module + ".").startswith(error.name + "."):
                problem = problem or f"importing {module} failed: {error}"
            continue
        except BaseException as error:  # noqa: BLE001 (a package may raise anything at import, SystemExit too)
            problem = problem or f"importing {module} failed: {type(error).__name__}: {error}"
            continue
        for position, part in enumerate(parts[count:], count):
            try:
                found = getattr(found, part)
            except BaseException as error:  # noqa: BLE001 (a module's __getattr__ is anybody's code)
                reached = ".".join(parts[:position])
                names = ", ".join(near(part, found))
                hint = f"; it has {names}" if names else ""
                return None, module, problem or f"{reached} has no {part} ({type(error).__name__}){hint}"
        return found, module, ""
    return None, "", problem or f"no module named {parts[0]} is installed here"


def near(wanted: str, holder: object) -> list[str]:
    """Names of `holder` that are like the one wanted."""
    import difflib

    names = [name for name in dir(holder) if not name.startswith("_")]
    return difflib.get_close_matches(wanted, names, CANDIDATES, 0.5) or names[:CANDIDATES]


def signature(found: object) -> str:
    try:
        return str(inspect.signature(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""


def members(found: object) -> list[list[str]]:
    """[name, signature, first line of the docstring] of public members, in a class only those of its own hierarchy."""
    if not (inspect.ismodule(found) or inspect.isclass(found)):
        return []
    names = list(getattr(found, "__all__", ())) if inspect.ismodule(found) else []
    listed = []
    for name in names or [name for name in dir(found) if not name.startswith("_")]:
        value = inspect.getattr_static(found, name, None)
        if inspect.ismodule(value):
            continue
        value = getattr(value, "__func__", value)
        shown = signature(value) if callable(value) else ""
        text = (inspect.getdoc(value) or "") if callable(value) or isinstance(value, property) else ""
        listed.append([str(name), shown[:300], text.strip().partition("\n")[0][:200]])
    return listed[: MEMBERS + 1]


def version(module: str) -> str:
    top = module.partition(".")[0]
    try:
        packages = getattr(metadata, "packages_distributions", None)  # Python 3.10 and later
        distributions = [top, *(packages().get(top, []) if packages else [])]
    except Exception:  # noqa: BLE001 (damaged metadata of some other package)
        distributions = [top]
    for name in reversed(distributions):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return ""


def describe(name: str) -> dict[str, object]:
    found, module, problem = find(name)
    if problem:
        return {"problem": problem[:1000]}
    kind = "module" if inspect.ismodule(found) else "class" if inspect.isclass(found) else type(found).__name__
    text = inspect.getdoc(found) or ""
    if not callable(found) and not inspect.ismodule(found) and not isinstance(found, property):
        text = f"value: {found!r}"[:1000] + "\n\n" + text
    return {
        "kind": kind,
        "version": version(module),
        "signature": signature(found)[:2000] if callable(found) else "",
        "docstring": text[:DOCSTRING],
        "whole": len(text),
        "members": members(found),
        "file": str(getattr(sys.modules.get(module), "__file__", "") or "")[:500],
    }


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[0] = os.getcwd()
    try:
        told = describe(sys.argv[1])
    except BaseException as error:  # noqa: BLE001 (descriptors and docstrings of strangers)
        told = {"problem": f"looking at it failed: {type(error).__name__}: {error}"[:1000]}
    with open(os.path.join(here, "describe.json"), "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(json.dumps(told))
    # A package may have started threads that never end.
    sys.stdout.flush()
    os._exit(0)
