"""Objections to a patch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Grade(IntEnum):
    """How grave. The worst grade of its objections is the grade of a patch."""

    ALLOWED = 0
    REVIEW = 1
    BLOCKED = 2


@dataclass(frozen=True, slots=True)
class Objection:
    """What one rule holds against a patch: `rule` is the rule's file name, `message` says what and where."""

    rule: str
    path: str
    message: str
    grade: Grade
    line: int | None = None
