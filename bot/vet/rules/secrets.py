"""No key enters the repository through a repair."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "secrets"

_KNOWN = re.compile(
    r"""
      \b(?:AKIA|ASIA)[0-9A-Z]{16}\b | \bgh[pousr]_[0-9A-Za-z]{36,}\b | \bgithub_pat_[0-9A-Za-z_]{50,}
    | \bglpat-[\w-]{20,}
    | \bxai-[0-9A-Za-z]{20,} | \bsk-(?:proj-|ant-|or-)?[0-9A-Za-z_-]{20,} | \bxox[abeoprs]-[0-9A-Za-z-]{10,}
    | \bAIza[0-9A-Za-z_-]{35}\b | \bnpm_[0-9A-Za-z]{36}\b | \bpypi-AgE[\w-]{40,} | \bhf_[0-9A-Za-z]{30,}
    | \b[rs]k_live_[0-9A-Za-z]{20,} | \bSG\.[\w-]{20,}\.[\w-]{20,} | \beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}
    | -----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY----- | ://[^\s/:@'"]+:[^\s/@'"]{8,}@
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""(?:password|passwd|secret|token|api_?key|auth_?key|private_?key|credential)\w*["']?\s*[:=]\s*"""
    r"""["'](?P<value>[^"'\s]{16,})["']""",
    re.IGNORECASE,
)
_RANDOM_BITS = 3.5
"""Bits of entropy a character; words lie below, keys above."""


def check(subject: Subject) -> Iterator[Objection]:
    """Added lines with a token of a known shape, or with something random under a telling name. Never quotes it."""
    for file in subject.files():
        for number, line in file.added:
            if _KNOWN.search(line[:4000]):
                message = f"{file.path}:{number} holds what looks like a key or token"
                yield Objection(NAME, file.path, message, Grade.BLOCKED, number)
                continue
            match = _NAMED.search(line[:4000])
            if match is not None and _entropy(match["value"]) > _RANDOM_BITS:
                message = f"{file.path}:{number} sets something secret by its name to a fixed value"
                yield Objection(NAME, file.path, message, Grade.REVIEW, number)


def _entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
