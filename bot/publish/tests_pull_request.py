"""What a pull request with new tests says, and its commit: from the report's data and the result of its run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from bot.ports import JsonValue
from bot.publish import tests_markdown
from bot.publish.context import PublishContext, circumstances, evidence_kept, origin, try_locally, what_starts
from bot.publish.fields import records, text
from bot.publish.untrusted import bounded, cell, code, commit_text, one_line, title
from bot.publish.words import duration, plural, spent
from bot.result import Result
from bot.vet.types import Objection

LIMIT = 65_536
"""Characters that GitHub takes as the body of a pull request."""

_TITLE = 100
_SUBJECT = 72
_FILES = 10
_POINTS = 20
_LEAD = (
    "**New tests: each was seen to pass every time, and to fail on changed code.** Whether what they ask for is right "
    "is for the reviewer to say."
)
_Data = Mapping[str, JsonValue]


def pull_request_title(told: _Data) -> str:
    """One plain line, no Markdown."""
    return title(one_line(f"Tests for {_about(told)}", _TITLE), _TITLE)


def commit_message(told: _Data, paths: Sequence[str], commit: str, run_url: str, key: str) -> str:
    """Subject of at most 72 characters, the files, the commit; its last line says for whom it is, as for a fix."""
    subject = title(one_line(f"Tests: {_about(told)}", _SUBJECT - 8), _SUBJECT)[:_SUBJECT].rstrip()
    listed = [f"- {title(path, 160)}" for path in paths[:_FILES]]
    more = len(paths) - len(listed)
    parts = [
        subject,
        "\n".join(["Seen to pass every time and to fail on changed code:", *listed]),
        f"and {more} more" if more > 0 else "",
        commit_text(f"Verified on {commit[:12]} by {run_url}"),
        f"Grokfix-Fix: {key[:12]}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def judged_by(patch: str) -> str:
    """What names a patch in a body."""
    return hashlib.sha256(patch.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def body(told: _Data, result: Result, objections: Sequence[Objection], context: PublishContext) -> str:
    """Markdown of at most LIMIT characters."""
    whole = "\n\n".join(part for part in _parts(told, result, objections, context) if part) + "\n"
    return whole if len(whole) <= LIMIT else bounded(whole, LIMIT - 120, whole="the artifacts of the run")


def _parts(told: _Data, result: Result, objections: Sequence[Objection], context: PublishContext) -> list[str]:
    sandbox = result.sandbox
    unsafe = "" if sandbox is None or sandbox.isolated else cell(sandbox.description or sandbox.name, 300)
    facts = [spent(result.usage), *([duration(sum(result.seconds.values()))] if result.seconds else [])]
    looked = [
        f"- **{cell(each.rule.replace('_', ' '), 60)}:** {cell(each.message, 300)}" for each in objections[:_POINTS]
    ]
    files = [text(each, "test_file") for each in records(told, "functions") if text(each, "test_file")]
    return [
        context.marker,
        _LEAD,
        origin(context),
        *circumstances(context),
        what_starts(context),
        "\n".join(["## Look at this first\n", *looked]) if looked else "",
        f"> **Not a sandbox:** the tests ran on the machine itself ({unsafe})." if unsafe else "",
        "## What they notice",
        tests_markdown.render(told).rstrip(),
        f"Patch judged: SHA-256 {code(judged_by(text(told, 'patch')))}.",
        "## Check it on your machine",
        "In a clone of this repository:",
        try_locally(context.branch, files, text(told, "runner")),
        f"Cost: {' · '.join(facts)}.",
        f"---\n\nMade by grokfix {cell(result.version, 40)}. It never merges: that is a reviewer's word.\n\n"
        + evidence_kept(context, result.trace_sha256),
    ]


def _about(told: _Data) -> str:
    """`shipping and 2 more functions`."""
    names = [text(each, "name") for each in records(told, "functions") if text(each, "test_file")]
    first = one_line(names[0], 60) if names else "new code"
    return f"{first} and {plural(len(names) - 1, 'more function')}" if len(names) > 1 else first
