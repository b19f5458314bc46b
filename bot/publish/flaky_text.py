"""Triage for a terminal: what was found, why, what to do, and what is not known. Pure; nothing is echoed raw."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from bot.flaky.verdict import Kind, Triage, Verdict
from bot.publish.flaky_words import KINDS, counted, interval, minutes, to_do, trial_words, why
from bot.publish.untrusted import log, one_line
from bot.publish.words import duration, plural

LISTED = 50
"""Tests that the text lists; triage.json has them all."""
_ID = 500


def render_text(triage: Triage, width: int) -> str:
    """width: columns of the terminal; prose is wrapped to it, test ids never are."""
    return "\n".join(_lines(triage, max(40, width))) + "\n"


def headline(triage: Triage) -> str:
    """ "2 flaky, 1 broken, 117 stable tests" in one line."""
    counts = [(kind, sum(verdict.kind is kind for verdict in triage.verdicts)) for kind in Kind]
    told = [f"{count} {KINDS[kind]}" for kind, count in counts if count]
    if not told and not triage.stable:
        return "nothing is known: no test was seen to run"
    return ", ".join([*told, f"{triage.stable} stable"]) if told else f"no flaky test: {triage.stable} stable"


def _lines(triage: Triage, width: int) -> Iterator[str]:
    yield headline(triage)
    yield f"{plural(triage.runs, 'run')} in {duration(triage.seconds)}"
    for verdict in triage.verdicts[:LISTED]:
        yield ""
        yield from _verdict(verdict, width)
    if len(triage.verdicts) > LISTED:
        yield f"\n… and {len(triage.verdicts) - LISTED} more in triage.json"
    scan = triage.scan
    if scan is not None and not scan.complete:
        yield ""
        yield from _wrapped(
            "The history could not be read whole, so nothing rests on it: " + "; ".join(scan.problems), width
        )
    if triage.lost:
        missing = ", ".join(map(str, triage.lost))
        yield ""
        yield from _wrapped(f"Shards that handed in nothing: {missing}. What they would have seen is not known.", width)
    for problem in triage.problems:
        yield from _wrapped(problem, width, "! ")


def _verdict(verdict: Verdict, width: int) -> Iterator[str]:
    yield f"{KINDS[verdict.kind].upper()}  {log(one_line(verdict.test.node_id, _ID))}"
    numbers = [f"{counted(verdict.counts)} ({interval(verdict.interval)})"] if verdict.counts.runs else []
    numbers += filter(None, [minutes(verdict.minutes_lost)])
    if numbers:
        yield "  " + ", ".join(numbers)
    yield from _wrapped(why(verdict), width, "  ")
    if verdict.finding is not None:
        for proof in verdict.finding.proofs[:1]:
            for trial in proof.trials:
                yield from _wrapped(trial_words(trial), width, "    ")
    if told := to_do(verdict):
        yield from _wrapped(told, width, "  → ")


def _wrapped(text: str, width: int, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        log(one_line(text, 2000)),
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
