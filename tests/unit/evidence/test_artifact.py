"""Archives of reports: read in memory, hostile ones refused (SECURITY cases 13 to 16)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from bot.evidence.artifact import ArchiveLimits, reports
from bot.evidence.junit import read_junit
from bot.evidence.types import Problem

REPORT = b'<testsuite><testcase classname="a" name="b"/></testsuite>'


def archive(entries: dict[str, bytes], link: str = "") -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(entry, "/etc/passwd")
    stream.seek(0)
    return stream


def read(stream: io.BytesIO, limits: ArchiveLimits | None = None) -> tuple[dict[str, bytes], list[str]]:
    problems: list[Problem] = []
    found = {name: data.read() for name, data in reports(stream, "a.zip", problems, limits)}
    return found, [problem.message for problem in problems]


def test_reports_are_found_and_other_files_left() -> None:
    found, said = read(archive({"out/junit.xml": REPORT, "log.txt": b"x", "B.XML": REPORT}))
    assert found == {"a.zip:out/junit.xml": REPORT, "a.zip:B.XML": REPORT}
    assert said == []


@pytest.mark.parametrize("name", ["../../x.xml", "/abs.xml", "a/../../x.xml", "C:/x.xml", "..\\x.xml"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found, said = read(archive({name: REPORT, "good.xml": REPORT}))
    assert list(found) == ["a.zip:good.xml"]
    assert "leads out" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_links_are_refused() -> None:
    found, said = read(archive({"good.xml": REPORT}, link="link.xml"))
    assert list(found) == ["a.zip:good.xml"]
    assert "symbolic link" in said[0]


def test_bomb_stops_at_the_budget() -> None:
    bomb = archive({"bomb.xml": b" " * (200 << 20)})
    assert len(bomb.getvalue()) < 300_000
    found, said = read(bomb)
    assert found == {}
    assert "reading of the archive stopped" in said[0]


def test_total_budget_holds_over_many_files() -> None:
    found, said = read(archive({f"{number}.xml": REPORT * 20_000 for number in range(5)}), ArchiveLimits(total=3 << 20))
    assert len(found) == 2
    assert "stopped" in said[0]


def test_too_many_entries_are_not_even_listed() -> None:
    stream = archive({"good.xml": REPORT})
    data = bytearray(stream.getvalue())
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<H", data, end + 10, 60_000)
    found, said = read(io.BytesIO(bytes(data)))
    assert found == {}
    assert "60,000 entries" in said[0]


def test_a_million_entries_by_a_lying_count() -> None:
    stream = archive({f"{number}.txt": b"" for number in range(60_000)})
    data = bytearray(stream.getvalue())
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<HH", data, end + 8, 1, 1)
    found, said = read(io.BytesIO(bytes(data)), ArchiveLimits(entries=1_000))
    assert found == {}
    assert "entries" in said[0]


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"no archive", b"PK\x03\x04" + b"\0" * 200 + b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_archive_is_said(data: bytes) -> None:
    found, said = read(io.BytesIO(data))
    assert found == {}
    assert len(said) <= 1


def test_damaged_entry_is_said_and_the_rest_read() -> None:
    stream = archive({"bad.xml": REPORT * 50, "good.xml": REPORT})
    data = bytearray(stream.getvalue())
    data[45:60] = b"\xff" * 15
    found, said = read(io.BytesIO(bytes(data)))
    assert list(found) == ["a.zip:good.xml"]
    assert "could not be read" in said[0]


def test_junit_reader_takes_archives_as_ci_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "artifact.zip"
    path.write_bytes(
        archive({"a.xml": REPORT, "b.xml": REPORT.replace(b'name="b"', b'name="c"'), "../x.xml": REPORT}).getvalue()
    )
    report = read_junit([path])
    assert {case.id.name for case in report} == {"b", "c"}
    assert any("leads out" in problem.message for problem in report.problems)
