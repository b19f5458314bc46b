"""A counter of visits, written to a file: every visitor adds one."""

import pathlib
import tempfile

PLACE = pathlib.Path(tempfile.gettempdir()) / "visits-of-the-zoo"


def reset():
    PLACE.write_text("0")


def visit():
    text = PLACE.read_text()
    PLACE.write_text(str(int(text) + 1))


def visits():
    return int(PLACE.read_text())
