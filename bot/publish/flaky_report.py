"""triage.json: everything a session found, for programs.

It is written and never read back: what is merged are nights (bot.flaky.nights), and verdicts are made of records anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bot.evidence.types import TestId
from bot.flaky.types import Finding, Interval, Proof, Regression, Scan, Tally, Trial
from bot.flaky.verdict import Triage, Verdict
from bot.ports import JsonValue
from bot.publish.flaky_words import day, proof_words, to_do, under
from bot.publish.untrusted import one_line

FORMAT = "grokfix-triage/1"
_ID, _TEXT = 2000, 500


Weeks: TypeAlias = Mapping[TestId, Sequence[tuple[str, int, int]]]
"""Per test: Monday's ISO date, ordinary runs, failures; oldest first."""


def to_json(triage: Triage, weeks: Weeks | None = None) -> str:
    """triage.json: one document, ASCII."""
    return json.dumps(document(triage, weeks), indent=2) + "\n"


def document(triage: Triage, weeks: Weeks | None = None) -> JsonValue:
    """What triage.json holds."""
    return {
        "format": FORMAT,
        "session": one_line(triage.session),
        "commit": one_line(triage.commit),
        "environment": one_line(triage.environment, _TEXT),
        "date": day(triage.at),
        "tests": [_verdict(verdict, (weeks or {}).get(verdict.test, ())) for verdict in triage.verdicts],
        "stable": triage.stable,
        "runs": triage.runs,
        "seconds": round(triage.seconds, 1),
        "scan": None if triage.scan is None else _scan(triage.scan),
        "shards": [{"number": shard.number, "of": shard.of} for shard in triage.shards],
        "lost_shards": list(triage.lost),
        "problems": [one_line(problem, _TEXT) for problem in triage.problems],
    }


def _verdict(verdict: Verdict, weeks: Sequence[tuple[str, int, int]]) -> JsonValue:
    tally = verdict.tally
    return {
        "id": _id(verdict.test),
        "verdict": verdict.kind.value,
        "reason": one_line(verdict.reason, _TEXT),
        "cause": None if verdict.cause is None else verdict.cause.value,
        "what_to_do": to_do(verdict),
        "runs": verdict.counts.runs,
        "failures": verdict.counts.failures,
        "interval": _interval(verdict.interval),
        "bound": round(verdict.bound, 6),
        "minutes_lost_a_week": None if verdict.minutes_lost is None else round(verdict.minutes_lost, 2),
        "cluster": verdict.cluster,
        "introduced": one_line(verdict.introduced),
        "first_seen": day(tally.first_seen),
        "first_failed": day(tally.first_failed),
        "last_failed": day(tally.last_failed),
        "both_outcomes": _mixed(tally),
        "fingerprints": [{"fingerprint": name, "failures": count} for name, count in tally.fingerprints],
        "weeks": [{"monday": monday, "runs": runs, "failures": failures} for monday, runs, failures in weeks],
        "experiments": None if verdict.finding is None else _finding(verdict.finding),
        "regression": None if verdict.regression is None else _regression(verdict.regression),
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
        "proofs": [_proof(proof) for proof in finding.proofs],
        "tried": [
            {"cause": each.cause.value, "why": one_line(each.why, _TEXT), "trials": [_trial(t) for t in each.trials]}
            for each in finding.tried
        ],
        "cut": one_line(finding.cut, _TEXT),
    }


def _proof(proof: Proof) -> JsonValue:
    return {
        "cause": proof.cause.value,
        "sentence": one_line(proof_words(proof), _TEXT),
        "detail": one_line(proof.detail, _TEXT),
        "trials": [_trial(trial) for trial in proof.trials],
        "polluters": [_id(test) for test in proof.polluters],
        "setters": [_id(test) for test in proof.setters],
    }


def _trial(trial: Trial) -> JsonValue:
    return {
        "label": one_line(trial.label, _TEXT),
        "conditions": one_line(under(trial.conditions), _TEXT),
        "tests": [_id(test) for test in trial.tests[:200]],
        "tests_in_all": len(trial.tests),
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
