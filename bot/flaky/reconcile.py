"""What one report says each test did, where retries and doubles make it say several things at once.

Retry dialects lie (docs/flaky.md): the cases of one file are reconciled with each other, with the file's own counters
and with how the job ended; what still contradicts itself is `unknown`, which counts as neither outcome.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from bot.evidence.ci import ID_LIMIT
from bot.evidence.failures import looks_own, read_failure
from bot.evidence.junit import SURPLUS, iter_cases
from bot.evidence.text import one_line
from bot.evidence.types import Outcome, Phase, Problem, TestCase, TestId
from bot.flaky.types import Failed

TESTS = 200_000
"""Distinct tests of one report that are kept."""
MESSAGE = 300
"""Characters of a failure's message that are kept."""

_PARAMETERS = re.compile(r"[\[({]")
_LONGEST_EXCEPTION = 200


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of one report, fields as `RunRecord` has them: `tests` in the order of the report, without skipped ones and
    files that could not be collected. left_out: tests past `TESTS`, and such whose name is too long to be one."""

    tests: tuple[TestId, ...] = ()
    failed: Mapping[TestId, Failed] = field(default_factory=dict)
    retried: frozenset[TestId] = frozenset()
    unknown: frozenset[TestId] = frozenset()
    durations: Mapping[TestId, float] = field(default_factory=dict)
    left_out: int = 0


@dataclass(slots=True)
class _Seen:
    """All results under one id. hidden: those of the failures that our quarantine showed as expected. last: whether
    what was reported last is a failure."""

    passes: int = 0
    failures: int = 0
    flakes: int = 0
    skips: int = 0
    hidden: int = 0
    last: bool = False
    seconds: float = 0.0
    failed: Failed | None = None


def reconcile(cases: Iterable[TestCase], *, surplus: bool = False, green: bool = False) -> Outcomes:
    """One report's cases as they stand in it, doubles and all; each is looked at once, so that memory is of its ids.

    surplus: the file has more cases than its counters say, so that doubles are attempts of one test
    (pytest-rerunfailures writes a retried failure as a further case that looks passed); else they are several tests of
    one name. green: the job ended well, and its host says so. Under one id:

    - failures only: failed. Passes only: passed; where doubles are attempts, retried.
    - passes, then a failure, where doubles are attempts: failed, for every attempt before it did.
    - passes and failures in another way: unknown.
    - failed and passed by the report's own word: retried; unknown where the name has parameters or doubles (surefire
      takes the parameters of one method for retries) or stands beside a failure (nextest).
    - failed in a job that ended well: unknown, for one of the two is not so; but a failure that our quarantine shows as
      expected is one, and leaves its job green.
    """
    return _decided(*_gathered(cases), surplus=surplus, green=green)


def read_report(stream: BinaryIO, source: str, problems: list[Problem], *, green: bool = False) -> Outcomes:
    """One JUnit XML file, reconciled; what is wrong with it is appended to `problems` (see `evidence.junit`)."""
    found: list[Problem] = []
    seen, left_out = _gathered(iter_cases(stream, source, found))
    problems += found
    return _decided(seen, left_out, surplus=any(SURPLUS in each.message for each in found), green=green)


def _gathered(cases: Iterable[TestCase]) -> tuple[Mapping[TestId, _Seen], int]:
    seen: dict[TestId, _Seen] = {}
    left_out = 0
    for case in cases:
        if case.phase is Phase.COLLECTION:
            continue
        found = seen.get(case.id)
        if found is None:
            length = len(case.id.file) + len(case.id.classname) + len(case.id.name)
            if length > ID_LIMIT or len(seen) >= TESTS:
                left_out += 1
                continue
            found = seen[case.id] = _Seen()
        _count(found, case)
    return seen, left_out


def _decided(seen: Mapping[TestId, _Seen], left_out: int, *, surplus: bool, green: bool) -> Outcomes:
    tests: list[TestId] = []
    failed: dict[TestId, Failed] = {}
    retried: set[TestId] = set()
    unknown: set[TestId] = set()
    durations: dict[TestId, float] = {}
    for id, each in seen.items():
        if not (each.passes or each.failures or each.flakes):
            continue
        tests.append(id)
        if each.seconds:
            durations[id] = each.seconds
        match _verdict(id, each, surplus):
            case Outcome.FAILED if each.failed is not None and not (green and each.failures > each.hidden):
                failed[id] = each.failed
            case Outcome.FLAKY:
                retried.add(id)
            case Outcome.PASSED:
                pass
            case _:
                unknown.add(id)
    return Outcomes(tuple(tests), failed, frozenset(retried), frozenset(unknown), durations, left_out)


def _count(found: _Seen, case: TestCase) -> None:
    found.last = case.outcome.is_failure or case.quarantined
    found.seconds = max(found.seconds, case.seconds)
    if found.last:
        found.failures += 1
        found.hidden += case.quarantined
        if found.failed is None:
            # The message of a hidden one tells of its quarantine.
            failure = read_failure(replace(case, message="") if case.quarantined else case, looks_own)
            exception, message = one_line(failure.exception, _LONGEST_EXCEPTION), one_line(failure.message, MESSAGE)
            found.failed = Failed(failure.fingerprint, exception, message)
    elif case.outcome is Outcome.FLAKY:
        found.flakes += 1
    elif case.outcome is Outcome.SKIPPED:
        found.skips += 1
    else:
        found.passes += 1


def _verdict(id: TestId, seen: _Seen, surplus: bool) -> Outcome | None:
    """PASSED, FAILED or FLAKY; None where it cannot be told."""
    if seen.flakes:
        alone = seen.flakes == 1 and not (seen.passes or seen.failures or seen.skips)
        return Outcome.FLAKY if alone and not _PARAMETERS.search(id.name) else None
    if seen.passes and seen.failures:
        return Outcome.FAILED if surplus and seen.failures == 1 and seen.last else None
    if seen.failures:
        return Outcome.FAILED
    return Outcome.FLAKY if surplus and seen.passes > 1 else Outcome.PASSED


def join(parts: Sequence[Outcomes]) -> Outcomes:
    """Reports of one run that have no test in common, as one, in the order given."""
    if len(parts) == 1:
        return parts[0]
    return Outcomes(
        tuple(id for part in parts for id in part.tests),
        {id: failed for part in parts for id, failed in part.failed.items()},
        frozenset(id for part in parts for id in part.retried),
        frozenset(id for part in parts for id in part.unknown),
        {id: seconds for part in parts for id, seconds in part.durations.items()},
        sum(part.left_out for part in parts),
    )


def variants(files: Mapping[str, Outcomes]) -> Mapping[str, Outcomes]:
    """The files of one job (POSIX path → what each says) as runs that each ran a test once, by what tells them apart.

    One, under "", where no test is in two files. Else files of one folder are one run, the shortest beginnings of the
    paths that do it first, and at last each file alone: a job that runs its suite several times keeps a folder or a
    file for each, and a test that failed in one and passed in another did not do so on a retry.
    """
    files = {path: outcomes for path, outcomes in files.items() if outcomes.tests}
    deepest = max((path.count("/") for path in files), default=0)
    for depth in range(deepest + 1):
        groups: dict[str, list[Outcomes]] = {}
        for path in sorted(files):
            groups.setdefault("/".join(path.split("/")[:-1][:depth]), []).append(files[path])
        if all(_disjoint([part.tests for part in parts]) for parts in groups.values()):
            return {name: join(parts) for name, parts in groups.items()}
    return files


def _disjoint(rosters: Sequence[Collection[TestId]]) -> bool:
    return len(rosters) == 1 or len(set().union(*rosters)) == sum(map(len, rosters))
