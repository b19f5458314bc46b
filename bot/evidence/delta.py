"""What changed between two runs over the same selection."""

from __future__ import annotations

from bot.evidence.types import Delta, Outcome, TestId, TestReport


def delta(before: TestReport, after: TestReport) -> Delta:
    """Compare two runs, in the order of `before`; nothing is given the benefit of the doubt.

    fail_to_pass: failed, and now passes without reservation.
    pass_to_fail: did not fail, and now fails; also a pass that became a skip or flaky, a flaky one that became a skip.
    still_failing: failed, and still does, or is now skipped or flaky: a skip repairs nothing.
    vanished: no longer reported at all, whatever it was before.
    Ids that only `after` knows are in no list: whoever selected them judges them.
    """
    results = after.by_id()
    fail_to_pass: list[TestId] = []
    pass_to_fail: list[TestId] = []
    still_failing: list[TestId] = []
    vanished: list[TestId] = []
    for case in before:
        now = results.get(case.id)
        if now is None:
            vanished.append(case.id)
        elif case.outcome.is_failure:
            (fail_to_pass if now.outcome is Outcome.PASSED else still_failing).append(case.id)
        elif _is_worse(case.outcome, now.outcome):
            pass_to_fail.append(case.id)
    return Delta(tuple(fail_to_pass), tuple(pass_to_fail), tuple(still_failing), tuple(vanished))


def _is_worse(before: Outcome, after: Outcome) -> bool:
    if after.is_failure:
        return True
    if before is Outcome.PASSED:
        return after is not Outcome.PASSED
    return before is Outcome.FLAKY and after is Outcome.SKIPPED
