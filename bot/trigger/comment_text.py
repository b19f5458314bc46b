"""Which lines of a comment its author says: not those quoted, shown as code, or hidden in HTML.

CommonMark's block structure as far as it decides that, in one pass and linear time. Where it is doubtful a line is left
out: a command that is not seen can be typed again, a pasted one that is seen starts a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 65_536
"""Characters of a comment that are read; the code host takes no longer ones."""

_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_QUOTE = re.compile(r" {0,3}>")
_ITEM = re.compile(r"(?:[-+*]|\d{1,9}[.)])(?: {1,4}(?=[^ ])|(?= *$)| (?= ))")
_RAW = r"pre|script|style|textarea|blockquote|code|samp|template"  # elements whose text is code, quoted or unseen
_RAW_OPEN = re.compile(rf"<(?:!--|(?P<tag>{_RAW})(?=[\s>/]|$))", re.IGNORECASE)
_INLINE = re.compile(rf"\\[\\`<]|(?P<ticks>`+)|<!--|<(?P<tag>{_RAW})(?=[\s>/])", re.IGNORECASE)


def spoken_lines(body: str) -> Iterator[str]:
    """The lines that stand in the comment's own prose, from their first character on, in order; indentation is kept."""
    return _Reader().read(body[:LONGEST])


class _Reader:
    """State between lines. `fence`: the mark that ends the code block, `inside`: the column its list item's text is at.

    hidden: what ends the HTML that hides text. items: text columns of the list items that are open.
    """

    def __init__(self) -> None:
        self.fence = ""
        self.inside = 0
        self.hidden = ""
        self.items: list[int] = []
        self.quoting = False
        self.paragraph: list[str] = []

    def read(self, body: str) -> Iterator[str]:
        for raw in re.split(r"\r\n|\r|\n", body):
            line = raw.expandtabs(4)
            blank = not line.strip()
            indent = len(line) - len(line.lstrip(" "))
            if self.fence:
                if blank or indent >= self.inside:
                    self._end_fence(line)
                    continue
                self.fence = ""  # the list item that it stood in is over
            if self._starts_block(line, indent, blank=blank):
                yield from self._flush()
            if self.hidden:  # the paragraph before may have opened it
                if self.hidden in line.lower():
                    self.hidden = ""
                continue
            self._open(line, indent, blank=blank)
        yield from self._flush()

    def _starts_block(self, line: str, indent: int, *, blank: bool) -> bool:
        """Whether the paragraph before ends here."""
        text = line.lstrip(" ")
        return bool(
            blank
            or (indent < 4 and (_FENCE.match(text) or _RAW_OPEN.match(text)))
            or _QUOTE.match(line)
            or _ITEM.match(text)
        )

    def _open(self, line: str, indent: int, *, blank: bool) -> None:
        if blank:
            self.quoting = False
            return
        if _QUOTE.match(line):
            self.quoting = True
            return
        lazy = bool(self.paragraph) or self.quoting
        if not lazy or _ITEM.match(line.lstrip(" ")):
            while self.items and indent < self.items[-1]:
                self.items.pop()
        text, column = line[indent:], indent
        while column - (self.items[-1] if self.items else 0) < 4 and (item := _ITEM.match(text)):
            column += item.end()
            text = text[item.end() :]
            self.items.append(column)
            self.quoting = text.startswith(">")
        base = self.items[-1] if self.items and column >= self.items[-1] else 0
        if column - base < 4 and (fence := _FENCE.match(text)):
            self.fence, self.inside, self.quoting = fence[1] or fence[2], base, False
        elif column - base < 4 and (opening := _RAW_OPEN.match(text)):
            ending = f"</{opening['tag'].lower()}" if opening["tag"] else "-->"
            self.hidden = "" if ending in text.lower() else ending
        elif not self.quoting:
            self.paragraph.append(line if column == indent else "    " + line)

    def _end_fence(self, line: str) -> None:
        text = line[self.inside :]
        mark = text.strip(" ")
        if len(text) - len(text.lstrip(" ")) < 4 and mark.startswith(self.fence) and not mark.strip(self.fence[0]):
            self.fence = ""

    def _flush(self) -> Iterator[str]:
        """The paragraph's lines, without those that begin inside a code span or inside HTML within the text."""
        lines, self.paragraph = self.paragraph, []
        if not lines:
            return
        text = "\n".join(lines)
        if "`" in text or "<" in text:
            covered, self.hidden = _covered(text)
        else:
            covered = []
        start, following = 0, iter([*covered, (len(text) + 1, len(text) + 1)])
        span = next(following)
        for line in lines:
            while span[1] <= start:
                span = next(following)
            if not span[0] < start:
                yield line
            start += len(line) + 1


def _covered(text: str) -> tuple[list[tuple[int, int]], str]:
    """Spans of code and hidden HTML inside a paragraph, in order, and what ends an element that is left open."""
    lower = text.lower()
    closing: dict[int, list[int]] = {}  # length of a run of backticks → where such runs start, last first
    for run in reversed(list(re.finditer("`+", text))):
        closing.setdefault(len(run[0]), []).append(run.start())
    absent: set[str] = set()  # endings known to come no more, so that none is looked for twice
    spans: list[tuple[int, int]] = []
    at = 0
    while found := _INLINE.search(text, at):
        at = found.end()
        if found["ticks"]:
            ends = closing.get(len(found["ticks"]), [])  # none: the first of the run was escaped
            while ends and ends[-1] < at:
                ends.pop()
            if ends:
                spans.append((found.start(), ends[-1] + len(found["ticks"])))
                at = spans[-1][1]
        elif found[0].startswith("<"):
            ending = f"</{found['tag'].lower()}" if found["tag"] else "-->"
            end = -1 if ending in absent else lower.find(ending, at)
            if end >= 0:
                spans.append((found.start(), end + len(ending)))
                at = spans[-1][1]
            elif found["tag"]:
                return [*spans, (found.start(), len(text) + 1)], ending
            else:
                absent.add(ending)
    return spans, ""
