"""What the rules make and the validator takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `text[start:end]` of one file by `replacement`; offsets count characters of the decoded text."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed Python file at base. `parents` maps a node to its parent, `offsets[n]` is the start of line n+1."""

    path: str
    text: str
    module: ast.Module
    parents: dict[ast.AST, ast.AST] = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change of one file. `cost`: how unlikely the rule holds it to be, ≥ 1, cheapest first; `description` is a
    phrase for a person ("`<` becomes `<=`"); `line` is where it stands."""

    path: str
    line: int
    edits: tuple[Edit, ...]
    rule: str
    cost: float
    description: str

    def apply(self, text: str) -> str:
        """The file's new text; edits do not overlap."""
        for edit in sorted(self.edits, key=lambda edit: edit.start, reverse=True):
            text = text[: edit.start] + edit.replacement + text[edit.end :]
        return text


class Rule(Protocol):
    """A repair template. Each rule is a module in `rules/` with these two names."""

    NAME: str

    def candidates(self, source: Source, statement: ast.stmt) -> Iterator[Candidate]:
        """Candidates that change `statement` (for a compound statement: its header) or stand directly at it."""
        ...
