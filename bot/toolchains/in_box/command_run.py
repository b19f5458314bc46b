"""Runs a foreign test command (make, a script) so that the pytest inside it loads our plugin, or takes its report."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import subprocess
import sys

from . import conditions, progress, pytest_run, settings

_MOST_BYTES = 256 << 20


def main(arguments: list[str]) -> int:
    run = settings.load()
    stale = _reports(run)
    for path in stale:  # a report that is committed, or left by set-up, is not this run's
        os.unlink(path)
    if run.junit:
        code = _call(arguments, {})
    else:
        code = _call(arguments, _environment(plugin=True))
        if code not in (0, 127) and not _reported() and not os.path.exists(progress.place()):
            # A command that sets PYTHONPATH itself takes our plugin out of pytest's sight, which then refuses to run:
            # without it nothing is selected or limited, but there is a report.
            code = _call(arguments, _environment(plugin=False))
    if conditions.in_process(run.conditions) and not os.path.exists(conditions.applied()):
        settings.refuse("the test command keeps grokfix's plugin out of its pytest, so no test ran as it was asked for")
    for number, path in enumerate(_reports(run)[:16], start=1):
        name = "report.xml" if number == 1 else f"report-{number}.xml"
        shutil.copyfile(path, os.path.join(settings.CONTROL, name), follow_symlinks=False)
    return 128 - code if code < 0 else code


def _call(arguments: list[str], added: dict[str, str]) -> int:
    try:
        return subprocess.call(arguments, env={**os.environ, **added})  # noqa: S603 (argv, no shell)
    except OSError as error:
        print(f"grokfix: the test command {arguments[0]!r} cannot be started: {error}", file=sys.stderr)  # noqa: T201
        return 127


def _environment(*, plugin: bool) -> dict[str, str]:
    before = os.environ.get("PYTEST_ADDOPTS", "")
    added = {"PYTEST_ADDOPTS": f"{before} {pytest_run.inherited_options(plugin=plugin)}".strip()}
    if plugin:
        path = os.environ.get("PYTHONPATH", "")
        added["PYTHONPATH"] = os.pathsep.join([settings.CONTROL, *([path] if path else [])])
    return added


def _reported() -> bool:
    return os.path.exists(os.path.join(settings.CONTROL, "report.xml"))


def _reports(run: settings.RunSettings) -> list[str]:
    """Regular files that match the configured place; a link could lead anywhere and is left alone."""
    if not run.junit:
        return []
    paths = glob.glob(os.path.join(run.workspace, run.junit), recursive=True)
    return [path for path in sorted(paths) if _is_report(path)]


def _is_report(path: str) -> bool:
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_BYTES
