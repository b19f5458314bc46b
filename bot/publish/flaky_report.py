"""triage.json: everything a session found, for programs; bot/triage.schema.json is its schema. flaky.html shows it.

It is written and never read back: what is merged are nights (bot.flaky.nights), and verdicts are made of records anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from bot.evidence.types import TestId
from bot.flaky.course import Course, FailedRun, Week
from bot.flaky.quarantine import Entry
from bot.flaky.statistics import wilson
from bot.flaky.types import Counts, Finding, Interval, Proof, Regression, Scan, State, StateChange, Tally, Trial
from bot.flaky.verdict import Triage, Verdict
from bot.ports import JsonValue
from bot.publish.flaky_owners import Owners
from bot.publish.flaky_words import day, proof_words, to_do, under
from bot.publish.untrusted import one_line

FORMAT = "grokfix-triage/1"
SHOWN_TESTS = 200
"""Of a trial's tests: those at the end of its order, where the suspect stands."""
_ID, _TEXT = 2000, 500
_STEPS = 50
_SILENT = frozenset({State.FLAKY, State.QUARANTINED, State.EXPIRED, State.FIXED})


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of tests beyond a triage's verdicts. courses: of the tests that `told_of` names. quarantine: the
    list as it is merged, or lies in the checkout."""

    courses: Mapping[TestId, Course] = field(default_factory=dict)
    quarantine: Sequence[Entry] = ()
    owners: Owners = Owners()  # noqa: RUF009 (frozen)


NOTHING = Background()
"""Where only the verdicts are known."""


class _Lists:
    """What the lists say of a test, looked up at once: many tests share a file."""

    def __init__(self, background: Background) -> None:
        self._courses = background.courses
        self._entries = {entry.test: entry for entry in background.quarantine}
        self._of = cache(background.owners.of)

    def of(self, test: TestId) -> tuple[Course, Entry | None, tuple[str, ...]]:
        return self._courses.get(test, _NONE), self._entries.get(test), self._of(test.file)


_NONE = Course()


def told_of(
    triage: Triage, states: Mapping[TestId, StateChange], quarantine: Iterable[Entry] = ()
) -> tuple[TestId, ...]:
    """The tests of a report: those with a verdict, then those without one that are in quarantine, or whose state is
    more than a suspicion."""
    known = dict.fromkeys(verdict.test for verdict in triage.verdicts)
    others = {test for test, now in states.items() if now.state in _SILENT} | {entry.test for entry in quarantine}
    return (*known, *sorted(others - known.keys()))


def to_json(triage: Triage, background: Background = NOTHING) -> str:
    """triage.json: one document, ASCII, a line a test."""
    lists = _Lists(background)
    known = {verdict.test for verdict in triage.verdicts}
    silent = (test for test in background.courses if test not in known)
    lines = [f"  {_dumped(name)}: {_dumped(value)}" for name, value in _head(triage).items()]
    lines.append(_rows("tests", (_verdict(verdict, lists) for verdict in triage.verdicts)))
    lines.append(_rows("silent", ({"id": _id(test), **_past(test, lists)} for test in silent)))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rows(name: str, rows: Iterable[JsonValue]) -> str:
    dumped = ",\n".join(f"    {_dumped(row)}" for row in rows)
    return f"  {_dumped(name)}: [\n{dumped}\n  ]" if dumped else f"  {_dumped(name)}: []"


_dumped = json.JSONEncoder(separators=(",", ":")).encode


def _head(triage: Triage) -> Mapping[str, JsonValue]:
    return {
        "format": FORMAT,
        "session": one_line(triage.session),
        "commit": one_line(triage.commit),
        "environment": one_line(triage.environment, _TEXT),
        "date": day(triage.at),
        "stable": triage.stable,
        "stable_bound": round(triage.stable_bound, 6),
        "runs": triage.runs,
        "seconds": round(triage.seconds, 1),
        "scan": None if triage.scan is None else _scan(triage.scan),
        "shards": [{"number": shard.number, "of": shard.of} for shard in triage.shards],
        "lost_shards": list(triage.lost),
        "problems": [one_line(problem, _TEXT) for problem in triage.problems],
    }


def _verdict(verdict: Verdict, lists: _Lists) -> JsonValue:
    tally = verdict.tally
    return {
        "id": _id(verdict.test),
        "verdict": verdict.kind.value,
        "cause": None if verdict.cause is None else verdict.cause.value,
        "runs": verdict.counts.runs,
        "failures": verdict.counts.failures,
        "interval": _interval(verdict.interval),
        "minutes_lost_a_week": None if verdict.minutes_lost is None else round(verdict.minutes_lost, 2),
        "cluster": one_line(verdict.cluster),
        **_past(verdict.test, lists),
        "reason": one_line(verdict.reason, _TEXT),
        "what_to_do": to_do(verdict),
        "bound": round(verdict.bound, 6),
        "provoked": {"runs": tally.provoked.runs, "failures": tally.provoked.failures},
        "seconds": round(tally.seconds, 3),
        "introduced": one_line(verdict.introduced),
        "first_seen": day(tally.first_seen),
        "first_failed": day(tally.first_failed),
        "last_failed": day(tally.last_failed),
        "both_outcomes": _mixed(tally),
        "fingerprints": [{"fingerprint": one_line(name), "failures": count} for name, count in tally.fingerprints],
        "experiments": None if verdict.finding is None else _finding(verdict.finding),
        "regression": None if verdict.regression is None else _regression(verdict.regression),
    }


def _past(test: TestId, lists: _Lists) -> Mapping[str, JsonValue]:
    """Ends with what a page shows of a test alone: from `steps` on, flaky_page.js reads a line only then."""
    course, entry, owners = lists.of(test)
    return {
        "state": course.steps[-1].state.value if course.steps else None,
        "owners": [one_line(owner) for owner in owners],
        "steps": [_step(step) for step in course.steps[-_STEPS:]],
        "quarantine": None if entry is None else _quarantine(entry),
        "weeks": [_week(week) for week in course.weeks],
        "failed_runs": [_failed_run(run) for run in course.failed],
    }


def _step(step: StateChange) -> JsonValue:
    return {
        "state": step.state.value,
        "date": day(step.at),
        "reason": one_line(step.reason, _TEXT),
        "by": one_line(step.by),
        "until": one_line(step.until),
    }


def _quarantine(entry: Entry) -> JsonValue:
    return {
        "since": one_line(entry.since),
        "until": one_line(entry.until),
        "owner": one_line(entry.owner),
        "reason": one_line(entry.reason, _TEXT),
        "issue": one_line(entry.issue, _TEXT),
    }


def _week(week: Week) -> JsonValue:
    """Without keys: a third of a report would be those of weeks."""
    return (week.monday, week.counts.runs, week.counts.failures, *_bounds(week.counts))


@lru_cache(10_000)
def _bounds(counts: Counts) -> tuple[float, float]:
    """Wilson's, to a hundredth of a percent; the weeks of many tests have the same few counts."""
    given = wilson(counts)
    return round(given.low, 4), round(given.high, 4)


def _failed_run(run: FailedRun) -> JsonValue:
    return {
        "run": one_line(run.key, _TEXT),
        "date": day(run.at),
        "commit": one_line(run.commit),
        "environment": one_line(run.environment, _TEXT),
        "place": run.place,
        "of": run.of,
        "after": None if run.after is None else _id(run.after),
        "whole": run.whole,
        "passed_on_retry": run.failed is None,
        "exception": "" if run.failed is None else one_line(run.failed.exception),
        "message": "" if run.failed is None else one_line(run.failed.message, 300),
    }


def _mixed(tally: Tally) -> JsonValue:
    return [
        {
            "commit": one_line(each.commit),
            "environment": one_line(each.environment, _TEXT),
            "runs": each.counts.runs,
            "failures": each.counts.failures,
            "passed_in": one_line(each.passed_key, _TEXT),
            "failed_in": one_line(each.failed_key, _TEXT),
        }
        for each in tally.mixed
    ]


def _finding(finding: Finding) -> JsonValue:
    return {
        "proofs": [_proof(proof, finding.test) for proof in finding.proofs],
        "tried": [
            {
                "cause": each.cause.value,
                "why": one_line(each.why, _TEXT),
                "trials": [_trial(trial, finding.test) for trial in each.trials],
            }
            for each in finding.tried
        ],
        "cut": one_line(finding.cut, _TEXT),
    }


def _proof(proof: Proof, test: TestId) -> JsonValue:
    return {
        "cause": proof.cause.value,
        "sentence": one_line(proof_words(proof), _TEXT),
        "detail": one_line(proof.detail, _TEXT),
        "trials": [_trial(trial, test) for trial in proof.trials],
        "polluters": [_id(each) for each in proof.polluters],
        "setters": [_id(each) for each in proof.setters],
    }


def _trial(trial: Trial, test: TestId) -> JsonValue:
    return {
        "label": one_line(trial.label, _TEXT),
        "conditions": one_line(under(trial.conditions), _TEXT),
        "tests": [_id(each) for each in trial.tests[-SHOWN_TESTS:]],
        "tests_in_all": len(trial.tests),
        "place": trial.tests.index(test) + 1 if test in trial.tests else None,
        "runs": trial.counts.runs,
        "failures": trial.counts.failures,
        "in_another_way": trial.foreign,
        "keys": [one_line(key, _TEXT) for key in trial.keys],
    }


def _regression(found: Regression) -> JsonValue:
    return {
        "good": one_line(found.good),
        "bad": one_line(found.bad),
        "at_good": {"runs": found.at_good.runs, "failures": found.at_good.failures},
        "at_bad": {"runs": found.at_bad.runs, "failures": found.at_bad.failures},
        "p_value": found.p_value,
        "first_bad": one_line(found.first_bad),
        "author": one_line(found.author),
    }


def _scan(scan: Scan) -> JsonValue:
    return {
        "since": day(scan.since),
        "until": day(scan.until),
        "complete": scan.complete,
        "workflow_runs": scan.runs,
        "carried_over": scan.carried_over,
        "infrastructure": scan.infrastructure,
        "problems": [one_line(problem, _TEXT) for problem in scan.problems],
    }


def _interval(given: Interval) -> JsonValue:
    return {"low": round(given.low, 6), "high": round(given.high, 6)}


def _id(test: TestId) -> str:
    return one_line(test.node_id, _ID)
