"""What tests expect often lies in files beside them: existing ones stay, new ones are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import CODE, Subject
from bot.vet.types import Grade, Objection

NAME = "test_data"

_SNAPSHOT = re.compile(
    r"(?:.*/)?__(?:snapshots|file_snapshots)__/.*|.*\.(?:snap|ambr|approved\.[a-z]+|golden|expected)", re.I
)


def check(subject: Subject) -> Iterator[Objection]:
    """Files of the test folders that are no code, and snapshots wherever they lie."""
    for file in subject.files():
        is_data = file.is_test and not CODE.fullmatch(file.path)
        if not is_data and not _SNAPSHOT.fullmatch(file.path):
            continue
        if file.existed:
            message = f"{file.path} holds what tests use or expect; existing data stays as it is"
            yield Objection(NAME, file.path, message, Grade.BLOCKED)
        else:
            yield Objection(NAME, file.path, f"{file.path} is new data for tests", Grade.REVIEW)
