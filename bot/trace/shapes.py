"""Token shapes that give themselves away: found without knowing the secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Start and end of a byte range."""

LONGEST_SHAPE = 16_384
"""Bytes: the longest thing one shape covers (a PEM block)."""

# The literal comes first and its left boundary is checked behind it, so that the search runs at the speed of a find.
# Group 1, where there is one, is what gets hidden. Every quantifier is bounded and no two neighbours share a character.
_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        rb"gh[pousr]_(?<![A-Za-z0-9]gh[pousr]_)[A-Za-z0-9]{20,255}",
        rb"github_pat_[A-Za-z0-9_]{20,255}",
        rb"glpat-[A-Za-z0-9_-]{20,255}",
        rb"sk-(?<![A-Za-z0-9]sk-)[A-Za-z0-9_-]{20,255}",
        rb"xai-(?<![A-Za-z0-9]xai-)[A-Za-z0-9_-]{20,255}",
        rb"AKIA(?<![A-Za-z0-9]AKIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        rb"ASIA(?<![A-Za-z0-9]ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        rb"AIza(?<![A-Za-z0-9]AIza)[A-Za-z0-9_-]{35}",
        rb"xox[abeoprs]-[A-Za-z0-9-]{10,255}",
        rb"npm_(?<![A-Za-z0-9]npm_)[A-Za-z0-9]{36}",
        rb"pypi-AgEI[A-Za-z0-9_-]{32,1024}",
        rb"eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{4,8192}\.[A-Za-z0-9_-]{0,2048}",
        rb"://[^\s/:@]{0,64}:([^\s/@:]{3,256})@",
    )
)
_SHAPES_ANY_CASE = tuple(
    re.compile(pattern)
    for pattern in (
        rb"bearer[ \t\n]{1,8}([a-z0-9._~+/=-]{16,4096})",
        rb"authorization[\"']{0,2}[ \t]{0,8}[:=][ \t]{0,8}[\"']{0,2}(?:(?:basic|bearer|token)[ \t]{1,8})?"
        rb"([^\s\"',;\x80-\xff]{8,4096})",
    )
)
_PEM_EDGE = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PEM_BODY = re.compile(rb"(?:[\s\\]{0,8}[A-Za-z0-9+/=\\]{16,128}){0,256}")


def shape_spans(data: bytes) -> Iterator[Span]:
    """Byte ranges that hold a token, in no order and possibly overlapping; both ends are character boundaries."""
    lowered = data.lower()
    for text, shapes in ((data, _SHAPES), (lowered, _SHAPES_ANY_CASE)):
        for shape in shapes:
            for match in shape.finditer(text):
                yield match.span(1) if shape.groups else match.span()
    edges = list(_PEM_EDGE.finditer(data))
    for index, edge in enumerate(edges):
        if edge[1] != b"BEGIN":
            continue
        following = edges[index + 1] if index + 1 < len(edges) else None
        if following and following[1] == b"END" and following.end() - edge.start() <= LONGEST_SHAPE:
            yield edge.start(), following.end()
        elif body := _PEM_BODY.match(data, edge.end(), edge.end() + LONGEST_SHAPE):
            yield edge.start(), body.end()


# How each shape begins, and how many bytes from there it may still grow. One that has begun is waited for.
_OPENINGS = tuple(
    (re.compile(pattern), reach)
    for pattern, reach in (
        (rb"gh[pousr]_|github_pat_|glpat-|sk-|xai-|AKIA|ASIA|AIza|xox[abeoprs]-|npm_", 280),
        (rb"://", 336),
        (rb"pypi-AgEI", 1_040),
        (rb"(?i:bearer|authorization)", 4_160),
        (rb"eyJ", 14_400),
        (rb"-----BEGIN ", LONGEST_SHAPE + 64),
    )
)
_LONGEST_OPENING = 13
_WORD = re.compile(rb"[A-Za-z0-9_-]{1,300}\Z")


def settled(data: bytes) -> int:
    """How many bytes of `data`, the end of a stream so far, no shape can reach any more, whatever comes next."""
    cut = max(0, len(data) - _LONGEST_OPENING)
    for opening, reach in _OPENINGS:
        match = opening.search(data, max(0, len(data) - reach))
        if match:
            cut = min(cut, match.start())
    # A shape looks at the character before it: a word is not cut in two, unless it is longer than words are.
    word = _WORD.search(data, max(0, cut - 300), cut)
    return word.start() if word and word.end() == cut and word.start() else cut
