"""Tracebacks as text → exception, message and frames: pytest's long, short, line and native styles, and unittest's."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_LIMIT = 20_000
"""Characters of one line that are looked at."""

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_SEPARATORS = frozenset({_CAUSE, _CONTEXT})

# "tests/test_x.py:5: in test_total" (short), "src/x.py:6: KeyError" or "src/x.py:6: " (long; the message of --tb=line)
_PYTEST = re.compile(
    r"""(?P<path>(?:[A-Za-z]:[\\/])?[^\s:'"=][^:'"\n]{0,400}):(?P<line>\d{1,7}):"""
    r"(?: in (?P<function>.{1,200})| ?(?P<tail>.*))"
)
_NATIVE = re.compile(
    r'\s*(?:[|+]\s*)*File "(?P<path>[^"\n]{1,400})", line (?P<line>\d{1,7})(?:, in (?P<function>.{1,200}))?'
)
_DEFINITION = re.compile(r">?\s*(?:async\s+)?def\s+(\w+)\s*\(")
_EXCEPTION = re.compile(
    r"(?P<name>[A-Za-z_]\w{0,99}(?:\.(?:<locals>|[A-Za-z_]\w{0,99})){0,20})(?::(?: (?P<message>.*))?$|$)"
)
_ERROR_LINE = re.compile(r"E   (?P<text>.*)|E$")
_GROUP_PREFIX = re.compile(r"\s*[|+][ ]?")
_CAPTURED = re.compile(r"-{3,} ?Captured (?:stdout|stderr|log) \w+ ?-{3,}")
_UNDERSCORES = re.compile(r"(?:_ ){8,}_?\s*")


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame as printed; `function` is "" where the style does not tell it."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain: its type as printed ("" where unknown), its message's lines, frames outermost first."""

    exception: str
    message: tuple[str, ...]
    frames: tuple[RawFrame, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Exceptions in the order of printing: the last is what the test died of.

    causes: indices of those that a later one was raised `from`, the nearest to the last first.
    """

    raised: tuple[Raised, ...]
    causes: tuple[int, ...]


def read_traceback(text: str) -> Chain:
    """Read a traceback in any of the styles; an empty chain where there is none to be read.

    Source lines, local variables and captured output in it are skipped. Forged lines in an exception's own message
    can add frames, but no line outside of a block of pytest's "E" lines can change the exception of the block.
    """
    reader = _Reader()
    for line in text.splitlines():
        if not reader.feed(line[:LINE_LIMIT]):
            break
    return reader.finish()


def read_exception(line: str) -> tuple[str, str]:
    """Exception type as printed and message of "module.Type: message"; ("", line) where it names no type.

    A type cut off by an ellipsis, as in a narrow terminal's summary, is none.
    """
    text = line.strip()
    match = _EXCEPTION.match(text)
    if match is not None:
        name = match["name"]
        last = name.rpartition(".")[2]
        if last[0].isupper() or "." in name or last.endswith(("error", "exit")):
            return name, (match["message"] or "").strip()
    # pytest's rewritten assertions print the expression alone.
    return ("AssertionError", text) if text.startswith("assert ") else ("", text)


class _Reader:
    def __init__(self) -> None:
        self.raised: list[Raised] = []
        self.links: list[bool] = []  # between each and the next: whether it is its declared cause
        self.group = False
        self.reset()

    def reset(self) -> None:
        self.frames: list[RawFrame] = []
        self.errors: list[str] = []  # pytest's E lines
        self.plain: list[str] = []  # the lines after a native traceback's last frame
        self.tail = ""
        self.function = ""
        self.native = False

    def feed(self, line: str) -> bool:
        stripped = line.strip()
        if stripped in _SEPARATORS:
            self.links.append(stripped == _CAUSE)
            self.close()
            return True
        if _CAPTURED.match(line):
            return False
        if _UNDERSCORES.fullmatch(line):
            self.function = ""
            return True
        error = _ERROR_LINE.match(line)
        if error is not None:
            self.add_error(error["text"] or "")
            return True
        if self.native or "File " in line or stripped.endswith("Traceback (most recent call last):"):
            return self.feed_native(line)
        frame = _PYTEST.fullmatch(line)
        if frame is not None:
            self.add_pytest(frame)
        elif not self.function:
            definition = _DEFINITION.match(line)
            if definition is not None:
                self.function = definition[1]
        return True

    def add_error(self, text: str) -> None:
        located = _NATIVE.match(text)
        if located is not None:  # where a SyntaxError lies
            self.frames.append(RawFrame(located["path"], int(located["line"]), ""))
        else:
            self.errors.append(text)

    def add_pytest(self, match: re.Match[str]) -> None:
        function = match["function"]
        if function is None:
            function = self.function
            self.tail = (match["tail"] or "").strip()
        self.function = ""
        self.frames.append(RawFrame(match["path"], int(match["line"]), function.strip()))

    def feed_native(self, line: str) -> bool:
        if line.strip().endswith("Traceback (most recent call last):"):
            if not self.frames:
                self.plain.clear()  # unittest's own remark on a module it could not load
            self.group = self.group or line.lstrip().startswith(("|", "+"))
            self.native = True
            return True
        located = _NATIVE.match(line)
        if located is not None and not (self.plain and not self.group):
            self.native = True
            self.frames.append(RawFrame(located["path"], int(located["line"]), (located["function"] or "").strip()))
            return True
        text = _GROUP_PREFIX.sub("", line) if self.group else line
        if self.native and self.frames and (self.plain or (text and not text[0].isspace())):
            self.plain.append(text)
        return True

    def close(self) -> None:
        if self.frames or self.errors or self.plain:
            self.raised.append(self.one())
        self.reset()

    def one(self) -> Raised:
        lines = tuple(_dedented(self.errors) if self.errors else self.plain)
        exception, first = read_exception(lines[0]) if lines else ("", "")
        if self.tail and not exception:
            exception, message = read_exception(self.tail)
            first = first or message
        return Raised(exception, (first, *lines[1:]), tuple(self.frames))

    def finish(self) -> Chain:
        self.close()
        links = self.links[: max(0, len(self.raised) - 1)]
        causes: list[int] = []
        for index in range(len(links) - 1, -1, -1):
            if not links[index]:
                break
            causes.append(index)
        return Chain(tuple(self.raised), tuple(causes))


def _dedented(lines: list[str]) -> list[str]:
    """Lines from the first of the least indented on: what stands before it shows where a SyntaxError lies."""
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    if not indents:
        return []
    least = min(indents)
    first = indents.index(least)
    kept = [line for line in lines if line.strip()]
    return [line[least:] for line in kept[first:]]
