"""Artifacts of CI runs: zip archives of reports, read in memory under a budget and never unpacked to disk."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from bot.evidence.text import one_line
from bot.evidence.types import Problem

MAGIC = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_SIZE = 22
_LONGEST_COMMENT = 65_535
_END64 = b"PK\x06\x06"
_END64_SIZE = 56
_LOCATOR64 = b"PK\x06\x07"
_LOCATOR64_SIZE = 20
_CHUNK = 1 << 20
_SMALL = 8 << 20  # up to here a file may unpack to whatever it likes
_DIRECTORY_BYTES = 400  # an entry takes 46 bytes and its name; the count can lie, the directory's size cannot


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """entries: names in the archive. total: unpacked bytes of all reports in it. ratio: unpacked over packed bytes."""

    entries: int = 20_000
    total: int = 256 << 20
    ratio: int = 200


def reports(
    stream: BinaryIO, source: str, problems: list[Problem], limits: ArchiveLimits | None = None
) -> Iterator[tuple[str, BinaryIO]]:
    """Each XML file of a zip archive as (name, its unpacked bytes as a stream); `stream` must be seekable.

    Entries with absolute or climbing names, links and encrypted entries are refused, each a problem; so is what passes
    the limits, which ends the reading. Nothing is raised for what the archive holds; OSError is the stream's own.
    """
    limits = limits or ArchiveLimits()

    def say(message: str) -> None:
        problems.append(Problem(source, message))

    archive = _open(stream, limits, say)
    if archive is None:
        return
    with archive:
        left = limits.total
        for entry in archive.infolist():
            if entry.is_dir() or not entry.filename.lower().endswith(".xml"):
                continue
            shown = one_line(entry.filename, 200)
            refusal = _refusal(entry)
            if refusal:
                say(f"{shown!r} was refused: {refusal}")
                continue
            allowed = min(left, max(_SMALL, entry.compress_size * limits.ratio))
            data = _unpack(archive, entry, allowed)
            if isinstance(data, str):
                say(f"{shown!r} could not be read: {data}")
                continue
            if len(data) > allowed:
                say(f"{shown!r} unpacks to more than {allowed:,} bytes; reading of the archive stopped there")
                return
            left -= len(data)
            yield f"{source}:{shown}", io.BytesIO(data)


def members(data: bytes, wanted: Mapping[str, int]) -> Mapping[str, bytes] | str:
    """The files of a zip archive that are `wanted` (name → most bytes), where they are there; else why not, in words.

    All else in it is left where it is. Nothing is raised for what the archive holds.
    """
    problems: list[str] = []
    archive = _open(io.BytesIO(data), ArchiveLimits(), problems.append)
    if archive is None:
        return f"the archive {problems[0]}"
    found: dict[str, bytes] = {}
    with archive:
        for entry in archive.infolist():
            if entry.filename not in wanted:
                continue
            most = wanted[entry.filename]
            content = _refusal(entry) or _unpack(archive, entry, most)
            if isinstance(content, str):
                return f"{entry.filename} in the archive cannot be read: {content}"
            if len(content) > most:
                return f"{entry.filename} in the archive unpacks to more than {most:,} bytes"
            found[entry.filename] = content
    return found


def _open(stream: BinaryIO, limits: ArchiveLimits, say: Callable[[str], None]) -> zipfile.ZipFile | None:
    """The archive, once its end record has been looked at; None where something was said instead."""
    end = _end_record(stream)
    if end is None:
        say("is no readable archive: it has no end record, or more than one")
        return None
    count, directory = end
    if count > limits.entries or directory > limits.entries * _DIRECTORY_BYTES:
        say(f"has {count:,} entries by its own count in a directory of {directory:,} bytes: too many, none was read")
        return None
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        say(f"is no readable archive: {error}")
        return None


def _end_record(stream: BinaryIO) -> tuple[int, int] | None:
    """Entry count and size of the directory in bytes, by the end record: zipfile reads the whole directory, a million
    names of it, before anybody could ask. A zip64 record overrules the plain one, as it does in zipfile."""
    size = stream.seek(0, io.SEEK_END)
    start = max(0, size - _END_SIZE - _LONGEST_COMMENT - _LOCATOR64_SIZE - _END64_SIZE)
    stream.seek(start)
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return None
    locator = tail[max(0, at - _LOCATOR64_SIZE) : at]
    if not locator.startswith(_LOCATOR64):
        count, directory = struct.unpack_from("<HI", tail, at + 10)
        return int(count), int(directory)
    # Versions of zipfile differ in whether they believe the locator or look right before it: both must be one place.
    place = at - _LOCATOR64_SIZE - _END64_SIZE
    (named,) = struct.unpack_from("<Q", locator, 8)
    if place < 0 or named != start + place or not tail.startswith(_END64, place):
        return None
    count, directory = struct.unpack_from("<QQ", tail, place + 32)
    return int(count), int(directory)


def _refusal(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name.split("/")[0] or ".." in PurePosixPath(name).parts:
        return "its name leads out of the archive"
    if entry.create_system == 3 and stat.S_ISLNK(entry.external_attr >> 16):
        return "it is a symbolic link"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "its compression is neither stored nor deflated"  # the memory that LZMA takes is the archive's to say
    return ""


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, allowed: int) -> bytes | str:
    """At most `allowed` + 1 bytes of an entry, or why it cannot be read; the declared size is not believed."""
    pieces: list[bytes] = []
    size = 0
    try:
        with archive.open(entry) as packed:
            while size <= allowed and (piece := packed.read(min(_CHUNK, allowed + 1 - size))):
                pieces.append(piece)
                size += len(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return str(error)
    return b"".join(pieces)
