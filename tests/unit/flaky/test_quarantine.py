"""The quarantine: its list, the files of its pull request, and what real pytest runs make of them."""

from __future__ import annotations

import ast
import json
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import process
from bot.evidence.types import TestId
from bot.flaky import quarantine
from bot.flaky.in_repository import grokfix_quarantine
from bot.flaky.quarantine import Content, Entry, Quarantine, Refused, Unreadable, content_of, entry_for, read
from bot.flaky.types import Counts, Interval, Tally
from bot.flaky.verdict import Kind, Verdict

SOON = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
TODAY = datetime.now(UTC).date().isoformat()
PAST = "2020-02-03"
TESTS = """
import unittest
import pytest

def test_flaky():
    assert False, "now and then"

def test_passes():
    pass

def test_other():
    pass

@pytest.mark.parametrize("value", ["a", "a::b/c", "é\\n", "[x]", "<!-- @org -->"])
def test_each(value):
    assert False

@pytest.fixture
def broken():
    raise OSError("port taken")

def test_set_up(broken):
    pass

class TestInside:
    def test_method(self):
        assert False

class TestCaseInside(unittest.TestCase):
    def test_method(self):
        self.assertEqual(1, 2)
"""


def entry(test: str, until: str = SOON, **more: str) -> Entry:
    given = {"reason": "failed 3 of 60", "cause": "", "owner": "@org/team", "issue": "", "since": "2026-01-01", **more}
    return Entry(TestId.from_node_id(test), until=until, **given)


@dataclass(frozen=True)
class Ran:
    """What a pytest run said: exit code, output, and the outcomes that its JUnit file tells."""

    code: int
    output: str
    outcomes: Mapping[str, str]


def project(folder: Path, entries: Sequence[Entry], files: Mapping[str, str] | None = None) -> Content:
    """A project with the pull request's files in it."""
    for path, text in {"tests/test_a.py": TESTS, **(files or {})}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    wanted = quarantine.wanted_paths(entries, Quarantine())
    existing = {path: (folder / path).read_bytes() for path in wanted if (folder / path).exists()}
    content = content_of(entries, Quarantine(), existing)
    write(folder, content)
    return content


def write(folder: Path, content: Content) -> None:
    for path, data in content.files.items():
        if data is None:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(data)


def run(folder: Path, *arguments: str, plain: bool = True, python: str = sys.executable, cwd: str = ".") -> Ran:
    """plain: as the program `pytest` does it, without the current folder on the import path."""
    start = ["-c", "import sys, pytest; sys.path.remove(''); sys.exit(pytest.main(sys.argv[1:]))"]
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    # Plugins of our own development environment: importing them takes a second a run, and more in each worker.
    ours = (f"no:{name}" for name in ("cacheprovider", "randomly", "hypothesispytest", "playwright", "anyio"))
    quiet = (*(word for name in ours for word in ("-p", name)), f"--junitxml={report}", "-q", "-rA")
    done = process.run(
        (python, *(start if plain else ["-m", "pytest"]), *quiet, *arguments),
        cwd=folder / cwd,
        environment={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"},
        seconds=60,
    )
    outcomes = {}
    if report.exists():
        for case in ET.parse(report).iter("testcase"):
            kind = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
            outcomes[case.get("name", "")] = kind
    return Ran(done.exit_code, (done.stdout + done.stderr).decode(errors="replace"), outcomes)


# --- in real runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plain", "mode"), [(True, "prepend"), (True, "importlib"), (False, "prepend")])
def test_failures_of_listed_tests_are_expected_and_the_others_count(tmp_path: Path, plain: bool, mode: str) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky"), entry("tests/test_a.py::test_passes")])
    selected = [f"tests/test_a.py::test_{name}" for name in ("flaky", "passes", "other")]
    ran = run(tmp_path, f"--import-mode={mode}", *selected, plain=plain)
    assert ran.code == 0, ran.output
    assert ran.outcomes == {"test_flaky": "skipped", "test_passes": "passed", "test_other": "passed"}
    assert f"in quarantine until {SOON}: failed 3 of 60, @org/team" in ran.output
    assert "2 of the tests that ran are in quarantine: 1 failed (shown as xfail), 1 passed" in ran.output


IDS = (
    "test_flaky",
    "test_each[a]",
    "test_each[a::b/c]",
    "test_each[\\xe9\\n]",
    "test_each[[x]]",
    "test_set_up",
    "TestInside::test_method",
    "TestCaseInside::test_method",
)


def test_ids_are_matched_exactly(tmp_path: Path) -> None:
    """Not by their beginning, not without their parameters, not by the name of their file."""
    others = ("tests/test_a.py::test_each", "tests/test_a.py", "test_a.py::test_each[<!-- @org -->]")
    project(tmp_path, [*(entry(f"tests/test_a.py::{test}") for test in IDS), *map(entry, others)])
    ran = run(tmp_path)
    assert f"{len(IDS)} failed (shown as xfail), 0 passed" in ran.output
    assert [name for name, outcome in ran.outcomes.items() if outcome == "failure"] == ["test_each[<!-- @org -->]"]
    assert ran.code == 1


DATES = {
    SOON: "skipped",
    TODAY: "skipped",
    PAST: "failure",
    "": "failure",
    "2026-13-01": "failure",
    "2999-02-30": "failure",
    "tomorrow": "failure",
    "99999-01-01": "failure",
    "２９９９-01-01": "failure",
}


def test_after_its_last_day_a_test_counts_again(tmp_path: Path) -> None:
    numbers = range(len(DATES) + 1)
    text = f"import pytest\n@pytest.mark.parametrize('n', {list(numbers)})\ndef test_n(n):\n    assert False\n"
    entries = [entry(f"tests/test_b.py::test_n[{n}]", until) for n, until in zip(numbers, [*DATES, ""], strict=True)]
    project(tmp_path, entries, {"tests/test_b.py": text})
    document = json.loads((tmp_path / quarantine.LIST).read_text())
    del document["tests"][-1]["until"]
    (tmp_path / quarantine.LIST).write_text(json.dumps(document))
    ran = run(tmp_path, "tests/test_b.py")
    assert list(ran.outcomes.values()) == [*DATES.values(), "failure"]
    assert f"its quarantine ended on {PAST}" in ran.output
    assert "no readable last day" in ran.output
    assert ran.output.count("counts again, its quarantine is over: tests/test_b.py::test_n[") == 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"format": "grokfix-quarantine/2", "tests": []}',
        b'{"format": "grokfix-quarantine/1", "tests": {}}',
        b'{"format": "grokfix-quarantine/1", "tests": [1]}',
        b'{"format": "grokfix-quarantine/1", "tests": [{"test": ""}]}',
        b'{"format": "grokfix-quarantine/1", "tests": ' + b"[" * 100_000,
        b'<<<<<<< HEAD\n{"format": "grokfix-quarantine/1", "tests": []}',
        None,
    ],
)
def test_a_list_that_cannot_be_read_is_refused_by_both_readers(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / quarantine.LIST
    if data is not None:
        path.write_bytes(data)
        assert isinstance(read(data), Unreadable)
    with pytest.raises((OSError, ValueError, RecursionError)):
        grokfix_quarantine._read(str(path))


def test_a_list_that_cannot_be_read_quarantines_nothing_and_the_run_says_so(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")])
    (tmp_path / quarantine.LIST).write_bytes(b'<<<<<<< HEAD\n{"format": "grokfix-quarantine/1", "tests": []}')
    ran = run(tmp_path, "tests/test_a.py::test_flaky", "-W", "error")
    assert ran.code == 1
    assert "no test is in quarantine" in ran.output


def test_a_test_listed_twice_has_the_earlier_day(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")])
    path = tmp_path / quarantine.LIST
    document = json.loads(path.read_text())
    document["tests"].append({**document["tests"][0], "until": PAST})
    path.write_text(json.dumps(document))
    assert grokfix_quarantine._read(str(path))["tests/test_a.py::test_flaky"][0] == PAST
    found = read(path.read_bytes())
    assert isinstance(found, Quarantine)
    assert [each.until for each in found.entries] == [PAST]


def test_with_xdist_and_its_groups(tmp_path: Path) -> None:
    grouped = 'import pytest\n@pytest.mark.xdist_group("one")\ndef test_flaky():\n    assert False\n'
    project(tmp_path, [entry("tests/test_b.py::test_flaky")], {"tests/test_b.py": grouped})
    ran = run(tmp_path, "-n", "2", "--dist", "loadgroup", "tests/test_b.py")
    assert ran.code == 0, ran.output
    assert "1 failed (shown as xfail), 0 passed" in ran.output


def test_it_can_be_lifted_for_a_run(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")])
    for option in (("--runxfail",), ("-p", "no:grokfix_quarantine")):
        assert run(tmp_path, "tests/test_a.py::test_flaky", *option).code == 1
    with_option = run(
        tmp_path, "-p", "grokfix_quarantine", "-p", "no:grokfix_quarantine", "tests/test_a.py::test_flaky", plain=False
    )
    assert with_option.code == 1


def test_loaded_by_name_and_by_conftest_it_works_once(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")])
    ran = run(tmp_path, "-p", "grokfix_quarantine", "tests/test_a.py::test_flaky", plain=False)
    assert ran.code == 0, ran.output
    assert ran.output.count("1 of the tests that ran") == 1


def test_started_in_another_folder_ids_are_still_the_list_s(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")], {"tests/pytest.ini": "[pytest]\n"})
    assert run(tmp_path, "test_a.py::test_flaky", cwd="tests").code == 0


def test_the_projects_own_word_goes_first(tmp_path: Path) -> None:
    own = (
        "import pytest\n"
        '@pytest.mark.xfail(reason="own", strict=True)\ndef test_strict():\n    pass\n'
        '@pytest.mark.xfail(reason="own")\ndef test_expected():\n    assert False\n'
        '@pytest.mark.skip(reason="own")\ndef test_skipped():\n    assert False\n'
    )
    names = ("strict", "expected", "skipped")
    project(tmp_path, [entry(f"tests/test_b.py::test_{name}") for name in names], {"tests/test_b.py": own})
    ran = run(tmp_path, "tests/test_b.py")
    assert ran.outcomes == {"test_strict": "failure", "test_expected": "skipped", "test_skipped": "skipped"}


def test_texts_of_the_list_cannot_act_where_they_are_shown(tmp_path: Path) -> None:
    project(tmp_path, [entry("tests/test_a.py::test_flaky")])
    path = tmp_path / quarantine.LIST
    document = json.loads(path.read_text())
    document["tests"][0]["reason"] = "x\x1b[2J\r\n::error::y ##[error]z\u202e"
    document["tests"][0]["owner"] = ["no", "text"]
    path.write_text(json.dumps(document))
    ran = run(tmp_path, "tests/test_a.py::test_flaky")
    assert ran.code == 0
    assert not any(mark in ran.output for mark in ("\x1b", "\n::", "##[", "\u202e"))


def test_a_failing_subtest_is_expected_with_its_test(tmp_path: Path) -> None:
    text = "def test_parts(subtests):\n    for n in range(3):\n        with subtests.test(n=n):\n            assert n != 1\n"
    project(tmp_path, [entry("tests/test_b.py::test_parts")], {"tests/test_b.py": text})
    assert run(tmp_path, "tests/test_b.py").code == 0


# --- the files of the pull request ----------------------------------------------------------------------------------

CONFTESTS = {
    "none": None,
    "fixtures": "import pytest\n\n\n@pytest.fixture\ndef one():\n    return 1\n",
    "no newline at the end": "X = 1",
    "its own pytest_configure": "def pytest_configure(config):\n    config.own = True\n",
    "line ends of Windows": "X = 1\r\n",
}


@pytest.mark.parametrize("conftest", CONFTESTS.values(), ids=CONFTESTS)
def test_it_comes_and_goes_without_a_trace(tmp_path: Path, conftest: str | None) -> None:
    (tmp_path / "tests").mkdir()
    if conftest is not None:
        (tmp_path / "tests/conftest.py").write_bytes(conftest.encode())
    before = None if conftest is None else conftest.encode()
    entries = [entry("tests/test_a.py::test_flaky")]
    content = project(tmp_path, entries)
    assert content.loaded_by == "tests/conftest.py"
    assert set(content.files) == {quarantine.LIST, quarantine.PLUGIN, "tests/conftest.py"}
    ast.parse((tmp_path / "tests/conftest.py").read_bytes())
    now = read((tmp_path / quarantine.LIST).read_bytes())
    assert isinstance(now, Quarantine)
    existing = {path: (tmp_path / path).read_bytes() for path in content.files}
    assert content_of(entries, now, existing).files == {}, "the same list again changes nothing"
    ended = content_of(quarantine.without(now.entries, {entries[0].test}), now, existing)
    write(tmp_path, ended)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - {"report.xml"}
    assert left == {"tests/test_a.py"} | ({"tests/conftest.py"} if conftest is not None else set())
    if before is not None:
        after = (tmp_path / "tests/conftest.py").read_bytes()
        assert after.rstrip(b"\r\n") == before.rstrip(b"\r\n")


@pytest.mark.parametrize(
    ("conftest", "why"),
    [
        ("def pytest_configure(config): ...\npytest_sessionstart = None\n", "hooks of its own"),
        ("from shared import *\n", "names that cannot be seen"),
        ("def (:\n", "cannot be read as Python"),
        ("\x00", "cannot be read as Python"),
        ("# <<< grokfix quarantine\n", "lines that grokfix wrote there were changed"),
    ],
)
def test_a_conftest_better_left_alone_is_left_alone_and_the_option_is_told(conftest: str, why: str) -> None:
    content = content_of([entry("tests/test_a.py::test_x")], Quarantine(), {"tests/conftest.py": conftest.encode()})
    assert "tests/conftest.py" not in content.files
    assert why in content.by_hand
    assert "-p grokfix_quarantine" in content.by_hand
    assert content.loaded_by == ""


def test_beside_a_pytest_configure_of_the_projects_own(tmp_path: Path) -> None:
    own = {"tests/conftest.py": CONFTESTS["its own pytest_configure"] or ""}
    project(tmp_path, [entry("tests/test_a.py::test_flaky")], own)
    assert run(tmp_path, "tests/test_a.py::test_flaky").code == 0


def test_what_is_told_by_hand_works(tmp_path: Path) -> None:
    own = "def pytest_configure(config): pass\ndef pytest_sessionstart(session): pass\n"
    content = project(tmp_path, [entry("tests/test_a.py::test_flaky")], {"tests/conftest.py": own})
    assert content.by_hand
    assert run(tmp_path, "-p", "grokfix_quarantine", "tests/test_a.py::test_flaky", plain=False).code == 0
    assert run(tmp_path, "tests/test_a.py::test_flaky").code == 1


def test_tests_in_several_folders_are_loaded_from_above_them(tmp_path: Path) -> None:
    files = {"tests/deep/er/test_b.py": "def test_b():\n    assert False\n"}
    entries = [entry("tests/test_a.py::test_flaky"), entry("tests/deep/er/test_b.py::test_b")]
    content = project(tmp_path, entries, files)
    assert content.loaded_by == "tests/conftest.py"
    assert run(tmp_path, "tests/test_a.py::test_flaky", "tests/deep").code == 0


def test_a_list_that_grows_out_of_its_folder_moves_its_lines() -> None:
    first = content_of([entry("tests/unit/test_a.py::test_x")], Quarantine(), {})
    now = read(first.files[quarantine.LIST] or b"")
    assert isinstance(now, Quarantine)
    existing = {path: data for path, data in first.files.items() if data is not None}
    grown = quarantine.renewed(now.entries, [entry("tests/e2e/test_b.py::test_y")])
    assert set(quarantine.wanted_paths(grown, now)) == {*existing, "tests/conftest.py"}
    second = content_of(grown, now, existing)
    assert second.loaded_by == "tests/conftest.py"
    assert second.files["tests/unit/conftest.py"] is None


def test_a_suite_below_the_root_has_its_list_there() -> None:
    content = content_of([entry("tests/test_a.py::test_x")], Quarantine(), {}, "services/cart")
    assert set(content.files) == {
        "services/cart/grokfix-quarantine.json",
        "services/cart/grokfix_quarantine.py",
        "services/cart/tests/conftest.py",
    }


def test_no_path_leaves_the_suite() -> None:
    hostile = [entry("../../etc/test_a.py::test_x"), entry("/etc/test_b.py::test_y"), entry("tests/test_c.py::test_z")]
    for each in ([hostile[0]], [hostile[1]], hostile):
        content = content_of(each, Quarantine(), {}, "services/cart")
        assert all(path.startswith("services/cart/") and ".." not in path for path in content.files)
    for path in ("../conftest.py", "/conftest.py", "a/../conftest.py", "setup.py", ".github/workflows/x.yml"):
        given = quarantine.dump(Quarantine((), path))
        assert read(given) == Quarantine((), "")


# --- entries --------------------------------------------------------------------------------------------------------


def verdict(kind: Kind, test: str = "tests/test_a.py::test_flaky") -> Verdict:
    name = TestId.from_node_id(test) if "::" in test else TestId("", "dotted", test)
    counts = Counts(60, 3)
    return Verdict(
        name,
        kind,
        "failed 3 of 60",
        counts,
        Interval(0.01, 0.1),
        0.01,
        Tally(name, counts, (), (), {}, 0.1, 0.0, None, None, ()),
    )


@pytest.mark.parametrize("kind", Kind)
def test_only_flaky_tests_enter(kind: Kind) -> None:
    made = entry_for(verdict(kind), at=0.0, days=14)
    assert isinstance(made, Entry if kind is Kind.FLAKY else Refused)
    if kind is Kind.BROKEN:
        assert isinstance(made, Refused)
        assert "broken" in made.why


def test_an_entry_has_dates_and_an_end_however_many_days_are_asked_for() -> None:
    made = entry_for(verdict(Kind.FLAKY), at=86_400.0 * 365, days=14, owner="@org/team", issue="https://x.test/1")
    assert isinstance(made, Entry)
    assert (made.since, made.until, made.owner) == ("1971-01-01", "1971-01-15", "@org/team")
    longest = entry_for(verdict(Kind.FLAKY), at=86_400.0 * 365, days=10_000)
    assert isinstance(longest, Entry)
    assert longest.until == "1971-04-01"
    assert quarantine.is_over(made, 86_400.0 * 380)
    assert not quarantine.is_over(made, 86_400.0 * 379.5)
    assert quarantine.is_over(replace(made, until="soon"), 0.0)
    assert isinstance(entry_for(verdict(Kind.FLAKY, "no file"), at=0.0, days=14), Refused)


def test_the_list_survives_writing_and_reading() -> None:
    entries = tuple(entry(f"tests/test_a.py::test_{name}", reason="é ‚x‘") for name in ("b", "a[x::y/z]", "c"))
    found = read(quarantine.dump(Quarantine(entries, "tests/conftest.py")))
    assert found == Quarantine(entries, "tests/conftest.py")
    newer = replace(entries[0], until=PAST)
    assert [each.until for each in quarantine.renewed(entries, [newer]) if each.test == newer.test] == [PAST]
    assert len(quarantine.without(entries, {entries[1].test})) == 2
