"""`grokfix trace`: a trace as one self-contained page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bot.errors import ConfigError
from bot.trace.html import render_trace
from bot.trace.read import read_trace


def execute(options: argparse.Namespace) -> int:
    """0 when the page is written; faults of the trace's chain stand on the page and on stderr."""
    trace = read_trace(Path(options.trace))
    target = Path(options.html)
    try:
        target.write_text(render_trace(trace), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}; choose another file with --html") from error
    for problem in trace.problems:
        print(f"grokfix: {options.trace}: {problem}", file=sys.stderr)
    print(target)
    return 0
