"""Publishing on a code host that keeps state: where fixes go, what people read, and that a crash changes nothing."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.config import PublishSettings, Settings
from bot.errors import ForgeError
from bot.ports import Denied, JsonValue, PullRequest, TokenKind, Viewer
from bot.propose.types import StopReason
from bot.publish.bundle import Bundle, Findings, Refused
from bot.publish.context import SETTING
from bot.publish.destination import fix_branch
from bot.publish.post import Posted, post, show
from bot.result import RunOutcome
from bot.trigger.ledger import Ledger
from bot.trigger.types import Fix, Retry, TriggerKind
from tests.fake_forge import FakeForge
from tests.unit.publish import world
from tests.unit.publish.world import FIXED, OTHER, PROOF, TAX, World, make, patch_of, repaired, result_of

BRANCH = "grokfix/main/c0ffee000000"


def run(it: World, bundle: Bundle | Refused | None = None) -> Posted:
    return post(it.claim, it.bundle if bundle is None else bundle, it.forge, it.settings, it.clock, it.scratch)


def publishing(it: World, **changes: object) -> World:
    return replace(it, settings=replace(Settings(), publish=replace(PublishSettings(), **changes)))  # type: ignore[arg-type]


def ours(forge: FakeForge) -> list[PullRequest]:
    return [forge._pull(number) for number, pull in sorted(forge.pulls.items()) if pull.author == forge.me.login]


def text(forge: FakeForge, branch: str, path: str) -> str | None:
    found = forge.commits[forge.branches[branch]].files.get(path)
    return None if found is None else found[1].decode()


def comments(it: World) -> list[str]:
    number = it.claim.trigger.pull_request
    assert number is not None
    return [each.body for each in it.forge.threads[number] if each.author == it.forge.me.login]


def ledger(it: World) -> list[dict[str, object]]:
    files = it.forge.commits[it.forge.branches["grokfix-data"]].files
    lines = [line for path, (_, data) in files.items() if path.startswith("ledger/") for line in data.splitlines()]
    return [json.loads(line) for line in lines]


# --- a failure on a branch ------------------------------------------------------------------------------------------


def test_a_failure_on_a_branch_gets_a_pull_request(tmp_path: Path) -> None:
    it = make(tmp_path)
    before = len(it.forge.calls)
    posted = run(it)
    calls = [call.method for call in it.forge.calls[before:]]
    assert posted.outcome is RunOutcome.REPAIRED and posted.reason is None and posted.problems == ()
    (pull,) = ours(it.forge)
    assert posted.pull_requests == (pull,)
    assert (pull.head_branch, pull.base_branch, pull.draft) == (BRANCH, "main", True)
    commit = it.forge.commits[it.forge.branches[BRANCH]]
    assert commit.parents == (it.sha,)
    assert text(it.forge, BRANCH, "cart.py") == FIXED and text(it.forge, BRANCH, "tests/test_boundary.py") == PROOF
    assert it.forge.branches["main"] == it.sha
    (line,) = ledger(it)
    assert (line["state"], line["outcome"], line["pull_requests"]) == ("ended", "repaired", [pull.number])
    (check,) = it.forge.checks.values()
    assert (check.name, check.head_sha, check.conclusion) == ("grokfix", it.sha, "success")
    assert [(each.path, each.start_line, each.level) for each in check.annotations] == [
        ("shop/cart.py", 44, "warning"),
        ("shop/cart.py", 31, "notice"),
    ]
    assert len(calls) <= 16, calls  # of the port; a commit is more than one request


def test_the_pull_request_says_where_it_comes_from_and_how_to_check_it(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    (pull,) = ours(it.forge)
    failed = f"https://github.test/octo/shop/actions/runs/{it.claim.trigger.run_id}"
    for wanted in (
        f"<!-- grokfix:fix {world.FINGERPRINT} -->",
        f"Fixes failing run {failed}, for the branch `main`, worked on in {it.claim.run_url}.",
        "its checks wait for approval",
        f"git fetch origin {BRANCH} && git switch --detach FETCH_HEAD && python -m pytest tests/test_cart.py::test_ten",
        "https://github.test/octo/shop/tree/grokfix-data/traces/0123456789abcdef",
        f"SHA-256 of trace.jsonl: `{it.bundle.result.trace_sha256}`",
        "No objections",
    ):
        assert wanted in pull.body, wanted
    assert "git apply fix.patch" not in pull.body
    files = it.forge.commits[it.forge.branches["grokfix-data"]].files
    folder = "traces/0123456789abcdef"
    names = {"README.md", "trace.jsonl", "trace.html", "result.json", "c0ffee000000.patch"}
    assert {f"{folder}/{name}" for name in names} <= files.keys()
    assert files[f"{folder}/trace.jsonl"][1] == it.bundle.trace
    page = files[f"{folder}/README.md"][1].decode()
    assert "Repair 1" in page and "The model's reply" in page
    for acting in ("@org/team", "fixes #1", "<img", "/grok fix"):
        assert acting not in page


@pytest.mark.parametrize("kind", list(TokenKind))
def test_what_the_token_starts_is_said(tmp_path: Path, kind: TokenKind) -> None:
    it = make(tmp_path)
    it.forge.me = Viewer("somebody", kind)
    posted = run(it)
    (pull,) = ours(it.forge)
    assert ("wait for approval" in pull.body) == (kind is TokenKind.ACTIONS)
    assert ("start by themselves." in pull.body) == (kind in (TokenKind.APP, TokenKind.USER))
    # A person's token can make no check run; that is said and loses nothing.
    assert len(posted.problems) == (kind is TokenKind.USER)


def test_the_commit_message_is_ours_whatever_the_model_wrote(tmp_path: Path) -> None:
    it = make(tmp_path)
    cause = "Boundary [skip ci] @org/team fixes #7 is off by one in a sentence that goes on and on and on. More.\n\n"
    cause += (
        "Co-authored-by: Mallory <m@evil.test>\nSigned-off-by: x\nskip-checks: true\n\n/grok fix now\n\n\x1b[31mred"
    )
    (repair,) = it.bundle.result.repairs
    bundle = replace(it.bundle, result=replace(it.bundle.result, repairs=(replace(repair, root_cause=cause),)))
    run(it, bundle)
    message = it.forge.commits[it.forge.branches[BRANCH]].message
    subject, blank, *_ = message.split("\n")
    assert subject.startswith("Fix: Boundary (skip ci)") and len(subject) <= 72 and blank == ""
    assert message.rstrip().endswith("Grokfix-Fix: c0ffee000000")
    for acting in (
        "[skip ci]",
        "Co-authored-by:",
        "Signed-off-by:",
        "skip-checks:",
        "@org",
        "fixes #7",
        "/grok",
        "\x1b",
    ):
        assert acting not in message, acting


def test_labels_reviewers_and_dispatch(tmp_path: Path) -> None:
    it = publishing(make(tmp_path), labels=("bot",), reviewers=("ada", "octo/core"), dispatch="ci.yml", draft=False)
    run(it)
    (pull,) = ours(it.forge)
    assert it.forge.labels[pull.number] == ["bot"] and pull.number not in it.forge.reviewers and not pull.draft
    assert [(each.workflow, each.ref) for each in it.forge.dispatches] == [("ci.yml", BRANCH)]
    assert "`ci.yml` was started on its branch besides" in pull.body


def test_a_review_grade_by_our_own_rules_asks_people(tmp_path: Path) -> None:
    it = publishing(make(tmp_path), reviewers=("ada",))
    diff = world.DIFF.replace("+    if count >= 10:", "+    if count >= 10:  # noqa: X1")
    patch = patch_of(diff + world.NEW, it.scratch)
    bundle = replace(it.bundle, result=result_of((repaired(patch),), it.sha, it.bundle.trace))
    posted = run(it, bundle)
    assert (posted.outcome, posted.reason) == (RunOutcome.NEEDS_REVIEW, StopReason.REVIEW_GRADE)
    (pull,) = ours(it.forge)
    assert it.forge.labels[pull.number] == ["grokfix-needs-review"] and it.forge.reviewers[pull.number] == ["ada"]
    assert pull.title.startswith("Needs review:") and "| ! review |" in pull.body


def test_two_failures_get_two_pull_requests(tmp_path: Path) -> None:
    it = make(tmp_path)
    tax = patch_of(
        "--- a/tax.py\n+++ b/tax.py\n@@ -2 +2 @@\n-    return price * 20 // 10\n+    return price * 20 // 100\n",
        it.scratch,
    )
    second = repaired(tax, OTHER, new_tests=())
    bundle = replace(it.bundle, result=result_of((*it.bundle.result.repairs, second), it.sha, it.bundle.trace))
    posted = run(it, bundle)
    assert len(posted.pull_requests) == 2 and it.forge.count("viewer") == 1
    other = fix_branch("main", OTHER)
    assert text(it.forge, other, "tax.py") != TAX and text(it.forge, other, "cart.py") == world.CART
    assert text(it.forge, BRANCH, "tax.py") == TAX


# --- pull requests that are there already ---------------------------------------------------------------------------


def again(it: World, sha: str) -> World:
    """The same failure at a later commit of the branch, claimed by another run."""
    trigger = replace(it.claim.trigger, sha=sha, run_id=it.forge.add_run(sha).id)
    claim = replace(it.claim, trigger=trigger, attempt="fedcba9876543210", run_url=it.claim.run_url + "8")
    result = replace(it.bundle.result, commit=sha)
    return replace(it, claim=claim, bundle=replace(it.bundle, claim=claim, result=result))


def test_an_open_one_follows_its_base_and_shows_the_fix_alone(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    first = it.forge.branches[BRANCH]
    moved = it.forge.push("main", {"README.md": "shop 2\n"})
    posted = run(again(it, moved))
    (pull,) = ours(it.forge)
    assert posted.pull_requests[0].number == pull.number
    head = it.forge.commits[it.forge.branches[BRANCH]]
    assert head.parents == (moved, first)
    assert text(it.forge, BRANCH, "README.md") == "shop 2\n" and text(it.forge, BRANCH, "cart.py") == FIXED


def test_an_open_one_with_the_same_fix_is_left_as_it_is(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    head = it.forge.branches[BRANCH]
    (pull,) = ours(it.forge)
    it.forge.edit_pull_request(pull.number, "My title", pull.body + "\nmy words")
    run(again(it, it.sha))
    assert it.forge.branches[BRANCH] == head
    assert ours(it.forge)[0].title == "My title" and ours(it.forge)[0].body.endswith("my words")


def test_a_better_fix_replaces_the_old_one(tmp_path: Path) -> None:
    it = make(tmp_path)
    old = it.bundle
    tax = patch_of(
        "--- a/tax.py\n+++ b/tax.py\n@@ -2 +2 @@\n-    return price * 20 // 10\n+    return price * 20 // 100\n",
        it.scratch,
    )
    run(it, replace(old, result=result_of((repaired(tax),), it.sha, old.trace)))
    run(again(it, it.sha))
    assert text(it.forge, BRANCH, "tax.py") == TAX and text(it.forge, BRANCH, "cart.py") == FIXED
    (pull,) = ours(it.forge)
    assert "+1 | −1" in pull.body and "`cart.py`" in pull.body and "`tax.py`" not in pull.body


def test_a_persons_commit_on_our_branch_is_not_overwritten(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    theirs = it.forge.push(BRANCH, {"cart.py": "mine\n"}, "I know better")
    posted = run(again(it, it.forge.push("main", {"README.md": "2\n"})))
    assert it.forge.branches[BRANCH] == theirs
    assert posted.pull_requests == () and "somebody else has committed" in posted.summary


def test_one_that_a_person_closed_stays_closed_unless_asked(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    run(it)
    (pull,) = ours(it.forge)
    it.forge.close(pull.number)
    later = replace(it, claim=replace(it.claim, attempt="fedcba9876543210"))
    posted = run(later)
    assert posted.pull_requests == () and len(ours(it.forge)) == 1
    assert "A comment `/grok retry` opens it again." in comments(it)[-1]
    assert posted.outcome is RunOutcome.REPAIRED
    asked = replace(it.claim, trigger=replace(it.claim.trigger, command=Retry()), attempt="aaaaaaaaaaaaaaaa")
    posted = run(replace(it, claim=asked))
    assert len(posted.pull_requests) == 1 and len(ours(it.forge)) == 2


def test_a_dispatch_is_asking_too(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    it.forge.close(ours(it.forge)[0].number)
    assert run(it).pull_requests == ()
    trigger = replace(it.claim.trigger, kind=TriggerKind.DISPATCH)
    assert len(run(replace(it, claim=replace(it.claim, trigger=trigger, asked=True))).pull_requests) == 1


def test_one_that_was_merged_meanwhile_is_said_and_nothing_is_pushed(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    it.forge.close(ours(it.forge)[0].number, merged=True)
    posted = run(it)
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.HEAD_MOVED)
    it.forge.add_run(it.forge.branches["main"], conclusion="success")
    posted = run(it)
    assert posted.reason is StopReason.FIXED_ELSEWHERE and "git apply" not in posted.summary


def test_a_failure_that_comes_back_after_the_merge_is_offered_again(tmp_path: Path) -> None:
    it = make(tmp_path)
    run(it)
    it.forge.close(ours(it.forge)[0].number, merged=True)
    back = it.forge.push("main", {"cart.py": world.CART, "tests/test_boundary.py": None}, "Revert")
    posted = run(again(it, back))
    assert len(posted.pull_requests) == 1 and len(ours(it.forge)) == 2
    head = it.forge.commits[it.forge.branches[BRANCH]]
    assert head.parents == (back,) and text(it.forge, BRANCH, "cart.py") == FIXED


@pytest.mark.parametrize("gone", [True, False])
def test_a_branch_that_moved_or_went_gets_nothing(tmp_path: Path, gone: bool) -> None:
    it = make(tmp_path)
    if gone:
        del it.forge.branches["main"]
    else:
        it.forge.push("main", {"x": "y"})
    posted = run(it)
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.HEAD_MOVED)
    assert ours(it.forge) == [] and BRANCH not in it.forge.branches
    assert "git apply" in posted.summary
    assert ledger(it)[0]["reason"] == "head_moved"


# --- on a pull request ----------------------------------------------------------------------------------------------


def test_a_pull_request_gets_a_stacked_one_and_a_comment(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    posted = run(it)
    (pull,) = posted.pull_requests
    assert pull.base_branch == "feature/cart" and pull.head_branch.startswith("grokfix/feature-cart-")
    (body,) = comments(it)
    assert body.startswith("<!-- grokfix:progress 0123456789abcdef -->\n**Repaired: every gate is green.**")
    assert f"draft pull request #{pull.number}**, onto `feature/cart`" in body and "git apply" not in body
    comment = it.claim.trigger.comment_id
    assert comment is not None and it.forge.reactions[comment] == {(it.forge.me.login, "rocket")}


def test_a_known_progress_comment_becomes_the_result(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    number = it.claim.trigger.pull_request
    assert number is not None
    known = it.forge.say(number, it.forge.me.login, "<!-- grokfix:progress 0123456789abcdef -->\nworking")
    run(replace(it, claim=replace(it.claim, progress_comment=known.id)))
    (body,) = comments(it)
    assert "**Repaired: every gate is green.**" in body
    it.forge.threads[number] = [each for each in it.forge.threads[number] if each.id != known.id]
    run(replace(it, claim=replace(it.claim, progress_comment=known.id)))  # a person has deleted it
    assert len(comments(it)) == 1


def test_by_setting_it_is_a_commit_on_its_branch(tmp_path: Path) -> None:
    it = publishing(make(tmp_path, pull_request=True), on_pull_request="commit")
    posted = run(it)
    head = it.forge.commits[it.forge.branches["feature/cart"]]
    assert head.parents == (it.sha,) and posted.pull_requests == () and ours(it.forge) == []
    assert f"**The fix is commit {head.sha[:12]}** on `feature/cart`." in comments(it)[0]
    assert run(it).outcome is RunOutcome.REPAIRED
    assert it.forge.branches["feature/cart"] == head.sha


def test_by_setting_it_is_a_comment(tmp_path: Path) -> None:
    it = publishing(make(tmp_path, pull_request=True), on_pull_request="comment")
    run(it)
    assert [name for name in it.forge.branches if name.startswith("grokfix/")] == []
    assert_applies(comments(it)[0], tmp_path, it)


def test_a_fork_gets_the_diff_and_one_command(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True, fork="somebody/shop")
    before = dict(it.forge.branches)
    posted = run(it)
    assert {name for name in it.forge.branches if name != "grokfix-data"} == {n for n in before if n != "grokfix-data"}
    assert posted.pull_requests == ()
    assert_applies(comments(it)[0], tmp_path, it)


def assert_applies(body: str, tmp_path: Path, it: World) -> None:
    """The command in the comment, pasted into a shell in a checkout, makes the fix."""
    found = re.search(r"```sh\n(git apply .*?)\n```", body, re.DOTALL)
    assert found is not None, body
    folder = tmp_path / "clone"
    for path, (_, data) in it.forge.commits[it.sha].files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["bash", "-ec", found[1]], cwd=folder, check=True)
    assert (folder / "cart.py").read_text() == FIXED and (folder / "tests/test_boundary.py").read_text() == PROOF


def test_a_diff_that_would_have_to_be_made_harmless_is_fetched_instead(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True, fork="somebody/shop")
    patch = patch_of(world.DIFF.replace(">= 10:", ">= 10:  # fixes #12") + world.NEW, it.scratch)
    bundle = replace(it.bundle, result=result_of((repaired(patch),), it.sha, it.bundle.trace))
    run(it, bundle)
    (body,) = comments(it)
    path = "traces/0123456789abcdef/c0ffee000000.patch"
    command = f"git fetch https://github.test/octo/shop grokfix-data && git show FETCH_HEAD:{path} | git apply"
    assert command in body and "<<'GROKFIX'" not in body and "fixes #12" not in body
    assert shlex.split(command)
    kept = it.forge.commits[it.forge.branches["grokfix-data"]].files[path][1]
    assert kept.decode() == patch


def test_a_forks_moved_head_is_told(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True, fork="somebody/shop")
    number = it.claim.trigger.pull_request
    assert number is not None
    it.forge.pulls[number] = replace(it.forge.pulls[number], head_sha=it.forge.add_commit([it.sha], {}, "more"))
    assert run(it).reason is StopReason.HEAD_MOVED


def test_diagnosis_only_pushes_nothing(tmp_path: Path) -> None:
    it = make(tmp_path, diagnosis_only=True)
    posted = run(it)
    assert BRANCH not in it.forge.branches and posted.pull_requests == () and "git apply" in posted.summary


def test_breaks_only_when_merged(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    number = it.claim.trigger.pull_request
    assert number is not None
    merge = it.forge._pull(number).merge_sha
    findings = Findings(tested=merge, merged_with=it.forge.branches["main"], merge_only=True, on_base="red since @x")
    bundle = replace(it.bundle, findings=findings, result=replace(it.bundle.result, commit=merge))
    run(it, bundle)
    (pull,) = ours(it.forge)
    assert f"breaks only when merged with `main@{findings.merged_with[:12]}`" in pull.body
    assert "Already failing on the base branch" in pull.body and "@x" not in pull.body
    assert it.forge.commits[it.forge.branches[pull.head_branch]].parents == (it.sha,)


def test_a_fix_for_the_merge_alone_is_shown_and_not_pushed(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    it.forge.push("main", {"cart.py": world.CART.replace("count", "number")})
    number = it.claim.trigger.pull_request
    assert number is not None
    merge = it.forge._pull(number).merge_sha
    patch = patch_of(
        world.DIFF.replace("count", "number"), it.scratch, {"cart.py": world.CART.replace("count", "number")}
    )
    bundle = replace(
        it.bundle, findings=Findings(tested=merge), result=result_of((repaired(patch),), merge, it.bundle.trace)
    )
    posted = run(it, bundle)
    assert posted.pull_requests == () and "fits on the merge that was tested only" in comments(it)[0]


# --- what the code host refuses -------------------------------------------------------------------------------------


def test_a_refused_pull_request_leaves_the_branch_a_link_and_the_setting(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    it.forge.denied["open_pull_request"] = Denied(403, "GitHub Actions is not permitted to create pull requests.")
    posted = run(it)
    branch = fix_branch("feature/cart", world.FINGERPRINT)
    assert text(it.forge, branch, "cart.py") == FIXED
    for told in (comments(it)[0], posted.summary):
        assert SETTING in told
        assert f"https://github.test/octo/shop/compare/feature/cart...{branch}?expand=1" in told
    assert posted.outcome is RunOutcome.REPAIRED
    del it.forge.denied["open_pull_request"]
    head = it.forge.branches[branch]
    assert len(run(it).pull_requests) == 1 and it.forge.branches[branch] == head


@pytest.mark.parametrize("method", ["create_commit", "create_branch"])
def test_a_refused_branch_makes_it_a_comment(tmp_path: Path, method: str) -> None:
    it = make(tmp_path, pull_request=True)
    it.forge.denied[method] = Denied(403, "Resource not accessible by integration @org")
    posted = run(it)
    (body,) = comments(it)
    assert "the code host refused the branch" in body and "contents: write" in body and "@org" not in body
    assert "git apply <<'GROKFIX'" in body and "git apply" in posted.summary
    if method == "create_commit":  # nor can the ledger be written: that is said, and links lead nowhere
        assert any("ledger" in problem for problem in posted.problems) and "/tree/grokfix-data" not in body


def test_no_drafts_here(tmp_path: Path) -> None:
    it = make(tmp_path)
    it.forge.denied["open_pull_request"] = Denied(422, "Draft pull requests are not supported in this repository.")
    it.forge.before("open_pull_request", it.forge.denied.clear, nth=2)
    (pull,) = run(it).pull_requests
    assert not pull.draft


@pytest.mark.parametrize(
    "method", ["add_labels", "request_reviewers", "react", "check", "comment", "dispatch", "edit_pull_request"]
)
def test_a_refused_part_is_told_and_loses_nothing_else(tmp_path: Path, method: str) -> None:
    it = publishing(make(tmp_path, pull_request=True), labels=("a",), reviewers=("ada",), dispatch="ci.yml")
    (repair,) = it.bundle.result.repairs
    asked = replace(repair, outcome=RunOutcome.NEEDS_REVIEW, reason=StopReason.REVIEW_GRADE)
    bundle = replace(it.bundle, result=result_of((asked,), it.sha, it.bundle.trace))
    it.forge.denied[method] = Denied(403, "no")
    posted = run(it, bundle)
    assert len(posted.pull_requests) == 1 and ledger(it)[0]["state"] == "ended" and not posted.unpublished
    if method != "edit_pull_request":
        assert "(403" in posted.summary


# --- faults and crashes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status"),
    [
        *(
            (method, 401)
            for method in ("branch", "tree", "create_commit", "create_branch", "open_pull_request", "file")
        ),
        ("branch", 0),
        ("open_pull_request", 502),
        ("file", 429),
    ],
)
def test_a_dead_token_or_host_leaves_the_attempt_open_for_the_next_run(
    tmp_path: Path, method: str, status: int
) -> None:
    it = make(tmp_path)
    it.forge.fail(method, ForgeError("no answer; try again later", status=status))
    posted = run(it)
    assert posted.unpublished and posted.problems
    assert ledger(it)[0]["state"] == "claimed"
    posted = run(it)
    assert not posted.unpublished and len(ours(it.forge)) == 1 and ledger(it)[0]["state"] == "ended"


def test_what_no_second_try_mends_ends_the_attempt(tmp_path: Path) -> None:
    it = make(tmp_path)
    it.forge.fail("tree", ForgeError("the listing is cut: the repository is too large", status=200))
    posted = run(it)
    assert not posted.unpublished and "the listing is cut" in posted.summary and ledger(it)[0]["state"] == "ended"
    assert "git apply" in posted.summary


class Killed(BaseException):
    """The process ends here."""


def end_state(it: World) -> object:
    forge = it.forge
    trees = {
        name: {path: data for path, (_, data) in forge.commits[sha].files.items() if not path.startswith("ledger/")}
        for name, sha in forge.branches.items()
    }
    pulls = [(pull.number > 0, pull.title, pull.body, pull.state, pull.head_branch) for pull in ours(forge)]
    lines = [
        {name: value for name, value in line.items() if name not in ("ended", "pull_requests")} for line in ledger(it)
    ]
    counted = [len(line["pull_requests"]) for line in ledger(it)]  # type: ignore[arg-type]
    said = [
        re.sub(r"#\d+|commit [0-9a-f]{12}", "X", body)
        for thread in forge.threads.values()
        for body in [c.body for c in thread]
    ]
    checks = [(check.head_sha, check.conclusion) for check in forge.checks.values()]
    labels = sorted(map(tuple, forge.labels.values()))
    return trees, pulls, lines, counted, said, checks[:1], labels, list(forge.reactions.values())


@pytest.mark.parametrize("setting", ["stacked", "commit", "comment"])
def test_killed_after_any_write_and_run_again_the_end_is_the_same(tmp_path: Path, setting: str) -> None:
    def begin(folder: Path) -> World:
        folder.mkdir()
        made = publishing(make(folder, pull_request=True), on_pull_request=setting, labels=("bot",))
        return replace(made, claim=replace(made.claim, check_run=None))

    calm = begin(tmp_path / "calm")
    before = len(calm.forge.writes)
    run(calm)
    wanted, writes = end_state(calm), len(calm.forge.writes) - before
    assert writes >= 5
    for kill in range(1, writes + 1):
        it = begin(tmp_path / f"killed-{kill}")
        it.forge.crash_after(kill, Killed())
        with pytest.raises(Killed):
            run(it)
        it.forge._crash = None
        run(it)
        assert end_state(it) == wanted, f"killed after write {kill}: {it.forge.writes}"


def test_a_write_that_landed_before_the_answer_was_lost_is_not_repeated(tmp_path: Path) -> None:
    for method in ("create_branch", "open_pull_request", "add_labels", "comment"):
        folder = tmp_path / method
        folder.mkdir()
        it = publishing(make(folder, pull_request=True), labels=("bot",))
        it.forge.fail(method, ForgeError("timed out", status=0), after=True)
        run(it)
        run(it)
        assert len(ours(it.forge)) == 1 and len(comments(it)) == 1 and len(ledger(it)) == 1


# --- without a fix --------------------------------------------------------------------------------------------------


def test_a_refused_bundle_is_told_honestly(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    posted = run(it, Refused("the bundle belongs to another claim @org/team"))
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.INFRASTRUCTURE)
    (body,) = comments(it)
    assert "**Nothing is published:** the bundle belongs to another claim" in body and "@org" not in body
    assert ledger(it)[0]["reason"] == "infrastructure" and ours(it.forge) == []
    comment = it.claim.trigger.comment_id
    assert comment is not None and it.forge.reactions[comment] == {(it.forge.me.login, "confused")}


def test_a_patch_that_our_own_rules_forbid_is_not_even_shown(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    evil = (
        "diff --git a/.github/workflows/tests.yml b/.github/workflows/tests.yml\n"
        "--- a/.github/workflows/tests.yml\n+++ b/.github/workflows/tests.yml\n@@ -1 +1 @@\n-on: push\n+on: evil\n"
    )
    bundle = replace(it.bundle, result=result_of((repaired(evil),), it.sha, it.bundle.trace))
    posted = run(it, bundle)
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.INFRASTRUCTURE)
    assert [name for name in it.forge.branches if name.startswith("grokfix/")] == []
    (body,) = comments(it)
    assert "refused when it was looked at again" in body and "on: evil" not in body


def test_where_the_token_only_reads_all_is_in_the_summary(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True, fork="somebody/shop")
    before = len(it.forge.writes)
    because = "the token may only read"
    posted = show(it.claim, it.bundle, because, it.forge, it.settings, it.clock, it.scratch)
    assert posted.outcome is RunOutcome.REPAIRED and len(it.forge.writes) == before
    assert because in posted.summary and "/tree/grokfix-data" not in posted.summary
    assert_applies(posted.summary, tmp_path, it)


def test_giving_up_on_a_branch_makes_no_noise(tmp_path: Path) -> None:
    it = make(tmp_path)
    (repair,) = it.bundle.result.repairs
    gave_up = replace(repair, outcome=RunOutcome.GAVE_UP, reason=StopReason.BUDGET, patch=None, message="5 attempts")
    posted = run(it, replace(it.bundle, result=result_of((gave_up,), it.sha, it.bundle.trace)))
    assert posted.outcome is RunOutcome.GAVE_UP and it.forge.threads == {}
    assert next(iter(it.forge.checks.values())).conclusion == "neutral"
    assert it.forge.count("branch") <= 4  # the ledger's; nobody asks where main stands when nothing is pushed


def test_an_explanation_is_a_comment(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    told: JsonValue = {"tests": 9, "problem": None, "causes": [{"exception": "KeyError", "message": "@org", "tests": ["t.py::a"],
            "locations": [{"path": "cart.py", "line": 2, "suspiciousness": 0.9, "reason": "run by it"}]}]}  # fmt: skip
    assert isinstance(told, dict)
    bundle = replace(it.bundle, result=result_of((), "", b""), trace=b"", explanation=told)
    run(it, bundle)
    (body,) = comments(it)
    assert "**9 tests, 1 failing, 1 cause.** Nothing was changed." in body and "@org" not in body.replace(
        "`KeyError: @org`", ""
    )
    assert [each.path for each in next(iter(it.forge.checks.values())).annotations] == ["cart.py"]


def test_a_ledger_that_does_not_know_the_attempt_is_said(tmp_path: Path) -> None:
    it = make(tmp_path)
    posted = run(replace(it, claim=replace(it.claim, attempt="9999999999999999")))
    assert any("no line of the attempt" in problem for problem in posted.problems)
    assert {entry.state.value for entry in Ledger(it.forge, it.clock).entries()} == {"claimed"}


def test_commands_of_comments_are_neutral_in_everything_that_is_posted(tmp_path: Path) -> None:
    hostile = "@org/team fixes #1 /grok fix <img src=x> <!-- --> ```\n::error::x\n##[error]y \x1b[31m \u202e"
    it = make(tmp_path, pull_request=True, command=Fix(hint=hostile))
    (repair,) = it.bundle.result.repairs
    evil = replace(repair, root_cause=hostile, risks=hostile, failure_message=hostile, message=hostile)
    result = replace(it.bundle.result, repairs=(evil,), message=hostile, served_model=hostile)
    posted = run(it, replace(it.bundle, result=result, findings=Findings(on_base=hostile, notes=(hostile,))))
    everything = [posted.summary, *comments(it), *(pull.body for pull in ours(it.forge))]
    for said in everything:
        rendered = MarkdownIt("commonmark").enable("table").render(said)
        outside = re.sub(r"<code.*?</code>", "", rendered, flags=re.DOTALL)
        for acting in ("@org", "fixes #1", "/grok fix", "<img", "<!-- --", "\x1b", "\u202e"):
            assert acting not in outside, (acting, said)
        assert not re.search(r"^\s*/grok", said, re.MULTILINE)
