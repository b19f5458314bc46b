"""Which tests judge a candidate in the box, how long each may take, and which of them belong to which candidate."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.diagnose.types import Evidence
from bot.evidence.types import Outcome, Phase, TestCase, TestId
from bot.propose.search.types import Candidate
from bot.propose.search.validate import Plan, Validator

MOST_TESTS = 400
"""Passing tests that are looked at; the suite's gate runs them all."""
REST_SECONDS = 20.0
"""Processor seconds of passing tests a candidate has to survive."""
LEAST_SECONDS = 0.25
"""Of processor time: what a test may take at least before it is held to hang."""
MOST_OTHERS = 12
MEASURED_TARGETS = 8
"""Failing tests that are run at base again: enough to see that the worker can tell."""
SLACK = 8.0
"""A test may take this many times what it took at base."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The tests of a search.

    lines: for a test's index, what it executed at base (None: not known). related: how many of the plan's others stand
    in the targets' files.
    """

    plan: Plan
    lines: tuple[Mapping[str, frozenset[int]] | None, ...] = field(repr=False)
    problem: str = ""
    related: int = 0

    def rest(self, candidate: Candidate) -> tuple[int, ...]:
        """Passing tests that reach the candidate's file."""
        return tuple(
            index
            for index in range(self.plan.targets, len(self.plan.tests) - self.plan.others)
            if self.lines[index] is None or self.lines[index].get(candidate.path)  # type: ignore[union-attr]
        )

    def plan_with(self, factor: float) -> Plan:
        """The plan with its time limits multiplied."""
        return replace(self.plan, limits=tuple(limit * factor for limit in self.plan.limits))


def neighbourhood(evidence: Evidence, also: Sequence[TestId], validator: Validator, seconds: float) -> Neighbourhood:
    """Choose and measure the tests at base, for at most `seconds`.

    also: tests that must be among them. A target that passes in the worker judges nothing, and is left out; where no
    target fails there, the plan has no targets and `problem` says so.
    """
    seconds_by_id = {case.id: case.seconds for case in evidence.base}
    targets = tuple(dict.fromkeys(_as_file(failure.case) for failure in evidence.cluster.failures))
    targets = tuple(sorted(targets, key=lambda test: seconds_by_id.get(test, 0.0)))
    asked, assumed = targets[:MEASURED_TARGETS], targets[MEASURED_TARGETS:]
    tests = (*asked, *(test for test in _passing(evidence, also) if test not in targets))
    limits = tuple(
        2 * LEAST_SECONDS if test in asked else min(30.0, 2.0 + 3.0 * seconds_by_id.get(test, 0.0)) for test in tests
    )
    baseline = validator.measure(Plan(tests, len(asked), limits, 30.0), seconds)
    measured = {one.test: one for one in baseline.tests}
    failing = tuple(test for test in asked if test not in measured or not measured[test].passed)
    failing = tuple(sorted(failing, key=lambda test: test in measured and measured[test].hung))
    if failing:
        failing += assumed
    rest = [one for one in baseline.tests if one.passed and one.test not in targets]
    kept, total = [], 0.0
    for one in sorted(rest, key=lambda one: (one.test not in also, one.seconds)):
        total += one.seconds
        if total <= REST_SECONDS or one.test in also:
            kept.append(one)
    place = {test: position for position, test in enumerate(tests)}
    kept.sort(key=lambda one: place[one.test])  # as they ran in a row at base
    typical = statistics.median([one.seconds for one in kept]) if kept else 0.0
    slowest = {one.test.file: 0.0 for one in kept}
    for one in kept:
        slowest[one.test.file] = max(slowest[one.test.file], one.seconds)

    def limit(test: TestId) -> float:
        one = measured.get(test)
        own = 0.0 if one is None or one.hung else one.seconds
        if test in failing or test in others:  # it may get further than it did: allow what its passing neighbours take
            own = max(own, typical, slowest.get(test.file, 0.0))
        return LEAST_SECONDS + SLACK * own

    others = _others(evidence)
    chosen = (*failing, *(one.test for one in kept), *others)
    hits = {} if evidence.spectrum is None else evidence.spectrum.lines
    import_seconds = baseline.import_seconds
    return Neighbourhood(
        Plan(
            chosen,
            len(failing) if import_seconds is not None else 0,
            tuple(limit(test) for test in chosen),
            10.0 + SLACK * (import_seconds or 0.0),
            others=len(others),
            in_files=any(one.spawns for one in baseline.tests if one.test in failing),
        ),
        tuple(hits.get(test) if test not in also else None for test in chosen),
        related=sum(1 for test in others if test.file in {target.file for target in targets}),
        problem="the failing tests pass in the search's worker, which runs them in one process",
    )


def _others(evidence: Evidence) -> tuple[TestId, ...]:
    """Failing tests of other clusters, those of the targets' files first: a fix may heal them too."""
    targets = set(evidence.cluster.ids)
    near = {identity.file for identity in targets}
    found = [case.id for case in evidence.base.failures() if case.id not in targets and case.phase is Phase.CALL]
    return tuple(sorted(found, key=lambda test: test.file not in near)[:MOST_OTHERS])


def _as_file(case: TestCase) -> TestId:
    """The test, or its whole file where that could not be collected."""
    if case.phase is Phase.COLLECTION:
        return TestId(case.id.file, case.id.classname, "")
    return case.id


def _passing(evidence: Evidence, also: Sequence[TestId]) -> list[TestId]:
    """Tests that passed at base and reach suspicious files, nearest to the targets first."""
    near = {identity.file for identity in evidence.cluster.ids}
    paths = {location.path for location in evidence.locations}
    hits = {} if evidence.spectrum is None else evidence.spectrum.lines

    def reaches(test: TestId) -> bool:
        return test not in hits or any(hits[test].get(path) for path in paths)

    found = [case.id for case in evidence.base if case.outcome is Outcome.PASSED and reaches(case.id)]
    found.sort(key=lambda test: (test not in hits, test.file not in near))  # within a file in the order of the suite
    return [*also, *(test for test in found if test not in also)][:MOST_TESTS]
