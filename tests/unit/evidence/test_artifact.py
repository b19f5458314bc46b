"""Archives of reports: read in memory, hostile ones refused (SECURITY cases 13 to 16)."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from bot.evidence.artifact import ArchiveLimits, members, reports
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


def zip64(entries: int, *, named: int = 0, record: bool = True) -> io.BytesIO:
    """An archive of `entries` empty files whose plain end record speaks of one, and whose zip64 record of all.

    named: what the locator adds to the record's place.
    """
    local = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"x"
    one = b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    listed = one * entries
    end64 = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, len(listed), len(local))
    body = local + listed
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(body) + named, 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(one), len(local), 0)
    return io.BytesIO(body + (end64 if record else b"") + locator + end)


def test_a_million_entries_behind_a_zip64_record() -> None:
    found, said = read(zip64(1_000_000))
    assert found == {}
    assert "1,000,000 entries" in said[0]


@pytest.mark.parametrize("stream", [zip64(30_000, named=-46), zip64(30_000, record=False)])
def test_a_zip64_record_in_two_places_is_refused(stream: io.BytesIO) -> None:
    found, said = read(stream)
    assert found == {}
    assert "no end record" in said[0]


def test_zip64_archives_of_a_sensible_size_are_read() -> None:
    found, said = read(zip64(3))
    assert (found, said) == ({}, [])


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(method: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as packed:
        packed.writestr("junit.xml", REPORT)
    found, said = read(stream)
    assert found == {}
    assert "neither stored nor deflated" in said[0]


def test_long_and_hidden_names_are_shown_short() -> None:
    found, said = read(archive({"../" + "x" * 5_000 + "\u202e\x1b[31m.xml": REPORT}))
    assert found == {}
    assert len(said[0]) < 300
    assert "\u202e" not in said[0]


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


# --- files of known name ----------------------------------------------------------------------------------------------


def test_only_wanted_members_are_read() -> None:
    data = archive({"a.json": b"1", "../b.json": b"2", "c": b"3"}).getvalue()
    assert members(data, {"a.json": 10, "absent": 10}) == {"a.json": b"1"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no readable archive"),
        (archive({}, link="a.json").getvalue(), "symbolic link"),
        (archive({"a.json": b"x" * 11}).getvalue(), "unpacks to more than 10 bytes"),
        (zip64(30_000).getvalue(), "too many"),
    ],
)
def test_hostile_members_are_refused_in_words(data: bytes, said: str) -> None:
    found = members(data, {"a.json": 10})
    assert isinstance(found, str) and said in found


def test_a_member_that_is_damaged_anywhere_raises_nothing() -> None:
    """One bundle that cannot be unpacked must not stop every later run that looks after it."""
    good = archive({"a.json": bytes(range(256)) * 4}).getvalue()
    for at in range(len(good)):
        for byte in (0x00, 0xFF):
            found = members(good[:at] + bytes([byte]) + good[at + 1 :], {"a.json": 2_000})
            assert isinstance(found, str | dict)
