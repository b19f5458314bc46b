"""What the rules' tables share: the line marked `#!` is the faulty one; what a rule offers is read as changed lines."""

from __future__ import annotations

import ast
import difflib
import itertools
import textwrap
import warnings

from bot.propose.search.source import parse, statement_at
from bot.propose.search.types import Candidate, Rule, Source

MARK = "  #!"


def read(before: str) -> tuple[Source, ast.stmt]:
    """The source without its mark, and the statement on the marked line."""
    text = textwrap.dedent(before).lstrip("\n")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.endswith(MARK))
    source = parse("module.py", text.replace(MARK, ""))
    assert source is not None
    statement = statement_at(source, line)
    assert statement is not None
    return source, statement


def offered(rule: Rule, before: str) -> dict[str, Candidate]:
    """Changed lines (dedented, in the order of the file; "" for a mere deletion) → the candidate that makes them."""
    source, statement = read(before)
    found: dict[str, Candidate] = {}
    for candidate in rule.candidates(source, statement):
        after = sound(source, candidate)
        found.setdefault(changed(source.text, after), candidate)
    return found


def sound(source: Source, candidate: Candidate) -> str:
    """The candidate's result, after the checks that every candidate has to pass."""
    edits = sorted(candidate.edits, key=lambda edit: edit.start)
    assert edits and candidate.cost >= 1.0 and candidate.description and candidate.path == source.path
    assert all(0 <= edit.start <= edit.end <= len(source.text) for edit in edits), candidate
    assert all(one.end <= other.start for one, other in itertools.pairwise(edits)), candidate
    after = candidate.apply(source.text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(after)
        compile(tree, "<candidate>", "exec", dont_inherit=True)
    assert ast.dump(tree) != ast.dump(source.module), candidate
    return after


def changed(before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    rows: list[str] = []
    for tag, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("replace", "insert"):
            rows.extend(new[start:end])
    return textwrap.dedent("\n".join(rows)).strip()


def check(rule: Rule, before: str, wanted: tuple[str, ...], unwanted: tuple[str, ...] = ()) -> None:
    """Every wanted change is offered, no unwanted one."""
    found = offered(rule, before)
    missing = [text for text in wanted if text not in found]
    assert not missing, f"{missing} not among:\n" + "\n".join(sorted(found))
    assert not [text for text in unwanted if text in found]
    assert all(candidate.rule == rule.NAME for candidate in found.values())
