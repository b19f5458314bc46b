"""How an attempt ended, told on the pull request: what became of every failure, and the diff that was not pushed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bot.flaky.verdict import Triage
from bot.ports import Denied, JsonValue, PullRequest
from bot.propose.types import StopReason
from bot.publish import explain_markdown, tests_markdown
from bot.publish.context import PublishContext, circumstances, evidence_kept, not_opened
from bot.publish.flaky_proof import in_a_sentence
from bot.publish.flaky_summary import render_summary
from bot.publish.untrusted import bounded, cell, code, fence, markdown
from bot.publish.words import duration, outcome_words, plural, reason_words, spent
from bot.result import RepairResult, Result, RunOutcome

LIMIT = 65_536
"""Characters that GitHub takes as a comment."""

_PROSE = 1_500
_SHOWN = 10
_DIFF = 20_000
_END = "GROKFIX"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a commit that was to be pushed.

    pull_request: opened or updated. branch, sha: where it was pushed. compare, refusal: where the pull request was
    refused, the page that opens it and the code host's words. withheld: why nothing was pushed, a sentence of ours
    that may quote; "" where it was. retry: `/grok retry` would overrule that. remarks: sentences on parts that failed
    (labels, reviewers).
    """

    pull_request: PullRequest | None = None
    branch: str = ""
    sha: str = ""
    compare: str = ""
    refusal: Denied | None = None
    withheld: str = ""
    retry: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of one fix. `repair` as the rules see it now."""

    repair: RepairResult
    sent: Delivery = field(default_factory=Delivery)


@dataclass(frozen=True, slots=True)
class TestsOffer:
    """What became of new tests.

    patch: the diff as the rules let it go out, None where they do not. outcome, reason: of the run, where the tests
    change it (the head moved, a rule forbade them); None where they do not. refused: rule or report forbade them.
    """

    __test__ = False

    patch: str | None
    sent: Delivery
    outcome: RunOutcome | None = None
    reason: StopReason | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All that is told of an attempt. patch_paths: by fingerprint, where on the data branch a fix.patch is kept.

    refused: why there is nothing to publish, "" where there is. problems: what could not be done, sentences.
    tests: where new tests were written, what became of them.
    triage: what reruns and experiments showed, where they were asked for.
    repository_url: what people and git fetch from.
    """

    result: Result
    context: PublishContext
    repository_url: str
    offers: tuple[Offer, ...] = ()
    refused: str = ""
    explanation: Mapping[str, JsonValue] | None = None
    patch_paths: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    tests: TestsOffer | None = None
    triage: Triage | None = None


def comment(report: Report) -> str:
    """The body of the attempt's comment, with its mark; at most LIMIT characters."""
    text = f"{report.context.marker}\n{body(report, LIMIT - len(report.context.marker) - 200)}"
    return text if len(text) <= LIMIT else bounded(text, LIMIT - 200, whole="the job summary")


def body(report: Report, limit: int) -> str:
    """The same without its mark; diffs are cut first where it would be longer than `limit` characters."""
    for diff in (_DIFF, 4_000, 0):
        text = "\n\n".join(part for part in _parts(report, diff) if part) + "\n"
        if len(text) <= limit:
            return text
    return bounded(text, limit - 120, whole="the job summary")


def _parts(report: Report, diff: int) -> Iterator[str]:
    yield _headline(report)
    yield from circumstances(report.context)
    if report.explanation is not None:
        if report.explanation.get("format") == tests_markdown.FORMAT:
            yield from _tests(report.tests, report.explanation, diff)
        else:
            yield explain_markdown.render(report.explanation)
    if report.triage is not None:
        yield render_summary(report.triage, heading="Runs, again and again").rstrip()
    for offer in report.offers[:_SHOWN]:
        yield from _offer(offer, report, diff)
    offered = {offer.repair.fingerprint for offer in report.offers}
    rest = [each for each in report.result.repairs if each.patch is None or each.fingerprint not in offered]
    for repair in rest[:_SHOWN]:
        yield _unrepaired(repair)
    if len(rest) > _SHOWN:
        yield f"[… {len(rest) - _SHOWN} more failures are in the job summary …]"
    yield _footer(report)


def _headline(report: Report) -> str:
    if report.refused:
        return f"**Nothing is published:** {cell(report.refused, 600)}"
    result = report.result
    if (report.explanation is not None or report.triage is not None) and not result.repairs:
        return ""
    because = f": {reason_words(result.reason)}" if result.reason else ""
    if result.outcome is RunOutcome.REPAIRED:
        because = ": every gate is green"
    said = f"\n\n{markdown(bounded(result.message, _PROSE))}" if result.message else ""
    return f"**{outcome_words(result.outcome)}{because}.**{said}"


def _tests(tests: TestsOffer | None, told: Mapping[str, JsonValue], diff: int) -> Iterator[str]:
    """New tests: the diff stands in the comment where it stands nowhere else."""
    if tests is not None:
        yield from _delivered(tests.sent, "The tests are")
    if tests is not None and tests.refused:
        return  # a report that does not carry its own files is not told
    yield tests_markdown.render(told)
    if tests is None:
        return
    yield from (f"- {cell(remark, 400)}" for remark in tests.sent.remarks)
    if tests.patch is None or tests.sent.sha:
        return
    yield tests_markdown.diff(tests.patch, limit=diff, whole="the job summary")


def _delivered(sent: Delivery, subject: str) -> Iterator[str]:
    if sent.pull_request is not None:
        pull = sent.pull_request
        draft = "draft " if pull.draft else ""
        yield f"**{subject} {draft}pull request #{pull.number}**, onto {code(pull.base_branch)}."
    elif sent.refusal is not None:
        yield not_opened(sent.compare, sent.refusal)
    elif sent.sha:
        yield f"**{subject} commit {sent.sha[:12]}** on {code(sent.branch)}."
    if sent.withheld:
        again = " A comment `/grok retry` opens it again." if sent.retry else ""
        yield f"Nothing was pushed: {cell(sent.withheld, 600)}.{again}"


def _offer(offer: Offer, report: Report, diff: int) -> Iterator[str]:
    repair = offer.repair
    yield f"### {_name(repair)}"
    if repair.outcome is RunOutcome.NEEDS_REVIEW:
        yield f"**A person must look at it before it counts.** {markdown(bounded(repair.message, _PROSE))}"
    yield from _delivered(offer.sent, "The fix is")
    if repair.root_cause:
        yield f"Root cause: {markdown(bounded(repair.root_cause, _PROSE))}"
    if repair.flaky is not None:
        yield markdown(bounded(in_a_sentence(repair.flaky), _PROSE))
    if not offer.sent.sha and repair.patch is not None:
        yield from apply_by_hand(repair, report, diff)
    yield from (f"- {cell(remark, 400)}" for remark in offer.sent.remarks)


def apply_by_hand(repair: RepairResult, report: Report, limit: int) -> Iterator[str]:
    """The diff, and one command that applies it in a clean checkout of the commit that it was verified on."""
    assert repair.patch is not None
    on = (
        f"In a clean checkout of {code(report.result.commit[:12])}:" if report.result.commit else "In a clean checkout:"
    )
    command = f"git apply <<'{_END}'\n{repair.patch}{_END}\n"
    shown = fence(command, "sh", limit=len(command))
    # What would have to be made harmless would no longer be the patch: then it is fetched and not pasted.
    exact = shown.split("\n", 1)[1].rsplit("\n", 1)[0] + "\n" == command and repair.patch.endswith("\n")
    exact = exact and _END not in repair.patch.split("\n")
    path = report.patch_paths.get(repair.fingerprint)
    if exact and len(command) <= limit:
        yield on
        yield shown
        return
    if path is not None:
        fetched = f"git fetch {report.repository_url} grokfix-data && git show FETCH_HEAD:{path} | git apply"
        yield on
        yield fence(fetched, "sh")
    if limit:
        yield fence(repair.patch, "diff", limit=limit, whole="the job summary")
    elif path is None:
        yield "The diff is in the job summary."


def _unrepaired(repair: RepairResult) -> str:
    because = f" ({reason_words(repair.reason)})" if repair.reason else ""
    said = f": {cell(repair.message, 500)}" if repair.message else ""
    lines = [f"### {_name(repair)}", f"{outcome_words(repair.outcome)}{because}{said}"]
    if repair.root_cause:
        lines.append(f"Suspected cause: {markdown(bounded(repair.root_cause, _PROSE))}")
    return "\n\n".join(lines)


def _name(repair: RepairResult) -> str:
    first = code(repair.targets[0].node_id, 200) if repair.targets else "A failure"
    return f"{first} and {len(repair.targets) - 1} more" if len(repair.targets) > 1 else first


def _footer(report: Report) -> str:
    result = report.result
    attempts = sum(len(each.attempts) for each in result.repairs)
    facts = [
        *([plural(attempts, "attempt")] if attempts else []),
        spent(result.usage),
        *([duration(sum(result.seconds.values()))] if result.seconds else []),
        f"[the run]({report.context.run_url})",
    ]
    kept = evidence_kept(report.context, result.trace_sha256) if report.context.kept else ""
    problems = [f"- {cell(each, 400)}" for each in report.problems]
    said = ["Not everything could be done:\n\n" + "\n".join(problems)] if problems else []
    return "\n\n".join(["---", " · ".join(facts), *filter(None, [kept]), *said])


def alone(result: Result, repair: RepairResult) -> Result:
    """The result of one failure by itself, for its own pull request; usage and times stay those of the whole run."""
    return replace(
        result, outcome=repair.outcome, repairs=(repair,), reason=repair.reason, message="", patch=repair.patch
    )
