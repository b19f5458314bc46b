"""Objections to a patch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from bot.evidence.types import TestId


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


@dataclass(frozen=True, slots=True)
class Flake:
    """What is known of targets that fail only sometimes: their repair may not hide the failure (rules/flaky_masking).

    polluters: tests that leave behind what the targets fail of; what puts things back may be added to these. A test
    that fails when it is run twice is a polluter of its own. setters: tests that set up what the targets need; their
    set-up may be done by the targets too, which a person looks at.
    """

    polluters: tuple[TestId, ...] = ()
    setters: tuple[TestId, ...] = ()
