"""What a run proves: whether targets and new tests all passed, by a report that can be believed."""

from __future__ import annotations

from collections.abc import Callable

from bot.evidence.failures import read_failure
from bot.evidence.types import Cluster, Failure, Outcome, Phase, TestCase, TestId, TestReport
from bot.ports import RunResult

ASSERTIONS = frozenset({"AssertionError", "Failed"})
"""What a new test may fail with besides the failure's own exception: an assertion, or pytest's `raises` and `fail`."""


def fault(run: RunResult, cluster: Cluster, files: tuple[str, ...], also: tuple[TestId, ...] = ()) -> str | None:
    """None where targets, `also` and some test of each of `files` passed and nothing failed, else what was wrong."""
    report = run.report
    failing = tuple(case.id for case in report.failures()) if report is not None else ()
    if failing:
        return f"{names(failing)} failed"
    if report is None or run.problem:
        return run.problem or "no report was written"
    cases, healed = report.by_id(), healed_files(report, cluster)
    missing = tuple(test for test in (*cluster.ids, *also) if test not in healed and not passed(cases.get(test)))
    if missing:
        return f"{names(missing)} did not run to a pass"
    silent = [path for path in files if not any(passed(case) for case in report if case.id.file == path)]
    return f"no test of {', '.join(silent)} passed" if silent else None


def healed_files(report: TestReport, cluster: Cluster) -> frozenset[TestId]:
    """Targets that are whole files: they could not be collected at base, and now tests of them pass."""
    files = {case.id.file for case in report if passed(case)}
    return frozenset(
        failure.case.id
        for failure in cluster.failures
        if failure.case.phase is Phase.COLLECTION and failure.case.id.file in files
    )


def also_healed(report: TestReport, failures: tuple[Failure, ...], cluster: Cluster) -> tuple[TestId, ...]:
    """Tests of other clusters that failed at base every time and pass now: one cause can have several faces."""
    cases, targets = report.by_id(), set(cluster.ids)
    ids = (failure.case.id for failure in failures)
    return tuple(test for test in ids if test not in targets and passed(cases.get(test)))


def fails_as_stated(case: TestCase, cluster: Cluster, is_project: Callable[[str], bool]) -> bool:
    """Whether a new test fails without the fix as it should: with the cluster's exception or a failed assertion."""
    stated = cluster.failures[0]
    exception = read_failure(case, is_project).exception
    if case.phase is not Phase.CALL:
        # A test that cannot be collected or set up proves nothing, unless that is the very failure at hand.
        return case.phase is stated.case.phase and exception == stated.exception
    return exception in ASSERTIONS or exception == stated.exception


def passed(case: TestCase | None) -> bool:
    """Neither a skipped test nor one that failed before it passed has passed."""
    return case is not None and case.outcome is Outcome.PASSED


def names(ids: tuple[TestId, ...], most: int = 5) -> str:
    """Node ids for a sentence, the first `most` of them."""
    shown = ", ".join(test.node_id for test in ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most} more"


def counted(count: int) -> str:
    """A count for a sentence."""
    return f"{count} test" if count == 1 else f"{count} tests"
