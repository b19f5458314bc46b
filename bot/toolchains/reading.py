"""What a run left in its control directory → RunResult and LineHits. All of it is the word of untrusted code."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace

from bot.evidence.junit import iter_cases
from bot.evidence.merge import Merger
from bot.evidence.text import one_line
from bot.evidence.types import Problem, TestId, TestReport
from bot.ports import Box, Execution, RunResult
from bot.toolchains import box_files
from bot.toolchains.types import LineHits

_MOST_REPORTS = 16
_MOST_REPORT_BYTES = 64 << 20
_MOST_LINE_BYTES = 64 << 20
_MOST_LINE = 10_000_000


def read_run(box: Box, execution: Execution, ids: tuple[TestId, ...] | None) -> RunResult:
    """Judge a run by report and exit code together (DESIGN, gates).

    `report` is None wherever it cannot be believed. One case keeps it beside `problem`: exit 1 without a failing case,
    which is inconclusive (a coverage threshold, a plugin's verdict) and asked once more before it counts as failure.
    """
    refused = box_files.refusal(box)
    if refused:
        return RunResult(execution, None, one_line(refused, 300))
    if execution.timed_out:
        return RunResult(execution, None, f"the run was stopped after {execution.seconds:.0f} s{_during(box)}")
    if execution.oom_killed:
        return RunResult(execution, None, f"a process was killed for lack of memory{_during(box)}")
    report = read_report(box)
    problem = _problem(execution, report, ids)
    if report is None or not problem:
        problem = problem and problem + (_during(box) if report is None else "")
        return RunResult(execution, report, problem)
    inconclusive = execution.exit_code == 1 and not report.failures()
    missing = _missing(report, ids)
    return RunResult(execution, report if inconclusive and not missing else None, problem)


def read_report(box: Box) -> TestReport | None:
    """The cases of every report the run wrote, under ids relative to the workspace; None where there was none."""
    raws = []
    for number in range(1, _MOST_REPORTS + 1):
        raw = box.collect("report.xml" if number == 1 else f"report-{number}.xml", limit=_MOST_REPORT_BYTES)
        if raw is None:
            break
        raws.append(raw)
    if not raws:
        return None
    session = box_files.read_session(box)
    problems: list[Problem] = []
    merger = Merger()
    # Every box lies elsewhere: without its own place, messages are alike from run to run and name the project's files.
    place = f"{box.workspace}/".encode()
    for number, raw in enumerate(raws, start=1):
        for case in iter_cases(io.BytesIO(raw.replace(place, b"")), f"report {number}", problems):
            merger.add(replace(case, id=placed(case.id, session)))
    problems += [Problem("report", remark) for remark in merger.remarks()]
    return TestReport(merger.cases(), tuple(problems))


def placed(id: TestId, session: box_files.Session) -> TestId:
    """The id relative to the workspace, where pytest's root folder is another one."""
    if not id.file and id.classname and not id.name:  # an uncollectable module: its dotted path is all there is
        id = replace(id, file=id.classname.replace(".", "/") + ".py")
    if not session.prefix and not session.strip:
        return id
    file = session.prefix + id.file.removeprefix(session.strip) if id.file else ""
    dotted = session.prefix.replace("/", ".") + id.classname.removeprefix(session.strip.replace("/", "."))
    return TestId(file, dotted.strip("."), id.name)


def _problem(execution: Execution, report: TestReport | None, ids: tuple[TestId, ...] | None) -> str:
    code = execution.exit_code
    failures = () if report is None else report.failures()
    if code == 5 and (report is None or not len(report)):
        return "no tests were found" if ids is None else f"none of the {len(ids)} selected tests was found"
    if report is None:
        return f"no report was written (exit {code})"
    if code not in (0, 1):
        return f"the test run broke off with exit {code}"
    if code == 0 and failures:
        return f"exit 0, but the report has {len(failures)} failing tests"
    if not len(report):
        return "the report has no test" + (f": {report.problems[0].message}" if report.problems else "")
    missing = _missing(report, ids)
    if missing:
        names = ", ".join(one_line(id.node_id, 120) for id in missing[:3])
        return f"{len(missing)} of {len(ids or ())} selected tests are not in the report: {names}"
    if code == 1 and not failures:
        return "exit 1, but no test failed (a coverage threshold, or a plugin's verdict)"
    return ""


def _missing(report: TestReport, ids: tuple[TestId, ...] | None) -> tuple[TestId, ...]:
    """Selected ids that the report does not have. A module that could not be collected is there once any test of it
    is; a test whose module cannot be collected (any more) is told by that module's error."""
    if not ids:
        return ()
    known = {(case.id.classname, case.id.name) for case in report}
    uncollectable = tuple(case.id.classname for case in report if not case.id.name)
    scopes = {case.id.classname for case in report}
    return tuple(id for id in ids if (id.classname, id.name) not in known and not _told(id, scopes, uncollectable))


def _told(id: TestId, scopes: set[str], uncollectable: tuple[str, ...]) -> bool:
    if not id.name:
        return any(_within(scope, id.classname) for scope in scopes)
    # a conftest.py that cannot be loaded takes every test of its folder with it
    return any(_within(id.classname, module.removesuffix("conftest").rstrip(".")) for module in uncollectable)


def _within(scope: str, module: str) -> bool:
    return not module or scope == module or scope.startswith(module + ".")


def _during(box: Box) -> str:
    test = box_files.last_started(box)
    return f" during {one_line(test, 200)}" if test else ""


# --- lines ----------------------------------------------------------------------------------------------------------


def read_line_hits(box: Box) -> LineHits | None:
    """The collector's file (`in_box/lines.py`), None where it is absent, too large or not what it should be."""
    raw = box.collect("lines.json", limit=_MOST_LINE_BYTES)
    if raw is None:
        return None
    try:
        return LineHits(dict(_tests(json.loads(raw))))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _tests(told: object) -> Iterator[tuple[TestId, dict[str, frozenset[int]]]]:
    match told:
        case {"format": "grokfix-lines/1", "files": [*files], "sets": [*sets], "tests": [*tests]}:
            paths = [_path(file) for file in files]
            lines = [frozenset(_line(line) for line in one) for one in sets]
        case _:
            raise ValueError("not a file of executed lines")
    for file, scope, name, rows in tests:
        if not (isinstance(file, str) and isinstance(scope, str) and isinstance(name, str)):
            raise ValueError("a test's name is no text")
        hits: dict[str, frozenset[int]] = {}
        for file_index, set_index in rows:
            if file_index < 0 or set_index < 0:
                raise ValueError("a negative index")
            hits[paths[file_index]] = lines[set_index]
        yield TestId(file, scope, name), hits


def _path(file: object) -> str:
    if not isinstance(file, str) or file.startswith("/") or ".." in file.split("/"):
        raise ValueError("a path outside the workspace")
    return file


def _line(line: object) -> int:
    if not isinstance(line, int) or not 0 < line < _MOST_LINE:
        raise ValueError("not a line number")
    return line
