"""A repository made of files in hand behaves as one that was cloned."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.patch.apply import apply
from bot.patch.types import Applied
from bot.workspace.from_files import File, repository_of


def test_files_come_back_byte_for_byte_and_keep_their_modes(tmp_path: Path) -> None:
    files = {
        "a.py": File(b"x = 1\n"),
        "dir/tool.sh": File(b"#!/bin/sh\r\n", "100755"),
        "b\xc3\xa4.bin".encode().decode(): File(bytes(range(256))),
        ".gitattributes": File(b"* text eol=crlf\n"),
    }
    checkout = repository_of(files, tmp_path).checkout()
    assert {path: entry.mode for path, entry in checkout.entries.items()} == {p: f.mode for p, f in files.items()}
    assert checkout.read("dir/tool.sh") == b"#!/bin/sh\r\n"


def test_a_patch_applies_and_reads_back(tmp_path: Path) -> None:
    checkout = repository_of({"a.py": File(b"x = 1\n", "100755")}, tmp_path).checkout()
    applied = apply("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", checkout)
    assert isinstance(applied, Applied)
    assert applied.overlay == {"a.py": b"x = 2\n"} and applied.changes[0].new_mode == "100755"


def test_nothing_at_all_is_a_repository_too(tmp_path: Path) -> None:
    assert repository_of({}, tmp_path).checkout().entries == {}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../x": File(b"")}, r"component"),
        ({".git/config": File(b"")}, r"\.git"),
        ({"/etc/passwd": File(b"")}, "absolute"),
        ({"link": File(b"target", "120000")}, "plain files"),
        ({"sub": File(b"", "160000")}, "plain files"),
        ({"a": File(b""), "a/b": File(b"")}, "file and a folder"),
        ({"a\nb": File(b"")}, "control"),
    ],
)
def test_what_no_repository_may_hold_is_refused(tmp_path: Path, files: dict[str, File], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        repository_of(files, tmp_path)
