"""When two texts of two runs say the same: all but what differs from run to run on its own."""

from __future__ import annotations

import re

_MASKS = (
    (re.compile(r"\b0x[0-9a-fA-F]{4,}\b"), "<address>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)?(?: ?(?:ms|s|seconds|minutes|min)\b)(?: \(\d+:\d\d:\d\d\))?"), "<duration>"),
    (re.compile(r"\bdata-[0-9a-f]{16}\b"), "data-<hash>"),  # fences of a prompt are named by what they hold
    # Of an absolute path only its end: where a checkout or an interpreter lies is the machine's affair.
    (re.compile(r"(?<![\w.<])/(?:[\w.@+~-]+/)+"), "<folder>/"),
    (re.compile(r"[=_-]{3,}"), "---"),  # pytest draws its rules as long as what stands in them leaves room
)
_LINE = 160  # characters
_SHOWN = 4  # lines of each side


def masked(text: str) -> str:
    """`text` with addresses, times, durations and the folders of absolute paths replaced."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def same_texts(recorded: str, now: str) -> bool:
    """Whether two texts are equal, or are once masked."""
    return recorded == now or masked(recorded) == masked(now)


def short_diff(recorded: str, now: str) -> tuple[str, ...]:
    """Where two texts part once masked: the line's number, some lines as recorded ("- ") and as seen now ("+ ")."""
    old, new = masked(recorded).splitlines(), masked(now).splitlines()
    at = next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    told = [f"- {line[:_LINE]}" for line in old[at : at + _SHOWN]]
    seen = [f"+ {line[:_LINE]}" for line in new[at : at + _SHOWN]]
    return (f"line {at + 1}:", *told, *seen)
