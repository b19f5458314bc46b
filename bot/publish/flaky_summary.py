"""Triage as Markdown for a job summary or a comment: the table first, what is not known after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bot.flaky.verdict import Triage, Verdict
from bot.publish.flaky_text import headline
from bot.publish.flaky_words import KINDS, counted, interval, minutes, proof_words, to_do, trial_words, why
from bot.publish.untrusted import code, code_cell, markdown, one_line
from bot.publish.words import duration, plural

LISTED = 50
LONGEST = 60_000
"""Characters: a comment takes 65,536."""


def render_summary(triage: Triage, *, heading: str = "Flaky tests") -> str:
    """At most LONGEST characters; what is left out is said."""
    parts = [
        f"## {heading}",
        "",
        f"**{headline(triage)}** · {plural(triage.runs, 'run')} in {duration(triage.seconds)}",
    ]
    parts += ["", *_warnings(triage)]
    length = sum(map(len, parts))
    listed = 0
    rows: list[str] = []
    details: list[str] = []
    for verdict in triage.verdicts[:LISTED]:
        row, detail = _row(verdict), _detail(verdict)
        if length + len(row) + len(detail) > LONGEST:
            break
        length += len(row) + len(detail)
        rows.append(row)
        details.append(detail)
        listed += 1
    if rows:
        parts += [
            "| test | is | failed | rate, 95 % | lost | cause |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
        parts += details
    if listed < len(triage.verdicts):
        parts.append(f"… and {len(triage.verdicts) - listed} more, in `triage.json` and `flaky.html`.")
    return "\n".join(parts).rstrip() + "\n"


def _row(verdict: Verdict) -> str:
    cells = (
        code_cell(verdict.test.node_id),
        KINDS[verdict.kind],
        counted(verdict.counts).removeprefix("failed ") if verdict.counts.runs else "",
        interval(verdict.interval) if verdict.counts.runs else "",
        minutes(verdict.minutes_lost),
        "" if verdict.cause is None else verdict.cause.value,
    )
    return "| " + " | ".join(cells) + " |"


def _detail(verdict: Verdict) -> str:
    lines = [f"**{code(verdict.test.node_id)}**", "", markdown(one_line(why(verdict), 1000)), ""]
    finding = verdict.finding
    for proof in () if finding is None else finding.proofs:
        if finding is not None and len(finding.proofs) > 1:
            lines.append(f"- {markdown(one_line(proof_words(proof), 500))}")
        lines += [f"  - {markdown(one_line(trial_words(trial), 300))}" for trial in proof.trials]
    if told := to_do(verdict):
        lines += ["", f"What to do: {markdown(told)}."]
    return "\n".join(lines).rstrip() + "\n"


def _warnings(triage: Triage) -> Iterator[str]:
    scan = triage.scan
    if scan is not None and not scan.complete:
        why_not = markdown(one_line("; ".join(scan.problems), 1000))
        yield f"> The history could not be read whole, so nothing rests on it: {why_not}"
        yield ""
    if triage.lost:
        missing = ", ".join(map(str, triage.lost))
        yield f"> Shards that handed in nothing: {missing}. What they would have seen is not known."
        yield ""
    for problem in triage.problems[:20]:
        yield f"- {markdown(one_line(problem, 500))}"
    if triage.problems:
        yield ""
