"""Draws the README's picture from real output: `python docs/pictures.py` runs the demo and writes images/summary.svg.

The only thing changed is the folder's name, which is a temporary one.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 110


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            (sys.executable, "-m", "bot", "demo", "--output", f"{folder}/demo"),
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)},
        )
        shown = done.stdout.replace(f"{folder}/demo", "demo")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip()))
    picture = console.export_svg(title="grokfix demo", theme=MONOKAI, code_format=_without_web_fonts())
    Path(__file__).with_name("images").joinpath("summary.svg").write_text(picture, encoding="utf-8")


def _without_web_fonts() -> str:
    """rich's own frame, without the font that it would fetch from the network."""
    from rich._export_format import CONSOLE_SVG_FORMAT

    head, _, rest = CONSOLE_SVG_FORMAT.partition("@font-face")
    return head + rest[rest.index(".{unique_id}-matrix") :].replace("Fira Code", "ui-monospace, Menlo, Consolas")


if __name__ == "__main__":
    main()
