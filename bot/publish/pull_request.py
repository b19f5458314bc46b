"""The pull request that a maintainer can check in two minutes: pr.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from bot.evidence.types import Outcome
from bot.publish.check_it import check_it
from bot.publish.context import PublishContext, circumstances, evidence_kept, origin, what_starts
from bot.publish.diff import diff_stats
from bot.publish.flaky_proof import counted
from bot.publish.look_first import look_first
from bot.publish.untrusted import bounded, cell, code, code_cell, fence, markdown, one_line, title
from bot.publish.words import GATES, duration, money, outcome_words, plural, reason_words, spent, status_words
from bot.result import AttemptResult, RepairResult, Result, RunOutcome, TestChange, Totals, VerdictName
from bot.verify.types import Gate
from bot.vet.types import Grade

LIMIT = 65_536
"""Characters that GitHub takes as the body of a pull request."""

_GATE_ROWS = 12  # more than there are gates
_TITLE = 100  # characters
_SHOWN_REPAIRS = 5
_OPEN_DIFF = 60  # lines up to which the diff is shown unfolded
_SCALES = (1.0, 0.3, 0.02)

_LEADS = {
    RunOutcome.REPAIRED: "**Repaired: every gate is green.** Whether the fix is also right is for the reviewer to say.",
    RunOutcome.NEEDS_REVIEW: "**A possible fix: a person must look at what is marked below before it counts.**",
    RunOutcome.GAVE_UP: "**No fix was found.** What was tried and why it was not accepted is below.",
    RunOutcome.NOT_REPRODUCED: "**The failure could not be reproduced**, so nothing was changed.",
    RunOutcome.FLAKY: "**The test is flaky:** it fails only sometimes on the same code, so nothing was changed.",
    RunOutcome.NO_FAILURES: "**Nothing is failing.**",
    RunOutcome.STOPPED: "**Stopped before the end.** Nothing below is a finished repair.",
}


def render(result: Result) -> str:
    """pr.md: the title as a heading, then the body, at most LIMIT characters in all."""
    heading = f"# {cell(_subject(result), _TITLE)}\n\n"
    return heading + pull_request_body(result, LIMIT - len(heading))


def pull_request_title(result: Result) -> str:
    """One plain line, no Markdown. It claims a repair only where the outcome is one."""
    return title(_subject(result), _TITLE)


def _subject(result: Result) -> str:
    """The title before it is made harmless."""
    first = result.repairs[0] if result.repairs else None
    target = first.targets[0].node_id if first and first.targets else ""
    more = f" (and {len(result.repairs) - 1} more)" if len(result.repairs) > 1 else ""
    cause = _first_sentence(first.root_cause, _TITLE - len("Needs review: ") - len(more)) if first else ""
    match result.outcome:
        case RunOutcome.REPAIRED:
            text = f"Fix: {cause or target or 'the failing tests'}"
        case RunOutcome.NEEDS_REVIEW:
            text = f"Needs review: {cause or target or 'a possible fix'}"
        case _:
            text = outcome_words(result.outcome) + (f": {target}" if target else "")
    return one_line(text, _TITLE - len(more)) + more


def pull_request_body(result: Result, limit: int = LIMIT, context: PublishContext | None = None) -> str:
    """Markdown of at most `limit` characters; long parts are cut first, and each cut is said.

    context: None for the command line's pr.md, which is on no code host yet.
    """
    for scale in _SCALES:
        body = _Body(scale, context).render(result)
        if len(body) <= limit:
            return body
    return bounded(body, limit - 120, whole="result.json")


def _first_sentence(text: str, limit: int) -> str:
    """The first sentence; of one longer than `limit` characters, the clauses that fit, if any do."""
    first = text.strip().split("\n", 1)[0].split(". ", 1)[0].rstrip(".")
    if len(first) <= limit:
        return first
    clauses = (first[: end.start()] for end in re.finditer("[:;,] ", first[: limit + 2]))
    whole = [each for each in clauses if len(each) >= limit // 4 and each.count("`") % 2 == 0]
    return whole[-1] if whole else first


class _Body:
    """Renders at one scale: at a smaller one, every part that may be long is allowed less."""

    def __init__(self, scale: float, context: PublishContext | None) -> None:
        self._context = context
        self._diff = int(20_000 * scale)
        self._prose = max(120, int(4_000 * scale))
        self._rows = max(1, int(40 * scale))
        self._cell = max(60, int(300 * scale))

    def render(self, result: Result) -> str:
        context = self._context
        parts = [_LEADS[result.outcome]]
        if context is not None:
            parts = [context.marker, *parts, origin(context), *circumstances(context)]
            if context.branch:
                parts.append(what_starts(context))
        if result.message or result.reason:
            parts.append(self._why(result.reason, result.message))
        parts.append(look_first(result.repairs, rows=self._rows, width=self._cell))
        if result.sandbox is not None and not result.sandbox.isolated:
            parts.append(
                "> **Not a sandbox:** the tests ran on the machine itself "
                f"({cell(result.sandbox.description or result.sandbox.name, self._cell)})."
            )
        several = len(result.repairs) > 1
        for number, repair in enumerate(result.repairs[:_SHOWN_REPAIRS], 1):
            if several:
                parts.append(f"# {number} of {len(result.repairs)}: {outcome_words(repair.outcome)}")
            parts += self._repair(repair, result)
        if len(result.repairs) > _SHOWN_REPAIRS:
            parts.append(f"[… {len(result.repairs) - _SHOWN_REPAIRS} more repairs are in result.json …]")
        branch = "" if self._context is None else self._context.branch
        parts += [*check_it(result, branch), *self._cost(result), self._footer(result)]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _why(self, reason: str | None, message: str) -> str:
        because = f"Reason: {reason_words(reason)}. " if reason else ""
        return because + markdown(bounded(message, self._prose))

    # --- one repair ---------------------------------------------------------------------------------------------

    def _repair(self, repair: RepairResult, result: Result) -> list[str]:
        parts = [self._failure(repair, result)]
        if (repair.message or repair.reason) and (repair.message, repair.reason) != (result.message, result.reason):
            parts.append(self._why(repair.reason, repair.message))
        if repair.root_cause:
            heading = "Root cause" if repair.patch is not None else "Suspected cause"
            parts += [f"## {heading}", markdown(bounded(repair.root_cause, self._prose, whole="result.json"))]
        if repair.patch is not None:
            parts += ["## What changes", *self._changes(repair.patch)]
            parts += ["## Proof", self._proof(repair)]
        if repair.gates:
            parts += ["## Gates", self._gates(repair.gates)]
        if repair.tests or repair.before:
            parts += ["## Tests before and after", *self._tests(repair)]
        if repair.patch is not None:
            parts += ["## Test integrity", self._integrity(repair)]
            parts += ["## Confidence and risks", self._risks(repair)]
        if repair.attempts:
            parts.append(self._attempts(repair.attempts))
        return parts

    def _failure(self, repair: RepairResult, result: Result) -> str:
        if not repair.targets:
            return ""
        names = ", ".join(code(target.node_id, self._cell) for target in repair.targets[:3])
        more = f" and {len(repair.targets) - 3} more" if len(repair.targets) > 3 else ""
        with_what = f" with {code(repair.exception)}" if repair.exception else ""
        message = f": {code(repair.failure_message, self._cell)}" if repair.failure_message else ""
        where = f" (base commit {code(result.commit[:12])})" if result.commit else ""
        kind = "Failing" if repair.flaky is None else "Failing sometimes"
        return f"{kind}: {names}{more}{with_what}{message}{where}."

    def _changes(self, patch: str) -> list[str]:
        stats = diff_stats(patch)
        rows = (f"| {code_cell(each.path)} | +{each.added} | −{each.removed} |" for each in stats)
        parts = [_table(("File", "Added", "Removed"), rows, len(stats), self._rows)]
        block = fence(patch, "diff", limit=self._diff, whole="fix.patch")
        if patch.count("\n") <= _OPEN_DIFF:
            return [*parts, block]
        return [*parts, _fold(f"The diff ({plural(patch.count(chr(10)), 'line')})", block)]

    def _proof(self, repair: RepairResult) -> str:
        if repair.flaky is None:
            return self._proven_by(repair)
        table = counted(repair.flaky, self._cell)
        back = "With the fix taken back it failed again under the same provocation."
        return f"{table}\n\n{back} {self._proven_by(repair)}"

    def _proven_by(self, repair: RepairResult) -> str:
        new = repair.new_test
        if new is None:
            why = f" No new test: {markdown(bounded(repair.why_no_test, self._prose))}" if repair.why_no_test else ""
            return f"Proved by the existing test only.{why}"
        names = ", ".join(code(each.node_id, self._cell) for each in repair.new_tests[:5]) or code(new.path)
        says = f" {markdown(bounded(new.explanation, self._prose))}" if new.explanation else ""
        return f"New test {names}.{says}\n\nIt was run without the fix and with it; what was seen is below."

    def _gates(self, gates: Sequence[Gate]) -> str:
        rows = (
            f"| {cell(gate.name)}: {GATES[gate.name]} | {status_words(gate.status)} "
            f"| {cell(gate.evidence, self._cell)} | {', '.join(code_cell(each, 24) for each in gate.run_ids[:6])} |"
            for gate in gates
        )
        table = _table(("Gate", "Result", "What was seen", "Runs"), rows, len(gates), _GATE_ROWS)
        judged = list(dict.fromkeys(gate.patch_sha256 for gate in gates if gate.patch_sha256))
        if not judged:
            return table
        return f"{table}\n\nPatch judged: {', then '.join(f'SHA-256 {code(each[:16])}' for each in judged[:8])}."

    def _tests(self, repair: RepairResult) -> list[str]:
        rows = (
            f"| {code_cell(each.id.node_id, self._cell)} | {_outcome(each.before)} | {_outcome(each.after)} |"
            for each in sorted(repair.tests, key=_worst_first)
        )
        parts = [_table(("Test", "Before", "After"), rows, len(repair.tests), self._rows)] if repair.tests else []
        if repair.before is not None:
            lines = [_totals_row("before", repair.before)]
            if repair.after is not None:
                lines.append(_totals_row("after", repair.after))
            parts.append(
                _table(("Whole suite", "Tests", "Passed", "Failed", "Errors", "Skipped", "Flaky"), lines, 2, 2)
            )
        return parts

    def _integrity(self, repair: RepairResult) -> str:
        if not repair.objections:
            return "No objections: no test removed, weakened or skipped, nothing protected touched."
        rows = (
            f"| {_grade(each.grade)} | {cell(each.rule, 60)} | "
            f"{code_cell(each.path + (f':{each.line}' if each.line else ''))} | {cell(each.message, self._cell)} |"
            for each in sorted(repair.objections, key=lambda each: -each.grade)
        )
        return _table(("Grade", "Rule", "Where", "What"), rows, len(repair.objections), self._rows)

    def _risks(self, repair: RepairResult) -> str:
        stated = "not stated" if repair.confidence is None else f"{repair.confidence:.0%}, by the proposer's own word"
        risks = markdown(bounded(repair.risks, self._prose)) if repair.risks else "None were named."
        return f"Confidence: {stated}.\n\nRisks: {risks}"

    def _attempts(self, attempts: Sequence[AttemptResult]) -> str:
        blocks = []
        for each in attempts[: self._rows]:
            fate = "accepted" if each.verdict is VerdictName.PLAUSIBLE else each.verdict.value
            cost = f", {money(each.usage.cost_usd)}" if each.usage.requests else ""
            blocks.append(
                f"**Attempt {each.number}** ({cell(each.engine, 40)}): {fate}, {duration(each.seconds)}{cost}"
            )
            blocks.append(markdown(bounded(each.root_cause, self._prose // 2, whole="result.json")))
            if each.message:
                blocks.append("Why not: " + markdown(bounded(each.message, self._prose // 2, whole="result.json")))
            if each.reasoning:
                words = fence(each.reasoning, limit=self._prose, whole="result.json")
                blocks.append(_fold("What the model thought", words))
        if len(attempts) > self._rows:
            blocks.append(f"[… {len(attempts) - self._rows} more are in result.json …]")
        return _fold(f"How it was found: {plural(len(attempts), 'attempt')}", "\n\n".join(blocks))

    # --- the run ------------------------------------------------------------------------------------------------

    def _cost(self, result: Result) -> list[str]:
        lines = [f"Cost: {spent(result.usage)}."]
        if result.model and result.usage.requests:
            served = (
                f", served by {code(result.served_model)}" if result.served_model else ", which did not say its name"
            )
            lines.append(f"Model: {code(result.model)}{served}.")
        if result.sandbox is not None:
            lines.append(f"Sandbox: {cell(result.sandbox.description or result.sandbox.name, self._cell)}.")
        parts = ["## Cost and time", "\n".join(f"- {line}" for line in lines)]
        if result.seconds:
            rows = [f"| {cell(stage, 40)} | {duration(seconds)} |" for stage, seconds in result.seconds.items()]
            rows.append(f"| in all | {duration(sum(result.seconds.values()))} |")
            parts.append(_table(("Stage", "Time"), rows, len(rows), 20))
        return parts

    def _footer(self, result: Result) -> str:
        if self._context is not None:
            trace = f"\n\n{evidence_kept(self._context, result.trace_sha256)}"
        else:
            trace = f" Trace: SHA-256 {code(result.trace_sha256)}." if result.trace_sha256 else ""
        return (
            f"---\n\nMade by grokfix {cell(result.version, 40)}. It never merges: green gates make a fix plausible, "
            f"a reviewer makes it correct.{trace}"
        )


def _table(heads: Sequence[str], rows: Iterable[str], total: int, limit: int) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *islice(rows, limit)]
    if total > limit:
        lines.append(f"\n[… {total - limit:,} more rows are in result.json …]")
    return "\n".join(lines)


def _fold(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _outcome(outcome: Outcome | None) -> str:
    return "not in this run" if outcome is None else outcome.value


def _worst_first(change: TestChange) -> int:
    if change.after is None or change.after.is_failure:
        return 0 if change.before is Outcome.PASSED else 1
    return 2 if change.before is not Outcome.PASSED else 3


def _totals_row(label: str, totals: Totals) -> str:
    numbers = (totals.tests, totals.passed, totals.failed, totals.errors, totals.skipped, totals.flaky)
    return f"| {label} | {' | '.join(f'{each:,}' for each in numbers)} |"


def _grade(grade: Grade) -> str:
    return {Grade.ALLOWED: "allowed", Grade.REVIEW: "! review", Grade.BLOCKED: "✗ blocked"}[grade]
