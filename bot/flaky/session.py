"""One session of triage, from first run to what is kept: screen, examine what wavers, date what broke.

Readable on one screen: what was spent and seen is the lab's, what it means is the judge's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.flaky.bisect import Step, regression
from bot.flaky.clusters import co_failing
from bot.flaky.examine import examine_all, suspects_of
from bot.flaky.experiments.again import again
from bot.flaky.judge import judge, suspects
from bot.flaky.names import unified
from bot.flaky.rerun import Limits, Screened, screen
from bot.flaky.statistics import Sequential
from bot.flaky.types import Finding, Night, Regression, RunRecord, Scan, Shard

_ROUNDS = 1.2
"""Runs of a screening for each clean run that a test needs: a few are the survey's and such as gave no report."""
_SCREENING = 0.5
"""Share of the session's runs that the screening may take: what it finds is worth little without a cause."""
_DATED = 5
"""Failures, each of its own kind, whose commit is searched for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session is asked to do.

    session: a name that its shards share. at: seconds since the epoch. runs: most test runs, of which the screening
    leaves a part to the experiments. tests: the only ones to look at, () = all.
    suspects: most tests that are examined. good, steps: the last green commit, and those after it up to the tested one
    by first parents, oldest first; "" and () = not known. quarantined: of tests in quarantine, what was proven of them:
    where one runs clean, its provocation is tried once more.
    """

    session: str
    at: float
    runs: int
    suspects: int
    shard: Shard = Shard()  # noqa: RUF009 (frozen)
    tests: tuple[TestId, ...] = ()
    good: str = ""
    steps: tuple[Step, ...] = ()
    quarantined: tuple[Finding, ...] = ()


def hold(
    plan: Plan,
    lab: BenchLab,
    history: Sequence[RunRecord] = (),
    scan: Scan | None = None,
    *,
    told: Callable[[str], None] = lambda _: None,
) -> Night:
    """Screen the suite, examine what wavered here or in `history`, and date what fails every time.

    Shards share the screening's runs among them. A test that only the history calls flaky is examined by one of them;
    one that wavered in this shard's own runs is examined here. told: hears what is going on, a line for people.
    """
    told("screening: the suite in its own order and in others")
    limits = Limits(_screening_runs(plan), seed=_number(f"{plan.session}/{plan.shard.number}"))
    screened = screen(lab, plan.tests or None, limits)
    tried = _tried_again(plan, lab, screened, told)
    records = unified((*history, *lab.records))
    chosen, left = _to_examine(plan, lab, records, screened, scan)
    findings = (*tried, *_examined(chosen, records, lab, told))
    dated, problems = _dated(plan, lab, records, screened.failing, told)
    if screened.stopped:
        problems = (f"the screening ended early: {screened.stopped}", *problems)
    if left:
        problems = (*problems, f"{left} more suspects were not examined: at most {plan.suspects} are in one session")
    return Night(
        session=plan.session,
        shard=plan.shard,
        at=plan.at,
        commit=lab.commit,
        environment=lab.environment,
        records=lab.records,
        findings=findings,
        regressions=dated,
        scan=scan,
        problems=(*screened.problems, *problems),
    )


def _screening_runs(plan: Plan) -> int:
    wanted = math.ceil(Sequential().clean_runs * _ROUNDS / plan.shard.of)
    return max(4, min(wanted, math.floor(plan.runs * _SCREENING)))


def _tried_again(plan: Plan, lab: BenchLab, screened: Screened, told: Callable[[str], None]) -> tuple[Finding, ...]:
    """Before the experiments, which may use up what is left: it takes few runs, and a proof of the end rests on it."""
    clean = {test for test, counts in screened.counts.items() if not counts.failures}
    mine = [finding for finding in plan.quarantined if finding.test in clean and _is_mine(finding.test, plan)]
    found = []
    for finding in mine[: plan.suspects]:
        told(f"in quarantine and clean: {finding.test.node_id}; its provocation once more")
        found.append(again(finding, lab))
    return tuple(finding for finding in found if finding is not None)


def _to_examine(
    plan: Plan,
    lab: BenchLab,
    records: Sequence[RunRecord],
    screened: Screened,
    scan: Scan | None,
) -> tuple[tuple[TestId, ...], int]:
    """The tests to examine, costliest first, and how many there would have been beyond the limit."""
    triage = judge(records, session=plan.session, commit=lab.commit, environment=lab.environment, at=plan.at, scan=scan)
    # What fails every time can still be order (in every order tried), the network or the files that are missing here.
    doubtful = dict.fromkeys((*suspects(triage), *screened.suspects, *screened.failing))
    here = {test for record in lab.records for test in (*record.failed, *record.retried)}
    wanted = set(plan.tests)
    mine = tuple(
        test
        for test in doubtful
        if test not in screened.hung and (not wanted or test in wanted) and (test in here or _is_mine(test, plan))
    )
    return mine[: plan.suspects], max(0, len(mine) - plan.suspects)


def _examined(
    tests: Sequence[TestId], records: Sequence[RunRecord], lab: BenchLab, told: Callable[[str], None]
) -> tuple[Finding, ...]:
    if not tests:
        return ()
    told(f"experiments: {len(tests)} tests to examine")
    return examine_all(
        tests,
        records,
        lab,
        clusters=[cluster.tests for cluster in co_failing(records)],
        told=lambda finding: told(_told(finding)),
    )


def _told(finding: Finding) -> str:
    if finding.proofs:
        return f"{finding.test.node_id}: {finding.proofs[0].cause.value}, {finding.proofs[0].detail}"
    return f"{finding.test.node_id}: no cause proven" + (f"; {finding.cut}" if finding.cut else "")


def _dated(
    plan: Plan,
    lab: BenchLab,
    records: Sequence[RunRecord],
    failing: Sequence[TestId],
    told: Callable[[str], None],
) -> tuple[tuple[Regression, ...], tuple[str, ...]]:
    """Since when it fails: one test of each kind of failure is run at the good commit and at those between."""
    if not plan.good or not failing:
        return (), ()
    kinds: dict[str, TestId] = {}
    of = {suspect.test: suspect for suspect in suspects_of(failing, records)}
    for test, suspect in of.items():
        kinds.setdefault(test.node_id if suspect.failed is None else suspect.failed.fingerprint, test)
    found, problems = [], []
    for test in tuple(kinds.values())[:_DATED]:
        told(f"since when it fails: {test.node_id}")
        dated = regression(of[test], lab, good=plan.good, steps=plan.steps)
        if dated.regression is not None:
            found.append(dated.regression)
        else:
            problems.append(f"{test.node_id}: {dated.why}")
        problems += [f"{commit[:12]} was stepped over in the search: {why}" for commit, why in dated.skipped]
    if len(kinds) > _DATED:
        problems.append(f"{len(kinds) - _DATED} more kinds of failure were not dated")
    return tuple(found), tuple(problems)


def _is_mine(test: TestId, plan: Plan) -> bool:
    """Whether of all shards this one looks at what is looked at once."""
    return _number(test.node_id) % plan.shard.of == plan.shard.number - 1


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big")
