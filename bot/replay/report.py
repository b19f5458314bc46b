"""What a replay found, for a person and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bot.publish.untrusted import log, one_line
from bot.publish.words import outcome_words, plural
from bot.replay.compare import Comparison, Difference

FORMAT = "grokfix-replay/1"
_SHOWN = 10  # differences in the text


def lines(compared: Comparison, problems: tuple[str, ...]) -> Iterator[str]:
    """Lines that are safe to print. problems: what is wrong with the trace itself."""
    for problem in problems:
        yield f"The trace is not whole: {log(one_line(problem, 300))}."
    recorded, now = (_outcome(each) for each in compared.outcome)
    end = f"Outcome {now}, as recorded." if recorded == now else f"Outcome recorded: {recorded}; replayed: {now}."
    found = compared.differences
    alike = f", {compared.alike} but for times, addresses and folders" if compared.alike else ""
    same = f"{compared.exact + compared.alike} of {plural(compared.steps, 'step')} are the same{alike}."
    if not found:
        yield f"The same run again. {end} {same}"
        return
    if compared.same_decisions:
        yield f"The same decisions, on a world that differs. {end} {same}"
    else:
        yield f"Diverged at {_place(next((each for each in found if each.decision), found[0]))}. {end} {same}"
    for each in found[:_SHOWN]:
        yield f"  {_place(each)}{': ' + log(one_line(each.part, 80)) if each.part else ''}"
        yield from (f"    {log(one_line(line, 200))}" for line in each.diff)
    if len(found) > _SHOWN:
        yield f"  and {plural(len(found) - _SHOWN, 'more difference')}; --format json has them all"


def to_json(compared: Comparison, problems: tuple[str, ...], trace_sha256: str) -> str:
    """One object, indented, ASCII only. `same`: nothing differs at all; `same_decisions`: only what was told does."""
    return json.dumps(
        {
            "format": FORMAT,
            "trace_sha256": trace_sha256,
            "problems": list(problems),
            "same": not compared.differences and compared.outcome[0] == compared.outcome[1],
            "same_decisions": compared.same_decisions,
            "outcome": {"recorded": compared.outcome[0], "replayed": compared.outcome[1]},
            "steps": {"recorded": compared.steps, "exact": compared.exact, "alike": compared.alike},
            "differences": [
                {
                    "step": each.step,
                    "event": each.event,
                    "decision": each.decision,
                    "part": each.part,
                    "diff": list(each.diff),
                }
                for each in compared.differences
            ],
        },
        indent=2,
    )


def _place(difference: Difference) -> str:
    event = f" (event {difference.event})" if difference.event is not None else " (nothing is recorded there)"
    return log(one_line(difference.step, 120)) + event


def _outcome(text: str) -> str:
    outcome, _, reason = text.partition(" ")
    words = outcome_words(log(one_line(outcome, 60))).lower() if outcome else "none (cut off)"
    return f"{words} ({log(one_line(reason, 60))})" if reason else words
