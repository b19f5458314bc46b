"""Reads what a failed run left behind: JUnit files and console output named on the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bot.errors import ConfigError
from bot.evidence.console import read_console
from bot.evidence.junit import expand, read_junit
from bot.evidence.merge import Merger
from bot.evidence.types import Problem, TestCase, TestReport

LOG_LIMIT = 256 << 20
"""Bytes of console output that are read."""


def failing_cases(junit: Sequence[str], log: str | None, root: Path) -> tuple[TestCase, ...] | None:
    """Failing cases of `--junit` and `--log`, None where neither is given; ConfigError where they hold no test."""
    if not junit and log is None:
        return None
    reports = []
    if junit:
        reports.append(read_junit(expand(junit, root)))
    if log is not None:
        reports.append(_console(log))
    report = _merged(reports)
    if not report.cases:
        raise ConfigError(_nothing(report, [*junit, *([log] if log else [])]))
    return report.failures()


def read_any(names: Sequence[str]) -> TestReport:
    """One report out of files of either kind, told apart by content; ConfigError where none holds a test or problem."""
    reports = []
    for name in names:
        if name == "-" or not _looks_like_xml(name):
            reports.append(_console(name))
        else:
            reports.append(read_junit(expand([name], Path.cwd())))
    report = _merged(reports)
    if not report.cases:
        raise ConfigError(_nothing(report, names))
    return report


def _merged(reports: Sequence[TestReport]) -> TestReport:
    merger = Merger()
    problems = [problem for report in reports for problem in report.problems]
    for report in reports:
        for case in report:
            merger.add(case)
    problems += [Problem("all reports", remark) for remark in merger.remarks()] if len(reports) > 1 else []
    return TestReport(merger.cases(), tuple(problems))


def _nothing(report: TestReport, names: Sequence[str]) -> str:
    faults = "".join(f"\n  {problem.source}: {problem.message}" for problem in report.problems)
    return f"no test result was found in {', '.join(names)}{faults or '; is it JUnit XML or output of pytest?'}"


def _looks_like_xml(name: str) -> bool:
    if any(character in name for character in "*?["):
        return True
    try:
        with Path(name).open("rb") as stream:
            head = stream.read(4096).lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n\x1b")
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error
    return head.startswith(b"<") or b"<testsuite" in head


def _console(name: str) -> TestReport:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LOG_LIMIT)
        else:
            with Path(name).open("rb") as stream:
                data = stream.read(LOG_LIMIT)
    except OSError as error:
        raise ConfigError(f"cannot read the log {name}: {error.strerror}") from error
    return read_console(data.decode("utf-8", "replace"), name)
