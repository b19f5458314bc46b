"""Messages of the commits we make: by us, about the fix, and known again by their last line."""

from __future__ import annotations

import re

from bot.publish.untrusted import commit_text, one_line, title
from bot.result import RepairResult

_SUBJECT = 72
_MOST_TESTS = 5
_MARK = re.compile(r"^Grokfix-Fix: ([0-9a-f]{12})$", re.MULTILINE)


def commit_message(repair: RepairResult, commit: str, run_url: str) -> str:
    """Subject of at most 72 characters, the cause, what was seen on which commit; nothing in it acts on a code host."""
    first = repair.root_cause.strip().split("\n", 1)[0].split(". ", 1)[0].rstrip(".")
    target = repair.targets[0].node_id if repair.targets else ""
    # Prefixed before it is made harmless, so that the limit holds for the whole line.
    subject = title(one_line(f"Fix: {first or target or 'failing tests'}", _SUBJECT - 8), _SUBJECT)
    tests = [f"- {title(each.node_id, 160)}" for each in (*repair.targets, *repair.new_tests)[:_MOST_TESTS]]
    more = len(repair.targets) + len(repair.new_tests) - len(tests)
    parts = [
        subject[:_SUBJECT].rstrip(),
        commit_text(repair.root_cause),
        "\n".join(["Seen red and then green:", *tests, *([f"- and {more} more"] if more > 0 else [])]),
        f"Verified on {commit[:12]} by {run_url}",
        f"Grokfix-Fix: {repair.fingerprint[:12]}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def is_ours(message: str, fingerprint: str) -> bool:
    """Whether a commit's message bears the mark of a fix for `fingerprint`."""
    return fingerprint[:12] in _MARK.findall(message)
