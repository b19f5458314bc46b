"""Short ways to write runs: `run("c1", "a b", "b")` ran a and b at c1, and b failed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bot.evidence.types import TestId
from bot.flaky.types import Failed, RunRecord, RunSource
from bot.toolchains.types import PLAIN, Conditions

START = 1_790_000_000.0
HOUR = 3_600.0
_numbers = itertools.count(1)


def named(name: str) -> TestId:
    return TestId("tests/test_it.py", "tests.test_it", f"test_{name}")


def ids(names: str | Sequence[str]) -> tuple[TestId, ...]:
    return tuple(named(name) for name in (names.split() if isinstance(names, str) else names))


def run(
    commit: str,
    tests: str | Sequence[str],
    failed: str | Sequence[str] = "",
    *,
    at: float | None = None,
    group: str = "branch:main",
    environment: str = "ci",
    source: RunSource = RunSource.CI,
    key: str = "",
    fingerprint: str = "f1",
    retried: str = "",
    unknown: str = "",
    seconds: float = 600.0,
    base: bool = True,
    whole: bool = True,
    conditions: Conditions = PLAIN,
) -> RunRecord:
    number = next(_numbers)
    return RunRecord(
        key=key or f"{source}:{number}/1/job",
        source=source,
        group=group,
        commit=commit,
        environment=environment,
        attempt=1,
        at=START + number * HOUR if at is None else at,
        seconds=seconds,
        tests=ids(tests),
        failed={test: Failed(fingerprint, "AssertionError", "no") for test in ids(failed)},
        retried=frozenset(ids(retried)),
        unknown=frozenset(ids(unknown)),
        base=base,
        whole=whole,
        conditions=conditions,
    )


def reruns(
    commit: str,
    tests: str | Sequence[str],
    outcomes: str,
    *,
    suspect: str,
    fingerprint: str = "f1",
    base: bool = True,
    session: str = "s",
) -> list[RunRecord]:
    """Runs in our own box; `outcomes` is what the suspect did in each of them: "ppfp"."""
    return [
        run(
            commit,
            tests,
            suspect if outcome == "f" else "",
            group="branch:main",
            environment="box",
            source=RunSource.RERUN,
            key=f"rerun:{session}/1/{next(_numbers)}",
            fingerprint=fingerprint,
            base=base,
        )
        for outcome in outcomes
    ]
