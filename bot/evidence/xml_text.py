"""The bytes of an XML report made readable: any encoding to clean UTF-8, chunk by chunk, in constant memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

CHUNK = 1 << 16

# Codecs that a report may declare. A list, because Python's registry also holds things that are no character set or
# that take quadratic time (punycode).
_CHARSETS = re.compile(
    r"(utf[-_]?(8|16|32)([-_]?[lb]e)?|us[-_]?ascii|ascii|iso[-_]?8859[-_]?\d+|latin[-_]?\d+|(windows|cp)[-_]?\d+"
    r"|koi8[-_][rtu]|mac[-_]?roman|big5(hkscs)?|gbk|gb2312|gb18030|euc[-_]?(jp|kr)|shift[-_]?jis|s[-_]?jis)",
    re.IGNORECASE,
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")

# What XML 1.0 forbids, as bytes of UTF-8: C0 controls but tab, LF, CR. U+FFFE and U+FFFF are three bytes.
_FORBIDDEN = bytes(byte for byte in range(0x20) if byte not in b"\t\n\r")
_NONCHARACTERS = re.compile(rb"\xef\xbf[\xbe\xbf]")
_TERMINAL = re.compile(
    rb"\x1b\[[0-?]{0,32}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b<\n]{0,256}(?:\x07|\x1b\\)|\x1b[ -/]?[0-Z\\^-~]"
)
_REFERENCE = re.compile(rb"&#(?:([0-9]{1,9})|x([0-9A-Fa-f]{1,8}));(\[[0-9;]{0,16}m)?")
_ESCAPED = re.compile("[\udc80-\udcff]+")
# The beginning of a sequence that the next chunk may finish, and the bytes in which it begins.
_HELD = 320
_UNFINISHED = re.compile(rb"(?:\x1b[^\x1b]{0,300}|&#?[0-9A-Za-z]{0,10}|&#[0-9A-Fa-fx]{1,10};\[?[0-9;]{0,16})\Z")


def clean_utf8(stream: BinaryIO, limit: int, say: Callable[[str], None]) -> Iterator[bytes]:
    """Chunks of valid UTF-8 without characters that XML forbids; `say` hears, once each, what had to be mended.

    The byte order mark, then the pattern of NULs, then the declaration tell the encoding; a declaration that the
    bytes contradict is overruled. Bytes that are not UTF-8 in a file that should be are read as Windows-1252.
    At most `limit` bytes are read; the rest is left, and said so. Chunks never end inside a character.
    """
    said: set[str] = set()

    def once(message: str) -> None:
        if message not in said:
            said.add(message)
            say(message)

    pending = b""
    for chunk in _utf8(stream, limit, once):
        data = pending + chunk
        tail = (
            _UNFINISHED.search(data, max(0, len(data) - 400)) if b"\x1b" in data[-400:] or b"&" in data[-40:] else None
        )
        data, pending = (data[: tail.start()], data[tail.start() :]) if tail is not None else (data, b"")
        if data:
            yield _clean(data, once)
    if pending:
        yield _clean(pending, once)


def _clean(data: bytes, once: Callable[[str], None]) -> bytes:
    """`data` without terminal codes, forbidden characters and references to them."""
    cleaned = data.translate(None, _FORBIDDEN)
    if len(cleaned) != len(data):
        cleaned = _TERMINAL.sub(b"", data).translate(None, _FORBIDDEN)
        once("holds terminal codes or control characters, which XML forbids; they were removed")
    if b"&#" in cleaned:
        mended = _REFERENCE.sub(_allowed_reference, cleaned)
        if mended != cleaned:
            once("refers to control characters, which XML forbids; they were removed")
            cleaned = mended
    return _NONCHARACTERS.sub(b"\xef\xbf\xbd", cleaned) if b"\xef\xbf" in cleaned else cleaned


def _allowed_reference(match: re.Match[bytes]) -> bytes:
    decimal, hexadecimal, colour = match.groups()
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code >= 0x20 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF) and code <= 0x10FFFF:
        return match.group()
    if code in (9, 10, 13):
        return match.group()
    if code == 0x1B:
        return b""  # with the rest of its colour sequence
    return colour or b""


def _utf8(stream: BinaryIO, limit: int, say: Callable[[str], None]) -> Iterator[bytes]:
    """Chunks of `stream` as valid UTF-8 without a byte order mark."""
    first = _full(stream, min(CHUNK, limit))
    encoding, skip = _encoding(first, say)
    if encoding == "utf-8":
        yield from _checked(first[skip:], stream, limit - len(first), say)
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    chunk = first[skip:]
    left = limit - len(first)
    while chunk:
        text = decoder.decode(chunk)
        yield text.encode("utf-8", "replace")
        chunk = _next(stream, left, say)
        left -= len(chunk)
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _next(stream: BinaryIO, left: int, say: Callable[[str], None]) -> bytes:
    if left > 0:
        return _full(stream, min(CHUNK, left))
    if stream.read(1):
        say("is larger than the limit; what follows was not read")
    return b""


def _full(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer at the end only: streams of archives and pipes hand out less than they are asked for."""
    data = stream.read(size)
    while data and len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            break
        data += more
    return data


def _checked(chunk: bytes, stream: BinaryIO, left: int, say: Callable[[str], None]) -> Iterator[bytes]:
    rest = b""
    while chunk:
        data = rest + chunk
        rest = b""
        if not data.isascii():
            cut = _whole_characters(data)
            data, rest = data[:cut], data[cut:]
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                say("holds bytes that are not UTF-8; they were read as Windows-1252")
                data = _as_windows_1252(data)
        if data:
            yield data
        chunk = _next(stream, left, say)
        left -= len(chunk)
    if rest:
        say("holds bytes that are not UTF-8; they were read as Windows-1252")
        yield _as_windows_1252(rest)


def _whole_characters(data: bytes) -> int:
    """Length of `data` without a character that is cut at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < needed else len(data)
    return len(data)


def _encoding(first: bytes, say: Callable[[str], None]) -> tuple[str, int]:
    """Codec name and length of the byte order mark."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if first.startswith(mark):
            return name, len(mark)
    if first[:4] in (b"<\x00?\x00", b"<\x00t\x00"):
        return "utf-16-le", 0
    if first[:4] in (b"\x00<\x00?", b"\x00<\x00t"):
        return "utf-16-be", 0
    declared = _DECLARED.match(first.lstrip())
    if declared is None:
        return "utf-8", 0
    name = declared.group(1).decode("ascii")
    if not _CHARSETS.fullmatch(name):
        say("declares an encoding that is not known; it was read as UTF-8")
        return "utf-8", 0
    try:
        canonical = codecs.lookup(name).name
    except LookupError:
        say("declares an encoding that is not known; it was read as UTF-8")
        return "utf-8", 0
    if canonical.startswith(("utf-16", "utf-32")):
        say("declares an encoding that its bytes are not in; it was read as UTF-8")
        return "utf-8", 0
    return ("utf-8", 0) if canonical in ("utf-8", "ascii") else (canonical, 0)


def _as_windows_1252(data: bytes) -> bytes:
    """`data` with the bytes that are not UTF-8 read as Windows-1252; the rest stays as it is."""
    text = data.decode("utf-8", "surrogateescape")
    return _ESCAPED.sub(_from_windows_1252, text).encode("utf-8")


def _from_windows_1252(match: re.Match[str]) -> str:
    return match.group().encode("utf-8", "surrogateescape").decode("cp1252", "replace")
