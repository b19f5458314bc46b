"""Makes hostile text harmless where it is shown: terminal, Actions log, HTML, Markdown prose, code and fences.

Test output, model replies, paths and test names come from people who may mean harm. Each function takes raw text and
returns text for one place; nothing raw is ever pasted, and nothing is neutralised twice. What is taken out stays
visible (`␛`, `[U+202E]`), so that a reviewer sees that it was there.
"""

from __future__ import annotations

import html as html_module
import re
import textwrap

_ANSI = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # control sequences: colour, cursor, erase
    r"|\x1b[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)"  # operating system commands (titles, hyperlinks), strings
    r"|\x1b[ -/]{0,8}(?![\[\]PX^_])[0-~]"  # two-character sequences
)
_LINE_END = re.compile("\r\n|\r|\x0b|\x0c|\x85|\u2028|\u2029")
_UNSAFE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 and C1 without tab, and the line ends above
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls: show code that is not what runs
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # annotations and tags: text that nobody sees
    "\ud800-\udfff]"  # lone surrogates: cannot be written as UTF-8
)
_ZERO_WIDTH = "\u200b"


def plain(text: str) -> str:
    """Text without anything that acts: no escape sequence, control, bidirectional or invisible character.

    Line ends of every kind become "\\n", tabs stay. All other functions here begin with this one.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_visible, _LINE_END.sub("\n", _ANSI.sub("", text)))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"[U+{code:04X}]"


def one_line(text: str, limit: int = 200) -> str:
    """`plain` on one line, white space folded, at most `limit` characters with "…" at the end of what was cut."""
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    head = text[: 8 * limit + 64]
    folded = " ".join(plain(head).split())
    if len(folded) <= limit and len(head) == len(text):
        return folded
    return folded[: limit - 1].rstrip() + "…"


def bounded(text: str, limit: int, *, whole: str = "", tail: bool = False) -> str:
    """At most about `limit` characters, cut at a line end, and said: `whole` names where the whole of it is.

    tail: keep the end (of output) instead of the beginning.
    """
    if len(text) <= limit:
        return text
    kept = text[-limit:] if tail else text[:limit]
    if tail and "\n" in kept[: limit // 2]:
        kept = kept[kept.index("\n") + 1 :]
    elif not tail and "\n" in kept[limit // 2 :]:
        kept = kept[: kept.rindex("\n")]
    note = f"[… {len(text) - len(kept):,} characters cut{f'; all of it is in {whole}' if whole else ''} …]"
    return f"{note}\n{kept}" if tail else f"{kept}\n{note}"


# --- logs -----------------------------------------------------------------------------------------------------------

_COMMAND_START = re.compile(r"^([^\S\n]*)::", re.MULTILINE)


def log(text: str) -> str:
    """For a terminal that may be the log of a GitHub Actions job: `plain`, and no workflow command survives.

    The runner takes `::name::` after any leading white space, and `##[name]` anywhere in a line (actions/runner,
    ActionCommand.cs).
    """
    return _COMMAND_START.sub(r"\1: :", plain(text)).replace("##[", "## [")


# --- HTML -----------------------------------------------------------------------------------------------------------


def html(text: str) -> str:
    """For HTML text and quoted attribute values."""
    return html_module.escape(plain(text), quote=True)


# --- Markdown -------------------------------------------------------------------------------------------------------

_CODE_SPAN = re.compile(r"(?<!`)`([^`\n]{1,300})`(?!`)")
_SPECIAL = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|[\\`*\[\]|~$]")
_LINE_START = re.compile(r"^[ \t]*(?:([#>+=-])|(\d{1,9})([.)]))", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_SCHEME = re.compile(r"\b(https?|ftp|mailto|xmpp|file|data|javascript):", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)
_TRAILER = re.compile(
    r"^([ \t]*(?:co-authored-by|signed-off-by|skip-checks|on-behalf-of))([ \t]*:)", re.I | re.MULTILINE
)
_TRAILER_LINE = re.compile(r"\s*[A-Za-z-]{2,40}(?:-by|-of|-checks)\s*:", re.IGNORECASE)
_COMMAND = re.compile(r"/(?=grok)", re.IGNORECASE)
_REFERENCE = re.compile(r"#(?=\d)|\b(?<=GH)-(?=\d)", re.IGNORECASE)
_CLOSING = re.compile(
    r"\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)"
    r"(:?\s{1,8}(?:(?:[\w.-]{1,100}/[\w.-]{1,100})?(?:#|GH-)|https?://\S{1,200}/(?:issues|pull)/))(?=\d)",
    re.IGNORECASE,
)
_SKIP_CI = re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)


def markdown(text: str) -> str:
    """Prose for a Markdown body on a code host. Paragraphs and `code` spans stay; nothing else has any effect: no
    mention, reference, closing keyword, link, image, HTML, list, heading, fence, commit trailer or command of ours."""
    return _line_starts(_inline(plain(text)))


def _inline(text: str) -> str:
    parts: list[str] = []
    last = 0
    for span in _CODE_SPAN.finditer(text):
        parts += [_prose(text[last : span.start()]), code(span[1])]
        last = span.end()
    return "".join([*parts, _prose(text[last:])])


def _prose(text: str) -> str:
    text = _SPECIAL.sub(lambda match: "\\" + match[0], text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A host finds mentions and references in what is rendered: escaping is not enough, a character must stand between.
    text = text.replace("@", "@" + _ZERO_WIDTH)
    text = _REFERENCE.sub(lambda match: match[0] + _ZERO_WIDTH, text)
    text = _SCHEME.sub(lambda match: match[0] + _ZERO_WIDTH, text)
    text = _WWW.sub(lambda match: match[0][:-1] + _ZERO_WIDTH + ".", text)
    text = _COMMAND.sub("/" + _ZERO_WIDTH, text)
    return _TRAILER.sub(r"\1" + _ZERO_WIDTH + r"\2", text)


def _line_starts(text: str) -> str:
    """Escape what opens a block at the start of a line, after indentation is gone (four spaces would open code)."""
    return _LINE_START.sub(
        lambda match: "\\" + match[1] if match[1] else f"{match[2]}\\{match[3]}", _INDENT.sub("", text)
    )


def title(text: str, limit: int = 72) -> str:
    """A pull request's or commit's title, which is no Markdown: one line without mention, reference or CI switch."""
    line = _SKIP_CI.sub(r"(\1)", one_line(text, limit)).replace("@", "@" + _ZERO_WIDTH)
    line = _REFERENCE.sub(lambda match: match[0] + _ZERO_WIDTH, _CLOSING.sub(r"\1\2" + _ZERO_WIDTH, line))
    return _COMMAND.sub("/" + _ZERO_WIDTH, line)


def commit_text(text: str, limit: int = 2_000, width: int = 72) -> str:
    """Paragraphs for the body of a commit message: plain text, wrapped, in which nothing has any effect on a code host.

    A line that would be a trailer (`Co-authored-by: …`) is taken out: a host credits and skips by them.
    """
    paragraphs = plain(bounded(text, limit)).split("\n\n")
    wrapped = []
    for paragraph in paragraphs:
        kept = " ".join(line.strip() for line in paragraph.split("\n") if not _TRAILER_LINE.match(line))
        wrapped.append(textwrap.fill(title(kept, limit + 80), width, break_long_words=False, break_on_hyphens=False))
    return "\n\n".join(filter(None, wrapped))


def cell(text: str, limit: int = 300) -> str:
    """One line of `markdown` for a table cell, or for the middle of a line: nothing can open a block there."""
    return _in_cell(_inline(one_line(text, limit)))


def _in_cell(text: str) -> str:
    # A table is cut at its pipes before anything inline is read, in code spans too.
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def code(text: str, limit: int = 300) -> str:
    """An inline code span of one line; nothing inside has any effect."""
    inner = _inert_code(one_line(text, limit)) or " "
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", inner)), default=0) + 1)
    pad = " " if inner.startswith("`") or inner.endswith("`") else ""
    return f"{ticks}{pad}{inner}{pad}{ticks}"


def code_cell(text: str, limit: int = 200) -> str:
    """`code` for a table cell."""
    return _in_cell(code(text, limit))


def fence(text: str, language: str = "", *, limit: int = 20_000, whole: str = "", tail: bool = False) -> str:
    """A fenced block, longer fenced than anything inside; `bounded` to `limit` characters."""
    inner = _inert_code(plain(bounded(text, limit, whole=whole, tail=tail))).rstrip("\n")
    ticks = "`" * max(3, max((len(run) for run in re.findall(r"`+", inner)), default=0) + 1)
    return f"{ticks}{language}\n{inner}\n{ticks}"


def _inert_code(text: str) -> str:
    """A squash merge makes the body a commit message, which knows no code: what acts there must not stand in code."""
    text = _CLOSING.sub(r"\1\2" + _ZERO_WIDTH, text)
    return _SKIP_CI.sub(lambda match: f"[{match[1].replace(' ', chr(0xA0))}]", text)
