"""Which files are tests, by where they lie and what they are called."""

from __future__ import annotations

import posixpath
import re

_FOLDERS = frozenset({"test", "tests", "__tests__", "e2e"})
_NAMES = re.compile(
    r"""
      test_[^/]*\.pyi?              # pytest, unittest
    | tests?\.pyi?                  # Django
    | [^/]*_tests?\.(?:py|go|rb|exs|dart|cc|cpp|c|rs)
    | conftest\.py
    | [^/]*[.-](?:test|tests|spec|e2e)\.[cm]?[jt]sx?
    | [^/]*_spec\.(?:rb|lua)
    | [^/]*(?:Test|Tests|TestCase|IT)\.(?:java|kt|groovy|scala|cs|php|swift)
    """,
    re.VERBOSE,
)


def is_test_path(path: str) -> bool:
    """Whether `path` (POSIX, relative to the repository) is part of the tests: a test file, or in a test folder.

    Data and helpers in a test folder count, for what a test expects often lies in them. A package that ships test
    support under another name ("numpy/testing/overrides.py") does not; a top-level "spec" folder does.
    """
    folder, name = posixpath.split(path)
    if _NAMES.fullmatch(name):
        return True
    components = [component.casefold() for component in folder.split("/")]
    return components[0] == "spec" or any(component in _FOLDERS for component in components)
