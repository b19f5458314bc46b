"""The order in which directories are listed: as file systems differ in it, so may the results of what relies on it."""

from __future__ import annotations

import glob
import os
import pathlib
from collections.abc import Iterator
from typing import Any

_real_listdir, _real_scandir = os.listdir, os.scandir


class _Entries:
    """What os.scandir gives: an iterator that is a context manager too."""

    def __init__(self, path: Any, backwards: bool) -> None:
        with _real_scandir(path) as entries:
            self._entries: Iterator[Any] = iter(sorted(entries, key=lambda entry: entry.name, reverse=backwards))

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


class _Listing:
    """Stands for a built-in function: unlike a function written in Python, it does not bind where a class holds it."""

    def __init__(self, name: str, backwards: bool) -> None:
        self.__name__ = name
        self._backwards = backwards

    def __call__(self, path: Any = ".") -> Any:
        if self.__name__ == "scandir":
            return _Entries("." if path is None else path, self._backwards)
        return sorted(_real_listdir(path), reverse=self._backwards)


def list_in(order: str) -> None:
    """From now on `os.listdir`, `os.scandir` and what is built on them list "sorted" or "reversed"."""
    listdir, scandir = _Listing("listdir", order == "reversed"), _Listing("scandir", order == "reversed")
    os.listdir, os.scandir = listdir, scandir
    # These keep the functions that they found when they were imported.
    for holder in (getattr(pathlib, "_NormalAccessor", None), getattr(glob, "_StringGlobber", None)):
        for name, replacement in (("listdir", listdir), ("scandir", scandir)):
            if holder is not None and hasattr(holder, name):
                setattr(holder, name, staticmethod(replacement))
