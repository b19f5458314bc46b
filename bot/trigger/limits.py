"""What runs may spend together, by the ledger: counts, minutes and money for a pull request, a day, a failure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.config import TriggerLimits
from bot.trigger.entry import Entry
from bot.trigger.types import Triage, Trigger, TriggerKind

DAY = 86_400.0
MOST_EXHAUSTED = 200
"""Fingerprints that one claim carries."""
STRANGERS = 0.5
"""Share of a day after which failed runs of forks wait: whoever sends pull requests could else use up the day of those
who may ask."""
_UNKNOWN = "a failure that nobody has seen"


def exceeded(entries: Sequence[Entry], trigger: Trigger, limits: TriggerLimits, now: float) -> str:
    """Which limit another attempt for `trigger` would break, as a sentence of our own words and numbers; "" = none.

    A fork's branch without a known pull request counts as one, or a fork could have a day's runs for one branch.
    Triage and repairs each have the day for themselves: a night must not use up what repairs may spend. The repair of
    flaky tests is a repair.
    """
    entries = [entry for entry in entries if _is_triage(entry.trigger) is _is_triage(trigger)]
    same = sum(_same_change(entry.trigger, trigger) for entry in entries)
    if same >= limits.per_pull_request:
        return _sentence(f"{same} runs were begun for this pull request", "per_pull_request", limits.per_pull_request)
    today = [entry for entry in entries if entry.begun > now - DAY]
    share = STRANGERS if trigger.is_fork and trigger.kind is TriggerKind.RUN else 1.0
    if len(today) >= limits.per_day * share:
        return _sentence(f"{len(today)} runs were begun in the last 24 hours", "per_day", limits.per_day, share)
    minutes = sum(entry.minutes for entry in today)
    if minutes >= limits.per_day_minutes * share:
        return _sentence(
            f"{minutes:.0f} minutes went in the last 24 hours", "per_day_minutes", limits.per_day_minutes, share
        )
    cost = sum(entry.cost_usd or 0.0 for entry in today)
    if limits.per_day_cost_usd is not None and cost >= limits.per_day_cost_usd:
        return _sentence(
            f"{cost:.2f} US dollars went in the last 24 hours", "per_day_cost_usd", limits.per_day_cost_usd
        )
    return ""


def exhausted(
    entries: Sequence[Entry], trigger: Trigger, attempt: str, limits: TriggerLimits, now: float
) -> tuple[str, ...]:
    """Fingerprints that `attempt` may not work on, the newest first where there are very many; ("*",): any failure."""

    def refused(fingerprint: str) -> bool:
        return not may_repair(entries, fingerprint, trigger, attempt, limits, now)

    if refused(_UNKNOWN):
        return ("*",)
    known = dict.fromkeys(each for entry in reversed(entries) for each in entry.fingerprints)
    return tuple(sorted([each for each in known if refused(each)][:MOST_EXHAUSTED]))


def may_repair(
    entries: Sequence[Entry], fingerprint: str, trigger: Trigger, attempt: str, limits: TriggerLimits, now: float
) -> bool:
    """Whether `attempt` (itself not counted) may work on a failure.

    Attempts that never told what they worked on (crashed, stopped, still running) count for every failure of their
    branch for a day: longer, and three bad days would silence a branch until its ledger is forgotten.
    """
    count = 0
    for entry in entries:
        if entry.attempt == attempt or _is_triage(entry.trigger):
            continue
        if entry.fingerprints:
            count += fingerprint in entry.fingerprints
        elif entry.outcome != "no_failures" and entry.begun > now - DAY:
            count += _branch(entry.trigger) == _branch(trigger)
    return count < limits.per_fingerprint


def _is_triage(trigger: Trigger) -> bool:
    return isinstance(trigger.command, Triage) and not trigger.command.mend


def _same_change(one: Trigger, other: Trigger) -> bool:
    if other.pull_request is not None:
        return one.pull_request == other.pull_request
    return other.is_fork and _branch(one) == _branch(other)


def _branch(trigger: Trigger) -> tuple[str, str]:
    return trigger.head_repository.lower(), trigger.branch


def _sentence(found: str, key: str, limit: float, share: float = 1.0) -> str:
    of_strangers = "" if share == 1.0 else f", of which forks' runs may use {share:.0%}"
    return f"{found}, and `limits.{key}` is {limit:g}{of_strangers}."
