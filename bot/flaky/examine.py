"""Why a test is flaky: the experiments in the order that clues and frequency give, clusters before single tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bot.evidence.types import TestId
from bot.flaky.experiments.clues import EXPERIMENTS, clues, ordered
from bot.flaky.experiments.series import Effort, Seen, Series, Suspect, Variant, always, never, same_failure
from bot.flaky.experiments.sift import CAUSES, Sifted, sift
from bot.flaky.experiments.surroundings import is_blocked
from bot.flaky.lab import Lab, NoRun
from bot.flaky.types import Failed, Finding, Proof, RunRecord, Tried

_RECORDS = 40
"""Runs of each outcome that a suspect takes along, the newest."""

_FAILURES = 3
"""Different failures of one test that are each looked into."""

_CONFIRM = 3
"""Runs of each trial in which a cluster's other members are held against its proof."""


def suspects_of(tests: Iterable[TestId], records: Sequence[RunRecord]) -> tuple[Suspect, ...]:
    """What `records` (oldest first) say of each test; its most frequent failure is the one in question."""
    wanted = dict.fromkeys(tests)
    failing: dict[TestId, list[RunRecord]] = {test: [] for test in wanted}
    passing: dict[TestId, list[RunRecord]] = {test: [] for test in wanted}
    for record in records:
        present = wanted.keys() & set(record.tests)
        for test in present:
            if test in record.failed:
                failing[test].append(record)
            elif test not in record.unknown:
                passing[test].append(record)
    made = []
    for test in wanted:
        known = (*passing[test][-_RECORDS:], *failing[test][-_RECORDS:])
        failures = [record.failed[test] for record in failing[test]]
        made.append(Suspect(test, known, _most_frequent(failures)))
    return tuple(made)


def examine(suspect: Suspect, lab: Lab, effort: Effort = Effort()) -> Finding:  # noqa: B008 (frozen)
    """The experiments on one suspect until one of them proves its cause, for each of its different failures.

    A lab that may not run any more ends it; what was proven until then stays (`Finding.cut`).
    """
    proofs: list[Proof] = []
    tried: list[Tried] = []
    cut = ""
    try:
        for failed in _different(suspect):
            series = Series(lab, replace(suspect, failed=failed), effort)
            _examine(series, proofs, tried)
    except NoRun as over:
        cut = str(over)
    return Finding(suspect.test, tuple(proofs), tuple(tried), cut)


def examine_cluster(suspects: Sequence[Suspect], lab: Lab, effort: Effort = Effort()) -> tuple[Finding, ...]:  # noqa: B008
    """Tests that fail together: the first is examined, its proof held against the others in few runs of all of them.

    A member on which the proof does not hold is examined by itself. Findings in the order of `suspects`.
    """
    if not suspects:
        return ()
    first = examine(suspects[0], lab, effort)
    findings = [first]
    confirmed: dict[TestId, Proof] = {}
    try:
        for proof in first.proofs:
            left = [each for each in suspects[1:] if each.test not in confirmed]
            confirmed.update(_confirm(proof, left, lab, effort))
    except NoRun as over:
        return (first, *(_cut(each, confirmed, str(over)) for each in suspects[1:]))
    for suspect in suspects[1:]:
        proven = confirmed.get(suspect.test)
        findings.append(examine(suspect, lab, effort) if proven is None else Finding(suspect.test, (proven,), ()))
    return tuple(findings)


def examine_all(
    tests: Iterable[TestId],
    records: Sequence[RunRecord],
    lab: Lab,
    *,
    clusters: Sequence[Sequence[TestId]] = (),
    effort: Effort = Effort(),  # noqa: B008
    told: Callable[[Finding], None] | None = None,
) -> tuple[Finding, ...]:
    """Every test once, in the order given, with the rest of its cluster. `told` hears of each finding as it is made.

    Once the lab may not run any more, what is left is not begun: those findings say so and nothing else.
    """
    suspects = {each.test: each for each in suspects_of(tests, records)}
    groups = [[suspects[test] for test in group if test in suspects] for group in clusters]
    of = {each.test: group for group in groups for each in group}
    found: dict[TestId, Finding] = {}
    for test, suspect in suspects.items():
        if test in found:
            continue
        group = [each for each in of.get(test, [suspect]) if each.test not in found and each.test != test]
        for finding in examine_cluster([suspect, *group], lab, effort):
            found[finding.test] = finding
            if told is not None:
                told(finding)
    return tuple(found[test] for test in suspects)


def _examine(series: Series, proofs: list[Proof], tried: list[Tried]) -> None:
    """Results go into the lists as they come, so that the end of the budget takes none away."""
    if series.test not in series.lab.suite:
        tried.extend(Tried(cause, "the test is not in the suite any more") for cause in EXPERIMENTS)
        return
    alone = series.alone()
    if alone.foreign and not alone.counts.runs and series.foreign is not None and is_blocked(series.foreign):
        why = f"fails here for want of a network ({series.foreign.message[:120]}), which is no reproduction"
        tried.extend(Tried(cause, why) for cause in EXPERIMENTS)
        return
    known = series.failed
    hinted = clues(series)
    sifted: Sifted | None = None
    for cause in ordered(series):
        series.failed = known  # what one provocation brought out first is not the failure that the next looks for
        if sifted is None and cause in CAUSES.values() and cause not in hinted:
            sifted = sift(series)
            series.failed = known
            if sifted.proof is not None:
                proofs.append(sifted.proof)
                return
        if sifted is not None and cause in sifted.ruled_out:
            tried.append(Tried(cause, sifted.why))
            continue
        result = EXPERIMENTS[cause](series)
        if isinstance(result, Tried):
            tried.append(result)
            continue
        proofs.extend(result)
        return


def _different(suspect: Suspect) -> tuple[Failed | None, ...]:
    """The different failures, the most frequent first; None alone where none was seen."""
    left = [record.failed[suspect.test] for record in suspect.failing]
    kinds: list[Failed] = []
    while left and len(kinds) < _FAILURES:
        kind = _most_frequent(left)
        if kind is None:
            break
        kinds.append(kind)
        left = [failed for failed in left if not same_failure(kind, failed)]
    return tuple(kinds) or (suspect.failed,)


def _most_frequent(failures: Sequence[Failed]) -> Failed | None:
    """Of the failures that are the same but for their values, the newest of the largest group."""
    groups: list[list[Failed]] = []
    for failed in failures:
        group = next((each for each in groups if same_failure(each[0], failed)), None)
        if group is None:
            groups.append([failed])
        else:
            group.append(failed)
    return max(groups, key=len)[-1] if groups else None


def _confirm(proof: Proof, members: Sequence[Suspect], lab: Lab, effort: Effort) -> dict[TestId, Proof]:
    """The members on which `proof` holds too, each run by itself: others beside it could be what it fails of."""
    held: dict[TestId, Proof] = {}
    provoked, removed = proof.trials[0], proof.trials[1]
    for member in members:
        series = Series(lab, member, effort)
        before = tuple(test for test in provoked.tests[:-1] if test != member.test)
        calm = tuple(test for test in removed.tests[:-1] if test != member.test)
        on = Variant(f"confirmed: {provoked.label}", provoked.conditions, before)
        off = Variant(f"confirmed: {removed.label}", removed.conditions, calm)
        first = series.trial(on, _CONFIRM, until=Seen.PASSED)
        if not always(first, _CONFIRM):
            continue
        without = series.trial(off, _CONFIRM, until=Seen.FAILED)
        if not never(without, _CONFIRM):
            continue
        again = series.trial(on, 1)
        if always(again, 1):
            held[member.test] = replace(proof, trials=(first, without, again))
    return held


def _cut(suspect: Suspect, confirmed: dict[TestId, Proof], why: str) -> Finding:
    proven = confirmed.get(suspect.test)
    return Finding(suspect.test, () if proven is None else (proven,), (), "" if proven is not None else why)
