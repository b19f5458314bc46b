"""Untrusted text made safe to look at: terminal codes removed, what hides or reorders text shown as escapes."""

from __future__ import annotations

import re

# ECMA-48: CSI sequences, OSC/DCS/APC/PM/SOS strings up to their terminator (or line end where it is missing), and
# two-byte escapes. pytest writes ESC into XML as the literal text "#x1B", which is the same code in disguise.
_TERMINAL = re.compile(
    r"(?:\x1b|#x1B)\[[0-?]{0,32}[ -/]{0,8}[@-~]"
    r"|\x9b[0-?]{0,32}[ -/]{0,8}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]{0,8}[0-~]"
)

# C0 (except tab and newline), DEL, C1, line separators, zero-width, bidirectional controls, the byte order mark,
# interlinear annotation, invisible operators, tag characters, surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def without_terminal_codes(text: str) -> str:
    """Remove colours and other terminal sequences; everything else stays."""
    return _TERMINAL.sub("", text) if "\x1b" in text or "\x9b" in text or "#x1B[" in text else text


def plain(text: str) -> str:
    """Text that shows what it is: CRLF becomes LF, terminal codes go, hidden characters become visible escapes.

    A lone carriage return stays visible as "\\x0d" rather than becoming a line break, which would let a line begin
    with whatever follows it. Workflow commands are the publisher's to defuse.
    """
    text = without_terminal_codes(text.replace("\r\n", "\n"))
    return _HIDDEN.sub(_escape, text)


def one_line(text: str, limit: int) -> str:
    """`plain` text with white space folded to single blanks, cut to `limit` characters with an ellipsis."""
    folded = " ".join(plain(text[: limit * 4]).split())
    return folded if len(folded) <= limit else folded[: max(0, limit - 1)] + "…"


def head_tail(text: str, limit: int) -> str:
    """At most `limit` characters: a third from the head, the rest from the tail, where causes are told.

    The cut is marked with the number of characters left out, at a line's end where one is near. Texts that fit are
    returned as they are. ValueError where `limit` cannot hold the mark.
    """
    if len(text) <= limit:
        return text
    room = limit - len(_mark(len(text)))
    if room < 0:
        raise ValueError(f"head_tail needs a limit above {limit}: the mark of the cut does not fit")
    head = text[: room // 3]
    tail = text[len(text) - (room - room // 3) :]
    head = head[: head.rfind("\n") + 1 or None] if "\n" in head[-200:] else head
    newline = tail.find("\n", 0, 200)
    tail = tail[newline + 1 :] if newline >= 0 else tail
    return head + _mark(len(text) - len(head) - len(tail)) + tail


def _mark(count: int) -> str:
    return f"\n… {count:,} characters left out …\n"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
