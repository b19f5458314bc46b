"""Files given by hand: JUnit in several dialects, archives, folders, doubles, and what is none of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bot.flaky.from_reports import records_of

PLAIN = '<testsuite tests="2"><testcase classname="m" name="a"/><testcase classname="m" name="b"><failure message="E: x"/></testcase></testsuite>'
SUREFIRE = '<testsuite tests="1"><testcase classname="m" name="a"><flakyFailure message="once"/></testcase></testsuite>'
NEXTEST = (
    '<testsuite tests="1"><testcase classname="m" name="a"><failure message="x"/><flakyFailure message="y"/>'
    "</testcase></testsuite>"
)
# pytest-rerunfailures on a test that fails always: childless copies that look passed, then the failure
RERUN = (
    '<testsuite tests="1"><testcase classname="m" name="a"/><testcase classname="m" name="a"/>'
    '<testcase classname="m" name="a"><failure message="x"/></testcase></testsuite>'
)


def test_dialects(tmp_path: Path) -> None:
    found = {}
    for name, text in {"plain": PLAIN, "surefire": SUREFIRE, "nextest": NEXTEST, "rerun": RERUN}.items():
        path = tmp_path / f"{name}.xml"
        path.write_text(text)
        (record,), _ = records_of([path])
        assert record.key.startswith("file:")
        assert record.commit == ""
        found[name] = (
            sorted(test.name for test in record.failed),
            sorted(test.name for test in record.retried),
            sorted(test.name for test in record.unknown),
        )
    assert found == {
        "plain": (["b"], [], []),
        "surefire": ([], ["a"], []),
        "nextest": (["a"], [], []),
        "rerun": (["a"], [], []),
    }


def test_folders_archives_and_doubles(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/one.xml").write_text(PLAIN)
    (tmp_path / "in/same.xml").write_text(PLAIN)
    (tmp_path / "in/notes.txt").write_text("no report")
    with zipfile.ZipFile(tmp_path / "in/artifact.zip", "w") as archive:
        archive.writestr("deep/two.xml", SUREFIRE)
    records, problems = records_of([tmp_path / "in"])
    assert len(records) == 2
    assert len({record.group for record in records}) == 1
    assert any("no run that an earlier file did not hold" in problem.message for problem in problems)


def test_what_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jsonl").write_bytes(b"\xff\x00{")
    (tmp_path / "night.jsonl").write_text('{"format": "grokfix-night/99"}\n')
    (tmp_path / "noise.xml").write_bytes(b"\x00" * 100)
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04rubbish")
    paths = [tmp_path / name for name in ("empty", "broken.jsonl", "night.jsonl", "noise.xml", "cut.zip", "absent.xml")]
    records, problems = records_of(paths)
    assert records == ()
    assert {Path(problem.source).name.partition("/")[0] for problem in problems} == {path.name for path in paths}
