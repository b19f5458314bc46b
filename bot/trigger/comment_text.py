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
_BLOCK = (  # CommonMark 0.31, 4.6, kind 6: these open a block of HTML in the middle of a paragraph too
    "address|article|aside|base|basefont|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|"
    "figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|"
    "nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
# What opens a block of HTML and what ends it; "" = a blank line. Its lines are nobody's prose, some are attributes.
_HTML = re.compile(
    rf"<(?:(?P<comment>!--)|(?P<instruction>\?)|(?P<data>!\[CDATA\[)|(?P<declaration>![A-Z])"
    rf"|(?P<raw>{_RAW})(?=[\s>/]|$)"
    rf"|(?P<block>/?(?:{_BLOCK}|blockquote)(?=[\s>/]|$))|(?P<tag>/?[A-Z][A-Z0-9-]*(?:[\s>/]|$)))",
    re.IGNORECASE,
)
_ENDINGS = {"comment": "-->", "instruction": "?>", "data": "]]>", "declaration": ">", "block": "", "tag": ""}
_DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:")
# Inline: escapes, code spans, HTML, and the parts of links that are not shown. Bounded and possessive: linear.
_INLINE = re.compile(
    rf"\\[\\`<\[\]!]|(?P<ticks>`+)|<(?P<raw>{_RAW})(?=[\s>/])|(?P<open><!--|<\?|<!\[CDATA\[|<![A-Z]|!\[)"
    r"""|(?P<tag></?[A-Z](?:[^"'>]|"[^"]{0,500}"|'[^']{0,500}'){0,500}+>)"""
    r"""|(?P<target>\]\((?:[^"'()]|"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)){0,500}+\))""",
    re.IGNORECASE,
)
_INLINE_ENDINGS = {"<!--": "-->", "<?": "?>", "<![cdata[": "]]>", "![": "]"}


def spoken_lines(body: str) -> Iterator[str]:
    """The lines that stand in the comment's own prose, from their first character on, in order; indentation is kept."""
    return _Reader().read(body[:LONGEST])


class _Reader:
    """State between lines.

    fence: the mark that ends the code block, inside: the column where the text of its list item begins. hidden: what
    ends the block of HTML that is open, "" = none, "\\n" = a blank line. items: those columns of the open list items.
    quoting: whether a line of text would go on with a block quote.
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
            if self.hidden and self.hidden != "\n":  # the paragraph before may have opened it
                if self.hidden in line.lower():
                    self.hidden = ""
                continue
            in_tag = self.hidden == "\n" and not blank
            self.hidden = ""
            self._open(line, indent, blank=blank)
            if in_tag:  # not every tag opens a block of HTML: what would open another block here is taken for one too
                self.hidden = self.hidden or ("" if self.fence else "\n")
                self.inside = 0
                self.paragraph.clear()
        yield from self._flush()

    def _starts_block(self, line: str, indent: int, *, blank: bool) -> bool:
        """Whether the paragraph before ends here."""
        text = line.lstrip(" ")
        html = _HTML.match(text)
        return bool(
            blank
            or (indent < 4 and (_FENCE.match(text) or (html and not html["tag"])))
            or _QUOTE.match(line)
            or ((item := _ITEM.match(text)) and (self.items or _interrupts(item)))
        )

    def _open(self, line: str, indent: int, *, blank: bool) -> None:
        if blank:
            self.quoting = False
            return
        if _QUOTE.match(line):
            self.quoting = True
            return
        lazy = bool(self.paragraph) or self.quoting
        begun = _ITEM.match(line.lstrip(" "))
        if begun and self.paragraph:  # it would have ended the paragraph, were it an item
            self.paragraph.append("    " + line)
            return
        if begun or not lazy:
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
        elif column - base < 4 and (opening := _HTML.match(text)) and not (opening["tag"] and self.paragraph):
            ending = _ending(opening)
            self.hidden = "" if ending in text.lower()[opening.end() :] else ending
        elif not self.quoting and (self.paragraph or column - base < 4):  # else it is indented code
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
        covered: list[tuple[int, int]] = []
        text = "\n".join(lines)
        if _DEFINITION.match(text):  # the rest may be its title
            covered = [(0, len(text) + 1)]
        elif re.search("[`<\\[]", text):
            covered, self.hidden = _covered(text)
        start, following = 0, iter([*covered, (len(text) + 1, len(text) + 1)])
        span = next(following)
        for line in lines:
            while span[1] <= start:
                span = next(following)
            if not span[0] < start:
                yield line
            start += len(line) + 1


def _interrupts(item: re.Match[str]) -> bool:
    """Whether a list may begin in the middle of a paragraph: not with an empty item, nor with a number other than 1."""
    return item.end() < len(item.string.rstrip(" ")) and (not item[0][0].isdigit() or item[0][:-1].strip(" .)") == "1")


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
        elif found["tag"] or found["target"]:
            spans.append(found.span())
        elif opening := found["raw"] or found["open"]:
            ending = f"</{opening.lower()}" if found["raw"] else _INLINE_ENDINGS.get(opening.lower(), ">")
            end = -1 if ending in absent else lower.find(ending, at)
            if end >= 0:
                spans.append((found.start(), end + len(ending)))
                at = spans[-1][1]
            elif found["raw"]:
                return [*spans, (found.start(), len(text) + 1)], ending
            else:
                absent.add(ending)
    return spans, ""


def _ending(opening: re.Match[str]) -> str:
    kind = opening.lastgroup or ""
    return f"</{opening['raw'].lower()}" if kind == "raw" else _ENDINGS[kind] or "\n"
