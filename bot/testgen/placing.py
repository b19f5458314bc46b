"""Where a function's tests go, and whose style they follow: the nearest existing test file's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection

from bot.evidence.test_paths import is_test_path
from bot.testgen.types import Function, Place

MOST_FILES = 400
"""Test files that are looked at for the nearest one."""
_SOURCE_FOLDERS = frozenset({"src", "lib"})


def place_for(
    function: Function,
    entries: Collection[str],
    read: Callable[[str], str | None],
    taken: Collection[str],
    *,
    suite_path: str,
    unittest_style: bool,
) -> Place:
    """A free path for a new test file beside the nearest test, else in `tests/` of the suite.

    entries: tracked paths. taken: paths given away in this run. suite_path: folder of the suite in the repository.
    unittest_style: what the runner wants where no file beside shows another style. The file's name is one that no
    other file of the repository has: pytest refuses two of one name in folders that are no packages.
    """
    module = module_name(function.path, entries)
    example = nearest(function, module, entries, read)
    text = read(example) if example else None
    if text is not None:
        unittest_style = "TestCase" in text and "import pytest" not in text
        folder = posixpath.dirname(example)
    else:
        folder = posixpath.normpath(posixpath.join(suite_path or ".", "tests"))
    names = {posixpath.basename(path) for path in (*entries, *taken)}
    suffix = bool(example) and example.endswith("_test.py") and not unittest_style
    return Place(posixpath.join(folder, _free(function, names, suffix)), module, unittest_style, example)


def module_name(path: str, entries: Collection[str]) -> str:
    """The dotted name that a file is imported by: up through its packages; `src` and `lib` are roots."""
    parts = path.removesuffix(".py").split("/")
    folders = parts[:-1]
    start = len(folders)
    while start and f"{'/'.join(folders[:start])}/__init__.py" in entries:
        start -= 1
    if start == len(folders) and folders:  # in no package: a namespace package, or a folder that is a root itself
        start = 1 if folders[0] in _SOURCE_FOLDERS else 0
    dotted = parts[start:]
    return ".".join(dotted[:-1] if dotted[-1] == "__init__" and len(dotted) > 1 else dotted)


def nearest(function: Function, module: str, entries: Collection[str], read: Callable[[str], str | None]) -> str:
    """The test file that is most about the function's module, "" where the project has none."""
    stem = posixpath.basename(function.path).removesuffix(".py")
    package, _, last = module.rpartition(".")
    imports = re.compile(
        rf"^\s*(?:from\s+{re.escape(module)}\s+import|import\s+{re.escape(module)}\b"
        + (rf"|from\s+{re.escape(package)}\s+import\s+[^\n]*\b{re.escape(last)}\b)" if package else ")"),
        re.MULTILINE,
    )
    best, best_score = "", (-1, -1, -1, -1)
    files = sorted(path for path in entries if _is_test_file(path))
    for path in files[:MOST_FILES]:
        text = read(path)
        if text is None:
            continue
        name = posixpath.basename(path)
        score = (
            int(imports.search(text) is not None),
            int(name in (f"test_{stem}.py", f"{stem}_test.py")),
            len(posixpath.commonprefix([posixpath.dirname(path), posixpath.dirname(function.path)])),
            -len(path),
        )
        if not best or score > best_score:
            best, best_score = path, score
    return best


def _is_test_file(path: str) -> bool:
    name = posixpath.basename(path)
    return is_test_path(path) and name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))


def _free(function: Function, names: set[str], suffix: bool) -> str:
    stem = posixpath.basename(function.path).removesuffix(".py")
    if stem == "__init__":
        stem = posixpath.basename(posixpath.dirname(function.path))
    parts = [stem, *function.qualname.split(".")]
    words = re.sub(r"_{2,}", "_", re.sub(r"\W+", "_", "_".join(parts), flags=re.ASCII)).strip("_").lower()[:60]
    number = 1
    while True:
        tail = f"_{number}" if number > 1 else ""
        name = f"{words}{tail}_test.py" if suffix else f"test_{words}{tail}.py"
        if name not in names:
            return name
        number += 1
