"""How far a repair reaches: whether the code behaves otherwise than before on any input beside the failing test's own.

A patch that answers the one input of the failing test goes green, however it asks for that input: by equality, by a
table, by a hash, by all(), through a file. What it cannot do is change anything beside. So the failing test is varied,
one input at a time, and run on the code before and after: where hardly a variant comes out otherwise than before, word
for word, a person is asked; so he is where an input has no say in the answer any more. It proves nothing against a
patch: a boundary may be one value wide. Patches that only exchange operators, names and numbers are not asked, they
have no room for a special case.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from bot.evidence.failures import read_failure
from bot.evidence.types import Outcome, TestCase, TestId, TestReport
from bot.patch.types import Applied
from bot.ports import RunResult
from bot.verify.base import Case
from bot.verify.bench import SandboxBench
from bot.verify.types import GateStatus
from bot.verify.variants import MARK, Variants, vary
from bot.vet.subject import Subject
from bot.vet.syntax import fresh, literals

MOST = 32
"""Variants of one test."""
LEAST = 3
"""Variants that must have failed as the target did for their sameness to say anything."""
SECONDS = 30.0
"""Limit of each of the two runs."""
_CHANCE = 8
"""One variant in so many may look like the input to a question that is not exact (a length, a sum, sorted letters)."""
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


def reach(bench: SandboxBench, case: Case, applied: Applied, subject: Subject) -> Reach:
    """Run the variants before and after. An empty Reach: no room for a special case, or none for a variant.

    A variant of which the second run tells nothing counts as the same: what ends the runner is no repair of anything.
    """
    if not _has_room(subject):
        return Reach()
    variants = _variants(case, subject)
    if variants is None:
        return Reach()
    files = (TestId.from_node_id(variants.path),)
    before = bench.run(files, {variants.path: variants.text.encode()}, purpose="variants at base", seconds=SECONDS)
    known = _told(before.report, case)
    stated = case.cluster.failures[0].exception
    alike = sum(outcome.is_failure and exception == stated for outcome, exception, _ in known.values())
    if alike < LEAST:
        return Reach()
    overlay = {**applied.overlay, variants.path: variants.text.encode()}
    after = bench.run(files, overlay, purpose="variants with the patch", seconds=SECONDS)
    seen = _told(after.report, case)
    changed = sum(name in seen and seen[name] != told for name, told in known.items())
    if stuck := _stuck(known, seen):
        evidence = (
            f"; but the answer no longer hangs on an input: {stuck} variants of the test with another one get what the "
            "test expects for its own, where the code had an answer of its own for each before"
        )
        return Reach(GateStatus.REVIEW, evidence, (before, after))
    if changed > len(known) // _CHANCE:
        evidence = f"; it changes what comes of {changed} of {len(known)} variants of the failing test, too"
        return Reach(evidence=evidence, runs=(before, after))
    evidence = (
        f"; but it changes hardly anything beside the failing test's own input: of {len(known)} variants of the test, "
        f"each with another input, {len(known) - changed} come out word for word as before"
    )
    return Reach(GateStatus.REVIEW, evidence, (before, after))


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


_Seen = tuple[Outcome, str, str]


def _stuck(known: Mapping[str, _Seen], seen: Mapping[str, _Seen]) -> int:
    """Variants of one input that all came out differently before and that all pass now; 0 where there is no such input.

    A condition on one input with a literal for its answer: beside that input it changes much, and all to one value.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in known:
        groups[name.partition(MARK)[2].partition("_")[0]].append(name)
    for names in groups.values():
        answers = {known[name][2].partition("\n")[0] for name in names if known[name][0].is_failure}
        passing = all(name in seen and seen[name][0] is Outcome.PASSED for name in names)
        if passing and len(answers) == len(names) >= LEAST:
            return len(names)
    return 0


def _told(report: TestReport | None, case: Case) -> dict[str, _Seen]:
    """What each variant came to, by its name: outcome, exception, message without addresses."""
    return {seen.id.name: _seen(seen, case) for seen in report or () if MARK in seen.id.name}


def _seen(seen: TestCase, case: Case) -> _Seen:
    exception = read_failure(seen, case.is_project).exception if seen.outcome.is_failure else ""
    return seen.outcome, exception, _ADDRESS.sub("0x", seen.message)
