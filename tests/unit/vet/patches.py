"""Patches for the rules' tables: from texts before and after to what git would say."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from textwrap import dedent

from bot.evidence.types import TestId
from bot.patch.parse import parse
from bot.patch.types import Applied
from bot.vet import Subject, vet
from bot.vet.types import Flake, Grade
from bot.workspace.types import Change

Files = Mapping[str, str | None]


def subject(
    before: Files,
    after: Files,
    *,
    targets: tuple[str, ...] = (),
    new_tests: tuple[str, ...] = (),
    protect: tuple[str, ...] = (),
    flake: Flake | None = None,
) -> Subject:
    """A subject whose patch leads from `before` to `after`; paths absent from `after` are unchanged, None deletes."""
    base = {path: dedent(text) for path, text in before.items() if text is not None}
    new = {path: None if text is None else dedent(text) for path, text in after.items()}
    changes, sections = [], []
    for path, text in new.items():
        old_lines = base.get(path, "").splitlines(keepends=True)
        new_lines = (text or "").splitlines(keepends=True)
        status = "D" if text is None else "M" if path in base else "A"
        diff = list(
            difflib.unified_diff(
                old_lines,
                new_lines,
                "/dev/null" if status == "A" else f"a/{path}",
                "/dev/null" if status == "D" else f"b/{path}",
            )
        )
        kind = {"A": "new file mode 100644\n", "D": "deleted file mode 100644\n", "M": ""}[status]
        sections.append("".join([f"diff --git a/{path} b/{path}\n", kind, *diff]))
        changes.append(
            Change(
                path,
                status,
                "000000" if status == "A" else "100644",
                "000000" if status == "D" else "100644",
                added=sum(line.startswith("+") for line in diff[2:]),
                deleted=sum(line.startswith("-") for line in diff[2:]),
            )
        )
    overlay = {path: None if text is None else text.encode() for path, text in new.items()}
    applied = Applied(parse("".join(sections)), tuple(changes), overlay)

    def read(path: str) -> bytes | None:
        return base[path].encode() if path in base else None

    ids = tuple(TestId.from_node_id(target) for target in targets)
    return Subject(applied, read, ids, new_tests, protect, flake)


def verdict(case: Subject) -> tuple[Grade, set[str]]:
    """The worst grade, and the names of the rules that object with it."""
    objections = vet(case)
    worst = max((objection.grade for objection in objections), default=Grade.ALLOWED)
    return worst, {objection.rule for objection in objections if objection.grade is worst}
