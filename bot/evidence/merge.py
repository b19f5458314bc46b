"""Several results under one id become one: the worst is kept, for no later pass takes a failure back."""

from __future__ import annotations

from dataclasses import replace

from bot.evidence.junit_case import TRACEBACK_LIMIT
from bot.evidence.text import head_tail, one_line
from bot.evidence.types import Outcome, TestCase, TestId

CASE_LIMIT = 3_000_000
"""Distinct cases of one report."""
TEXT_LIMIT = 64 << 20
"""Characters of messages and tracebacks of one report; past them, cases keep the first line of their message."""

# FAILED outweighs ERROR: pytest reports a failing call and its failing teardown as two cases of one id, and the call
# is what the test is about.
_WEIGHT = {Outcome.PASSED: 0, Outcome.SKIPPED: 1, Outcome.FLAKY: 2, Outcome.ERROR: 3, Outcome.FAILED: 4}

ALSO = "\n\n--- the same test, reported again ---\n\n"
"""Stands between the texts of two results of one test; the kept result's comes first."""


class Merger:
    """Gathers cases into a report with unique ids."""

    def __init__(self) -> None:
        self._cases: dict[TestId, TestCase] = {}
        self._text_left = TEXT_LIMIT
        self._shortened = 0
        self._doubles = 0
        self._contradictions: list[TestId] = []
        self._contradicted = 0

    limit_message = f"has more than {CASE_LIMIT:,} cases"

    def add(self, case: TestCase) -> bool:
        """Take in one case; False where the report is full."""
        before = self._cases.setdefault(case.id, case)
        if before is case:
            if case.message or case.traceback:
                self._cases[case.id] = self._afford(case)
            return len(self._cases) < CASE_LIMIT
        worse, other = (case, before) if _WEIGHT[case.outcome] > _WEIGHT[before.outcome] else (before, case)
        if worse.outcome.is_failure and not other.outcome.is_failure:
            self._contradicted += 1
            if len(self._contradictions) < 3:
                self._contradictions.append(case.id)
        else:
            self._doubles += 1
        if other.outcome.is_failure and other.traceback and other.traceback != worse.traceback:
            joined = worse.traceback + ALSO + (other.traceback or other.message)
            worse = replace(worse, traceback=head_tail(joined, TRACEBACK_LIMIT))
        if worse is not before:
            self._cases[case.id] = self._afford(worse)
        return True

    def _afford(self, case: TestCase) -> TestCase:
        size = len(case.message) + len(case.traceback)
        if size <= self._text_left:
            self._text_left -= size
            return case
        self._shortened += 1
        return replace(case, message=one_line(case.message, 200), traceback="")

    def cases(self) -> tuple[TestCase, ...]:
        """The merged cases, in the order of their first appearance."""
        return tuple(self._cases.values())

    def remarks(self) -> tuple[str, ...]:
        """What the merging had to decide."""
        messages: list[str] = []
        if self._contradicted:
            names = ", ".join(one_line(str(id), 120) for id in self._contradictions)
            messages.append(
                f"{_number(self._contradicted, 'time')} a test is reported both as failed and as not failed "
                f"(a retry, or several tests of one name); the failure counts: {names}"
            )
        if self._doubles:
            messages.append(
                f"{_number(self._doubles, 'result')} came under an id that had one already; each id is counted once"
            )
        if self._shortened:
            messages.append(f"{_number(self._shortened, 'case')} kept without traceback, for there is too much text")
        return tuple(messages)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
