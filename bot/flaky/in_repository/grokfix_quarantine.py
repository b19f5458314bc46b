"""Flaky tests in quarantine: failures of the tests that grokfix-quarantine.json lists are expected until their date.

They keep running. A failure is shown as xfail and does not make the run red; a pass stays a pass. After its date, or
where the date is missing or unreadable, a test fails as any other. `--runxfail` or `-p no:grokfix_quarantine` lifts
the whole quarantine for a run. Standard library only, pytest 6 and later, Python 3.8 and later, with and without xdist.

Written by grokfix. Nothing else reads this file: to end the quarantine, delete it and the list.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    import pluggy

LIST = "grokfix-quarantine.json"
FORMAT = "grokfix-quarantine/1"
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST_BYTES = 4 << 20
_PROPERTY = "grokfix_quarantine"  # of the test in JUnit XML, where an xfail has no traceback and looks like a skip
_TRACEBACK = "grokfix_quarantine_traceback"
_LONGEST = 16_000
_quarantined: dict[str, tuple[str, str]] = {}  # id → (last day, reason shown)
_expired: dict[str, str] = {}  # id → why
_problem = ""
_seen: dict[str, set[str]] = {"failed": set(), "passed": set(), "expired": set()}


def pytest_configure(config: pytest.Config) -> None:
    """Read the list. Whatever is wrong with it is said at the end of the run and quarantines nothing."""
    global _problem  # noqa: PLW0603 (a pytest plugin is a module)
    _quarantined.clear()
    _expired.clear()
    for ids in _seen.values():
        ids.clear()
    _problem = ""
    if config.option.runxfail:
        return
    try:
        found = _read(os.path.join(_FOLDER, LIST))
    except (OSError, ValueError, RecursionError) as error:
        _problem = f"{LIST} cannot be used ({error}): no test is in quarantine"
        return
    today = time.strftime("%Y-%m-%d", time.gmtime())
    for test, (until, reason) in found.items():
        if not until:
            _expired[test] = "its quarantine has no readable last day (until: YYYY-MM-DD), which counts as over"
        elif until < today:
            _expired[test] = f"its quarantine ended on {until}"
        else:
            _quarantined[test] = (until, reason)


def _read(path: str) -> dict[str, tuple[str, str]]:
    """Of each test its last day ("" where that is not readable) and why; a test listed twice has the earlier day."""
    with open(path, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    document = json.loads(data.decode("utf-8"))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f'"format" must be "{FORMAT}"')
    entries = document.get("tests")
    if not isinstance(entries, list):
        raise ValueError('"tests" must be a list')
    found: dict[str, tuple[str, str]] = {}
    for number, entry in enumerate(entries, 1):
        test = entry.get("test") if isinstance(entry, dict) else None
        if not isinstance(test, str) or not test:
            raise ValueError(f'entry {number} has no "test"')
        until = _day(entry.get("until"))
        if test in found:
            until = min(until, found[test][0])
        found[test] = (until, _words(entry))
    return found


def _day(value: object) -> str:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return ""
    try:
        time.strptime(value, "%Y-%m-%d")
    except ValueError:
        return ""
    return value


def _words(entry: dict[str, object]) -> str:
    parts = [_shown(entry.get(name)) for name in ("reason", "owner", "issue")]
    return ", ".join(filter(None, parts)) or "flaky"


def _shown(value: object) -> str:
    """One printable line: the list's texts end in terminals and logs."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[:300].split())
    return "".join(char if char.isprintable() else "?" for char in line).replace("##[", "## [")


def _id_of(item: pytest.Item) -> str:
    """The test's id relative to the folder of this file, wherever pytest was started and whatever xdist adds to it."""
    path = str(getattr(item, "path", None) or item.fspath)
    try:
        relative = os.path.relpath(path, _FOLDER).replace(os.sep, "/")
    except ValueError:  # another drive
        return ""
    inner = item.parent.nodeid.partition("::")[2] if item.parent is not None else ""
    return "::".join(part for part in (relative, inner, item.name) if part)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Outermost, so that it sees what all others made of the call."""
    outcome = yield
    if not (_quarantined or _expired):
        return
    report = outcome.get_result()
    test = _id_of(item)
    if test in _expired:
        if report.failed:
            report.sections.append(("grokfix quarantine", f"{_expired[test]} ({LIST}): it counts again"))
            vars(report)["grokfix_quarantine"] = "expired"
    elif test in _quarantined:
        until, reason = _quarantined[test]
        if report.failed and call.excinfo is not None:
            report.outcome = "skipped"
            report.wasxfail = f"in quarantine until {until}: {reason}"
            vars(report)["grokfix_quarantine"] = "failed"
            _tell(item, report)
        elif report.passed and report.when == "call":
            vars(report)["grokfix_quarantine"] = "passed"


def _tell(item: pytest.Item, report: pytest.TestReport) -> None:
    """Leave in the test's properties that it failed, and how. JUnit XML has those of a test's last report, which is
    made of the item's; other reporters look at this one."""
    properties = [(_PROPERTY, "failed"), (_TRACEBACK, report.longreprtext[-_LONGEST:])]
    for known in (item.user_properties, report.user_properties):
        if not any(name == _PROPERTY for name, _ in known):
            known.extend(properties)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In the process that shows the results; with xdist the reports come from the workers."""
    became = getattr(report, "grokfix_quarantine", "")
    if became in _seen:
        _seen[became].add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the quarantine did in this run, where it did anything."""
    failed, expired = _seen["failed"], _seen["expired"]
    passed = _seen["passed"] - failed
    if not (_problem or failed or passed or expired):
        return
    terminalreporter.section("grokfix quarantine")
    if _problem:
        terminalreporter.write_line(_shown(_problem), red=True)
    if failed or passed:
        terminalreporter.write_line(
            f"{len(failed) + len(passed)} of the tests that ran are in quarantine: "
            f"{len(failed)} failed (shown as xfail), {len(passed)} passed"
        )
    for test in sorted(expired)[:50]:
        terminalreporter.write_line(f"counts again, its quarantine is over: {_shown(test)}", red=True)
