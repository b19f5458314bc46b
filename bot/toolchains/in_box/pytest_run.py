"""Starts pytest with our plugin and options, in this process."""

from __future__ import annotations

import os
import shlex
import sys

from . import roots, settings

PLUGIN = "grokfix_in_box.pytest_plugin"


def options() -> list[str]:
    """JUnit in the dialect that names files (xunit1), short of captured output; the cache out of the workspace."""
    return [
        "--junitxml=" + os.path.join(settings.CONTROL, "report.xml"),
        "--continue-on-collection-errors",
        "-o",
        "junit_family=xunit1",
        "-o",
        "junit_logging=no",
        "-o",
        "cache_dir=" + os.path.join(settings.CONTROL, "cache"),
        "-p",
        "no:grokfix_quarantine",  # a quarantine shows failures as expected: here they count
    ]


def inherited_options(*, plugin: bool) -> str:
    """The same for a pytest that another command starts, as PYTEST_ADDOPTS takes it."""
    words = ["-p", PLUGIN, *options()] if plugin else options()
    return " ".join(shlex.quote(word) for word in words)


def main(arguments: list[str]) -> int:
    run = settings.load()
    with_folder = arguments[:1] == ["--cwd-first"]  # `python -m pytest` puts the current folder first, `pytest` not
    if sys.path and os.path.abspath(sys.path[0]) == settings.CONTROL:
        del sys.path[0]
    if with_folder:
        sys.path.insert(0, os.getcwd())
        arguments = arguments[1:]
    roots.prefer(run.workspace, run.import_roots)

    import pytest

    from . import pytest_plugin

    sys.argv = [os.path.join(os.path.dirname(pytest.__file__), "__main__.py"), *arguments]
    plugin: list[str] = []
    if run.conditions.workers:  # xdist's workers find the plugin by its name, and inherit this path
        sys.path.append(settings.CONTROL)
        plugin = ["-p", PLUGIN]
    code = int(pytest.main([*plugin, *arguments, *options()], plugins=[] if plugin else [pytest_plugin]))
    return 1 if pytest_plugin.configuration_error_reported() else code
