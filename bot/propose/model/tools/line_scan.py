"""Looks for a regular expression in files: run as a program of its own, for Python's matcher knows no time limit.

A pattern like `(a+)+$` can keep it busy for years; a process can be killed. Knows only the standard library.
Standard input: one JSON object {tree, pattern, ignore_case, paths: [path], texts: {path: text}, most, line, file}.
Standard output: a JSON list a line, flushed as it is found, so that what a killed scan found is not lost:
["match", path, number, text] · ["skipped", path]: absent, binary, or larger than `file` bytes · ["long", path]: lines
were looked at up to `line` characters · ["end", matches, files with matches] · ["pattern", why]: no regular expression.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings


def _content(tree: str, path: str, texts: dict[str, str], most: int) -> str | None:
    """Text of a file; None where it is absent, too large or binary."""
    if path in texts:
        return texts[path]
    try:
        descriptor = os.open(os.path.join(tree, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # noqa: PTH118
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(most + 1)
    return None if len(raw) > most or b"\0" in raw[:8192] else raw.decode("utf-8", "replace")


def _say(*values: str | int) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> None:
    """One scan."""
    told = json.load(sys.stdin)
    warnings.simplefilter("ignore")  # a doubtful set in somebody's pattern is no warning of ours
    try:
        find = re.compile(told["pattern"], re.IGNORECASE if told["ignore_case"] else 0).search
    except (re.error, RecursionError, OverflowError, MemoryError) as error:
        _say("pattern", str(error)[:300])
        return
    matches = files = 0
    longest = told["line"]
    for path in told["paths"]:
        text = _content(told["tree"], path, told["texts"], told["file"])
        if text is None:
            _say("skipped", path)
            continue
        before, cut = matches, False
        for number, line in enumerate(text.split("\n"), 1):
            cut = cut or len(line) > longest
            if find(line.rstrip("\r")[:longest]):
                matches += 1
                if matches <= told["most"]:
                    _say("match", path, number, line.rstrip("\r")[:longest])
        files += matches > before
        if cut:
            _say("long", path)
    _say("end", matches, files)


if __name__ == "__main__":
    main()
