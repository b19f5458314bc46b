"""Console output of pytest and unittest → TestReport, as far as it tells: failures, and passes where verbose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.evidence.console_pytest import PytestSession
from bot.evidence.console_unittest import read_unittest
from bot.evidence.merge import Merger
from bot.evidence.text import without_terminal_codes
from bot.evidence.types import Problem, TestCase, TestReport

LINE_LIMIT = 20_000
"""Characters of one line that are read."""

# "2026-01-31T12:00:00.1234567Z ", after "job<TAB>step<TAB>" in a log fetched from the command line.
_STAMP = re.compile(r"(?:[^\t\n]{0,200}\t[^\t\n]{0,200}\t)?\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z ?")
_GROUP = re.compile(r"##\[(?:group|endgroup|section|debug|command)\]")
_LEVEL = re.compile(r"##\[(?:error|warning|notice)\]")
_SESSION_END = re.compile(
    r"(?:=+ )?(?:no tests ran|(?:\d+ (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun|"
    r"subtests \w+)(?:, )?)+) in \d+(?:\.\d+)?s(?: \([\d:, a-z]+\))?(?: =+)?"
)


def read_console(text: str, source: str) -> TestReport:
    """Read the output of one or several runs, with or without colour, CI time stamps and xdist's worker names.

    From pytest: the short summary, the blocks of the sections ERRORS and FAILURES (attached to their cases), verbose
    result lines; from unittest: failure blocks and verbose lines. Ids come from the output's own node ids; a block
    without a summary line is named by its title and its traceback's file. Whatever was cut, contradicts the run's own
    totals or stopped the run early is a problem of the report named by `source`.
    """
    problems: list[Problem] = []
    merger = Merger()

    def say(message: str) -> None:
        problem = Problem(source, message)
        if problem not in problems and len(problems) < 50:
            problems.append(problem)

    lines, cut = _lines(text)
    if cut:
        some = "1 line is" if cut == 1 else f"{cut:,} lines are"
        say(f"{some} longer than {LINE_LIMIT:,} characters; {'it was' if cut == 1 else 'they were'} cut")
    for session in _sessions(lines):
        pytest = PytestSession(say)
        cases: list[TestCase] = [*pytest.read(session), *read_unittest(session)]
        for case in cases:
            if not merger.add(case):
                say(f"{merger.limit_message}; the rest was not read")
                break
    if not merger.cases() and not problems:
        say("shows no test result of pytest or unittest")
    return TestReport(merger.cases(), tuple(problems))


def _lines(text: str) -> tuple[list[str], int]:
    """Lines without terminal codes, CI prefixes and group marks; how many were cut."""
    lines: list[str] = []
    cut = 0
    for raw in text.split("\n"):
        line = raw
        if len(line) > LINE_LIMIT:
            line = line[:LINE_LIMIT]
            cut += 1
        line = without_terminal_codes(line.removesuffix("\r"))
        stamp = _STAMP.match(line)
        if stamp is not None:
            line = without_terminal_codes(line[stamp.end() :])
        if line.startswith("##["):
            if _GROUP.match(line):
                continue
            line = _LEVEL.sub("", line, count=1)
        lines.append(line)
    return lines, cut


def _sessions(lines: list[str]) -> Iterator[list[str]]:
    """Runs, each up to its closing totals."""
    session: list[str] = []
    for line in lines:
        session.append(line)
        if _SESSION_END.fullmatch(line.strip()):
            yield session
            session = []
    if any(line.strip() for line in session):
        yield session
