"""One XML document of cases through expat: events in, cases out, nothing kept but what is open."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree
from xml.parsers import expat

from bot.evidence.bounded import BoundedText
from bot.evidence.junit_case import (
    INTERIM,
    QUARANTINE,
    QUARANTINE_TRACEBACK,
    RESULTS,
    Strings,
    in_quarantine,
    plain_case,
    posix,
    read_case,
)
from bot.evidence.types import TestCase

MAX_DEPTH = 1000
"""Elements that may be open at once."""
MAX_TOKEN = 16 << 20
"""Bytes of one tag that expat may gather."""
KEPT_BYTES = 2 * MAX_TOKEN
"""Bytes since the last whole case that are kept for a second, tolerant reading."""
RESULT_TEXT = 400_000
"""Characters of one result's text that are gathered, head and tail."""

_KEPT = RESULTS | INTERIM
_PROPERTIES = frozenset({QUARANTINE, QUARANTINE_TRACEBACK})
_SUITES = frozenset({"testsuite", "testsuites"})
_OUTPUT = frozenset({"system-out", "system-err"})
_FOLLOWED = (
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT],
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI],
)
_NOTHING = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]


@dataclass(slots=True)
class Suite:
    """An open suite: its name, the nearest `file`, and its own counter of cases.

    counted: its cases are in a counter, its own or one further out. before: cases read before it opened.
    """

    name: str = ""
    file: str = ""
    declared: int | None = None
    counted: bool = False
    before: int = 0

    def inner(self, tag: str, attributes: Mapping[str, str]) -> Suite:
        """The suite that opens inside of this one."""
        declared = count(attributes.get("tests"))
        counted = self.counted or declared is not None
        if tag == "testsuites":
            return Suite("", "", declared, counted)
        return Suite(attributes.get("name", self.name), attributes.get("file", self.file), declared, counted)


@dataclass(slots=True)
class Tally:
    """What a report's documents hold, for the remarks at its end."""

    cases: int = 0
    suites: int = 0
    declared: int = 0  # sum of the outermost counters
    interim: int = 0  # cases with retried attempts
    wrong: int = 0  # suites whose own counter differs
    first_wrong: str = ""
    surplus: bool = False  # some found more than they declare


@dataclass(frozen=True, slots=True)
class Complete:
    """The document ended as it should."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There was no element at all."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The document ended, and `rest` begins with what follows it."""

    rest: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """Not well-formed; `rest` begins after the last whole case, inside of `suites`; `declared` is as in Tally there."""

    reason: str
    rest: bytes
    suites: tuple[Suite, ...]
    declared: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Reading stopped for good."""

    reason: str


End: TypeAlias = Complete | Nothing | Followed | Broken | Refused


_HTML = "is an HTML page, not JUnit XML; it was not read"
_DTD = "has a document type declaration (DTD), which can hide entity bombs; it was not read"
_TOO_DEEP = f"is nested deeper than {MAX_DEPTH:,} elements; reading stopped there"


class _Stop(Exception):  # noqa: N818 (control flow, out of an expat callback)
    pass


class Document:
    """Reader of one document. `read` yields its cases and returns how it ended."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._done: list[TestCase] = []
        self._suites = [Suite()]  # the document itself, then what is open
        self._safe = 0  # offset of the end of the last whole case
        self._safe_suites = tuple(self._suites)  # what was open there
        self._safe_declared = tally.declared
        self._moved = False  # suites opened or closed since
        self._stuck = 0  # bytes that expat holds without an event
        self._depth = 0  # open elements outside of cases
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._handlers()

    def read(self, rest: bytes, chunks: Iterator[bytes]) -> Generator[TestCase, None, End]:
        """Read `rest` and then `chunks` to the document's end; a document that follows is left in `Followed.rest`."""
        parser = self._parser
        kept: deque[tuple[int, bytes]] = deque()  # chunks since the last whole case, with their offsets
        fed = 0
        try:
            for data in self._pieces(rest, chunks):
                kept.append((fed, data))
                fed += len(data)
                parser.Parse(data, False)
                yield from self._take()
                while kept and (kept[0][0] + len(kept[0][1]) <= self._safe or fed - kept[0][0] > KEPT_BYTES):
                    kept.popleft()
                self._stuck = fed - parser.CurrentByteIndex
                if self._stuck > MAX_TOKEN:
                    return Refused(f"holds a tag of more than {MAX_TOKEN >> 20} MiB; reading stopped there")
            parser.Parse(b"", True)
        except _Stop as stop:
            yield from self._take()
            return Refused(str(stop))
        except expat.ExpatError as error:
            yield from self._take()
            if error.code == _NOTHING:
                return Nothing()
            joined = b"".join(data for _, data in kept)
            start = kept[0][0] if kept else fed
            if not self._depth and error.code in _FOLLOWED:
                return Followed(joined[max(0, parser.ErrorByteIndex - start) :])
            reason = f"{expat.ErrorString(error.code)}: line {error.lineno}, column {error.offset + 1}"
            return Broken(reason, joined[max(0, self._safe - start) :], self._safe_suites, self._safe_declared)
        yield from self._take()
        return Complete()

    def _pieces(self, rest: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What to feed: single chunks, but as much as expat holds back already while it waits for the end of a long
        tag, for it goes through all of that again each time (before its version 2.6)."""
        waiting: list[bytes] = []
        size = 0
        started = False
        for found in itertools.chain((rest,), chunks):
            chunk = found if started else found.lstrip()  # a declaration must be the first thing in a document
            started = started or bool(chunk)
            waiting.append(chunk)
            size += len(chunk)
            if size >= self._stuck:
                yield b"".join(waiting) if len(waiting) > 1 else chunk
                waiting.clear()
                size = 0
        if waiting:
            yield b"".join(waiting)

    def _take(self) -> Iterator[TestCase]:
        done = self._done.copy()
        self._done.clear()
        self._tally.cases += len(done)
        return iter(done)

    def _handlers(self) -> tuple[Callable[[str, dict[str, str]], None], Callable[[str], None]]:
        """expat's callbacks. Closures: they run for every element, and variables of a closure are cheaper than
        attributes, by a quarter of the whole reading."""
        parser, done, suites = self._parser, self._done, self._suites
        files, classnames = Strings(posix), Strings(str)
        text = BoundedText(RESULT_TEXT)
        case: dict[str, str] | None = None  # attributes of the open case
        level = 0  # open elements inside of it
        element: ElementTree.Element | None = None  # the open case, once it has a result
        result: ElementTree.Element | None = None  # the open result
        listed = False  # whether the open child of the case holds its properties
        properties: dict[str, str] = {}  # of those that we look at, the first of each name

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal case, level, element, result, listed
            if case is None:
                if tag == "testcase" or tag.endswith(":testcase"):
                    case = attributes
                else:
                    self._open(tag, attributes)
                return
            level += 1
            if level == 1:
                local = tag if ":" not in tag else tag.rpartition(":")[2]
                listed = local == "properties"
                if local in _KEPT:
                    if element is None:
                        element = ElementTree.Element("testcase", case)
                    result = ElementTree.SubElement(element, local, attributes)
                    parser.CharacterDataHandler = text.add
            elif level == 2 and listed:
                name = attributes.get("name", "")
                if tag == "property" and name in _PROPERTIES:
                    properties.setdefault(name, attributes.get("value", ""))
            elif level > MAX_DEPTH:
                raise _Stop(_TOO_DEEP)
            elif result is not None and tag in _OUTPUT:
                parser.CharacterDataHandler = None  # what a retried attempt printed

        def end(tag: str) -> None:
            nonlocal case, level, element, result
            if case is None:
                self._close(tag)
                return
            if level:
                level -= 1
                if result is not None:
                    if not level:
                        result.text = text.text()
                        text.clear()
                        result = None
                        parser.CharacterDataHandler = None
                    elif tag in _OUTPUT:
                        parser.CharacterDataHandler = text.add
                return
            suite = suites[-1]
            if element is None:
                done.append(plain_case(case, suite.file, suite.name, files, classnames))
            else:
                found = read_case(element, suite.file, suite.name)
                done.append(in_quarantine(found, properties) if properties else found)
                if any(child.tag in INTERIM for child in element):
                    self._tally.interim += 1
                element = None
            properties.clear()
            case = None
            self._safe = parser.CurrentByteIndex
            if self._moved:
                self._safe_suites = tuple(suites)
                self._safe_declared = self._tally.declared
                self._moved = False

        return start, end

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Stop(_TOO_DEEP)
        local = tag.rpartition(":")[2]
        if local in _SUITES:
            suite = self._suites[-1].inner(local, attributes)
            if suite.declared is not None and not self._suites[-1].counted:
                self._tally.declared += suite.declared
            suite.before = self._tally.cases + len(self._done)
            self._suites.append(suite)
            self._tally.suites += 1
            self._moved = True
        elif local == "html":
            raise _Stop(_HTML)

    def _close(self, tag: str) -> None:
        self._depth -= 1
        if len(self._suites) == 1 or tag.rpartition(":")[2] not in _SUITES:
            return
        suite = self._suites.pop()
        self._moved = True
        found = self._tally.cases + len(self._done) - suite.before
        if suite.declared is not None and suite.declared != found:
            self._tally.wrong += 1
            self._tally.surplus |= found > suite.declared
            if self._tally.wrong == 1:
                self._tally.first_wrong = f"{suite.declared:,} declared, {found:,} found"


def _refuse_doctype(name: str, *_: object) -> None:
    raise _Stop(_HTML if name.lower() == "html" else _DTD)


def count(value: str | None) -> int | None:
    """A suite's counter, None where it has none that can be read."""
    return int(value) if value and len(value) < 10 and value.isascii() and value.isdigit() else None
