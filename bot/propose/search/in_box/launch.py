"""Starts the search's worker inside the box: `python CONTROL/search.py JOB`.

Lies in the control directory beside the packages `grokfix_search` and the toolchain's `grokfix_in_box`: its own folder
on `sys.path` makes them importable without a variable that the tests' child processes would inherit.
"""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "__main__":
    code = importlib.import_module("grokfix_search.worker").main(sys.argv[1])
    sys.stdout.flush()
    os._exit(code)  # threads that the project left behind do not keep it alive
