"""Cases out of what is not well-formed XML: known tags count, everything else is text.

Used from the last whole case on, after expat gave up. A case counts only where its own end, or a result inside of it,
is there to be seen: one that is cut off in the middle is left out, for nobody knows how it ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from bot.evidence.bounded import BoundedText
from bot.evidence.junit_case import INTERIM, RESULTS, Strings, plain_case, posix, read_case
from bot.evidence.junit_document import MAX_DEPTH, RESULT_TEXT, Suite
from bot.evidence.types import TestCase

TAG_LIMIT = 1 << 16
"""Characters of one tag, quotes and all, that are looked through for its end."""
WASTE_LIMIT = 1 << 24
"""Characters that may be looked through in vain for a tag's end beyond its quotes; after that its first ">" ends it."""
BLOCK_LIMIT = 1 << 20
"""Characters of one CDATA section or comment that are looked through for its end."""

_KEPT = RESULTS | INTERIM
_TOKEN = re.compile(
    r"<!\[CDATA\[|<!--|<(?P<close>/?)(?:[A-Za-z_][\w.-]{0,40}:)?(?P<tag>testsuites?|testcase|failure|error|skipped"
    r"|rerunFailure|rerunError|flakyFailure|flakyError|system-out|system-err)(?=[\s/>])"
)
_REST_OF_TAG = re.compile(r"""(?:[^"'>]|"[^"]*"|'[^']*')*+>""")
_ATTRIBUTE = re.compile(r"""([A-Za-z_:][\w.:-]{0,80})\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class Salvage:
    """One tolerant reading.

    found, unfinished: cases read, and cases left out because their end is missing. declared: sum of the counters of
    the outermost suites, those before the break included.
    """

    def __init__(self, suites: tuple[Suite, ...], declared: int) -> None:
        self.unfinished = 0
        self.found = 0
        self.declared = declared
        self._suites = list(suites)
        self._case: dict[str, str] | None = None
        self._element: ElementTree.Element | None = None
        self._result: ElementTree.Element | None = None
        self._output = ""  # the open system-out or system-err
        self._text = BoundedText(RESULT_TEXT)
        self._files, self._classnames = Strings(posix), Strings(str)

    def read(self, rest: bytes, chunks: Iterator[bytes]) -> Iterator[TestCase]:
        """Cases in `rest` and then in `chunks`, both clean UTF-8."""
        window = _Window(rest, chunks)
        while (token := window.next_token()) is not None:
            self._add(token.before)
            if token.block is not None:
                if self._result is not None and not self._output:
                    self._text.add(token.block)
                continue
            if token.tag == "testcase" and not token.close:
                case = self._finish()
                self._case = token.attributes
                if case is not None:
                    yield case
                if token.empty:
                    yield self._whole()
                continue
            if not token.close:
                self._open(token)
                continue
            case = self._close(token.tag)
            if case is not None:
                yield case
        self._add(window.remainder())
        case = self._finish()
        if case is not None:
            yield case

    def _add(self, text: str) -> None:
        if self._result is not None and not self._output and text:
            self._text.add(_unescape(text))

    def _open(self, token: _Token) -> None:
        tag, attributes = token.tag, token.attributes
        if tag in ("testsuite", "testsuites"):
            if self._case is None and not token.empty:
                suite = self._suites[-1].inner(tag, attributes)
                if suite.declared is not None and not self._suites[-1].counted:
                    self.declared += suite.declared
                if len(self._suites) < MAX_DEPTH:
                    self._suites.append(suite)
            return
        if self._case is None or self._output:
            return
        if tag in _KEPT:
            self._end_result()
            if self._element is None:
                self._element = ElementTree.Element("testcase", self._case)
            self._result = ElementTree.SubElement(self._element, tag, attributes)
            if token.empty:
                self._end_result()
        elif not token.empty:
            self._output = tag

    def _close(self, tag: str) -> TestCase | None:
        if tag == "testcase":
            return self._whole() if self._case is not None else None
        if tag in ("testsuite", "testsuites"):
            case = self._finish()
            if len(self._suites) > 1:
                self._suites.pop()
            return case
        if tag == self._output:
            self._output = ""
        elif self._result is not None and tag == self._result.tag and not self._output:
            self._end_result()
        return None

    def _end_result(self) -> None:
        if self._result is not None:
            self._result.text = self._text.text()
            self._text.clear()
            self._result = None

    def _finish(self) -> TestCase | None:
        """The open case at a place where it should have been closed: believed only where it holds a failure."""
        if self._case is None:
            return None
        self._end_result()
        if self._element is not None and any(child.tag in ("failure", "error") for child in self._element):
            return self._whole()
        self.unfinished += 1
        self._case = self._element = None
        self._output = ""
        return None

    def _whole(self) -> TestCase:
        assert self._case is not None
        self._end_result()
        suite = self._suites[-1]
        if self._element is None:
            case = plain_case(self._case, suite.file, suite.name, self._files, self._classnames)
        else:
            case = read_case(self._element, suite.file, suite.name)
        self._case = self._element = None
        self._output = ""
        self.found += 1
        return case


class _Token:
    """A known tag, or a CDATA section or comment (`block` is its text, "" for a comment), and the text before it."""

    __slots__ = ("attributes", "before", "block", "close", "empty", "tag")

    def __init__(
        self,
        before: str,
        *,
        tag: str = "",
        close: bool = False,
        empty: bool = False,
        attributes: dict[str, str] | None = None,
        block: str | None = None,
    ) -> None:
        self.before = before
        self.tag = tag
        self.close = close
        self.empty = empty
        self.attributes = attributes or {}
        self.block = block


class _Window:
    """A stretch of text that moves over the rest of a stream; finding tokens takes time linear in its length."""

    def __init__(self, rest: bytes, chunks: Iterator[bytes]) -> None:
        self._text = rest.decode("utf-8", "replace")
        self._chunks = chunks
        self._at = 0
        self._ended = False
        self._wasted = 0
        self._absent: dict[str, int] = {}  # needle → position up to which it was looked for in vain

    def _fill(self, ahead: int) -> None:
        """Have at least `ahead` characters after the position, while the stream lasts."""
        while len(self._text) - self._at < ahead and not self._ended:
            pieces = []
            size = 0
            while size < BLOCK_LIMIT:
                chunk = next(self._chunks, None)
                if chunk is None:
                    self._ended = True
                    break
                pieces.append(chunk.decode("utf-8", "replace"))
                size += len(pieces[-1])
            self._absent = {needle: place - self._at for needle, place in self._absent.items()}
            self._text = self._text[self._at :] + "".join(pieces)
            self._at = 0

    def next_token(self) -> _Token | None:
        """The next token, None at the end; text longer than the window is handed out in pieces of no token."""
        start = self._at
        self._fill(2 * BLOCK_LIMIT)
        start = self._at
        match = _TOKEN.search(self._text, start)
        if match is None:
            if self._ended:
                return None
            cut = max(start, len(self._text) - 128)
            self._at = cut
            return _Token(self._text[start:cut], block="")
        before = self._text[start : match.start()]
        opened = match.group()
        if opened in ("<![CDATA[", "<!--"):
            needle = "]]>" if opened == "<![CDATA[" else "-->"
            end = self._find(needle, match.end(), BLOCK_LIMIT)
            self._at = match.end() if end < 0 else end + 3
            if end < 0:
                return _Token(before, block="")  # never closed: the marker is no marker
            return _Token(before, block=self._text[match.end() : end] if needle == "]]>" else "")
        end = self._end_of_tag(match.end())
        if end < 0:
            self._at = match.end()
            return _Token(before + opened, block="")
        inner = self._text[match.end() : end]
        self._at = end + 1
        attributes = {name: _unescape(double or single) for name, double, single in _ATTRIBUTE.findall(inner)}
        return _Token(
            before,
            tag=match["tag"],
            close=bool(match["close"]),
            empty=inner.endswith("/") and not match["close"],
            attributes=attributes,
        )

    def _end_of_tag(self, start: int) -> int:
        """Position of the ">" that ends a tag, −1 where there is none near: outside of quotes, or else the first."""
        first = self._find(">", start, TAG_LIMIT)
        if first < 0:
            return -1
        if first == start or self._wasted > WASTE_LIMIT:
            return first
        quoted = _REST_OF_TAG.match(self._text, start, start + TAG_LIMIT)
        if quoted is None or "testcase" in self._text[start : quoted.end()]:
            self._wasted += TAG_LIMIT
            return first
        return quoted.end() - 1

    def _find(self, needle: str, start: int, limit: int) -> int:
        """Position of `needle` in the `limit` characters after `start`, −1 where it is not; stretches that were
        looked through in vain are not looked through again."""
        end = min(len(self._text), start + limit)
        begin = max(start, self._absent.get(needle, 0) - len(needle) + 1)
        place = self._text.find(needle, begin, end)
        if place < 0:
            self._absent[needle] = max(end, self._absent.get(needle, 0))
        return place

    def remainder(self) -> str:
        """The text after the last token."""
        return self._text[self._at :]


def _unescape(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if (0x20 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF) or code in (9, 10, 13) else ""
