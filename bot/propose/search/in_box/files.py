"""A candidate in the file itself, for tests that start the project as a program of its own."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def replaced(path: str, text: str) -> Iterator[None]:
    """The file holds `text` meanwhile; compiled leftovers, whose time stamps are too coarse to tell, are removed."""
    with open(path, "rb") as file:
        original = file.read()
    try:
        write(path, text.encode("utf-8"))
        yield
    finally:
        write(path, original)


def write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
    folder, name = os.path.split(path)
    pattern = os.path.join(glob.escape(folder), "__pycache__", glob.escape(os.path.splitext(name)[0]) + ".*.pyc")
    for compiled in glob.glob(pattern):
        os.remove(compiled)
