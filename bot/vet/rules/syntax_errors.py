"""A file that could be parsed stays so: what cannot be parsed, no other rule can see through."""

from __future__ import annotations

from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.syntax import parse
from bot.vet.types import Grade, Objection

NAME = "syntax_errors"


def check(subject: Subject) -> Iterator[Objection]:
    """Python files that do not parse after the patch; of those that did not before either, a person is told."""
    for file in subject.files():
        if not file.path.endswith(".py") or file.after is None or parse(file.after) is not None:
            continue
        if file.before is not None and parse(file.before) is None:
            yield Objection(NAME, file.path, f"{file.path} still is not Python that parses", Grade.REVIEW)
        else:
            yield Objection(NAME, file.path, f"{file.path} no longer is Python that parses", Grade.BLOCKED)
