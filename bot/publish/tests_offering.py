"""Offers new tests: what the analyzing job says of them is held against the files, then they go where fixes go."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import replace

from bot.evidence.test_paths import is_test_path
from bot.ports import FileWrite, JsonValue
from bot.propose.types import StopReason
from bot.publish.branch import Fix
from bot.publish.context import PublishContext
from bot.publish.destination import CommentOnly, Nothing, decide_tests
from bot.publish.ending import Delivery, TestsOffer
from bot.publish.fields import count, records, text
from bot.publish.offering import Desk, Parcel, revetted, send
from bot.publish.revet import Refused, Tree
from bot.publish.tests_markdown import FORMAT
from bot.publish.tests_pull_request import body, commit_message, judged_by, pull_request_title
from bot.result import RunOutcome
from bot.testgen.pruning import tests_in
from bot.trigger.types import Claim
from bot.vet.types import Grade

_PLAIN = "100644"
_Data = Mapping[str, JsonValue]


def patch_of(told: _Data) -> str | None:
    """The diff of new tests in a report, None where it is no such report or has none that stands."""
    if text(told, "format") != FORMAT or text(told, "problem"):
        return None
    return text(told, "patch") or None


def offer(desk: Desk, told: _Data) -> TestsOffer:
    """Hold the diff against rules, tree and its own report, and send it. ForgeError where the host does not answer."""
    patch = patch_of(told)
    assert patch is not None
    verified = desk.tested or desk.tree
    if text(told, "commit") != verified.commit:
        return refused(f"they were not written for the commit {verified.commit[:12]}")
    vetted, held = revetted(desk, patch, ())
    if isinstance(vetted, Refused):
        return refused(vetted.reason)
    trees = [desk.tree] if desk.tested is None else [desk.tree, desk.tested]
    wrong = next((wrong for path, file in vetted.files.items() if (wrong := _no_new_test(path, file, trees))), "")
    wrong = wrong or _unproven(vetted.files, told)
    if wrong:
        return refused(wrong)
    claim, judged = desk.claim, judged_by(patch)
    place = held or decide_tests(claim, key_of(claim), judged, desk.forge, desk.publish)
    match place:
        case Nothing(reason, message):
            # A green run on the new head says nothing of tests: that it moved does.
            reason = StopReason.HEAD_MOVED if reason is StopReason.FIXED_ELSEWHERE else reason
            return TestsOffer(patch, Delivery(withheld=message), RunOutcome.STOPPED, reason)
        case CommentOnly(because):
            return TestsOffer(patch, Delivery(withheld=because))
    reviewed = tuple(each for each in vetted.objections if each.grade is Grade.REVIEW)

    def words(context: PublishContext) -> tuple[str, str]:
        return pull_request_title(told), body(told, desk.result, reviewed, replace(context, failed_run_url=""))

    message = commit_message(told, tuple(vetted.files), verified.commit, claim.run_url, key_of(claim))
    fix = Fix(desk.tree.commit, vetted.tree, vetted.files, message, key_of(claim))
    return TestsOffer(patch, send(desk, Parcel(fix, words, judged, bool(reviewed)), place))


def unsent(because: str) -> TestsOffer:
    """Where the code host was silent: nothing was looked at, so no diff is shown as one that might go out."""
    return TestsOffer(None, Delivery(withheld=because))


def refused(reason: str) -> TestsOffer:
    """Tests that do not go out; `reason`: a sentence without its full stop, made from untrusted text."""
    withheld = f"the tests were refused when they were looked at again before publishing: {reason}"
    return TestsOffer(None, Delivery(withheld=withheld), RunOutcome.STOPPED, StopReason.INFRASTRUCTURE, refused=True)


def key_of(claim: Claim) -> str:
    """Hexadecimal; one for each pull request, so that asking again brings its tests up to date."""
    trigger = claim.trigger
    about = f"#{trigger.pull_request}" if trigger.pull_request is not None else trigger.branch
    return hashlib.sha256(f"tests {trigger.repository.lower()} {about}".encode("utf-8", "replace")).hexdigest()


def _no_new_test(path: str, file: FileWrite, trees: list[Tree]) -> str:
    """Why this is anything but a new test file, "" where it is one: the rules allow a repair more than that."""
    name = posixpath.basename(path)
    named = name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))
    if file.content is None or any(path in tree.entries for tree in trees):
        return f"{path} is there already; new tests change no file"
    if not named or not is_test_path(path):
        return f"{path} is no test file"
    if file.mode != _PLAIN:
        return f"{path} has the mode {file.mode}"
    return ""


def _unproven(files: Mapping[str, FileWrite], told: _Data) -> str:
    """Why the report does not carry the files, "" where it does: each test in them is one that was seen to fail."""
    proven: dict[str, set[str]] = {}
    for function in records(told, "functions"):
        if path := text(function, "test_file"):
            names = {text(each, "name") for each in records(function, "tests") if _is_proven(each)}
            proven.setdefault(path, set()).update(names)
    if proven.keys() != files.keys():
        return "the files of the diff are not those that the report tells of"
    for path, file in files.items():
        written = tests_in((file.content or b"").decode("utf-8", "replace"))
        if not written or set(written) != proven[path]:
            return f"the tests in {path} are not those that the report says were seen to fail on changed code"
    return ""


def _is_proven(test: _Data) -> bool:
    return bool(text(test, "proof") and text(test, "run_id")) and (count(test, "kills") or 0) > 0
