"""What changes stored data cannot be taken back by a revert."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "migrations"

_PATHS = re.compile(
    r"(?:.*/)?(?:migrations?|alembic/versions|db/migrate|schema)/.+|(?:.*/)?schema\.(?:sql|rb|prisma)|.*\.sql"
)


def check(subject: Subject) -> Iterator[Objection]:
    """Migrations and schemas, by path; a migration that existed has run somewhere and is not changed."""
    for file in subject.files():
        if file.is_test or not _PATHS.fullmatch(file.path):
            continue
        message = f"{file.path} changes how stored data is laid out"
        yield Objection(NAME, file.path, message, Grade.REVIEW)
