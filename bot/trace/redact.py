"""Keeps secrets out of everything that is written or sent: exact secrets however encoded, and well-known token shapes.

This is the second wall. The first is that the sandbox is never given a secret, so nothing in it can print one.

A secret is looked for raw, JSON- and repr-escaped, URL-encoded, in base64 at its three alignments, in hexadecimal and
as decimal byte values; split by white space, line wraps, punctuation or colour codes, in any letter case; and cut, as
long as about half of it (at most 16 of its bytes) stands there. For that, text and needles are reduced to their ASCII
letters and digits, and fragments are found by aligned blocks: a common run of 2w-1 characters holds a whole block of w.
Values shorter than MINIMUM characters are no secrets: to hide them would shred the text.
"""

from __future__ import annotations

import base64
import json
import re
import string
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from urllib.parse import quote, quote_plus

from bot.ports import JsonValue
from bot.trace.shapes import LONGEST_SHAPE, Span, settled, shape_spans

MARK = "[redacted]"
MINIMUM = 6
_MARK = MARK.encode()
_MAXIMUM_DEPTH = 64
_STEP = 256  # bytes that a stream gathers before it looks again: looking costs as much as all that is kept

_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()
_OTHER = bytes(set(range(256)) - set(_ALPHANUMERIC))
_LOWER = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_KEPT = bytes(1 if byte in _ALPHANUMERIC else 0 for byte in range(256))
_COLOUR = re.compile(rb"\x1b\[[0-9;:?]{0,64}[@-~]")


@dataclass(frozen=True, slots=True)
class _Needle:
    """One encoding of one secret, reduced: `fragment` characters in common with a text are one too many."""

    text: bytes
    fragment: int

    def hits(self, reduced: bytes) -> Iterator[Span]:
        width = (self.fragment + 1) // 2
        for offset in range(0, len(self.text) - width + 1, width):
            block = self.text[offset : offset + width]
            at = reduced.find(block)
            while at != -1:
                start, end = self._extend(reduced, at, offset, width)
                if end - start >= self.fragment:
                    yield start, end
                at = reduced.find(block, max(end - width + 1, at + 1))

    def _extend(self, reduced: bytes, at: int, offset: int, width: int) -> Span:
        needle = self.text
        whole = at - offset
        if whole >= 0 and reduced.startswith(needle, whole):
            return whole, whole + len(needle)
        start, left = at, offset
        while left and start and reduced[start - 1] == needle[left - 1]:
            start, left = start - 1, left - 1
        end, right = at + width, offset + width
        while right < len(needle) and end < len(reduced) and reduced[end] == needle[right]:
            end, right = end + 1, right + 1
        return start, end


class Redactor:
    """Replaces secrets by MARK. `secrets`: the values themselves; those under MINIMUM characters are passed over."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({secret.strip() for secret in secrets if len(secret.strip()) >= MINIMUM}, key=len, reverse=True)
        self._exact = tuple(dict.fromkeys(form for value in values for form in _verbatim(value)))
        self._needles = tuple(dict.fromkeys(needle for value in values for needle in _needles(value)))
        self.reach = max((4 * len(needle.text) for needle in self._needles), default=0)
        """Bytes that one secret covers: white space and punctuation may stretch a needle fourfold."""
        self.holdback = max(2 * LONGEST_SHAPE, self.reach)
        """Bytes that a stream keeps back at most."""

    def redact(self, text: str) -> str:
        """`text` with every secret replaced. Linear in its length."""
        data = text.encode("utf-8", "surrogatepass")
        spans = self._spans(data)
        return _replace(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def redact_json(self, value: JsonValue) -> JsonValue:
        """`value` with secrets replaced in every string, keys too, also where one is spread over several of them.

        Numbers are left as they are. The shape never changes, save that containers nested deeper than 64 become MARK
        and keys that become equal are numbered.
        """
        leaves: list[str] = []
        _collect(value, leaves, 0)
        pieces = [leaf.encode("utf-8", "surrogatepass") for leaf in leaves]
        spans = self._spans(b"\n".join(pieces))
        if not spans and not _too_deep(value, 0):
            return value
        return _rebuild(value, iter(_cut_back(pieces, spans)), 0)

    def _spans(self, data: bytes) -> list[Span]:
        """Byte ranges to hide, merged and in order; both ends are character boundaries."""
        spans = [span for form in self._exact for span in _find_all(data, form)]
        if self._needles:
            spans.extend(self._scattered(_blank(data, spans)))
        spans.extend(shape_spans(data))
        return _merge(spans)

    def _scattered(self, data: bytes) -> Iterator[Span]:
        if b"\x1b" in data:
            data = _COLOUR.sub(lambda match: b" " * len(match[0]), data)
        reduced = data.translate(_LOWER, _OTHER)
        hits = [hit for needle in self._needles for hit in needle.hits(reduced)]
        if hits:
            positions = array("Q", compress(range(len(data)), data.translate(_KEPT)))
            for start, end in hits:
                yield positions[start], positions[end - 1] + 1


class StreamRedactor:
    """Redacts text that arrives in pieces: a secret across two pieces is found, for as much of the end is held back as
    a secret may have begun in. That is little while nothing there looks like the beginning of a token."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._kept = b""
        self._seen = 0

    def feed(self, text: str) -> str:
        """The part of all that was fed which is safe to show now; "" for most small pieces."""
        self._kept += text.encode("utf-8", "surrogatepass")
        if len(self._kept) < self._seen + _STEP:
            return ""
        spans = self._redactor._spans(self._kept)
        whole = len(self._kept) >= 2 * self._redactor.holdback
        cut = min(settled(self._kept), len(self._kept) - self._redactor.reach)
        while 0 < cut < len(self._kept) and self._kept[cut] & 0xC0 == 0x80:  # inside a UTF-8 sequence
            cut -= 1
        for start, end in spans:
            if start < cut < end:
                cut = start if start or not whole else end  # one that fills all that is kept is as long as spans get
        out = self._release(max(0, cut), spans)
        self._seen = len(self._kept)
        return out

    def flush(self) -> str:
        """The rest; the stream is over."""
        self._seen = 0
        return self._release(len(self._kept), self._redactor._spans(self._kept))

    def _release(self, cut: int, spans: list[Span]) -> str:
        out = _replace(self._kept[:cut], [span for span in spans if span[1] <= cut])
        self._kept = self._kept[cut:]
        return out.decode("utf-8", "surrogatepass")


def _verbatim(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1].encode()
    return tuple(dict.fromkeys((raw, escaped, quote(raw, safe="").encode(), quote_plus(raw).encode())))


def _needles(secret: str) -> Iterator[_Needle]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = [*_verbatim(secret), repr(secret)[1:-1].encode("utf-8", "surrogatepass")]
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        # Characters that also carry bits of what stands before or after depend on it, and are left out.
        forms.append(coded[(0, 2, 3)[shift] : len(coded) - (0, 3, 2)[(shift + len(raw)) % 3]])
    forms.append(raw.hex().encode())
    forms.extend("".join(f"{prefix}{byte:02x}" for byte in raw).encode() for prefix in ("x", "0x"))
    forms.append("".join(map(str, raw)).encode())
    whole = len(raw)
    kept = whole if whole < 12 else min(16, max(11, whole // 2))
    for form in dict.fromkeys(form.translate(_LOWER, _OTHER) for form in forms):
        if len(form) >= max(MINIMUM, whole // 2):
            yield _Needle(form, max(MINIMUM, -(-len(form) * kept // whole)))


def _find_all(data: bytes, form: bytes) -> Iterator[Span]:
    at = data.find(form)
    while at != -1:
        yield at, at + len(form)
        at = data.find(form, at + len(form))


def _merge(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _blank(data: bytes, spans: list[Span]) -> bytes:
    """Same length, the spans blanked: what was found verbatim need not be found again piece by piece."""
    parts, last = [], 0
    for start, end in _merge(spans):
        parts += [data[last:start], b" " * (end - start)]
        last = end
    return b"".join([*parts, data[last:]])


def _replace(data: bytes, spans: list[Span]) -> bytes:
    parts, last = [], 0
    for start, end in spans:
        parts += [data[last:start], _MARK]
        last = end
    return b"".join([*parts, data[last:]])


def _collect(value: JsonValue, leaves: list[str], depth: int) -> None:
    if isinstance(value, str):
        leaves.append(value)
    elif depth >= _MAXIMUM_DEPTH:
        return
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            leaves.append(key)
            _collect(inner, leaves, depth + 1)
    elif isinstance(value, Sequence):
        for inner in value:
            _collect(inner, leaves, depth + 1)


def _too_deep(value: JsonValue, depth: int) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return False
    if depth >= _MAXIMUM_DEPTH:
        return True
    return any(_too_deep(inner, depth + 1) for inner in (value.values() if isinstance(value, Mapping) else value))


def _cut_back(pieces: list[bytes], spans: list[Span]) -> Iterator[str]:
    """The pieces again, each with its own part of the spans over their join replaced."""
    offset, first = 0, 0
    for piece in pieces:
        stop = offset + len(piece)
        while first < len(spans) and spans[first][1] <= offset:
            first += 1
        own, at = [], first
        while at < len(spans) and spans[at][0] < stop:
            own.append((max(spans[at][0], offset) - offset, min(spans[at][1], stop) - offset))
            at += 1
        yield _replace(piece, own).decode("utf-8", "surrogatepass")
        offset = stop + 1


def _rebuild(value: JsonValue, leaves: Iterator[str], depth: int) -> JsonValue:
    if isinstance(value, str):
        return next(leaves)
    if depth >= _MAXIMUM_DEPTH and isinstance(value, Mapping | Sequence):
        return MARK
    if isinstance(value, Mapping):
        out: dict[str, JsonValue] = {}
        for inner in value.values():
            key = name = next(leaves)
            number = 2
            while key in out:
                key, number = f"{name} ({number})", number + 1
            out[key] = _rebuild(inner, leaves, depth + 1)
        return out
    if isinstance(value, Sequence):
        return [_rebuild(inner, leaves, depth + 1) for inner in value]
    return value
