"""What is grokfix's own on the code host: events on it start nothing, or it would repair its own repairs."""

from __future__ import annotations

FIX_PREFIX = "grokfix/"
DATA_BRANCH = "grokfix-data"
MARKER = "<!-- grokfix:"
"""How the hidden marker in our comments and pull requests begins."""


def is_own_branch(name: str) -> bool:
    """Whether a branch is for our fixes or our data."""
    return name.startswith(FIX_PREFIX) or name == DATA_BRANCH
