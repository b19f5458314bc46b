"""The output folder of a run: made before anything starts, filled at the end, never overwriting."""

from __future__ import annotations

import time
from pathlib import Path

from bot.errors import ConfigError, SandboxError
from bot.publish.pull_request import render
from bot.result import Result, to_json
from bot.trace.html import render_trace
from bot.trace.read import read_trace

TRACE = "trace.jsonl"
RUNS = ".grokfix/runs"


def make(root: Path, wanted: str | None) -> Path:
    """A new folder: `wanted`, which must be new or empty, or one below `.grokfix/runs`, which git is told to ignore."""
    try:
        if wanted is not None:
            folder = Path(wanted)
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigError(f"the output folder {folder} is not empty; nothing is overwritten, choose a new one")
            return folder
        runs = root / RUNS
        runs.mkdir(parents=True, exist_ok=True)
        ignore = runs.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        return _numbered(runs)
    except OSError as error:
        place = wanted or root / RUNS
        raise ConfigError(
            f"cannot make the output folder {place}: {error.strerror}; choose one with --output"
        ) from error


def _numbered(runs: Path) -> Path:
    stem = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for number in range(1000):
        folder = runs / (f"{stem}-{number}" if number else stem)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise ConfigError(f"{runs} holds a thousand runs of this second; remove some")


def write(folder: Path, result: Result) -> None:
    """result.json, fix.patch, pr.md, trace.html and, where patches do not combine, each under `<n>/`."""
    files = {"result.json": to_json(result), "pr.md": render(result)}
    if result.patch is not None:
        files["fix.patch"] = result.patch
    else:
        for number, repair in enumerate(result.repairs, 1):
            if repair.patch is not None:
                files[f"{number}/fix.patch"] = repair.patch
    files["trace.html"] = render_trace(read_trace(folder / TRACE))
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise SandboxError(
                f"cannot write {path}: {error.strerror}; the trace {folder / TRACE} holds what was found so far"
            ) from error
