"""Starts a run inside the box: `python CONTROL/launch.py probe|pytest|unittest|command [ARGUMENT…]`.

Lies in the control directory beside the package `grokfix_in_box`, which its own folder on `sys.path` makes importable
without any variable that the tests' own child processes would inherit.
"""

from __future__ import annotations

import importlib
import os
import sys


def find_own_scripts() -> None:
    """As in an activated environment: `python` and console scripts mean those of this interpreter."""
    folder = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", "").split(os.pathsep)
    if folder and path[:1] != [folder]:
        os.environ["PATH"] = os.pathsep.join([folder, *filter(None, path)])


def enter_surroundings() -> None:
    """The conditions of this run that lie around its process; ordinary runs have none."""
    settings = importlib.import_module("grokfix_in_box.settings")
    conditions = settings.load().conditions
    if conditions != settings.PLAIN:
        importlib.import_module("grokfix_in_box.surroundings").enter(conditions)


if __name__ == "__main__":
    find_own_scripts()
    mode, arguments = sys.argv[1], sys.argv[2:]
    if mode != "probe":
        enter_surroundings()
    module = {"probe": "probe", "pytest": "pytest_run", "unittest": "unittest_run", "command": "command_run"}[mode]
    sys.exit(importlib.import_module("grokfix_in_box." + module).main(arguments))
