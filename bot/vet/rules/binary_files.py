"""What a person cannot read in a diff is not merged by a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "binary_files"

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08\x0b\x0e-\x1f\x7f]")


def check(subject: Subject) -> Iterator[Objection]:
    """Binary changes, and added lines with characters that reorder or hide text (Trojan Source, CVE-2021-42574)."""
    for file in subject.files():
        if file.change.binary:
            yield Objection(NAME, file.path, f"{file.path} is binary; only text is patched", Grade.BLOCKED)
        for number, line in file.added:
            text = line.removeprefix("\ufeff") if number == 1 else line
            match = _INVISIBLE.search(text)
            if match is not None:
                code = f"U+{ord(match[0]):04X}"
                message = f"{file.path}:{number} holds the invisible character {code}; write it as an escape"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, number)
                break
