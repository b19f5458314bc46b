"""Texts of a night within their limits and fit for UTF-8, before they are written."""

from __future__ import annotations

from dataclasses import replace

from bot.evidence.types import TestId
from bot.flaky.types import Failed, Finding, Regression, RunRecord, StateChange, Trial

TEXT = 2_000
MESSAGE = 300
_TOLD = 1_000  # failures of one run whose messages are kept; where more fail, it is not the tests


def clean_record(record: RunRecord, tests: tuple[TestId, ...]) -> RunRecord:
    told = len(record.failed) <= _TOLD
    return replace(
        record,
        key=clean(record.key),
        group=clean(record.group),
        commit=clean(record.commit),
        environment=clean(record.environment),
        purpose=clean(record.purpose),
        tests=tests,
        failed={
            _clean_test(test): Failed(
                clean(failed.fingerprint), clean(failed.exception), clean(failed.message, MESSAGE) if told else ""
            )
            for test, failed in record.failed.items()
        },
        retried=frozenset(map(_clean_test, record.retried)),
        unknown=frozenset(map(_clean_test, record.unknown)),
        durations={_clean_test(test): seconds for test, seconds in record.durations.items()},
    )


def clean_finding(finding: Finding) -> Finding:
    return replace(
        finding,
        test=_clean_test(finding.test),
        proofs=tuple(
            replace(
                proof,
                detail=clean(proof.detail),
                trials=tuple(map(_clean_trial, proof.trials)),
                polluters=clean_tests(proof.polluters),
                setters=clean_tests(proof.setters),
            )
            for proof in finding.proofs
        ),
        tried=tuple(
            replace(tried, why=clean(tried.why), trials=tuple(map(_clean_trial, tried.trials)))
            for tried in finding.tried
        ),
        cut=clean(finding.cut),
    )


def _clean_trial(trial: Trial) -> Trial:
    return replace(trial, label=clean(trial.label), tests=clean_tests(trial.tests), keys=tuple(map(clean, trial.keys)))


def clean_regression(found: Regression) -> Regression:
    return replace(
        found,
        test=_clean_test(found.test),
        good=clean(found.good),
        bad=clean(found.bad),
        first_bad=clean(found.first_bad),
        author=clean(found.author),
    )


def clean_change(change: StateChange) -> StateChange:
    return replace(
        change,
        test=_clean_test(change.test),
        reason=clean(change.reason),
        by=clean(change.by),
        until=clean(change.until),
    )


def clean_tests(tests: tuple[TestId, ...]) -> tuple[TestId, ...]:
    """The same object where there is nothing to clean: runs share their tests, and are recognised by that."""
    cleaned = tuple(map(_clean_test, tests))
    return tests if cleaned == tests else cleaned


def _clean_test(test: TestId) -> TestId:
    if all(text.isascii() and len(text) <= TEXT for text in (test.file, test.classname, test.name)):
        return test
    return TestId(clean(test.file), clean(test.classname), clean(test.name))


def clean(text: str, limit: int = TEXT) -> str:
    """Lone surrogates cannot be stored as UTF-8."""
    return text[:limit] if text.isascii() else text[:limit].encode("utf-8", "replace").decode()
