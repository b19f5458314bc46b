"""The first message: what a model needs to know of a failure, chosen to fit.

The same evidence gives the same bytes: the first message is what an endpoint's cache can keep from one run to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.diagnose.types import Evidence, Excerpt
from bot.evidence.text import one_line
from bot.evidence.types import Failure
from bot.ports import History
from bot.propose.model import guidance as guides
from bot.propose.model.observe import observe
from bot.propose.model.render import block, prompt, speech
from bot.propose.model.repo_map import repo_map
from bot.propose.types import Attempt
from bot.toolchains.types import Runtime

BYTES_PER_TOKEN = 3
"""Fewer than an average token of code or prose has, so that estimates err to the safe side."""

CODE_TOKENS = 16_000  # of excerpts; the best ones come first, and what does not fit is left out
_FAILURES = 6  # failing tests shown with their traceback; further ones are named
_TRACEBACK = 5_000  # characters
_OUTPUT = 6_000
_EXPERIMENTS = 8_000
_RECENT = 12_000
_MAP = 9_000
_SUSPECTS = 12
_COMMITS = 10
_TRIED = 6
_SMALLEST = 200  # characters that a part has at least, however small the message shall be


@dataclass(frozen=True, slots=True)
class Setting:
    """What stays the same for all first messages of a repair.

    guidance: text by repository path (guidance.FILES). history None: unknown. lead: which of several conversations
    side by side this is, from 1.
    """

    instructions: str = ""
    guidance: Mapping[str, str] = field(default_factory=dict)
    runtime: Runtime | None = None
    history: History | None = None
    redact: Callable[[str], str] = str
    lead: int = 1


def tokens(*texts: str) -> int:
    """Tokens that `texts` have at most, roughly."""
    return sum(-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts)


def first_message(
    evidence: Evidence,
    attempts: tuple[Attempt, ...],
    setting: Setting,
    tree: Path,
    *,
    scale: float = 1.0,
    looked: str = "",
    draft: str = "",
) -> str:
    """The first user message. `attempts`: what was tried before it, by whomever.

    scale: 1 for the whole message, less for one of about that share of it. looked: what an earlier conversation of
    this repair has done beside, "" for the first one. draft: the patch that it was working on, which still stands.
    """
    redact = setting.redact

    def most(characters: int) -> int:
        return max(_SMALLEST, int(characters * scale))

    failures = evidence.cluster.failures
    runs_on = ""
    if setting.runtime is not None:
        runner = f"{setting.runtime.runner} {setting.runtime.pytest}".strip()
        runs_on = f" (Python {'.'.join(map(str, setting.runtime.python))}, {runner})"
    # A traceback says it better than the whole run's output, where there is one.
    output = "" if any(failure.case.traceback for failure in failures) else redact(evidence.output)
    recent = redact(evidence.recent_diff)
    return prompt(
        "first",
        count="One test fails" if len(failures) == 1 else f"{len(failures)} tests fail, of one cause as it seems",
        runtime=runs_on,
        failures="\n\n".join(_failures(failures, redact, most(_TRACEBACK))),
        output=speech("output", output, most(_OUTPUT)) if output.strip() else "",
        flaky=speech("experiments", redact(evidence.flaky), most(_EXPERIMENTS)) if evidence.flaky.strip() else "",
        hint=speech("hint", redact(evidence.hint), 2_000) if evidence.hint.strip() else "",
        instructions=redact(setting.instructions).strip(),
        guidance=guides.render(setting.guidance, most(guides.CHARACTERS), redact),
        locations=_locations(evidence, redact),
        excerpts="\n\n".join(_excerpts(evidence.excerpts, redact, int(CODE_TOKENS * scale))),
        recent=speech("recent diff", recent, most(_RECENT)) if recent.strip() else "",
        commits="" if recent.strip() else _commits(setting.history, redact),
        map=_map(tree, evidence, redact, most(_MAP)),
        learned=speech("learned", redact(evidence.learned), most(4_000)) if evidence.learned.strip() else "",
        tried="\n\n".join(_tried(attempts, redact, most)),
        draft=block("draft", redact(draft)) if draft.strip() else "",
        looked=speech("calls", redact(looked), most(4_000)) if looked.strip() else "",
        lead=_lead(evidence, setting.lead, redact),
    )


def _failures(failures: tuple[Failure, ...], redact: Callable[[str], str], characters: int) -> Iterable[str]:
    for failure in failures[:_FAILURES]:
        case = failure.case
        text = case.traceback or case.message or f"{failure.exception}: {failure.message}"
        headline = f"{failure.exception}: {one_line(failure.message, 300)}"
        yield speech(f"failing {case.id.node_id}", redact(f"{headline}\n\n{text}"), characters)
    if len(failures) > _FAILURES:
        named = "\n".join(failure.case.id.node_id for failure in failures[_FAILURES:])
        yield "Failing in the same way:\n\n" + speech("further failing tests", redact(named), 2_000)


def _locations(evidence: Evidence, redact: Callable[[str], str]) -> str:
    lines = [
        f"{place.path}:{place.line} {place.symbol} ({place.suspiciousness:.2f}): {one_line(place.reason, 200)}"
        for place in evidence.locations[:_SUSPECTS]
    ]
    return speech("suspects", redact("\n".join(lines)), 4_000) if lines else ""


def _excerpts(excerpts: tuple[Excerpt, ...], redact: Callable[[str], str], left: int) -> Iterable[str]:
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


def _commits(history: History | None, redact: Callable[[str], str]) -> str:
    lines = [
        f"{commit.sha[:10]} {commit.date[:10]} {one_line(commit.message.partition(chr(10))[0], 120)}"
        for commit in (history.log(limit=_COMMITS) if history is not None else ())
    ]
    return speech("commits", redact("\n".join(lines)), 2_000) if lines else ""


def _map(tree: Path, evidence: Evidence, redact: Callable[[str], str], characters: int) -> str:
    text = repo_map(tree, evidence, characters)
    return speech("files", redact(text), characters + _SMALLEST) if text else ""


def _tried(attempts: tuple[Attempt, ...], redact: Callable[[str], str], most: Callable[[int], int]) -> Iterable[str]:
    for number, attempt in enumerate(attempts, 1):
        if number <= len(attempts) - _TRIED:
            continue
        cause = attempt.proposal.diagnosis.root_cause
        held = speech("root cause", redact(cause), 600) + "\n\n" if cause else ""
        patch = speech("patch", redact(attempt.proposal.patch_text), most(3_000))
        yield f"Attempt {number}:\n\n{held}{patch}\n\n{redact(observe(attempt.verdict))}"


def _lead(evidence: Evidence, lead: int, redact: Callable[[str], str]) -> str:
    """For the second and further ones of several conversations side by side: where else to begin."""
    if lead <= 1:
        return ""
    symbols = dict.fromkeys((place.path, place.symbol) for place in evidence.locations)
    other = list(symbols)[lead - 1 : lead]
    begin = f" Begin with `{one_line(' '.join(other[0]).strip(), 120)}`." if other else ""
    return redact(f"Others follow the first suspects. Look for another cause than the most obvious one.{begin}")
