"""A checker is answered, not silenced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "suppressions"

_MARKS = re.compile(
    r"#\s*(?:type:\s*ignore|noqa|pragma:\s*no\s*(?:cover|branch)|pylint:\s*disable|pyright:\s*ignore|nosec|mypy:)"
    r"|//\s*@ts-(?:ignore|nocheck|expect-error)|eslint-disable|istanbul ignore|c8 ignore|@SuppressWarnings"
    r"|//\s*nolint|NOSONAR",
    re.IGNORECASE,
)


def check(subject: Subject) -> Iterator[Objection]:
    """Added lines with a comment that switches a checker or coverage off, unless the file had the same one."""
    for file in subject.files():
        had = file.before or ""
        for number, line in file.added:
            match = _MARKS.search(line)
            if match is not None and had.count(match[0]) < (file.after or "").count(match[0]):
                message = f"{file.path}:{number} adds {match[0]!r}"
                yield Objection(NAME, file.path, message, Grade.REVIEW, number)
