"""Runs a foreign test command (make, a script) so that the pytest inside it loads our plugin, or takes its report."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import subprocess
import sys

from . import pytest_run, settings

_MOST_BYTES = 256 << 20


def main(arguments: list[str]) -> int:
    run = settings.load()
    stale = _reports(run)
    for path in stale:  # a report that is committed, or left by set-up, is not this run's
        os.unlink(path)
    environment = dict(os.environ)
    inherited = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join([settings.CONTROL, *([inherited] if inherited else [])])
    options = pytest_run.added_options()
    if options:
        environment["PYTEST_ADDOPTS"] = (environment.get("PYTEST_ADDOPTS", "") + " " + options).strip()
    try:
        code = subprocess.call(arguments, env=environment)  # noqa: S603 (argv, no shell)
    except OSError as error:
        print(f"grokfix: the test command {arguments[0]!r} cannot be started: {error}", file=sys.stderr)  # noqa: T201
        return 127
    for number, path in enumerate(_reports(run)[:16], start=1):
        name = "report.xml" if number == 1 else f"report-{number}.xml"
        shutil.copyfile(path, os.path.join(settings.CONTROL, name), follow_symlinks=False)
    return 128 - code if code < 0 else code


def _reports(run: settings.RunSettings) -> list[str]:
    """Regular files that match the configured place; a link could lead anywhere and is left alone."""
    if not run.junit:
        return []
    paths = glob.glob(os.path.join(run.workspace, run.junit), recursive=True)
    return [path for path in sorted(paths) if _is_report(path)]


def _is_report(path: str) -> bool:
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_BYTES
