"""The project's own linter on the files of the draft, in the sandbox."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from bot.patch.types import Applied
from bot.ports import Command, ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.files import Files
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted

SECONDS = 120.0
"""Of each linter."""

_FILES = 50
_SHOWN = 40
_CHARACTERS = 6_000
_ABSENT = re.compile(r"No module named '?(\w+)")
_FINDING = re.compile(r"(?P<path>[^:\n]{1,500}):(?P<line>\d{1,7}):(?:\d{1,5}:)? *(?P<said>.*)")


@dataclass(frozen=True, slots=True)
class Linter:
    """How a linter is recognised and run. files: its own settings files. sections: in setup.cfg and tox.ini. argv:
    what follows the interpreter; no caches, nothing is mended."""

    name: str
    files: tuple[str, ...]
    sections: tuple[str, ...]
    argv: tuple[str, ...]


_LINTERS = (
    Linter(
        "ruff",
        ("ruff.toml", ".ruff.toml"),
        (),
        ("-m", "ruff", "check", "--no-cache", "--no-fix", "--output-format=concise"),
    ),
    Linter("flake8", (".flake8",), ("flake8",), ("-m", "flake8")),
    Linter(
        "mypy",
        ("mypy.ini", ".mypy.ini"),
        ("mypy",),
        ("-m", "mypy", "--no-pretty", "--no-error-summary", "--cache-dir=/dev/null"),
    ),
    Linter("pylint", (".pylintrc", "pylintrc"), ("pylint", "pylint.main"), ("-m", "pylint", "--score=no")),
)


class RunLinter:
    """Findings on the lines of the draft; how many there are besides."""

    spec: ToolSpec = schema.spec(
        "run_linter",
        """Run the linters that the project configures (ruff, flake8, mypy, pylint) on the Python files of your draft,
        in the sandbox. Findings on lines that you changed come first; the others were probably there before.""",
        {},
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:  # noqa: ARG002 (the port's signature)
        draft = desk.draft
        if draft is None:
            return ToolResult("There is no draft to look at; make one with try_patch.", ok=False)
        if desk.runtime is None:
            return ToolResult("No linter can be run here; follow the style of the code around the change.", ok=False)
        linters = configured(desk.files)
        if not linters:
            return ToolResult("The project configures none of ruff, flake8, mypy and pylint; there is nothing to run.")
        files = [
            path
            for path, content in draft.applied.overlay.items()
            if content is not None and path.endswith((".py", ".pyi"))
        ]
        if not files:
            return ToolResult("The draft changes no Python file; there is nothing to look at.")
        added = _added(draft.applied)
        with desk.bench.open(desk.overlay) as box:
            told = []
            for linter in linters:
                seconds = max(1.0, min(SECONDS, desk.bench.seconds_left()))
                # "./" in front: a path that begins with a dash is no option
                argv = (desk.runtime.interpreter, *linter.argv, *(f"./{path}" for path in files[:_FILES]))
                execution = box.execute(Command(argv, seconds, {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}))
                if execution.timed_out:
                    told.append(
                        f"{linter.name} took longer than {seconds:.0f} s and was stopped; what follows it was not run."
                    )
                    break
                told.append(_answer(linter.name, execution.exit_code, execution.output, added, desk))
        return ToolResult("\n".join(told))


def configured(files: Files) -> tuple[Linter, ...]:
    """Linters that the settings at the root name. Read as data: malformed files name none."""
    pyproject, ini = _tool_tables(files), _ini_sections(files)
    known = set(files.paths)
    return tuple(
        linter
        for linter in _LINTERS
        if linter.name in pyproject or known.intersection(linter.files) or ini.intersection(linter.sections)
    )


def _tool_tables(files: Files) -> set[str]:
    raw = files.raw("pyproject.toml")
    try:
        tools = tomllib.loads((raw or b"").decode("utf-8", "replace")).get("tool")
    except (tomllib.TOMLDecodeError, RecursionError):
        return set()
    return set(tools) if isinstance(tools, dict) else set()


def _ini_sections(files: Files) -> set[str]:
    found: set[str] = set()
    for name in ("setup.cfg", "tox.ini"):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string((files.raw(name) or b"").decode("utf-8", "replace"))
        except configparser.Error:
            continue
        found.update(section.casefold() for section in parser.sections())
    return found


def _added(applied: Applied) -> set[tuple[str, int]]:
    """(path, number) of the lines that the draft adds, on the new side."""
    found = set()
    for file in applied.patch.files:
        for hunk in file.hunks:
            number = hunk.new_start
            for line in hunk.lines:
                if line.startswith("+"):
                    found.add((file.path, number))
                number += line.startswith(("+", " "))
    return found


def _answer(name: str, exit_code: int, output: str, added: set[tuple[str, int]], desk: Desk) -> str:
    absent = _ABSENT.search(output)
    if exit_code == 1 and absent is not None and absent[1] == name:
        return f"{name} is configured, but not installed in the sandbox."
    mine, others = _findings(output.splitlines(), added)
    if not mine and not others:
        if exit_code == 0:
            return f"{name}: nothing to say."
        return f"{name} ended with exit code {exit_code}:\n{desk.data(name, output, _CHARACTERS)}"
    head = f"{name}: {counted(len(mine), 'finding')} on lines of the draft, {len(others):,} elsewhere."
    shown = [*mine[:_SHOWN], *others[: max(0, _SHOWN - len(mine))]]
    more = len(mine) + len(others) - len(shown)
    return f"{head}{f' {more} are not shown.' if more else ''}\n{desk.listing(name, shown, _CHARACTERS)}"


def _findings(lines: Iterable[str], added: set[tuple[str, int]]) -> tuple[list[str], list[str]]:
    mine: list[str] = []
    others: list[str] = []
    for line in lines:
        match = _FINDING.match(line[:2_000])
        if match is None:
            continue
        path = match["path"].strip().removeprefix("./")
        (mine if (path, int(match["line"])) in added else others).append(line[:500])
    return mine, others
