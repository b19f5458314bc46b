"""The repair templates, one module each; the order breaks ties of cost."""

from __future__ import annotations

from bot.propose.search.rules import (
    arithmetic,
    calls,
    comparison,
    conditions,
    constants,
    guards,
    identity,
    imports,
    members,
    off_by_one,
    returns,
    statements,
    variables,
)
from bot.propose.search.types import Rule

RULES: tuple[Rule, ...] = (
    imports,
    comparison,
    off_by_one,
    identity,
    arithmetic,
    variables,
    constants,
    members,
    conditions,
    returns,
    guards,
    calls,
    statements,
)
