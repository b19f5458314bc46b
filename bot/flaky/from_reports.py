"""`--history FILE…`: JUnit XML and files of earlier nights, given by hand → records.

A report tells no commit, so what differs between two of them makes a suspect and never more. Reports of one folder
count as one source.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bot.evidence import artifact
from bot.evidence.text import one_line
from bot.evidence.types import Problem
from bot.flaky.nights import LIMIT_BYTES, load
from bot.flaky.reconcile import read_report
from bot.flaky.types import Night, RunRecord, RunSource

MOST_FILES = 10_000
"""Files that are read, folders' contents included."""
_MOST_BYTES = 256 << 20
_NIGHT = b'{"format":'
_SUFFIXES = frozenset({".xml", ".jsonl", ".zip"})


def records_of(paths: Sequence[Path]) -> tuple[tuple[RunRecord, ...], tuple[Problem, ...]]:
    """Records of all files, and below folders of those whose names end in .xml, .jsonl or .zip; each run once.

    Nothing that a file holds raises: what cannot be read, or not reconciled, is a problem or `RunRecord.unknown`.
    A file's time is the one at which it was written.
    """
    problems: list[Problem] = []
    records: dict[str, RunRecord] = {}
    for number, path in enumerate(_files(paths, problems)):
        if number >= MOST_FILES:
            problems.append(Problem(_name(path), f"the rest was not read: there are more than {MOST_FILES:,} files"))
            break
        found = _read(path, problems)
        doubles = [record for record in found if record.key in records]
        if doubles and len(doubles) == len(found):
            problems.append(Problem(_name(path), "holds no run that an earlier file did not hold; it was left out"))
        records.update((record.key, record) for record in found)
    return tuple(records.values()), tuple(problems)


def _files(paths: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file())
            if not inside:
                problems.append(Problem(_name(path), "holds no file that ends in .xml, .jsonl or .zip"))
            yield from inside
        elif path.is_file():
            yield path
        else:
            why = "is no regular file; it was not read" if path.exists() else "does not exist; check the path"
            problems.append(Problem(_name(path), why))


def _read(path: Path, problems: list[Problem]) -> tuple[RunRecord, ...]:
    name = _name(path)
    try:
        at = path.stat().st_mtime
        if path.stat().st_size > _MOST_BYTES:
            problems.append(Problem(name, f"has more than {_MOST_BYTES >> 20} MiB; it was not read"))
            return ()
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(name, f"cannot be read: {error.strerror or type(error).__name__}"))
        return ()
    if data.lstrip()[: len(_NIGHT)] == _NIGHT or path.suffix.lower() == ".jsonl":
        return _night(data, name, problems)
    group = f"files:{path.resolve().parent.as_posix()}"
    if data.startswith(artifact.MAGIC):
        reports = [
            (f"{name}/{inner}", stream.read()) for inner, stream in artifact.reports(io.BytesIO(data), name, problems)
        ]
    else:
        reports = [(name, data)]
    return tuple(record for inner, raw in reports for record in _report(raw, inner, group, at, problems))


def _night(data: bytes, name: str, problems: list[Problem]) -> tuple[RunRecord, ...]:
    if len(data) > LIMIT_BYTES:
        problems.append(Problem(name, f"has more than {LIMIT_BYTES >> 20} MiB, which no night has; it was not read"))
        return ()
    night = load(data, name)
    if isinstance(night, Night):
        return night.records
    problems.append(Problem(name, one_line(night.why, 300)))
    return ()


def _report(raw: bytes, name: str, group: str, at: float, problems: list[Problem]) -> tuple[RunRecord, ...]:
    outcomes = read_report(io.BytesIO(raw), name, problems)
    if outcomes.left_out:
        problems.append(Problem(name, f"{outcomes.left_out:,} tests were left out: too many, or names too long"))
    if not outcomes.tests:
        return ()
    if outcomes.unknown:
        count = len(outcomes.unknown)
        problems.append(
            Problem(
                name, f"tells contradictory things of {count:,} test{'' if count == 1 else 's'}; they count for none"
            )
        )
    record = RunRecord(
        key=f"file:{hashlib.sha256(raw).hexdigest()}",
        source=RunSource.FILE,
        group=group,
        commit="",
        environment="",
        attempt=1,
        at=at,
        seconds=sum(outcomes.durations.values()),
        tests=outcomes.tests,
        failed=outcomes.failed,
        retried=outcomes.retried,
        unknown=outcomes.unknown,
        durations=outcomes.durations,
        purpose=name,
    )
    return (record,)


def _name(path: Path) -> str:
    return one_line(path.as_posix(), 300)
