"""What changes stored data cannot be taken back by a revert."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import fresh, origins, resolved
from bot.vet.types import Grade, Objection

NAME = "migrations"

_PATHS = re.compile(
    r"(?:.*/)?(?:migrations?|alembic/versions|db/migrate|schema)/.+|(?:.*/)?schema\.(?:sql|rb|prisma)|.*\.sql"
    r"|(?:.*/)?(?:changelog|liquibase)[^/]*\.(?:xml|ya?ml|json)"
)
_FRAMEWORKS = ("alembic", "django.db.migrations", "yoyo", "playhouse.migrate", "peewee_migrate", "aerich", "piccolo")
_FIELDS = re.compile(
    r"(?:django\.db\.models\.(?:\w+Field|ForeignKey)|sqlalchemy(?:\.orm|\.schema)?\.(?:Column|mapped_column|ForeignKey|"
    r"relationship|Table)|(?:\w+\.)*db\.(?:Column|ForeignKey)|peewee\.\w+Field|tortoise\.fields\.\w+|"
    r"models\.(?:\w+Field|ForeignKey))"
)


def check(subject: Subject) -> Iterator[Objection]:
    """Migrations and schemas by path and by the framework they import; the columns of models by syntax tree."""
    for file in subject.files():
        if file.is_test:
            continue
        if _PATHS.fullmatch(file.path):
            message = f"{file.path} changes how stored data is laid out"
            yield Objection(NAME, file.path, message, Grade.REVIEW)
        elif file.is_python:
            yield from _python(file)


def _python(file: EditedFile) -> Iterator[Objection]:
    imported = origins(file.tree_before) | origins(file.tree_after)
    framework = next((o for o in imported.values() if f"{o}.".startswith(tuple(f"{f}." for f in _FRAMEWORKS))), None)
    if framework is not None:
        message = f"{file.path} is a migration by its import of {framework}"
        yield Objection(NAME, file.path, message, Grade.REVIEW)
        return
    for one, other, what in (
        (file.tree_before, file.tree_after, "has a new or changed"),
        (file.tree_after, file.tree_before, "loses or changes the"),
    ):
        for call in fresh(one, other, ast.Call):
            word = resolved(call.func, imported)
            if _FIELDS.fullmatch(word):
                message = f"{file.path}:{call.lineno} {what} column ({word}): stored data may need a migration"
                yield Objection(NAME, file.path, message, Grade.REVIEW, call.lineno)
                return
