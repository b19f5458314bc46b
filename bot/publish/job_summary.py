"""The job summary: what the comment says, the whole report, and every diff that could not be pushed."""

from __future__ import annotations

from collections.abc import Iterator

from bot.publish import tests_markdown
from bot.publish.ending import Report, body
from bot.publish.pull_request import LIMIT as REPORT_LIMIT
from bot.publish.pull_request import pull_request_body
from bot.publish.untrusted import bounded, code, fence, markdown

LIMIT = 1 << 20
"""Bytes that GitHub takes as one step's summary (GITHUB_STEP_SUMMARY)."""

_DIFF = 200_000


def render(report: Report) -> str:
    """Markdown of at most LIMIT bytes in UTF-8."""
    text = "\n\n".join(_parts(report)) + "\n"
    while len(text.encode("utf-8", "replace")) > LIMIT:
        text = bounded(text, len(text) * 3 // 4)
    return text


def ignored(reason: str) -> str:
    """For an event on which nothing is done."""
    return f"## grokfix\n\nNothing to do: {code(reason, 600)}\n"


def fault(message: str) -> str:
    """For what went wrong before there was anything to tell of."""
    return f"## grokfix\n\nIt could not begin: {markdown(bounded(message, 4_000))}\n"


def _parts(report: Report) -> Iterator[str]:
    yield "## grokfix"
    yield body(report, 4 * REPORT_LIMIT).rstrip()
    if report.result.repairs:
        whole = pull_request_body(report.result, REPORT_LIMIT)
        yield f"<details><summary>The whole report</summary>\n\n{whole}\n</details>"
    for offer in report.offers:
        if not offer.sent.sha and offer.repair.patch is not None:
            diff = fence(offer.repair.patch, "diff", limit=_DIFF, whole="fix.patch of the bundle")
            yield f"<details><summary>A diff that was not pushed</summary>\n\n{diff}\n\n</details>"
    tests = report.tests
    if tests is not None and tests.patch is not None and not tests.sent.sha:
        yield tests_markdown.diff(tests.patch, limit=_DIFF, whole="the bundle")
