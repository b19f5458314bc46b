"""VET: rules that a patch is held against, one a file, before it costs a sandbox run."""

from bot.vet.rules import RULES
from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

__all__ = ["RULES", "Subject", "vet"]


def vet(subject: Subject) -> tuple[Objection, ...]:
    """What the rules hold against a patch, gravest first; nothing where all of them are content."""
    found: dict[Objection, None] = {}
    for rule in RULES:
        try:
            found |= dict.fromkeys(rule.check(subject))
        except RecursionError:  # hostile nesting: what a rule cannot see through does not pass it
            found[Objection(rule.NAME, "", "the code is nested too deeply to be judged", Grade.BLOCKED)] = None
    return tuple(sorted(found, key=lambda objection: -objection.grade))
