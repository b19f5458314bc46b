"""Pieces of the trace page. What they are given is raw; what they return is HTML with everything raw neutralised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.publish.untrusted import bounded, html, one_line

_SHOWN_ROWS = 500
_TEXT_CHARACTERS = 20_000
_CODE_SPAN = re.compile(r"`([^`\n]{1,400})`")  # applied to neutralised text only

_TONES = {
    "repaired": "good",
    "no_failures": "good",
    "passed": "good",
    "plausible": "good",
    "failed": "bad",
    "error": "bad",
    "blocked": "bad",
    "stopped": "bad",
    "review": "warn",
    "needs_review": "warn",
    "gave_up": "warn",
    "flaky": "warn",
    "not_reproduced": "warn",
}


def tone(word: str, otherwise: str = "warn") -> str:
    """Class name of the colour for an outcome, status, verdict or grade."""
    return _TONES.get(word, otherwise)


def prose(value: str) -> str:
    """A paragraph that keeps its line breaks and `code` spans; "" for nothing."""
    if not value:
        return ""
    inner = _CODE_SPAN.sub(r"<code>\1</code>", html(bounded(value, _TEXT_CHARACTERS, whole="the trace")))
    return f'<p class="prose">{inner}</p>'


def text_block(value: str, *, tail: bool = False) -> str:
    """Preformatted text that scrolls; tail: of what is too long the end is kept."""
    inner = html(bounded(value, _TEXT_CHARACTERS, whole="the trace", tail=tail))
    return f'<pre class="text" tabindex="0">{inner}</pre>'


def toned(value: str) -> str:
    """One word in its colour."""
    return f'<span class="status {tone(value, "soft")}">{html(one_line(value, 40))}</span>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], total: int, name: str = "") -> str:
    """A table of cells that are HTML already; `total` says how many rows there would be, `name` is its class."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{each}</td>' for each in row)}</tr>"
        for row, _ in zip(rows, range(_SHOWN_ROWS), strict=False)
    )
    more = f'<p class="soft">[… {total - _SHOWN_ROWS:,} more rows …]</p>' if total > _SHOWN_ROWS else ""
    opening = f'<table class="{name}">' if name else "<table>"
    return f'<div class="scroll">{opening}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
