"""Small changes of a function that its tests should notice: the repair templates, on code that is right."""

from __future__ import annotations

import ast

from bot.diagnose.types import Location
from bot.propose.search.generate import generate
from bot.propose.search.source import parse_module
from bot.propose.search.types import Candidate
from bot.testgen.types import Function

MOST = 24
MOST_ON_A_LINE = 4
_LOOKED_AT = 1_500
_RULES = frozenset({"comparison", "off_by_one", "arithmetic", "constant", "condition", "return_value", "statement"})


def mutants_of(function: Function, text: str) -> tuple[Candidate, ...]:
    """At most 24 mutants, spread over the function's lines; all of them compile and differ in their syntax.

    text: the function's file. Left out are rules that borrow names (their result often fails in any call) and those
    that only insert.
    """
    lines = range(function.body, function.last + 1)
    locations = [Location(function.path, line, function.qualname, 1.0, "") for line in lines]
    messages = _messages(function, text)
    by_line: dict[int, list[Candidate]] = {}
    for candidate in generate(locations, {function.path: text}.get, most=_LOOKED_AT):
        if candidate.rule in _RULES and candidate.line in lines and not _rewords(candidate, messages):
            by_line.setdefault(candidate.line, []).append(candidate)
    varied = {line: _varied(by_line[line]) for line in sorted(by_line)}
    chosen: list[Candidate] = []
    for rank in range(MOST_ON_A_LINE):
        chosen += [found[rank] for found in varied.values() if rank < len(found)][: MOST - len(chosen)]
    return tuple(sorted(chosen, key=lambda one: (one.line, one.cost)))


def _messages(function: Function, text: str) -> set[int]:
    """Lines of `raise` statements: another wording there is no other behaviour."""
    module = parse_module(text.removeprefix("\ufeff"))
    nodes = () if module is None else ast.walk(module)
    raises = [node for node in nodes if isinstance(node, ast.Raise) and function.body <= node.lineno <= function.last]
    return {line for node in raises for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def _rewords(candidate: Candidate, messages: set[int]) -> bool:
    return candidate.rule == "constant" and candidate.line in messages


def describe(mutant: Candidate) -> str:
    """One line for a person."""
    return f"line {mutant.line}: {mutant.description}"


def _varied(candidates: list[Candidate]) -> list[Candidate]:
    """Cheapest first, but one of every place and rule before a second one of any."""
    seen: dict[tuple[str, int], int] = {}
    ranked = []
    for position, candidate in enumerate(candidates):
        key = (candidate.rule, candidate.edits[0].start)
        seen[key] = seen.get(key, -1) + 1
        ranked.append((seen[key], position, candidate))
    return [candidate for _, _, candidate in sorted(ranked, key=lambda entry: entry[:2])]
