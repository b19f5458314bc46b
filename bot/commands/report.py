"""`grokfix report`: what test reports say, and what is wrong with them."""

from __future__ import annotations

import argparse
import shutil
import sys

from bot.commands.evidence import read_any
from bot.publish.report import render_json, render_text


def execute(options: argparse.Namespace) -> int:
    """0 when every file could be read, whatever the tests did; a ConfigError where nothing can be."""
    report = read_any(options.files)
    if options.format == "json":
        sys.stdout.write(render_json(report))
    else:
        sys.stdout.write(render_text(report, shutil.get_terminal_size((100, 24)).columns))
    return 0
