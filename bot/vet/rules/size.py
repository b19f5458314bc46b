"""A repair is small; what is not small is read by a person, and what nobody can read is refused."""

from __future__ import annotations

from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "size"

MOST_FILES = 20
MOST_LINES = 800
MOST_BYTES = 256 << 10
REVIEWED_FILES = 6
REVIEWED_LINES = 200
LONGEST_LINE = 5_000


def check(subject: Subject) -> Iterator[Objection]:
    """Counts of git; the files of the new tests do not count towards a review."""
    changes = subject.applied.changes
    lines = sum(change.added + change.deleted for change in changes)
    size = len(subject.applied.patch.text.encode("utf-8", "surrogateescape"))
    counted = [change for change in changes if change.path not in subject.new_tests]
    counted_lines = sum(change.added + change.deleted for change in counted)
    if len(changes) > MOST_FILES:
        yield _objection(f"{len(changes)} files are changed; at most {MOST_FILES} may be", Grade.BLOCKED)
    elif len(counted) > REVIEWED_FILES:
        yield _objection(f"{len(counted)} files are changed, more than {REVIEWED_FILES}", Grade.REVIEW)
    if lines > MOST_LINES:
        yield _objection(f"{lines} lines are changed; at most {MOST_LINES} may be", Grade.BLOCKED)
    elif counted_lines > REVIEWED_LINES:
        yield _objection(f"{counted_lines} lines are changed, more than {REVIEWED_LINES}", Grade.REVIEW)
    if size > MOST_BYTES:
        yield _objection(f"the patch has {size >> 10} KiB; at most {MOST_BYTES >> 10} may be", Grade.BLOCKED)
    for file in subject.files():
        for number, line in file.added:
            if len(line) > LONGEST_LINE:
                message = f"{file.path}:{number} has {len(line)} characters; nobody reads such a line"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, number)
                break


def _objection(message: str, grade: Grade) -> Objection:
    return Objection(NAME, "", message, grade)
