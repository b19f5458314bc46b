"""What a run proves: whether targets and new tests all passed, by a report that can be believed."""

from __future__ import annotations

from bot.evidence.types import Cluster, Outcome, Phase, TestCase, TestId, TestReport
from bot.ports import RunResult


def fault(run: RunResult, cluster: Cluster, files: tuple[str, ...]) -> str | None:
    """None where all targets and some test of each of `files` passed and nothing failed, else what was wrong."""
    report = run.report
    failing = tuple(case.id for case in report.failures()) if report is not None else ()
    if failing:
        return f"{names(failing)} failed"
    if report is None or run.problem:
        return run.problem or "no report was written"
    cases, healed = report.by_id(), healed_files(report, cluster)
    missing = tuple(test for test in cluster.ids if test not in healed and not passed(cases.get(test)))
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
