"""What every Forge does alike: the one in memory that the rooms are tested with, and GitHub's."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from unittest.mock import ANY

import pytest

from bot.ports import (
    Annotation,
    ArtifactInfo,
    Check,
    Comment,
    Denied,
    FileWrite,
    Issue,
    Missing,
    NotModified,
    Permission,
    PullRequest,
    RunsPage,
    TokenKind,
    Viewer,
)
from tests.contract.forge_cases import LOGINS, NAME, FakeHost, Host, ServerHost

MARKER = "<!-- grokfix:progress 1 -->"
NO_SHA = "0123456789" * 4
MakeHost = Callable[[TokenKind], Host]


@pytest.fixture(params=["memory", "github"])
def make_host(request: pytest.FixtureRequest) -> Iterator[MakeHost]:
    if request.param == "memory":
        yield FakeHost
        return
    made: list[ServerHost] = []

    def make(kind: TokenKind) -> Host:
        made.append(ServerHost(request.getfixturevalue("github"), kind))
        return made[0]

    yield make
    for host in made:
        host.forge.close()


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(TokenKind.ACTIONS)


@pytest.fixture
def main(host: Host) -> str:
    """SHA of the first commit on main."""
    return host.push("main", {"shop.py": "PRICE = 1\n", "data/table.bin": b"\0\xff"})


def written(result: str | Denied) -> str:
    assert isinstance(result, str), result
    return result


def opened(result: PullRequest | Denied) -> PullRequest:
    assert isinstance(result, PullRequest), result
    return result


def commented(result: Comment | Denied) -> Comment:
    assert isinstance(result, Comment), result
    return result


def checked(result: int | Denied) -> int:
    assert isinstance(result, int), result
    return result


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TokenKind.ACTIONS, TokenKind.APP, TokenKind.USER])
def test_viewer(make_host: MakeHost, kind: TokenKind) -> None:
    assert make_host(kind).forge.viewer() == Viewer(LOGINS[kind], kind)


def test_the_repository_and_its_default_branch(host: Host, main: str) -> None:
    assert host.forge.repository == NAME
    assert host.forge.server_url.startswith("http")
    assert host.forge.default_branch() == "main"


@pytest.mark.parametrize("level", list(Permission))
def test_permission(host: Host, level: Permission) -> None:
    host.person("somebody", level)
    assert host.forge.permission("somebody") is level
    assert host.forge.permission("a-stranger") is Permission.NONE


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_its_jobs_and_its_log(host: Host, main: str) -> None:
    run_id = host.add_run(main, log=b"FAILED\n")
    run = host.forge.run(run_id)
    assert run is not None
    assert (run.id, run.attempt, run.name, run.event) == (run_id, 1, "tests", "push")
    assert (run.status, run.conclusion) == ("completed", "failure")
    assert (run.head_sha, run.head_branch, run.head_repository) == (main, "main", NAME)
    assert (run.actor, run.triggering_actor) == ("dev", "dev")
    assert run.path == ".github/workflows/tests.yml"
    assert run.url.endswith(f"/{NAME}/actions/runs/{run_id}")
    (job,) = host.forge.jobs(run_id, 1)
    assert (job.name, job.conclusion) == ("test (3.12)", "failure")
    assert host.forge.job_log(job.id, 1_000) == b"FAILED\n"


def test_what_is_not_there(host: Host, main: str) -> None:
    forge = host.forge
    assert forge.run(99) is None
    assert forge.jobs(99, 1) == ()
    assert isinstance(forge.job_log(99, 1_000), Missing)
    assert forge.artifacts(99) == ()
    assert isinstance(forge.download(ArtifactInfo(99, "x", 1), 1_000), Missing)
    assert forge.file("nowhere.py", "main") is None
    assert forge.file("shop.py", "no-branch") is None
    assert forge.file("data", "main") is None
    assert forge.resolve("no-branch") is None
    assert forge.resolve(NO_SHA) is None
    assert forge.branch("no-branch") is None
    assert forge.compare(main, NO_SHA) is None
    assert forge.pull_request(99) is None
    assert forge.pull_requests("no-branch") == ()
    assert forge.comments(99) == ()


def test_runs_by_date_and_what_is_not_modified(host: Host, main: str) -> None:
    forge = host.forge
    first = host.add_run(main)
    second = host.add_run(main, workflow="lint")
    page = forge.runs_page("*..*")
    assert isinstance(page, RunsPage)
    assert ([run.id for run in page.runs], page.total, page.more) == ([second, first], 2, False)
    created = page.runs[-1].created_at
    assert forge.runs_page(f"{created}..*") == page
    assert forge.runs_page("2000-01-01T00:00:00Z..2000-12-31T23:59:59Z") == RunsPage((), 0, ANY)
    only = forge.runs_page("*..*", workflow="tests.yml")
    assert isinstance(only, RunsPage)
    assert [run.id for run in only.runs] == [first]
    gone = forge.runs_page("*..*", workflow="nowhere.yml")
    assert isinstance(gone, RunsPage)
    assert gone.runs == ()
    assert forge.runs_page("*..*", etag=page.etag) == NotModified()
    third = host.add_run(main)
    changed = forge.runs_page("*..*", etag=page.etag)
    assert isinstance(changed, RunsPage)
    assert [run.id for run in changed.runs] == [third, second, first]


def test_runs_are_paged_by_a_hundred(host: Host, main: str) -> None:
    made = [host.add_run(main) for _ in range(101)]
    page = host.forge.runs_page("*..*")
    rest = host.forge.runs_page("*..*", page=2)
    assert isinstance(page, RunsPage)
    assert isinstance(rest, RunsPage)
    assert [run.id for run in (*page.runs, *rest.runs)] == made[::-1]
    assert (page.total, page.more, rest.more) == (101, True, False)


def test_a_job_tells_when_it_ran(host: Host, main: str) -> None:
    run = host.forge.run(host.add_run(main))
    assert run is not None
    (job,) = host.forge.jobs(run.id, 1)
    assert (job.status, job.attempt) == ("completed", 1)
    assert job.started_at >= run.created_at


# --- issues ---------------------------------------------------------------------------------------------------------


def opened_issue(result: Issue | Denied | None) -> Issue:
    assert isinstance(result, Issue), result
    return result


def test_an_issue_is_opened_once_and_edited_in_place(host: Host, main: str) -> None:
    forge = host.forge
    host.add_issue()
    body = f"{MARKER}\nfirst"
    issue = opened_issue(forge.open_issue("Flaky tests", body, ["flaky"], MARKER))
    assert (issue.title, issue.body, issue.state, issue.labels) == ("Flaky tests", body, "open", ("flaky",))
    assert issue.author == LOGINS[TokenKind.ACTIONS]
    assert forge.issues(["flaky"]) == (issue,)
    assert forge.issue(issue.number) == issue
    again = opened_issue(forge.open_issue("Flaky tests today", f"{MARKER}\nsecond", ["flaky"], MARKER))
    assert again.number == issue.number
    assert opened_issue(forge.issue(issue.number)).title == "Flaky tests today"
    assert forge.edit_issue(issue.number, "Flaky tests", f"{MARKER}\nthird") is None
    assert opened_issue(forge.issue(issue.number)).body == f"{MARKER}\nthird"


def test_issues_of_others_are_not_ours(host: Host, main: str) -> None:
    stranger = host.add_issue()
    forge = host.forge
    assert forge.edit_issue(stranger, "Mine", MARKER) is None  # a copy of the marker
    issue = opened_issue(forge.open_issue("Flaky tests", MARKER, [], MARKER))
    assert issue.number != stranger


def test_pull_requests_are_no_issues(host: Host, main: str) -> None:
    host.push("dev", {"shop.py": "PRICE = 2\n"})
    number = host.add_pull("dev")
    plain = host.add_issue()
    listed = [issue.number for issue in host.forge.issues(state="all")]
    assert plain in listed
    assert number not in listed
    assert host.forge.issue(number) is None
    assert host.forge.issue(99_999) is None


def test_runs_are_newest_first_and_filtered(host: Host, main: str) -> None:
    later = host.push("dev", {"shop.py": "PRICE = 2\n"})
    first = host.add_run(main, conclusion="success")
    second = host.add_run(main, workflow="lint")
    third = host.add_run(later, branch="dev")
    live = host.add_run(later, branch="dev", status="in_progress")
    forge = host.forge
    assert [run.id for run in forge.runs(None)] == [live, third, second, first]
    assert [run.id for run in forge.runs(None, limit=2)] == [live, third]
    assert [run.id for run in forge.runs(None, branch="main")] == [second, first]
    assert [run.id for run in forge.runs(None, head_sha=later)] == [live, third]
    assert [run.id for run in forge.runs(None, status="success")] == [first]
    assert [run.id for run in forge.runs(None, status="in_progress")] == [live]
    found = forge.run(first)
    assert found is not None
    assert [run.id for run in forge.runs(found.workflow_id, branch="main")] == [first]


def test_artifacts_are_read_within_a_budget(host: Host, main: str) -> None:
    run_id = host.add_run(main, artifacts={"junit": {"report.xml": b"<testsuite/>"}, "other": {"x": b"y"}})
    junit, other = host.forge.artifacts(run_id)
    assert (junit.name, junit.expired, other.name) == ("junit", False, "other")
    packed = host.forge.download(junit, junit.size)
    assert isinstance(packed, bytes) and len(packed) == junit.size
    assert zipfile.ZipFile(io.BytesIO(packed)).read("report.xml") == b"<testsuite/>"
    too_large = host.forge.download(junit, junit.size - 1)
    assert isinstance(too_large, Missing) and str(junit.size) in too_large.reason
    host.expire(other.id)
    assert isinstance(host.forge.download(other, other.size), Missing)


def test_a_long_log_keeps_head_and_tail(host: Host, main: str) -> None:
    log = b"".join(b"line %05d\n" % number for number in range(5_000))
    run_id = host.add_run(main, log=log)
    (job,) = host.forge.jobs(run_id, 1)
    found = host.forge.job_log(job.id, 2_000)
    assert isinstance(found, bytes) and len(found) <= 2_000
    assert found.startswith(b"line 00000\n") and found.endswith(b"line 04999\n")
    (mark,) = [line for line in found.decode().splitlines() if "left out" in line]
    assert mark.startswith("[…") and mark.endswith("…]")


def test_cancel(host: Host, main: str) -> None:
    live, ended = host.add_run(main, status="in_progress"), host.add_run(main)
    assert host.forge.cancel_run(live) is True
    assert host.forge.cancel_run(live) is False
    assert host.forge.cancel_run(ended) is False
    run = host.forge.run(live)
    assert run is not None and (run.status, run.conclusion) == ("completed", "cancelled")


def test_dispatch(host: Host, main: str) -> None:
    sha = host.push("main", {".github/workflows/tests.yml": "on:\n  workflow_dispatch:\n"})
    host.add_run(sha)
    assert host.forge.dispatch("tests.yml", "main", {"why": "a fix"}) is None
    assert host.dispatched() == [("tests.yml", "main", {"why": "a fix"})]
    assert isinstance(host.forge.dispatch("tests.yml", "no-branch", {}), Denied)


# --- contents -------------------------------------------------------------------------------------------------------


def test_files_trees_and_blobs(host: Host, main: str) -> None:
    forge = host.forge
    assert forge.file("shop.py", "main") == b"PRICE = 1\n"
    assert forge.file("data/table.bin", main) == b"\0\xff"
    tree = forge.tree(main)
    assert {path: entry.mode for path, entry in tree.items()} == {"shop.py": "100644", "data/table.bin": "100644"}
    assert forge.blob(tree["data/table.bin"].sha) == b"\0\xff"


def test_resolve_and_branch(host: Host, main: str) -> None:
    host.push("feature/x", {"shop.py": "PRICE = 2\n"})
    later = host.push("feature/x", {"shop.py": "PRICE = 3\n"})
    assert host.forge.resolve("main") == host.forge.resolve(main) == main
    assert host.forge.branch("feature/x") == host.forge.resolve("feature/x") == later
    assert host.forge.branch("feature") is None


def test_compare(host: Host, main: str) -> None:
    one = host.push("feature", {"a.py": "1"})
    two = host.push("feature", {"a.py": "2"})
    base = host.push("main", {"b.py": "1"})
    found = host.forge.compare("main", "feature")
    assert found is not None
    assert (found.ahead_by, found.behind_by, found.merge_base) == (2, 1, main)
    assert [commit.sha for commit in found.commits] == [one, two]
    assert found.commits[0].author == "tester" and found.commits[0].message == "Change"
    same = host.forge.compare(base, base)
    assert same is not None and (same.ahead_by, same.behind_by, same.commits) == (0, 0, ())


# --- commits and branches -------------------------------------------------------------------------------------------


def test_a_commit_is_on_no_branch_until_one_is_moved(host: Host, main: str) -> None:
    forge = host.forge
    files = {"shop.py": FileWrite(b"PRICE = 2\n"), "new/run.sh": FileWrite(b"#!/bin/sh\n", "100755")}
    files |= {"data/table.bin": FileWrite(None), "raw.bin": FileWrite(b"\xfe\0\r\n"), "empty": FileWrite(b"")}
    sha = written(forge.create_commit(main, files, "Fix the price\n\nBecause."))
    assert host.message(sha) == "Fix the price\n\nBecause."
    assert host.parents(sha) == (main,)
    assert {path: entry.mode for path, entry in forge.tree(sha).items()} == {
        "shop.py": "100644",
        "new/run.sh": "100755",
        "raw.bin": "100644",
        "empty": "100644",
    }
    assert forge.file("raw.bin", sha) == b"\xfe\0\r\n"
    assert forge.file("empty", sha) == b""
    assert forge.branch("main") == main
    assert forge.move_branch("main", sha) is True
    assert forge.move_branch("main", sha) is True
    assert forge.branch("main") == sha


def test_a_root_commit_and_a_merge(host: Host, main: str) -> None:
    forge = host.forge
    root = written(forge.create_commit(None, {"ledger": FileWrite(b"1\n")}, "Begin"))
    assert host.parents(root) == ()
    assert set(forge.tree(root)) == {"ledger"}
    other = host.push("other", {"other.py": "1"})
    merge = written(forge.create_commit(main, {"shop.py": FileWrite(b"PRICE = 2\n")}, "Follow", other))
    assert host.parents(merge) == (main, other)
    assert set(forge.tree(merge)) == {"shop.py", "data/table.bin"}
    plain = written(forge.create_commit(main, {}, "Nothing", other))
    assert forge.tree(plain) == forge.tree(main)


def test_a_branch_is_made_once(host: Host, main: str) -> None:
    other = host.push("other", {"x": "y"})
    assert host.forge.create_branch("grokfix/main/0123456789ab", main) is True
    assert host.forge.create_branch("grokfix/main/0123456789ab", main) is False
    assert host.forge.create_branch("grokfix/main/0123456789ab", other) is False
    assert host.forge.branch("grokfix/main/0123456789ab") == main
    assert isinstance(host.forge.create_branch("of-nothing", NO_SHA), Denied)


def test_a_branch_only_moves_forward(host: Host, main: str) -> None:
    mine = written(host.forge.create_commit(main, {"a": FileWrite(b"1")}, "mine"))
    theirs = host.push("main", {"b": "1"})
    assert host.forge.move_branch("main", mine) is False
    assert host.forge.move_branch("main", main) is False
    assert host.forge.branch("main") == theirs
    assert host.forge.move_branch("gone", main) is False
    assert isinstance(host.forge.move_branch("main", NO_SHA), Denied)


# --- pull requests --------------------------------------------------------------------------------------------------


def test_a_pull_request_is_opened_once(host: Host, main: str) -> None:
    head = host.push("fix", {"shop.py": "PRICE = 2\n"})
    pull = opened(host.forge.open_pull_request("fix", "main", "Fix the price", "Because.", True))
    assert (pull.state, pull.draft, pull.merged) == ("open", True, False)
    assert (pull.title, pull.body, pull.author) == ("Fix the price", "Because.", LOGINS[TokenKind.ACTIONS])
    assert (pull.head_branch, pull.head_sha, pull.head_repository) == ("fix", head, NAME)
    assert (pull.base_branch, pull.base_sha) == ("main", main)
    again = opened(host.forge.open_pull_request("fix", "main", "Another title", "Another body", False))
    assert (again.number, again.title) == (pull.number, "Fix the price")
    assert host.forge.pull_request(pull.number) == again
    assert [found.number for found in host.forge.pull_requests("fix")] == [pull.number]


def test_a_closed_pull_request_does_not_stand_in_for_an_open_one(host: Host, main: str) -> None:
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    first = opened(host.forge.open_pull_request("fix", "main", "One", "", False))
    host.close(first.number)
    second = opened(host.forge.open_pull_request("fix", "main", "Two", "", False))
    assert second.number != first.number
    assert [(found.number, found.state) for found in host.forge.pull_requests("fix")] == [
        (second.number, "open"),
        (first.number, "closed"),
    ]


def test_a_pull_request_between_other_branches_is_another(host: Host, main: str) -> None:
    host.push("feature", {"feature.py": "1"})
    host.push("fix", {"shop.py": "PRICE = 2\n"}, start="feature")
    first = opened(host.forge.open_pull_request("fix", "main", "One", "", False))
    second = opened(host.forge.open_pull_request("fix", "feature", "Two", "", False))
    assert second.number != first.number


def test_pull_requests_that_cannot_be(host: Host, main: str) -> None:
    assert isinstance(host.forge.open_pull_request("no-branch", "main", "T", "", False), Denied)
    assert host.forge.create_branch("same", main) is True
    assert isinstance(host.forge.open_pull_request("same", "main", "T", "", False), Denied)
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    host.forbid_pull_requests()
    denied = host.forge.open_pull_request("fix", "main", "T", "", False)
    assert denied == Denied(403, "GitHub Actions is not permitted to create or approve pull requests.")


def test_heads_and_test_merges_follow(host: Host, main: str) -> None:
    host.push("feature", {"feature.py": "1"})
    number = host.add_pull("feature")
    before = host.forge.pull_request(number)
    head = host.push("feature", {"feature.py": "2"})
    after = host.forge.pull_request(number)
    assert before is not None and after is not None
    assert after.head_sha == head
    assert host.parents(after.merge_sha) == (main, head)
    assert before.merge_sha != after.merge_sha
    host.merge(number)
    merged = host.forge.pull_request(number)
    assert merged is not None and (merged.state, merged.merged) == ("closed", True)
    assert merged.merge_sha == host.forge.branch("main")


def test_edit_label_and_ask_for_review(host: Host, main: str) -> None:
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    number = opened(host.forge.open_pull_request("fix", "main", "T", "B", False)).number
    for _ in range(2):
        assert host.forge.edit_pull_request(number, "T2", "B2") is None
        assert host.forge.add_labels(number, ["grokfix", "bug"]) is None
    host.person("reviewer", Permission.WRITE)
    assert host.forge.request_reviewers(number, ["reviewer", "octo/core"]) is None
    pull = host.forge.pull_request(number)
    assert pull is not None and (pull.title, pull.body) == ("T2", "B2")
    assert host.labels(number) == ["bug", "grokfix"]
    assert host.reviewers(number) == ["octo/core", "reviewer"]
    assert isinstance(host.forge.edit_pull_request(99, "T", "B"), Denied)
    assert isinstance(host.forge.add_labels(99, ["x"]), Denied)
    assert isinstance(host.forge.request_reviewers(99, ["reviewer"]), Denied)


def test_the_author_is_not_asked_for_review(make_host: MakeHost) -> None:
    host = make_host(TokenKind.USER)
    host.push("main", {"a": "1"})
    host.push("fix", {"a": "2"})
    me = LOGINS[TokenKind.USER]
    host.person(me, Permission.WRITE)
    number = opened(host.forge.open_pull_request("fix", "main", "T", "B", False)).number
    assert isinstance(host.forge.request_reviewers(number, [me]), Denied)


# --- comments -------------------------------------------------------------------------------------------------------


def test_a_comment_is_found_again_by_its_marker(host: Host, main: str) -> None:
    issue = host.add_issue()
    theirs = host.say(issue, "dev", "/grok fix")
    first = commented(host.forge.comment(issue, f"{MARKER}\nworking", MARKER))
    second = commented(host.forge.comment(issue, f"{MARKER}\ndone", MARKER))
    third = commented(host.forge.comment(issue, "another <!-- grokfix:other -->", "<!-- grokfix:other -->"))
    assert first.id == second.id != third.id
    assert (second.author, second.body) == (LOGINS[TokenKind.ACTIONS], f"{MARKER}\ndone")
    assert [(comment.id, comment.body) for comment in host.forge.comments(issue)] == [
        (theirs, "/grok fix"),
        (first.id, f"{MARKER}\ndone"),
        (third.id, "another <!-- grokfix:other -->"),
    ]


@pytest.mark.parametrize("author", ["mallory", "github-actions", "other-app[bot]"])
def test_a_strangers_copy_of_the_marker_is_left_alone(host: Host, main: str, author: str) -> None:
    issue = host.add_issue()
    copy = host.say(issue, author, f"{MARKER}\nmine now")
    mine = commented(host.forge.comment(issue, f"{MARKER}\nworking", MARKER))
    assert mine.id != copy
    assert [comment.body for comment in host.forge.comments(issue)] == [f"{MARKER}\nmine now", f"{MARKER}\nworking"]


def test_edit_and_react(host: Host, main: str) -> None:
    host.push("fix", {"a": "2"})
    number = host.add_pull("fix")
    asked = host.say(number, "dev", "/grok fix")
    mine = commented(host.forge.comment(number, MARKER, MARKER))
    for _ in range(2):
        assert host.forge.edit_comment(mine.id, f"{MARKER} later") is None
        assert host.forge.react(asked, "eyes") is None
    assert host.forge.react(asked, "rocket") is None
    me = LOGINS[TokenKind.ACTIONS]
    assert host.reactions(asked) == [(me, "eyes"), (me, "rocket")]
    assert host.forge.comments(number)[1].body == f"{MARKER} later"
    assert isinstance(host.forge.edit_comment(99, "x"), Denied)
    assert isinstance(host.forge.react(99, "eyes"), Denied)
    assert isinstance(host.forge.comment(99, MARKER, MARKER), Denied)


def test_every_comment_of_a_long_thread_is_seen(host: Host, main: str) -> None:
    issue = host.add_issue()
    said = [host.say(issue, "dev", f"number {number}") for number in range(205)]
    assert [comment.id for comment in host.forge.comments(issue)] == said


# --- checks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remarks", [0, 1, 50, 51, 130])
def test_a_check_is_made_and_brought_to_its_end(host: Host, main: str, remarks: int) -> None:
    live = Check("grokfix", main, "Working", "…", "https://example.test/run")
    check_id = checked(host.forge.check(live))
    assert (host.conclusion(check_id), host.annotations(check_id)) == ("", 0)
    notes = tuple(
        Annotation("shop.py", line, line, "warning", "Suspicious", f"remark {line}") for line in range(1, remarks + 1)
    )
    ended = Check("grokfix", main, "Repaired", "One line", "https://example.test/run", "success", notes)
    for _ in range(2):
        assert checked(host.forge.check(ended, check_id)) == check_id
        assert (host.conclusion(check_id), host.annotations(check_id)) == ("success", remarks)
    other = checked(host.forge.check(ended))
    assert other != check_id
    assert (host.conclusion(other), host.annotations(other)) == ("success", remarks)


def test_checks_that_cannot_be(make_host: MakeHost) -> None:
    host = make_host(TokenKind.USER)
    sha = host.push("main", {"a": "1"})
    assert isinstance(host.forge.check(Check("grokfix", sha, "T", "S")), Denied)


def test_a_check_of_no_commit_is_denied(host: Host, main: str) -> None:
    assert isinstance(host.forge.check(Check("grokfix", NO_SHA, "T", "S")), Denied)
