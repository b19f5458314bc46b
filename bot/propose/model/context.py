"""The first message: what a model needs to know of a failure, chosen to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.diagnose.types import Evidence, Excerpt
from bot.evidence.text import one_line
from bot.evidence.types import Failure
from bot.propose.model.observe import observe
from bot.propose.model.render import block, prompt, speech
from bot.propose.types import Attempt
from bot.toolchains.types import Runtime

BYTES_PER_TOKEN = 3
"""Fewer than an average token of code or prose has, so that estimates err to the safe side."""

CODE_TOKENS = 16_000  # of excerpts; the best ones come first, and what does not fit is left out
_FAILURES = 6  # failing tests shown with their traceback; further ones are named
_TRACEBACK = 5_000  # characters
_OUTPUT = 6_000
_RECENT = 12_000
_SUSPECTS = 12
_TRIED = 3


def tokens(*texts: str) -> int:
    """Tokens that `texts` have at most, roughly."""
    return sum(-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts)


def first_message(
    evidence: Evidence,
    attempts: tuple[Attempt, ...],
    *,
    instructions: str,
    runtime: Runtime | None,
    redact: Callable[[str], str],
) -> str:
    """The first user message. `attempts` are those of another proposer before."""
    failures = evidence.cluster.failures
    runs_on = ""
    if runtime is not None:
        runner = f"{runtime.runner} {runtime.pytest}".strip()
        runs_on = f" (Python {'.'.join(map(str, runtime.python))}, {runner})"
    # A traceback says it better than the whole run's output, where there is one.
    output = "" if any(failure.case.traceback for failure in failures) else redact(evidence.output)
    return prompt(
        "first",
        count="One test fails" if len(failures) == 1 else f"{len(failures)} tests fail, of one cause as it seems",
        runtime=runs_on,
        failures="\n\n".join(_failures(failures, redact)),
        output=speech("output", output, _OUTPUT) if output.strip() else "",
        hint=speech("hint", redact(evidence.hint), 2_000) if evidence.hint.strip() else "",
        instructions=redact(instructions).strip(),
        locations=_locations(evidence, redact),
        excerpts="\n\n".join(_excerpts(evidence.excerpts, redact)),
        recent=speech("recent diff", redact(evidence.recent_diff), _RECENT) if evidence.recent_diff.strip() else "",
        learned=speech("learned", redact(evidence.learned), 4_000) if evidence.learned.strip() else "",
        tried="\n\n".join(_tried(attempts, redact)),
    )


def _failures(failures: tuple[Failure, ...], redact: Callable[[str], str]) -> Iterable[str]:
    for failure in failures[:_FAILURES]:
        case = failure.case
        text = case.traceback or case.message or f"{failure.exception}: {failure.message}"
        headline = f"{failure.exception}: {one_line(failure.message, 300)}"
        yield speech(f"failing {case.id.node_id}", redact(f"{headline}\n\n{text}"), _TRACEBACK)
    if len(failures) > _FAILURES:
        named = "\n".join(failure.case.id.node_id for failure in failures[_FAILURES:])
        yield "Failing in the same way:\n\n" + speech("further failing tests", redact(named), 2_000)


def _locations(evidence: Evidence, redact: Callable[[str], str]) -> str:
    lines = [
        f"{place.path}:{place.line} {place.symbol} ({place.suspiciousness:.2f}): {one_line(place.reason, 200)}"
        for place in evidence.locations[:_SUSPECTS]
    ]
    return speech("suspects", redact("\n".join(lines)), 4_000) if lines else ""


def _excerpts(excerpts: tuple[Excerpt, ...], redact: Callable[[str], str]) -> Iterable[str]:
    left = CODE_TOKENS
    for position, excerpt in enumerate(excerpts):
        text = redact(excerpt.text)
        if position == 0:  # the best one is shown in any case, as much of it as fits
            text = text if tokens(text) <= left else text[: left * BYTES_PER_TOKEN].rpartition("\n")[0]
        if tokens(text) > left:
            continue
        left -= tokens(text)
        last = excerpt.first + text.count("\n") - (1 if text.endswith("\n") else 0)
        lines = ", ".join(map(str, excerpt.suspicious[:20]))
        marked = f", suspicious: {lines}" if lines else ""
        yield block(f"{excerpt.path} lines {excerpt.first}-{last}{marked}", text)


def _tried(attempts: tuple[Attempt, ...], redact: Callable[[str], str]) -> Iterable[str]:
    for attempt in attempts[-_TRIED:]:
        yield speech("patch", redact(attempt.proposal.patch_text), 3_000) + "\n\n" + redact(observe(attempt.verdict))
