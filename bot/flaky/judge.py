"""The one place where verdicts are made. Each is a function of counted runs and quotes them; nothing here is opinion.

In this order, the first that holds:

1. broken: a regression shown by interleaved runs; it fails in every ordinary run at its bad commit.
2. flaky or environment-dependent: an experiment proved a cause.
3. environment-dependent: one outcome in each environment, another one in another, at one commit.
4. broken: the newest runs all fail, `STREAK` of them or more, in one way, and before it was another matter (Fisher).
5. flaky: both outcomes at one commit in one environment (of a change only: not unless it failed elsewhere too).
   environment-dependent: in our own runs it fails every time for want of a network; that is never broken.
6. infrastructure: it was only seen in runs in which most tests failed.
7. suspect: it fails at the newest commit, had both outcomes in one pull request only, fails when provoked, or fails in
   more sources than changes explain (`claims`).
8. unknown: all its bad outcomes are such as could not be reconciled.
9. stable: everything else, tests included that failed where a change had broken them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.evidence.types import TestId
from bot.flaky.clusters import clusters_of
from bot.flaky.ledger import Ledger
from bot.flaky.rules import Case, Rules
from bot.flaky.statistics import lower_bound, minutes_lost, upper_bound, wilson
from bot.flaky.tally import tallies
from bot.flaky.types import Counts, Finding, Night, Regression, RunRecord, RunSource, Scan, Shard, Tally
from bot.flaky.verdict import Kind, Triage, Verdict

_WEEK = 7 * 86_400.0


def judge(
    records: Iterable[RunRecord],
    *,
    session: str,
    commit: str,
    environment: str,
    at: float,
    findings: Sequence[Finding] = (),
    regressions: Sequence[Regression] = (),
    scan: Scan | None = None,
    shards: Sequence[Shard] = (Shard(),),
    lost: Sequence[int] = (),
    problems: Sequence[str] = (),
    repaired: Mapping[TestId, float] | None = None,
) -> Triage:
    """What the runs say of every test; the records may come in any order, each key counts once.

    commit: the newest one, at which the reruns ran. scan: tonight's reading of the history; where it is not complete,
    no run of CI counts. repaired: test → time of its fix, before which nothing counts.
    """
    ledger, told = Ledger(repaired), list(problems)
    ours, own_runs, own_seconds, left = f"rerun:{session}/", 0, 0.0, 0
    for record in records:
        if record.source is RunSource.RERUN and record.key.startswith(ours):
            own_runs, own_seconds = own_runs + 1, own_seconds + record.seconds
        if record.source is RunSource.CI and scan is not None and not scan.complete:
            left += 1
            continue
        ledger.add(record)
    if scan is not None and not scan.complete:
        why = "; ".join(scan.problems) or "it was cut off"
        told.append(f"the history of CI was not read to its end ({why}): none of its {left} runs counts")
    if ledger.left_out:
        keys = ", ".join(sorted(run.key for run in ledger.left_out)[:3])
        told.append(f"{len(ledger.left_out)} runs in which most tests failed are infrastructure's, left out: {keys} …")
    if lost:
        told.append(f"shards {', '.join(map(str, lost))} did not hand in: their tests were not rerun")
    by_test = {finding.test: finding for finding in findings}
    regressed = {regression.test: regression for regression in regressions}
    verdicts = _verdicts(ledger, commit, by_test, regressed)
    listed = sorted((v for v in verdicts if v.kind is not Kind.STABLE), key=_costliest)
    stable = [verdict for verdict in verdicts if verdict.kind is Kind.STABLE]
    return Triage(
        session=session,
        commit=commit,
        environment=environment,
        at=at,
        verdicts=tuple(listed),
        stable=len(stable),
        scan=scan,
        shards=tuple(sorted(shards, key=lambda shard: (shard.of, shard.number))),
        lost=tuple(sorted(lost)),
        runs=own_runs,
        seconds=own_seconds,
        problems=tuple(told),
        stable_bound=max((verdict.bound for verdict in stable), default=1.0),
    )


def judge_night(night: Night) -> Triage:
    """What one session's runs say by themselves, without any history.

    A proposed change is no excuse here: it is the very commit that was asked about, so what fails there every time is
    broken there, and what does so now and then is flaky there.
    """
    return judge(
        [replace(record, group="") for record in night.records],
        session=night.session,
        commit=night.commit,
        environment=night.environment,
        at=night.at,
        findings=night.findings,
        regressions=night.regressions,
        shards=(night.shard,),
        problems=night.problems,
    )


def suspects(triage: Triage) -> tuple[TestId, ...]:
    """Tests for which runs may still tell more: suspect, unknown, or flaky without a proven cause; costliest first."""
    open_kinds = {Kind.SUSPECT, Kind.UNKNOWN, Kind.FLAKY}
    return tuple(verdict.test for verdict in triage.verdicts if verdict.kind in open_kinds and verdict.cause is None)


def _verdicts(
    ledger: Ledger, commit: str, findings: Mapping[TestId, Finding], regressions: Mapping[TestId, Regression]
) -> list[Verdict]:
    counted = tallies(ledger)
    clusters = {test: cluster.name for cluster in clusters_of(ledger) for test in cluster.tests}
    rules = Rules(ledger, commit)
    weekly = _runs_a_week(ledger, counted)
    bounds: dict[Counts, float] = {}  # most tests of a suite have the same counts
    found = []
    for test in dict.fromkeys((*ledger.tests, *findings, *regressions)):
        tally = counted.get(test) or Tally(test, Counts(), (), (), {}, 0.0, 0.0, None, None, ())
        case = Case(ledger.number(test), tally, findings.get(test), regressions.get(test))
        word = rules.word(case)
        counts = tally.counts
        stable = word.kind is Kind.STABLE
        if stable and counts not in bounds:
            bounds[counts] = upper_bound(counts) if counts.runs else 1.0
        found.append(
            Verdict(
                test=test,
                kind=word.kind,
                reason=word.reason,
                counts=counts,
                interval=wilson(counts),
                bound=bounds[counts] if stable else lower_bound(counts),
                tally=tally,
                finding=case.finding,
                regression=case.regression,
                cluster=clusters.get(test, ""),
                minutes_lost=None if stable else _minutes(ledger, case, weekly),
                introduced="" if stable else word.introduced or tally.introduced,
            )
        )
    return found


def _runs_a_week(ledger: Ledger, counted: Mapping[TestId, Tally]) -> Mapping[TestId, float]:
    """Runs of CI a week since the test was first seen, of tests that failed; a shorter time counts as a week."""
    ours = [run for run in ledger.runs if run.source is RunSource.CI and run.base and run.complete]
    until = max((run.at for run in ours), default=0.0)
    masks: dict[int, int] = {}
    for run in ours:
        masks[id(run.mask)] = masks.get(id(run.mask), 0) + 1
    distinct = {id(run.mask): run.mask for run in ours}
    weekly = {}
    for number in ledger.failures:
        test = ledger.tests[number]
        runs = sum(count for key, count in masks.items() if number in distinct[key])
        if runs:
            weekly[test] = runs / max(1.0, (until - counted[test].first_seen) / _WEEK)
    return weekly


def _minutes(ledger: Ledger, case: Case, weekly: Mapping[TestId, float]) -> float | None:
    """Expected minutes a week: of the runs of CI that it spoils, which are then run again."""
    if case.number is None or case.tally.test not in weekly:
        return None
    spoilt = [run.seconds for run, _ in ledger.failures[case.number] if run.source is RunSource.CI and run.seconds > 0]
    if not spoilt:
        return None
    return minutes_lost(case.tally.counts, weekly[case.tally.test], statistics.median(spoilt) / 60)


def _costliest(verdict: Verdict) -> tuple[float, int, float, TestId]:
    """Most minutes lost first; where they are not known, by kind and bound."""
    return -(verdict.minutes_lost or 0.0), list(Kind).index(verdict.kind), -verdict.bound, verdict.test
