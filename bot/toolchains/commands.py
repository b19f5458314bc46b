"""A test command as people write it → how it is started so that selection, report and lines can be had."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TypeAlias

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_RUNNERS = frozenset({"uv", "poetry", "pdm", "pipenv", "hatch", "rye"})


@dataclass(frozen=True, slots=True)
class Pytest:
    """pytest itself. flags: the interpreter's own (`-W error`). folder_first: the current folder leads `sys.path`."""

    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    folder_first: bool = True


@dataclass(frozen=True, slots=True)
class Unittest:
    """The standard library's runner, with the arguments of `python -m unittest`."""

    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Foreign:
    """Any other command; a pytest inside it is reached through its environment."""

    argv: tuple[str, ...]


TestCommand: TypeAlias = Pytest | Unittest | Foreign


def read_command(argv: tuple[str, ...]) -> TestCommand | None:
    """Recognize `argv`, None where it is empty (the caller chooses).

    `uv run`, `poetry run` and their like, and `coverage run`, are looked through: the box's interpreter has what they
    would provide, and lines are not measured twice.
    """
    if not argv:
        return None
    program = posixpath.basename(argv[0].replace("\\", "/")).removesuffix(".exe")
    if program in _RUNNERS and len(argv) > 2 and argv[1] == "run":
        return _behind(argv, argv[2:])
    if program == "coverage" and len(argv) > 2 and argv[1] == "run":
        return _behind(argv, ("python", *argv[2:])) if "-m" in argv else Foreign(argv)
    if program in ("pytest", "py.test"):
        return Pytest(argv[1:], folder_first=False)
    if _PYTHON.fullmatch(program) and "-m" in argv[:-1]:
        at = argv.index("-m")
        flags, module, arguments = argv[1:at], argv[at + 1], argv[at + 2 :]
        if module == "coverage" and arguments[:1] == ("run",):
            return _behind(argv, ("python", *arguments[1:]))
        if module in ("pytest", "py.test"):
            return Pytest(arguments, flags)
        if module == "unittest":
            return Unittest(arguments, flags)
    return Foreign(argv)


def _behind(whole: tuple[str, ...], rest: tuple[str, ...]) -> TestCommand:
    """What a wrapping program starts: the first word that is a runner, the wrapper's own options skipped."""
    for at, word in enumerate(rest):
        name = posixpath.basename(word)
        if name in ("pytest", "py.test") or _PYTHON.fullmatch(name):
            inner = rest[at:]
            if _PYTHON.fullmatch(name) and "-m" in inner:
                inner = (inner[0], *inner[inner.index("-m") :])  # options in between are the wrapper's
            found = read_command(inner)
            return found if found is not None and not isinstance(found, Foreign) else Foreign(whole)
        if not word.startswith("-") and at > 0 and not rest[at - 1].startswith("-"):
            break
        if not word.startswith("-") and at == 0:
            break
    return Foreign(whole)
