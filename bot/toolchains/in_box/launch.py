"""Starts a run inside the box: `python CONTROL/launch.py probe|pytest|unittest|command [ARGUMENT…]`.

Lies in the control directory beside the package `grokfix_in_box`, which its own folder on `sys.path` makes importable
without any variable that the tests' own child processes would inherit.
"""

from __future__ import annotations

import importlib
import sys

if __name__ == "__main__":
    mode, arguments = sys.argv[1], sys.argv[2:]
    module = {"probe": "probe", "pytest": "pytest_run", "unittest": "unittest_run", "command": "command_run"}[mode]
    sys.exit(importlib.import_module("grokfix_in_box." + module).main(arguments))
