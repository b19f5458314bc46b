"""A night without secrets: everything in it that tests could have put there is looked at before it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.evidence.types import TestId
from bot.flaky.types import Finding, Night, Proof, Regression, RunRecord, Trial, Tried


def without_secrets(night: Night, redact: Callable[[str], str]) -> Night:
    """The same night with `redact` applied to names of tests, messages, labels, details and problems.

    A secret in a test's name is replaced alike everywhere, so that the test stays one test.
    """
    return _Redaction(redact).night(night)


class _Redaction:
    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._known: dict[TestId, TestId] = {}

    def night(self, night: Night) -> Night:
        return replace(
            night,
            records=tuple(self._record(each) for each in night.records),
            findings=tuple(self._finding(each) for each in night.findings),
            regressions=tuple(self._regression(each) for each in night.regressions),
            changes=tuple(
                replace(each, test=self._test(each.test), reason=self._redact(each.reason)) for each in night.changes
            ),
            problems=tuple(map(self._redact, night.problems)),
        )

    def _test(self, test: TestId) -> TestId:
        if test not in self._known:
            self._known[test] = TestId(*map(self._redact, (test.file, test.classname, test.name)))
        return self._known[test]

    def _tests(self, tests: tuple[TestId, ...]) -> tuple[TestId, ...]:
        return tuple(map(self._test, tests))

    def _record(self, record: RunRecord) -> RunRecord:
        return replace(
            record,
            tests=self._tests(record.tests),
            failed={
                self._test(test): replace(
                    failed, exception=self._redact(failed.exception), message=self._redact(failed.message)
                )
                for test, failed in record.failed.items()
            },
            retried=frozenset(map(self._test, record.retried)),
            unknown=frozenset(map(self._test, record.unknown)),
            durations={self._test(test): seconds for test, seconds in record.durations.items()},
            purpose=self._redact(record.purpose),
        )

    def _trial(self, trial: Trial) -> Trial:
        return replace(trial, label=self._redact(trial.label), tests=self._tests(trial.tests))

    def _trials(self, trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
        return tuple(map(self._trial, trials))

    def _finding(self, finding: Finding) -> Finding:
        return Finding(
            self._test(finding.test),
            tuple(map(self._proof, finding.proofs)),
            tuple(map(self._tried, finding.tried)),
            self._redact(finding.cut),
        )

    def _proof(self, proof: Proof) -> Proof:
        return replace(
            proof,
            detail=self._redact(proof.detail),
            trials=self._trials(proof.trials),
            polluters=self._tests(proof.polluters),
            setters=self._tests(proof.setters),
        )

    def _tried(self, tried: Tried) -> Tried:
        return replace(tried, why=self._redact(tried.why), trials=self._trials(tried.trials))

    def _regression(self, found: Regression) -> Regression:
        return replace(found, test=self._test(found.test), author=self._redact(found.author))
