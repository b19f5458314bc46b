"""How far a repair reaches: whether the code behaves otherwise than before on any input beside the failing test's own.

A patch that answers the one input of the failing test goes green, however it asks for that input: by equality, by a
table, by a hash, by all(), through a file. What it cannot do is change anything beside. So the failing test is varied,
one input at a time, and run on the code before and after: where hardly a variant comes out otherwise than before, word
for word, a person is asked. So he is where an input has no say in the answer any more, where the repair holds for one
length only, for one word or one element, and where the outcome equals another expectation as well. It proves nothing
against a patch: a boundary may be one value wide. Patches that only exchange operators, names and numbers are not
asked, they have no room for a special case.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bot.evidence.failures import read_failure
from bot.evidence.types import TestCase, TestId, TestReport
from bot.patch.types import Applied
from bot.ports import RunResult
from bot.verify.base import Case
from bot.verify.trials import LEAST, Told, Trial, assess
from bot.verify.types import GateStatus, JudgeBench
from bot.verify.variants import MARK, Variants, vary
from bot.vet.subject import Subject
from bot.vet.syntax import fresh, literals

MOST = 32
"""Variants of one test."""
SECONDS = 30.0
"""Limit of each of the two runs."""
_PIECE = 2
"""Characters of a text from which on it tells something."""
_TARGETS = 3
"""Failing tests of a cluster that are looked at for one that can be varied."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_WORK = (
    *(ast.Call, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Dict, ast.Lambda),
    *(ast.If, ast.While, ast.For, ast.Try, ast.match_case, ast.comprehension, ast.FunctionDef, ast.ClassDef),
)
"""Kinds of syntax that a special case needs one more of."""
_TABLES = (ast.Dict, ast.List, ast.Set, ast.Tuple)
_SAME = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the gate is told: REVIEW where the patch changes no variant; evidence is a further clause, "" for none."""

    status: GateStatus = GateStatus.PASSED
    evidence: str = ""
    runs: tuple[RunResult, ...] = ()


def reach(bench: JudgeBench, case: Case, applied: Applied, subject: Subject) -> Reach:
    """Run the variants before and after. An empty Reach: no room for a special case, or none for a variant.

    A variant of which the second run tells nothing counts as the same: what ends the runner is no repair of anything.
    """
    if not _has_room(subject):
        return Reach()
    variants = _variants(case, subject)
    if variants is None:
        return Reach()
    files, overlay = (TestId.from_node_id(variants.path),), {variants.path: variants.text.encode()}
    before = bench.run(files, overlay, purpose="variants at base", seconds=SECONDS)
    known = _told(before.report, case)
    if sum(_alike(told, case) for told in known.values()) < LEAST:
        return Reach()
    after = bench.run(files, {**applied.overlay, **overlay}, purpose="variants with the patch", seconds=SECONDS)
    seen = _told(after.report, case)
    trials = [
        Trial(made, known[made.name], seen.get(made.name), _alike(known[made.name], case))
        for made in variants.made
        if made.name in known
    ]
    status, evidence = assess(trials, _own_values(subject))
    return Reach(status, evidence, (before, after))


def _has_room(subject: Subject) -> bool:
    """Whether the patch adds work to the source, compares for sameness, or writes a literal of the failing test.

    A row more in a table that was there is data, which concerns one input by its nature.
    """
    asked = {repr(value) for source in subject.failing_sources() for value in literals(source)}
    for file in subject.source():
        before, after = file.tree_before, file.tree_after
        if _work(after) - _work(before):
            return True
        if any(isinstance(op, _SAME) for node in fresh(before, after, ast.Compare) for op in node.ops):
            return True
        rows = {id(part) for table in ast.walk(after) if isinstance(table, _TABLES) for part in ast.walk(table)}
        if any(repr(node.value) in asked and id(node) not in rows for node in fresh(before, after, ast.Constant)):
            return True
    return False


def _work(tree: ast.AST) -> Counter[type[ast.AST]]:
    return Counter(type(node) for node in ast.walk(tree) if isinstance(node, _WORK))


def _variants(case: Case, subject: Subject) -> Variants | None:
    for failure in case.cluster.failures[:_TARGETS]:
        target = failure.case.id
        content = subject.read(target.file) if target.file.endswith(".py") else None
        most = min(MOST, int(SECONDS / 2 / max(failure.case.seconds, 0.01)))
        variants = vary(content.decode("utf-8", "replace"), target, most) if content is not None and most else None
        if variants is not None and variants.count >= LEAST:
            return variants
    return None


def _own_values(subject: Subject) -> tuple[object, ...]:
    """Values new in the source that the failing test holds, too: numbers and texts, and pieces of its texts."""
    asked = [value for source in subject.failing_sources() for value in literals(source)]
    texts = [value.casefold() for value in asked if isinstance(value, str) and len(value) >= _PIECE]
    found: list[object] = []
    for file in subject.source():
        said = {
            id(part) for node in ast.walk(file.tree_after) if isinstance(node, ast.Raise) for part in ast.walk(node)
        }
        said |= {id(node.value) for node in ast.walk(file.tree_after) if isinstance(node, ast.Expr)}
        for node in fresh(file.tree_before, file.tree_after, ast.Constant):
            value = node.value
            if id(node) in said or isinstance(value, bool) or value is None:
                continue
            if not isinstance(value, str):
                found += [value] if value in asked else []
            elif _is_piece(value.casefold(), texts):
                found.append(value)
    return tuple(found)


def _is_piece(value: str, texts: Sequence[str]) -> bool:
    """A piece of a text of the test, or such a text and more; a word that stands there alone is a name of something."""
    if len(value) < _PIECE or not any(letter.isalnum() for letter in value):
        return False
    return any((value in text or text in value) and not (value == text and text.isidentifier()) for text in texts)


def _alike(told: Told, case: Case) -> bool:
    outcome, exception, _ = told
    return outcome.is_failure and exception == case.cluster.failures[0].exception


def _told(report: TestReport | None, case: Case) -> dict[str, Told]:
    """What each variant came to, by its name: outcome, exception, message without addresses."""
    return {seen.id.name.partition("[")[0]: _seen(seen, case) for seen in report or () if MARK in seen.id.name}


def _seen(seen: TestCase, case: Case) -> Told:
    exception = read_failure(seen, case.is_project).exception if seen.outcome.is_failure else ""
    return seen.outcome, exception, _ADDRESS.sub("0x", seen.message)
