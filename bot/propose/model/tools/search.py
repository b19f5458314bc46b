"""Finding lines by regular expression."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.evidence.text import one_line
from bot.ports import JsonValue, ToolSpec
from bot.process import minimal_environment, run
from bot.propose.model.tools import line_scan, schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.look import matching
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted

SECONDS = 10.0
"""Of one search; a pattern that needs longer on any repository of sane size is one that backtracks without end."""

_MATCHES = 80
_LINE = 2_000  # characters of a line that are looked at
_SHOWN = 240  # characters of a line that are shown
_FILE = 2 << 20  # bytes of a file that is looked at
_CHARACTERS = 12_000


class SearchCode:
    """`PATH:LINE: text` of every line that matches."""

    spec: ToolSpec = schema.spec(
        "search_code",
        f"""Lines that match a regular expression (Python's syntax, one line at a time), as path:line: text, in the
        files of the repository with your draft. At most {_MATCHES} lines are shown; a glob narrows the files.""",
        {
            "pattern": schema.text("Regular expression, for instance `def \\w+_total\\(`.", 500),
            "glob": schema.text("Files to look in, for instance `src/**/*.py`. Without it: all.", 300),
            "ignore_case": schema.flag("Whether case does not matter."),
        },
        ("pattern",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        pattern, glob = arguments.text("pattern"), arguments.text("glob")
        if not pattern:
            return ToolResult("'pattern' is empty; give a regular expression.", ok=False)
        files = desk.files
        paths = matching(glob, files.paths)
        if isinstance(paths, ToolResult):
            return paths
        if not paths:
            return ToolResult(f"No file matches the glob {one_line(glob, 200)!r}, so nothing was searched.", ok=False)
        texts = {
            path: content.decode("utf-8", "replace") for path, content in files.overlay.items() if content is not None
        }
        told: dict[str, JsonValue] = {
            "tree": str(files.tree),
            "pattern": pattern,
            "ignore_case": arguments.flag("ignore_case"),
            "paths": paths,
            "texts": texts,
            "most": _MATCHES,
            "line": _LINE,
            "file": _FILE,
        }
        scan = _scan(told, max(1.0, min(SECONDS, desk.bench.seconds_left())))
        if scan.problem:
            return ToolResult(
                f"The pattern {one_line(pattern, 200)!r} is no regular expression: {scan.problem}. To look for the "
                "characters themselves, put a backslash before each of .^$*+?{}[]()|\\",
                ok=False,
            )
        return _answer(scan, len(paths), desk)


@dataclass(slots=True)
class _Scan:
    """What a scan said. total: matches in all, None where it broke off, and `stopped` says why."""

    found: list[tuple[str, int, str]] = field(default_factory=list)
    total: int | None = None
    files: int = 0
    skipped: int = 0
    long: int = 0
    problem: str = ""
    stopped: str = ""


def _scan(told: Mapping[str, JsonValue], seconds: float) -> _Scan:
    program = Path(line_scan.__file__)
    completed = run(
        [sys.executable, "-I", "-S", "-X", "utf8", str(program)],
        environment=minimal_environment(),
        stdin=json.dumps(told).encode("ascii"),
        seconds=seconds,
    )
    scan = _Scan()
    for line in completed.stdout.split(b"\n")[:-1]:  # the last piece is empty, or half a line of a killed scan
        match json.loads(line):
            case ["match", str(path), int(number), str(text)]:
                scan.found.append((path, number, text))
            case ["skipped", _]:
                scan.skipped += 1
            case ["long", _]:
                scan.long += 1
            case ["pattern", str(problem)]:
                scan.problem = one_line(problem, 200)
            case ["end", int(total), int(files)]:
                scan.total, scan.files = total, files
    if completed.timed_out:
        scan.stopped = f"was stopped after {seconds:.0f} s"
    elif scan.total is None:
        scan.stopped = f"broke off (exit code {completed.exit_code})"
    return scan


def _answer(scan: _Scan, searched: int, desk: Desk) -> ToolResult:
    notes = []
    if scan.skipped:
        notes.append(f"passed over {counted(scan.skipped, 'file')}: binary, or larger than {_FILE:,} bytes")
    if scan.long:
        notes.append(
            f"{counted(scan.long, 'file')} with lines over {_LINE:,} characters, which were searched up to there"
        )
    ended = scan.total is not None
    if not ended:
        notes.append(
            f"the search {scan.stopped}: the pattern backtracks too much, or the files are too "
            "many; simplify the pattern (no repetition within a repetition) or narrow the glob"
        )
    said = "; ".join(notes)
    said = f" ({said})" if said else ""
    if not scan.found:
        return ToolResult(f"No line matches in {counted(searched, 'file')}{said}.", ok=ended)
    lines, size = [], 0
    for path, number, text in scan.found:
        shown = desk.redact(text).strip()  # before it is cut: half a secret is harder to know
        line = f"{path}:{number}: {shown[:_SHOWN]}{'…' if len(shown) > _SHOWN else ''}"
        size += len(line) + 1
        if size > _CHARACTERS:
            break
        lines.append(line)
    total = len(scan.found) if scan.total is None else scan.total
    head = counted(total, "matching line") + (f" in {counted(scan.files, 'file')}" if ended else "")
    if total > len(lines):
        head += f"; the first {len(lines)} are shown, narrow the pattern or the glob for the rest"
    block = desk.listing("matches", lines, 2 * _CHARACTERS)
    return ToolResult(f"{head}{said}.\n{block}")
