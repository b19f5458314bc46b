"""What became of the repairs that somebody asked for on the dashboard, in a line of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.publish.flaky_words import day
from bot.publish.untrusted import code
from bot.publish.words import outcome_words, reason_words


@dataclass(frozen=True, slots=True)
class AskedRepair:
    """One request, by the ledger. at: seconds since the epoch. by: a login, untrusted. tests: how many were ticked.

    outcome, reason: of all of them together, "" until it ended. running: somebody works on it. pull_requests: numbers.
    run: address of the run, of ours.
    """

    at: float
    by: str
    tests: int
    outcome: str
    reason: str
    running: bool
    pull_requests: tuple[int, ...]
    run: str


def repair_line(asked: AskedRepair) -> str:
    """One line of Markdown."""
    what = "Its repair was" if asked.tests == 1 else f"The repair of {asked.tests} tests, it among them, was"
    told = f"{what} asked for by {code(asked.by, 100)} on {day(asked.at)}"
    if asked.running:
        return f"{told}: [the run]({asked.run}) is at it."
    if not asked.outcome:
        return f"{told}: [the run]({asked.run}) ended without a result; the box asks again."
    because = f" ({reason_words(asked.reason)})" if asked.reason else ""
    pulls = ", ".join(f"#{number}" for number in asked.pull_requests)
    where = f", in {pulls}" if pulls else ""
    return f"{told}: {outcome_words(asked.outcome).lower()}{because}{where}; [the run]({asked.run}) tells why."
