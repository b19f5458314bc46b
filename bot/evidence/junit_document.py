"""One XML document of cases through expat: events in, cases out, nothing kept but what is open."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree
from xml.parsers import expat

from bot.evidence.bounded import BoundedText
from bot.evidence.junit_case import INTERIM, RESULTS, plain_case, read_case
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
_SUITES = frozenset({"testsuite", "testsuites"})
_OUTPUT = frozenset({"system-out", "system-err"})
_FOLLOWED = (
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT],
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI],
)
_NOTHING = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]


@dataclass(slots=True)
class Suite:
    """An open suite: its name, the nearest `file`, and the cases found so far beside its own counter.

    counted: its cases are in a counter, its own or one further out.
    """

    name: str = ""
    file: str = ""
    declared: int | None = None
    found: int = 0
    counted: bool = False

    def inner(self, tag: str, attributes: Mapping[str, str]) -> Suite:
        """The suite that opens inside of this one."""
        declared = count(attributes.get("tests"))
        counted = self.counted or declared is not None
        if tag == "testsuites":
            return Suite("", "", declared, 0, counted)
        return Suite(attributes.get("name", self.name), attributes.get("file", self.file), declared, 0, counted)


@dataclass(slots=True)
class Tally:
    """What a report's documents hold, for the remarks at its end."""

    cases: int = 0
    suites: int = 0
    declared: int = 0  # sum of the outermost counters
    interim: int = 0  # cases with retried attempts
    wrong: int = 0  # suites whose own counter differs
    first_wrong: str = ""


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


class _Stop(Exception):  # noqa: N818 (control flow, out of an expat callback)
    pass


class Document:
    """Reader of one document. `read` yields its cases and returns how it ended."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._done: list[TestCase] = []
        self._suites = [Suite()]  # the document itself, then what is open
        self._depth = 0
        self._case: dict[str, str] | None = None  # attributes of the open case
        self._case_depth = 0
        self._element: ElementTree.Element | None = None  # the open case, once it has a result
        self._result: ElementTree.Element | None = None
        self._text = BoundedText(RESULT_TEXT)
        self._safe = 0  # offset of the end of the last whole case
        self._safe_suites = tuple(self._suites)  # what was open there
        self._safe_declared = tally.declared
        self._moved = False  # suites opened or closed since
        self._started = False
        self._shared: dict[str, str] = {}
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype

    def read(self, rest: bytes, chunks: Iterator[bytes]) -> Generator[TestCase, None, End]:
        """Read `rest` and then `chunks` to the document's end; a document that follows is left in `Followed.rest`."""
        parser = self._parser
        kept: deque[tuple[int, bytes]] = deque()  # chunks since the last whole case, with their offsets
        fed = 0
        try:
            for chunk in itertools.chain((rest,), chunks):
                data = chunk if fed else chunk.lstrip()
                kept.append((fed, data))
                fed += len(data)
                parser.Parse(data, False)
                yield from self._take()
                while kept and (kept[0][0] + len(kept[0][1]) <= self._safe or fed - kept[0][0] > KEPT_BYTES):
                    kept.popleft()
                if fed - parser.CurrentByteIndex > MAX_TOKEN and fed > MAX_TOKEN:
                    return Refused(f"holds a tag of more than {MAX_TOKEN >> 20} MiB; reading stopped there")
            parser.Parse(b"", True)
        except _Stop as stop:
            yield from self._take()
            return Refused(str(stop))
        except expat.ExpatError as error:
            yield from self._take()
            if not self._started and error.code == _NOTHING:
                return Nothing()
            joined = b"".join(data for _, data in kept)
            start = kept[0][0] if kept else fed
            if self._started and not self._depth and error.code in _FOLLOWED:
                return Followed(joined[max(0, parser.ErrorByteIndex - start) :])
            reason = f"{expat.ErrorString(error.code)}: line {error.lineno}, column {error.offset + 1}"
            return Broken(reason, joined[max(0, self._safe - start) :], self._safe_suites, self._safe_declared)
        yield from self._take()
        return Complete()

    def _take(self) -> Iterator[TestCase]:
        done, self._done = self._done, []
        return iter(done)

    def _doctype(self, name: str, *_: object) -> None:
        if name.lower() == "html":
            raise _Stop("is an HTML page, not JUnit XML; it was not read")
        raise _Stop("has a document type declaration (DTD), which can hide entity bombs; it was not read")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._started = True
        if self._case is None:
            if tag == "testcase" or (":" in tag and tag.endswith(":testcase")):
                self._case = attributes
                self._case_depth = self._depth
                return
            if self._depth > MAX_DEPTH:
                raise _Stop(f"is nested deeper than {MAX_DEPTH:,} elements; reading stopped there")
            local = tag.rpartition(":")[2]
            if local in _SUITES:
                suite = self._suites[-1].inner(local, attributes)
                if suite.declared is not None and not self._suites[-1].counted:
                    self._tally.declared += suite.declared
                self._suites.append(suite)
                self._tally.suites += 1
                self._moved = True
            elif local == "html":
                raise _Stop("is an HTML page, not JUnit XML; it was not read")
            return
        if self._depth == self._case_depth + 1:
            local = tag.rpartition(":")[2]
            if local in _KEPT:
                if self._element is None:
                    self._element = ElementTree.Element("testcase", self._case)
                self._result = ElementTree.SubElement(self._element, local, attributes)
                self._parser.CharacterDataHandler = self._text.add
        elif self._depth > MAX_DEPTH:
            raise _Stop(f"is nested deeper than {MAX_DEPTH:,} elements; reading stopped there")
        elif self._result is not None and tag in _OUTPUT:
            self._parser.CharacterDataHandler = None  # what a retried attempt printed

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._case is None:
            if len(self._suites) > 1 and tag.rpartition(":")[2] in _SUITES:
                self._close_suite()
            return
        if self._depth == self._case_depth:
            if self._result is not None:
                self._result.text = self._text.text()
                self._text.clear()
                self._result = None
                self._parser.CharacterDataHandler = None
            return
        if self._depth > self._case_depth:
            if self._result is not None and tag in _OUTPUT:
                self._parser.CharacterDataHandler = self._text.add
            return
        suite = self._suites[-1]
        if self._element is None:
            case = plain_case(self._case, suite.file, suite.name, self._shared)
        else:
            case = read_case(self._element, suite.file, suite.name)
            if any(child.tag in INTERIM for child in self._element):
                self._tally.interim += 1
            self._element = None
        self._done.append(case)
        self._case = None
        self._safe = self._parser.CurrentByteIndex
        if self._moved:
            self._safe_suites = tuple(self._suites)
            self._safe_declared = self._tally.declared
            self._moved = False
        suite.found += 1
        self._tally.cases += 1

    def _close_suite(self) -> None:
        suite = self._suites.pop()
        self._moved = True
        self._suites[-1].found += suite.found
        if suite.declared is not None and suite.declared != suite.found:
            self._tally.wrong += 1
            if self._tally.wrong == 1:
                self._tally.first_wrong = f"{suite.declared:,} declared, {suite.found:,} found"


def count(value: str | None) -> int | None:
    """A suite's counter, None where it has none that can be read."""
    return int(value) if value and len(value) < 10 and value.isascii() and value.isdigit() else None
