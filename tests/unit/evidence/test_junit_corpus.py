"""Real reports of many runners: every file is read, or what was wrong with it is said; counts equal ElementTree's."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bot.evidence.failures import cluster, looks_own, read_failure
from bot.evidence.junit import iter_cases, read_junit
from bot.evidence.types import Problem

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("GROKFIX_CORPORA", ROOT / "../shared/corpora")) / "junit"
FILES = sorted(CORPUS.glob("*.xml"))


def independent(path: Path) -> tuple[int, int] | None:
    """Cases, and cases with a failure or error, by a plain tree; None where the file is not well-formed."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return None
    cases = [element for element in root.iter() if element.tag.rpartition("}")[2] == "testcase"]
    failing = [
        case
        for case in cases
        if any(child.tag.rpartition("}")[2] in ("failure", "error", "rerunFailure", "rerunError") for child in case)
    ]
    return len(cases), len(failing)


@pytest.mark.skipif(not FILES, reason=f"no real reports at {CORPUS}; set GROKFIX_CORPORA to a folder with junit/")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_report(path: Path) -> None:
    problems: list[Problem] = []
    with path.open("rb") as stream:
        cases = list(iter_cases(stream, path.name, problems))
    counted = independent(path)
    if counted is None:
        assert any("not well-formed" in problem.message or "forbids" in problem.message for problem in problems)
    else:
        assert (len(cases), sum(case.outcome.is_failure for case in cases)) == counted
    assert cases or problems
    report = read_junit([path])
    assert len(report) == len({case.id for case in cases})
    clusters = cluster(read_failure(case, looks_own) for case in report.failures())
    assert sum(len(group.failures) for group in clusters) == len(report.failures())
