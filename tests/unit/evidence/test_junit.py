"""JUnit XML as it is found: what is right is read, what is broken is salvaged and said, what is hostile costs nothing."""

from __future__ import annotations

import gc
import io
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.evidence import junit_case, xml_text
from bot.evidence.junit import expand, iter_cases, read_junit
from bot.evidence.types import Outcome, Phase, Problem, TestCase, TestId, TestReport

GOOD = (
    b'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="s" tests="2">'
    b'<testcase classname="t.a" name="one" file="t/a.py" time="0.5"/>'
    b'<testcase classname="t.a" name="two" file="t/a.py"><failure message="ValueError: no">trace</failure></testcase>'
    b"</testsuite></testsuites>"
)


def read(data: bytes, *, limit: int = 1 << 30) -> tuple[list[TestCase], list[str]]:
    problems: list[Problem] = []
    cases = list(iter_cases(io.BytesIO(data), "r.xml", problems, limit=limit))
    assert all(problem.source == "r.xml" for problem in problems)
    return cases, [problem.message for problem in problems]


def brief(cases: list[TestCase]) -> list[tuple[str, str]]:
    return [(case.id.name, case.outcome.value) for case in cases]


def suite(body: str, *, attributes: str = "") -> bytes:
    return f"<testsuite name='s' {attributes}>{body}</testsuite>".encode()


def test_a_plain_report() -> None:
    cases, problems = read(GOOD)
    assert cases == [
        TestCase(TestId("t/a.py", "t.a", "one"), Outcome.PASSED, 0.5),
        TestCase(TestId("t/a.py", "t.a", "two"), Outcome.FAILED, 0.0, "ValueError: no", "trace"),
    ]
    assert problems == []


def test_the_short_cut_for_passing_cases_equals_the_constructors() -> None:
    attributes = {"file": "./t/a.py", "classname": "t.a", "name": "x", "time": "1.5"}
    files, classnames = junit_case.Strings(junit_case.posix), junit_case.Strings(str)
    case = junit_case.plain_case(attributes, "", "", files, classnames)
    assert case == TestCase(TestId("t/a.py", "t.a", "x"), Outcome.PASSED, 1.5, "", "", Phase.CALL)
    assert {case} == {TestCase(TestId("t/a.py", "t.a", "x"), Outcome.PASSED, 1.5)}
    assert repr(case) == repr(TestCase(TestId("t/a.py", "t.a", "x"), Outcome.PASSED, 1.5))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<testcase name='a'><skipped/></testcase>", "skipped"),
        ("<testcase name='a'><error message='x'/></testcase>", "error"),
        ("<testcase name='a'><error/><failure/></testcase>", "failed"),
        ("<testcase name='a'><skipped/><failure/></testcase>", "failed"),
        ("<testcase name='a'><system-out>FAILED</system-out><properties/></testcase>", "passed"),
        ("<testcase name='a'><flakyFailure message='m'>t</flakyFailure></testcase>", "flaky"),
        ("<testcase name='a'><flakyError><stackTrace>t</stackTrace></flakyError></testcase>", "flaky"),
        ("<testcase name='a'><flakyFailure/><failure/></testcase>", "failed"),  # nextest writes both
        ("<testcase name='a'><failure/><rerunFailure/></testcase>", "failed"),
        ("<testcase name='a'><rerunFailure/></testcase>", "failed"),  # nothing says that it ever passed
        ("<testcase name='a' status='notrun'/>", "skipped"),
        ("<testcase name='a' status='run' result='suppressed'/>", "skipped"),
        ("<testcase name='a' status='run' result='completed'/>", "passed"),
        ("<testcase name='a' status='fail'/>", "failed"),
        ("<testcase name='a' success='False'/>", "failed"),
        ("<j:testcase xmlns:j='urn:j' name='a'><j:failure/></j:testcase>", "failed"),
        ("<testcase name='a'><system-out><failure/></system-out></testcase>", "passed"),  # printed, not reported
    ],
)
def test_dialects(body: str, expected: str) -> None:
    cases, _ = read(suite(body))
    assert brief(cases) == [("a", expected)]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0.25", 0.25),
        ("1.5s", 1.5),
        ("12 ms", 0.012),
        ("1,234.5", 1234.5),
        ("1,234", 1234.0),
        ("0,25", 0.25),
        ("1e-3", 0.001),
        ("", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("-1", 0.0),
        ("1e999", 0.0),
        ("soon", 0.0),
        ("1,2,3,4", 0.0),
        ("9" * 5000, 0.0),
    ],
)
def test_durations(written: str, seconds: float) -> None:
    cases, _ = read(suite(f"<testcase name='a' time='{written}'/>"))
    assert cases[0].seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("case", "id"),
    [
        ("<testcase classname='c' name='n' file='.\\t\\a.py'/>", TestId("t/a.py", "c", "n")),
        ("<testcase name='n'/>", TestId("", "s", "n")),
        ("<testcase class='k' name='n'/>", TestId("", "k", "n")),
        ("<testcase classname='App\\Foo' name='n'/>", TestId("", "App\\Foo", "n")),
        ("<testsuite file='u.py'><testcase classname='c' name='n'/></testsuite>", TestId("u.py", "c", "n")),
        ("<testcase/>", TestId("", "s", "")),
    ],
)
def test_ids(case: str, id: TestId) -> None:
    assert [case.id for case in read(suite(case))[0]] == [id]


def test_pytest_phases() -> None:
    cases, _ = read(
        suite(
            "<testcase classname='' name='tests.test_a'><error message='collection failure'>"
            "Traceback:\ntests/test_a.py:1: in &lt;module&gt;\nE   ImportError: no x</error></testcase>"
            "<testcase classname='t' name='a'><error message='failed on setup with &quot;OSError: x&quot;'/></testcase>"
            "<testcase classname='t' name='b'><error message='failed on teardown with &quot;OSError: x&quot;'/></testcase>"
        )
    )
    assert [(case.phase, case.message) for case in cases] == [
        (Phase.COLLECTION, "ImportError: no x"),
        (Phase.SETUP, "OSError: x"),
        (Phase.TEARDOWN, "OSError: x"),
    ]
    assert cases[0].id == TestId("", "tests.test_a", "")


@pytest.mark.parametrize(
    ("data", "names", "said"),
    [
        (b"\xef\xbb\xbf" + GOOD, "one two", ""),
        (b"\n\n  " + GOOD, "one two", ""),
        (GOOD.decode().encode("utf-16"), "one two", ""),
        (GOOD.decode().encode("utf-16-le"), "one two", ""),
        (GOOD.decode().encode("utf-32"), "one two", ""),
        (GOOD.replace(b'"utf-8"', b'"utf-16"'), "one two", "encoding that its bytes are not in"),
        (GOOD.replace(b'"utf-8"', b'"x-mine"'), "one two", "encoding that is not known"),
        (GOOD.replace(b'"utf-8"', b'"punycode"'), "one two", "encoding that is not known"),
        (GOOD.replace(b'"utf-8"', b'"zlib"'), "one two", "encoding that is not known"),
        (GOOD.replace(b'"utf-8"', b'"iso-8859-1"').replace(b"one", b"caf\xe9"), "café two", ""),
        (GOOD.replace(b"one", b"caf\xe9"), "café two", "not UTF-8"),
        (GOOD.replace(b"one", b"\x1b[31mone\x1b[0m"), "one two", "terminal codes"),
        (GOOD.replace(b"one", b"o\x00n\x08e"), "one two", "control characters"),
        (GOOD.replace(b"one", b"&#x1b;[31mone&#27;[0m"), "one two", "control characters"),
        (GOOD.replace(b"one", b"o&#0;n&#xD800;e&#x110000;"), "one two", "control characters"),
        (GOOD.replace(b"one", b"o\xef\xbf\xbfne"), "o\ufffdne two", ""),
        (GOOD.replace(b"one", b"a&amp;&#65;&#10;"), "a&A\n two", ""),
        (GOOD + GOOD.replace(b"one", b"three"), "one two three two", "2 documents in one"),
        (GOOD + b"\n" + GOOD.partition(b"?>")[2], "one two one two", "2 documents in one"),
        (GOOD + b"Process finished\n" + GOOD, "one two one two", "2 documents in one"),
        (GOOD + b"Process finished\n", "one two", "goes on after its end"),
        (GOOD.replace(b"<testsuites>", b'<testsuites xmlns="urn:x">'), "one two", ""),
        (GOOD.replace(b'tests="2"', b'tests="3"'), "one two", "3 declared, 2 found"),
        (
            b"<testsuites>" + GOOD[GOOD.index(b"<testcase") : GOOD.index(b"</testsuite>")] + b"</testsuites>",
            "one two",
            "",
        ),
        (b"", "", "is empty"),
        (b" \n ", "", "is empty"),
        (b"<a/>", "", "no JUnit XML"),
        (b"<testsuite/>", "", "no test case"),
        (b"<!DOCTYPE html><html></html>", "", "HTML page"),
        (b"<html><body>404</body></html>", "", "HTML page"),
        (b"not found\n", "", "not well-formed"),
        (b'{"tests": []}', "", "not well-formed"),
        (random.Random(7).randbytes(64).replace(b"<", b""), "", ""),
    ],
)
def test_what_is_found_in_the_wild(data: bytes, names: str, said: str) -> None:
    cases, problems = read(data)
    assert [case.id.name for case in cases] == (names.split(" ") if names else [])
    assert said in " ".join(problems)
    if names and not said:
        assert problems == []


def wrapped(body: str) -> bytes:
    return ("<testsuite tests='3'><testcase name='first'/>" + body + "<testcase name='last'/></testsuite>").encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (wrapped("<testcase name='a & b'/>"), [("a & b", "passed")]),
        (wrapped("<testcase name='a&nbsp;b'/>"), [("a&nbsp;b", "passed")]),
        (wrapped("<testcase name='List<int>'/>"), [("List<int>", "passed")]),
        (wrapped('<testcase name="it"s"/>'), [("it", "passed")]),
        (wrapped("<testcase name='m'><failure message='x'><div>text</failure></testcase>"), [("m", "failed")]),
        (wrapped("<testcase name='m'><failure>a < b && c</failure></testcase>"), [("m", "failed")]),
        (wrapped("<testcase name='m'><system-out><b></system-out></testcase>"), [("m", "passed")]),
        (wrapped("<testcase name='m'><failure>x</testcase>"), [("m", "failed")]),
        (wrapped("<testcase name='m'><failure>x"), [("m", "failed")]),
        (wrapped("<testcase name='m'><error><![CDATA[<testcase name='no'/>]]></error>&</testcase>"), [("m", "error")]),
        (wrapped("<testcase name='m'>&<!-- <testcase name='no'/> --></testcase>"), [("m", "passed")]),
        (wrapped("<testcase name='m'><failure><![CDATA[never closed</failure></testcase>"), [("m", "failed")]),
        (wrapped("<testcase name='unknown'>&"), []),  # nobody knows how it ended
        (wrapped("<testcase name='m'/></wrong>"), [("m", "passed")]),
    ],
)
def test_broken_xml_is_salvaged_around_the_break(data: bytes, expected: list[tuple[str, str]]) -> None:
    cases, problems = read(data)
    assert brief(cases) == [("first", "passed"), *expected, ("last", "passed")]
    assert "not well-formed" in problems[0]
    assert ("left out" in problems[0]) is (not expected)
    assert ("declare 3" in problems[0]) is (not expected)


def test_salvaged_texts_are_whole() -> None:
    data = wrapped("<testcase name='m'><failure message='1 &lt; 2'>a<div>b &amp; c<![CDATA[<d>]]></failure></testcase>")
    case = read(data)[0][1]
    assert (case.message, case.traceback) == ("1 < 2", "a<div>b & c<d>")


@pytest.mark.parametrize("cut", range(70, len(GOOD), 7))
def test_a_truncated_report_never_turns_an_unfinished_case_into_a_pass(cut: int) -> None:
    cases, problems = read(GOOD[:cut])
    assert brief(cases) in ([], [("one", "passed")], [("one", "passed"), ("two", "failed")])
    assert problems


@given(st.binary(max_size=400), st.integers(0, len(GOOD)))
def test_nothing_raises(noise: bytes, at: int) -> None:
    read(GOOD[:at] + noise + GOOD[at:])
    read(noise)


class Trickle(io.RawIOBase):
    """A stream that hands out a few bytes at a time, as pipes and archives do."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(self._size, size) if size >= 0 else self._size)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    "broken", [b"", b"<testcase name='a & b'/>", b"<testcase name='\x1b[31mx\x1b[0m &#x1b;[1m\xe9'/>"]
)
def test_chunks_do_not_matter(chunk: int, broken: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    data = GOOD.replace(b"</testsuite>", broken + "<testcase name='é漢🙂'/>".encode() + b"</testsuite>")
    whole = read(data)
    assert (list(iter_cases(as_binary(Trickle(data, chunk)), "r.xml", [])), whole[1]) == whole
    if chunk >= 64:  # a declaration, a colour and a reference fit into one chunk
        monkeypatch.setattr(xml_text, "CHUNK", chunk)
        assert [case.id.name for case in read(data)[0]] == [case.id.name for case in whole[0]]


def as_binary(stream: io.RawIOBase) -> BinaryIO:
    return stream  # type: ignore[return-value]


# --- hostile (SECURITY, cases 17–20 and 22) -------------------------------------------------------------------------


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><testsuite><testcase name="&e9;"/></testsuite>'.encode()


@pytest.mark.parametrize(
    "data",
    [
        bomb(),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><testsuite><testcase name="a">&e;</testcase></testsuite>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><testsuite><testcase name="a"/></testsuite>',
        b'<!DOCTYPE x [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><testsuite><testcase name="a"/></testsuite>',
    ],
)
def test_a_dtd_is_refused(data: bytes) -> None:
    start = time.process_time()
    cases, problems = read(data)
    assert cases == []
    assert len(problems) == 1 and "DTD" in problems[0]
    assert time.process_time() - start < 1


def test_depth() -> None:
    deep = b"<testsuite>" * 400 + b"<testcase name='a'/>" + b"</testsuite>" * 400
    assert brief(read(deep)[0]) == [("a", "passed")]
    for deeper in (b"<testsuite>" * 3000, b"<testcase>" + b"<x>" * 3000):
        cases, problems = read(GOOD[: -len(b"</testsuite></testsuites>")] + deeper)
        assert len(cases) == 2
        assert "nested deeper" in problems[0]


def test_a_huge_text_is_kept_head_and_tail() -> None:
    body = "begin\n" + "x" * (20 << 20) + "\nE   ValueError: end"
    cases, problems = read(suite(f"<testcase name='a'><failure message='m'>{body}</failure></testcase>"))
    text = cases[0].traceback
    assert len(text) <= junit_case.TRACEBACK_LIMIT
    assert text.startswith("begin") and text.endswith("ValueError: end") and "left out" in text
    assert problems == []


def test_a_huge_attribute_is_read_and_a_monstrous_one_refused() -> None:
    cases, problems = read(suite(f"<testcase name='a'><failure message='{'x' * (12 << 20)}'/></testcase>"))
    assert len(cases[0].message) <= junit_case.MESSAGE_LIMIT
    assert problems == []
    cases, problems = read(suite(f"<testcase name='before'/><testcase name='{'x' * (40 << 20)}'/>"))
    assert brief(cases) == [("before", "passed")]
    assert "tag of more than 16 MiB" in problems[0]


def test_past_the_limit_of_bytes_reading_stops() -> None:
    body = b"<testcase name='a'/>" * 100_000
    cases, problems = read(b"<testsuite>" + body + b"</testsuite>", limit=1_000_000)
    assert 49_000 < len(cases) <= 50_000
    assert "larger than the limit" in problems[0]


class Endless(io.RawIOBase):
    """A report of `cases` cases that exists nowhere as a whole."""

    def __init__(self, cases: int) -> None:
        self._parts = self._generate(cases)

    def _generate(self, cases: int) -> Iterator[bytes]:
        yield b"<testsuite>"
        for number in range(0, cases, 100):
            yield b"".join(b'<testcase classname="c%d" name="n%d"/>' % (number, number + index) for index in range(100))
        yield b"</testsuite>"

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read the memory from")
def test_half_a_million_cases_take_constant_memory() -> None:
    gc.collect()
    before = resident()
    count, most = 0, 0
    for _ in iter_cases(as_binary(Endless(500_000)), "r.xml", []):
        count += 1
        if count % 20_000 == 0:
            most = max(most, resident())
    assert count == 500_000
    assert most - before < 10e6


@pytest.mark.parametrize(
    "unit",
    [
        b"<testcase a='>",
        b'<testcase a="',
        b"<testcase ",
        b'<testcase a=">" b=\'"\'',
        b"<![CDATA[",
        b"<!--",
        b"<failure>",
        b"<testcase><failure>",
        b"</testsuite>",
        b"<testsuite ",
        b"&amp;<",
        b"<a/>",
    ],
)
def test_hostile_fragments_take_linear_time(unit: bytes) -> None:
    def seconds(size: int) -> float:
        data = b"<testsuite><testcase name='a' & />" + unit * (size // len(unit))
        start = time.process_time()
        read(data)
        return time.process_time() - start

    seconds(10_000)
    assert seconds(1_000_000) < 8  # quadratic would be an hour


# --- several files --------------------------------------------------------------------------------------------------


def write(folder: Path, *bodies: str) -> list[Path]:
    paths = []
    for number, body in enumerate(bodies):
        path = folder / f"r{number}.xml"
        path.write_bytes(suite(body))
        paths.append(path)
    return paths


def said(report: TestReport) -> str:
    return " ".join(problem.message for problem in report.problems)


CALL = "<testcase classname='t' name='a'><failure message='ValueError: x'>in the call</failure></testcase>"
TEARDOWN = (
    "<testcase classname='t' name='a'><error message='failed on teardown with &quot;OSError: y&quot;'>"
    "in teardown</error></testcase>"
)
PASS = "<testcase classname='t' name='a'/>"


@pytest.mark.parametrize("order", [CALL + TEARDOWN, TEARDOWN + CALL])
def test_a_failing_call_and_its_failing_teardown_are_one_case(tmp_path: Path, order: str) -> None:
    report = read_junit(write(tmp_path, order))
    (case,) = report.cases
    assert (case.outcome, case.message, case.phase) == (Outcome.FAILED, "ValueError: x", Phase.CALL)
    assert case.traceback.startswith("in the call") and case.traceback.endswith("in teardown")


@pytest.mark.parametrize("bodies", [(PASS + PASS + CALL,), (CALL + PASS,), (CALL, PASS), (PASS, CALL)])
def test_no_pass_takes_a_failure_back(tmp_path: Path, bodies: tuple[str, ...]) -> None:
    report = read_junit(write(tmp_path, *bodies))
    assert [case.outcome for case in report] == [Outcome.FAILED]
    assert "both as failed and as not failed" in said(report)


def test_unreadable_files_are_problems(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.xml")
    (tmp_path / "folder.xml").mkdir()
    report = read_junit(
        [*write(tmp_path, PASS), tmp_path / "missing.xml", tmp_path / "fifo.xml", tmp_path / "folder.xml"]
    )
    assert len(report) == 1
    assert [problem.source.rpartition("/")[2] for problem in report.problems] == [
        "missing.xml",
        "fifo.xml",
        "folder.xml",
    ]


def test_too_much_text_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.evidence.merge.TEXT_LIMIT", 1000)
    body = "".join(f"<testcase name='n{n}'><failure message='m{n}'>{'x' * 400}</failure></testcase>" for n in range(5))
    report = read_junit(write(tmp_path, body))
    assert [bool(case.traceback) for case in report] == [True, True, False, False, False]
    assert [case.message for case in report] == [f"m{n}" for n in range(5)]
    assert "3 cases kept without traceback" in said(report)


def test_too_many_cases_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.evidence.merge.CASE_LIMIT", 3)
    report = read_junit(write(tmp_path, "".join(f"<testcase name='n{n}'/>" for n in range(9))))
    assert len(report) == 3
    assert "more than" in said(report)


def test_expand(tmp_path: Path) -> None:
    for name in ("b/one.xml", "a/two.xml", "a/deep/three.xml", "four[1].xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(GOOD)
    found = expand(["**/*.xml", "b/one.xml", str(tmp_path / "a/*.xml")], tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/deep/three.xml",
        "a/two.xml",
        "b/one.xml",
        "four[1].xml",
    ]
    assert expand(["four[1].xml"], tmp_path) == (tmp_path / "four[1].xml",)
    with pytest.raises(ConfigError, match=r"'no/\*\.xml', 'a'.*looked for from"):
        expand(["no/*.xml", "a", "b/one.xml"], tmp_path)
