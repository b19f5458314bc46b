"""JUnit XML as it is found: clean bytes → expat → cases, in constant memory; what is broken is salvaged, and said."""

from __future__ import annotations

import glob
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from bot.errors import ConfigError
from bot.evidence import artifact
from bot.evidence.junit_document import Broken, Complete, Document, Followed, Nothing, Refused, Tally
from bot.evidence.junit_salvage import Salvage
from bot.evidence.merge import Merger
from bot.evidence.types import Problem, TestCase, TestReport
from bot.evidence.xml_text import clean_utf8

BYTE_LIMIT = 1 << 30
"""Bytes of one report that are read."""
DOCUMENT_LIMIT = 1000
"""Documents in one stream that are read."""
SURPLUS = "some runners write retried attempts as further cases that look passed"
"""Ends the remark on a report with more cases than its counters tell."""

_DOCUMENT = re.compile(rb"<\?xml\s|<(?:[A-Za-z_][\w.-]{0,40}:)?testsuites?[\s>]")


def iter_cases(
    stream: BinaryIO, source: str, problems: list[Problem], *, limit: int = BYTE_LIMIT
) -> Iterator[TestCase]:
    """Every case of one report as it is read, duplicates and all; memory does not grow with the report.

    source names the report in `problems`, to which whatever was wrong is appended: characters and encodings that were
    mended, several documents in one, broken XML (from there on read tolerantly, with an account of what was found),
    a DTD or excessive depth (reading stops), more than `limit` bytes (the rest is left), counters that disagree.
    Whatever the report holds, nothing is raised; OSError is the stream's own.
    """

    def say(message: str) -> None:
        problems.append(Problem(source, message))

    chunks = clean_utf8(stream, limit, say)
    tally = Tally()
    documents = 0
    rest: bytes | None = b""
    while rest is not None:
        end = yield from Document(tally).read(rest, chunks)
        documents += 1
        rest = None
        match end:
            case Complete():
                pass
            case Nothing():
                documents -= 1
            case Refused(reason):
                say(reason)
                return
            case Broken(reason, remainder, suites, declared):
                salvage = Salvage(suites, declared)
                yield from salvage.read(remainder, chunks)
                say(_salvaged(reason, salvage, tally))
                return
            case Followed(remainder):
                rest = _next_document(remainder, chunks)
                if rest is None:
                    say("goes on after its end with what is no report; that was not read")
                elif documents >= DOCUMENT_LIMIT:
                    say(f"holds more than {DOCUMENT_LIMIT:,} documents; the rest was not read")
                    rest = None
    for message in _remarks(tally, documents):
        say(message)


def read_junit(paths: Iterable[Path], *, limit: int = BYTE_LIMIT) -> TestReport:
    """One report out of several files, ids unique, in the order of the files; see `merge` for what happens to doubles.

    A file that cannot be read is a problem of the report, never an exception: a report without cases whose problems
    say why is for the caller to judge.
    """
    merger = Merger()
    problems: list[Problem] = []
    for path in paths:
        source = path.as_posix()
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                problems.append(Problem(source, "is no regular file; it was not read"))
                continue
            with path.open("rb") as stream:
                for case in _cases_of_file(stream, source, problems, limit):
                    if not merger.add(case):
                        problems.append(Problem(source, f"{merger.limit_message}; the rest was not read"))
                        break
        except OSError as error:
            problems.append(Problem(source, f"cannot be read: {error.strerror or type(error).__name__}"))
    problems.extend(Problem("report", message) for message in merger.remarks())
    return TestReport(merger.cases(), tuple(problems))


def _cases_of_file(stream: BinaryIO, source: str, problems: list[Problem], limit: int) -> Iterator[TestCase]:
    """Cases of a report, or of every report in a zip archive (an artifact as CI keeps it)."""
    archived = stream.read(len(artifact.MAGIC)) == artifact.MAGIC
    stream.seek(0)
    if not archived:
        yield from iter_cases(stream, source, problems, limit=limit)
        return
    for name, report in artifact.reports(stream, source, problems):
        yield from iter_cases(report, name, problems, limit=limit)


def expand(patterns: Sequence[str], root: Path) -> tuple[Path, ...]:
    """Files that the glob patterns name, each once, sorted within a pattern; `**` crosses folders.

    Relative patterns start at `root`. ConfigError naming every pattern that matches no file, and where it was looked
    for.
    """
    found: dict[Path, None] = {}
    missing: list[str] = []
    for pattern in patterns:
        literal = root / pattern
        # glob, not Path.glob: absolute patterns are welcome, and a folder that may not be read is passed over.
        names = [pattern] if literal.is_file() else glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
        files = [root / name for name in sorted(names) if (root / name).is_file()]
        if not files:
            missing.append(pattern)
        found.update(dict.fromkeys(files))
    if missing:
        listed = ", ".join(repr(pattern) for pattern in missing)
        raise ConfigError(
            f"no JUnit file matches {listed} (looked for from {root}); "
            "run the tests first, or give the path that their runner writes to"
        )
    return tuple(found)


def _next_document(rest: bytes, chunks: Iterator[bytes]) -> bytes | None:
    """`rest` and what follows from the beginning of the next document on, None where there is none."""
    while True:
        match = _DOCUMENT.search(rest)
        if match is not None:
            return rest[match.start() :]
        following = next(chunks, None)
        if following is None:
            return None
        rest = rest[-64:] + following


def _salvaged(reason: str, salvage: Salvage, tally: Tally) -> str:
    message = (
        f"is not well-formed XML ({reason}); from there on it was read tolerantly: {tally.cases:,} cases before, "
        f"{salvage.found:,} after"
    )
    if salvage.unfinished:
        message += f", and {salvage.unfinished:,} left out because nothing says how they ended"
    if salvage.declared and salvage.declared != tally.cases + salvage.found:
        message += f"; its suites declare {salvage.declared:,}"
    return message


def _remarks(tally: Tally, documents: int) -> Iterator[str]:
    if not documents:
        yield "is empty"
    elif not tally.cases:
        yield "has no test case" if tally.suites else "is XML without a test suite or test case, so no JUnit XML"
    if documents > 1:
        yield f"is {documents:,} documents in one; all were read"
    if tally.interim:
        yield f"tells of retried attempts in {_number(tally.interim, 'case')}; that a retry passed is its own word"
    if tally.wrong:
        message = (
            f"has {_number(tally.wrong, 'suite')} whose counter is not the number of the cases "
            f"(the first: {tally.first_wrong}); the cases count"
        )
        if tally.surplus:
            message += f"; {SURPLUS}"
        yield message


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
