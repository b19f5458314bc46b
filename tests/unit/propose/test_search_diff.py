"""What the search writes applies with git and gives exactly the new text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.propose.search.diff import unified

CASES = {
    "one line": ("a\nb\nc\n", "a\nB\nc\n"),
    "no newline at the end": ("a\nb", "a\nB"),
    "newline lost": ("a\nb\n", "a\nb"),
    "newline won": ("a\nb", "a\nb\n"),
    "CRLF": ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
    "separators that are no line ends": ("a\x0cb\u2028c\x85\nd\n", "a\x0cb\u2028C\x85\nd\n"),
    "first and last of many": (
        "".join(f"line {n}\n" for n in range(40)),
        "".join(f"line {n}\n" if n % 39 else f"LINE {n}\n" for n in range(40)),
    ),
    "beyond ASCII": ("größe = 'ß'\n", "größe = 'ẞ'\n"),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES.keys())
def test_applies(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "pack" / "some module.py"
    file.parent.mkdir()
    file.write_bytes(before.encode())
    text = unified("pack/some module.py", before, after)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=text.encode(), check=True)
    assert file.read_bytes().decode() == after


def test_nothing_changed() -> None:
    assert unified("a.py", "same\n", "same\n") == ""
