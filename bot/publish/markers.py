"""The hidden marks by which our comments and pull requests are found again: edited, not repeated."""

from __future__ import annotations

import re

from bot.trigger.own import MARKER


def marker(kind: str, key: str) -> str:
    """`<!-- grokfix:KIND KEY -->`; of the key only letters, digits and `._:/-` stay, so it cannot end the comment."""
    safe = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._:/-]", "", key))[:200]
    return f"{MARKER}{kind} {safe} -->"


def progress_marker(attempt: str) -> str:
    """On the one comment that an attempt keeps up to date."""
    return marker("progress", attempt)


def fix_marker(fingerprint: str) -> str:
    """On a pull request."""
    return marker("fix", fingerprint)


def reply_marker(comment_id: int) -> str:
    """On the answer to one comment."""
    return marker("reply", str(comment_id))
