"""Which findings of earlier nights still hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.evidence.types import TestId
from bot.flaky.types import Finding


def standing(told: Iterable[tuple[float, Finding]], fixed: Mapping[TestId, float]) -> tuple[Finding, ...]:
    """Of each test the newest finding that proved something, else the newest; none from before its fix.

    told: with the time of their nights (seconds since the epoch), oldest first. fixed: test → time of its fix.
    """
    found: dict[TestId, Finding] = {}
    for at, finding in told:
        known = found.get(finding.test)
        if at > fixed.get(finding.test, 0.0) and (finding.proofs or known is None or not known.proofs):
            found[finding.test] = finding
    return tuple(found.values())
