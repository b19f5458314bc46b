"""GitHub's bad days, before the real adapter: every write breaks in every way, and still happens exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.adapters import github_api
from bot.errors import ForgeError
from bot.ports import Annotation, Check, Comment, Denied, FileWrite, Issue, PullRequest, TokenKind
from tests.contract.forge_cases import EVERYTHING, ServerHost
from tests.github_server import Call, Cut, DoneBut, GitHubServer, Hang, Refuse

MARKER = "<!-- grokfix:progress 1 -->"
NOTES = tuple(Annotation("shop.py", line, line, "warning", "T", "m") for line in range(1, 121))


@pytest.fixture
def host(github: GitHubServer) -> Iterator[ServerHost]:
    host = ServerHost(github)
    host.push("main", {"shop.py": "PRICE = 1\n", ".github/workflows/tests.yml": "on: workflow_dispatch\n"})
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    yield host
    host.forge.close()


class Case:
    """What stands there before, one write, and how often it must have happened."""

    def __init__(self, host: ServerHost) -> None:
        self.host = host
        self.forge = host.forge
        self.sha = host.shop.branches["fix"]
        self.number = host.add_pull("fix")
        self.comment = host.say(self.number, "dev", "/grok fix")

    def create_commit(self) -> None:
        made = self.forge.create_commit(self.sha, {"a": FileWrite(b"1"), "b": FileWrite(b"\xff")}, "Fix")
        assert isinstance(made, str)
        assert self.host.shop.seen(made).files == {**self.host.shop.seen(self.sha).files, "a": b"1", "b": b"\xff"}

    def create_branch(self) -> None:
        assert self.forge.create_branch("grokfix/main/x", self.sha) is True
        assert self.host.shop.branches["grokfix/main/x"] == self.sha

    def move_branch(self) -> None:
        assert self.forge.move_branch("main", self.sha) is True
        assert self.host.shop.branches["main"] == self.sha

    def open_pull_request(self) -> None:
        self.host.push("other", {"other.py": "1"})
        pull = self.forge.open_pull_request("other", "main", "T", "B", True)
        assert isinstance(pull, PullRequest)
        assert sorted(self.host.shop.pulls) == [self.number, pull.number]

    def edit_pull_request(self) -> None:
        assert self.forge.edit_pull_request(self.number, "T2", "B2") is None
        assert self.host.shop.pulls[self.number].title == "T2"

    def add_labels(self) -> None:
        assert self.forge.add_labels(self.number, ["grokfix"]) is None
        assert self.host.labels(self.number) == ["grokfix"]

    def request_reviewers(self) -> None:
        self.host.shop.collaborators["reviewer"] = "write"
        self.host.server.world.user("reviewer")
        assert self.forge.request_reviewers(self.number, ["reviewer"]) is None
        assert self.host.reviewers(self.number) == ["reviewer"]

    def add_comment(self) -> None:
        said = self.forge.comment(self.number, f"{MARKER}\nworking", MARKER)
        assert isinstance(said, Comment)
        assert [one.id for one in self.host.shop.comments(self.number)] == [self.comment, said.id]

    def edit_comment(self) -> None:
        mine = self.host.say(self.number, "github-actions[bot]", MARKER)
        assert self.forge.edit_comment(mine, f"{MARKER} later") is None
        assert self.host.shop.comments(self.number)[1].body == f"{MARKER} later"

    def open_issue(self) -> None:
        made = self.forge.open_issue("Flaky tests", MARKER, ["flaky"], MARKER)
        assert isinstance(made, Issue)
        ours = [one.number for one in self.host.shop.issues.values() if one.body == MARKER]
        assert ours == [made.number]

    def edit_issue(self) -> None:
        number = self.host.add_issue()
        assert self.forge.edit_issue(number, "T2", "B2") is None
        assert (self.host.shop.issues[number].title, self.host.shop.issues[number].body) == ("T2", "B2")

    def react(self) -> None:
        assert self.forge.react(self.comment, "eyes") is None
        assert self.host.reactions(self.comment) == [("github-actions[bot]", "eyes")]

    def create_check(self) -> None:
        made = self.forge.check(Check("grokfix", self.sha, "T", "S", "", "success", NOTES))
        assert [(check.id, len(check.annotations)) for check in self.host.shop.checks] == [(made, len(NOTES))]

    def bring_check(self) -> None:
        made = self.host.new_forge().check(Check("grokfix", self.sha, "T", "S"))
        assert isinstance(made, int)
        assert self.forge.check(Check("grokfix", self.sha, "T", "S", "", "success", NOTES), made) == made
        assert [(check.id, len(check.annotations)) for check in self.host.shop.checks] == [(made, len(NOTES))]

    def cancel_run(self) -> None:
        run = self.host.add_run(self.sha, status="in_progress")
        self.forge.cancel_run(run)
        assert self.host.shop.runs[-1].conclusion == "cancelled"


CASES: list[Callable[[Case], None]] = [
    Case.create_commit,
    Case.create_branch,
    Case.move_branch,
    Case.open_pull_request,
    Case.edit_pull_request,
    Case.add_labels,
    Case.request_reviewers,
    Case.add_comment,
    Case.edit_comment,
    Case.open_issue,
    Case.edit_issue,
    Case.react,
    Case.create_check,
    Case.bring_check,
    Case.cancel_run,
]
EFFECTS = [
    Cut(),
    Cut(before=True),
    DoneBut(502),
    Refuse(503),
    Refuse(403, "You have exceeded a secondary rate limit.", {"Retry-After": "2"}),
]


@pytest.mark.parametrize("effect", EFFECTS, ids=repr)
@pytest.mark.parametrize("write", CASES, ids=lambda case: case.__name__)
def test_a_write_that_breaks_happens_once(host: ServerHost, write: Callable[[Case], None], effect: Cut) -> None:
    case = Case(host)
    for nth in (1, 3):  # the first request of the write, and a later one where it has several
        host.server.fault("WRITE", "", effect, nth=nth)
    write(case)


@pytest.mark.parametrize("write", [Case.open_pull_request, Case.add_comment], ids=lambda case: case.__name__)
def test_a_write_that_is_never_answered_happens_once(
    github: GitHubServer, write: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_api, "_SECONDS", 1)
    host = ServerHost(github)
    host.push("main", {"shop.py": "PRICE = 1\n"})
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    case = Case(host)
    github.fault("POST", "(pulls|comments)$", Hang())
    write(case)
    assert sum(entry.method == "POST" and entry.host == "api" for entry in github.journal) == 1
    host.forge.close()


@pytest.mark.parametrize("effect", [DoneBut(500), Cut()], ids=repr)
def test_an_answer_that_is_lost_twice_is_still_one_write(host: ServerHost, effect: Cut) -> None:
    """The look-up after the second loss finds it too."""
    case = Case(host)
    host.server.fault("POST", "comments$", Refuse(502))
    host.server.fault("POST", "comments$", effect, nth=2)
    case.add_comment()


def test_a_write_that_stays_broken_is_an_error(host: ServerHost) -> None:
    case = Case(host)
    host.server.fault("POST", "comments$", Refuse(502), times=9)
    with pytest.raises(ForgeError) as raised:
        case.forge.comment(case.number, MARKER, MARKER)
    assert raised.value.status == 502
    assert [entry.method for entry in host.server.writes] == ["POST", "POST"]
    assert [one.id for one in host.shop.comments(case.number)] == [case.comment]


def test_a_comment_after_a_crash_is_edited_by_the_next_process(host: ServerHost) -> None:
    case = Case(host)
    host.server.fault("POST", "comments$", Cut())
    host.server.fault("GET", "comments$", Refuse(502), nth=2, times=4)  # it cannot look either: every try fails
    with pytest.raises(ForgeError):
        host.forge.comment(case.number, f"{MARKER} one", MARKER)
    second = host.new_forge()
    said = second.comment(case.number, f"{MARKER} two", MARKER)
    second.close()
    assert isinstance(said, Comment)
    assert [one.body for one in host.shop.comments(case.number)] == ["/grok fix", f"{MARKER} two"]


def test_somebody_faster_is_seen_after_a_lost_answer(host: ServerHost) -> None:
    """Our move did not land, theirs did: that is False, and not an error."""
    theirs: list[str] = []

    def other() -> None:
        theirs.append(host.push("main", {"other.py": "1"}))

    host.server.fault("PATCH", "refs/heads/main", Refuse(502))
    host.server.fault("GET", "branches/main", Call(other))
    assert host.forge.move_branch("main", host.shop.branches["fix"]) is False
    assert host.shop.branches["main"] == theirs[0]


# --- grants ---------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[str, Callable[[Case], object]]] = {
    "create_commit": ("contents: write", lambda case: case.forge.create_commit(case.sha, {"a": FileWrite(b"1")}, "m")),
    "create_branch": ("contents: write", lambda case: case.forge.create_branch("x", case.sha)),
    "move_branch": ("contents: write", lambda case: case.forge.move_branch("main", case.sha)),
    "open_pull_request": (
        "pull-requests: write",
        lambda case: case.forge.open_pull_request("fix", "main", "T", "", True),
    ),
    "edit_pull_request": ("pull-requests: write", lambda case: case.forge.edit_pull_request(case.number, "T", "B")),
    "request_reviewers": ("pull-requests: write", lambda case: case.forge.request_reviewers(case.number, ["dev"])),
    "add_labels": ("pull-requests: write", lambda case: case.forge.add_labels(case.number, ["x"])),
    "comment": ("pull-requests: write", lambda case: case.forge.comment(case.number, MARKER, MARKER)),
    "react": ("pull-requests: write", lambda case: case.forge.react(case.comment, "eyes")),
    "check": ("checks: write", lambda case: case.forge.check(Check("grokfix", case.sha, "T", "S"))),
    "dispatch": ("actions: write", lambda case: case.forge.dispatch("tests.yml", "main", {})),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_without_the_grant_is_denied_by_its_name(github: GitHubServer, name: str) -> None:
    """A fork's token: it reads everything and writes nothing."""
    host = ServerHost(github, permissions=dict.fromkeys(EVERYTHING, "read"))
    host.push("main", {"shop.py": "PRICE = 1\n"})
    host.push("fix", {"shop.py": "PRICE = 2\n"})
    case = Case(host)
    need, write = REFUSED[name]
    denied = write(case)
    assert isinstance(denied, Denied)
    assert denied.status == 403
    assert "Resource not accessible by integration" in denied.message
    assert f"`{need}`" in denied.message
    host.forge.close()


def test_a_token_that_may_not_cancel_is_an_error(github: GitHubServer) -> None:
    host = ServerHost(github, permissions={"actions": "read", "contents": "read"})
    sha = host.push("main", {"shop.py": "PRICE = 1\n"})
    run = host.add_run(sha, status="in_progress")
    with pytest.raises(ForgeError, match="`actions: write`") as raised:
        host.forge.cancel_run(run)
    assert raised.value.status == 403
    host.forge.close()


def test_an_expired_token_is_told_for_reads_and_writes(host: ServerHost) -> None:
    sha = host.shop.branches["main"]
    host.server.token_state(host.token).expired = True
    for call in (host.forge.default_branch, lambda: host.forge.create_branch("x", sha)):
        with pytest.raises(ForgeError, match="expired") as raised:
            call()
        assert raised.value.status == 401
        assert host.token not in str(raised.value)


def test_a_protected_branch_and_a_rule_deny(host: ServerHost) -> None:
    host.shop.protected.add("main")
    denied = host.forge.move_branch("main", host.shop.branches["fix"])
    assert isinstance(denied, Denied) and "protected" in denied.message
    host.shop.rules["grokfix/main/x"] = ("creation",)
    denied = host.forge.create_branch("grokfix/main/x", host.shop.branches["fix"])
    assert isinstance(denied, Denied) and "rule violations" in denied.message


# --- cost -----------------------------------------------------------------------------------------------------------


def test_unchanged_answers_cost_nothing(host: ServerHost) -> None:
    case = Case(host)
    sha, run = host.shop.branches["main"], host.add_run(case.sha)
    reads: list[Callable[[], object]] = [
        host.forge.default_branch,
        lambda: host.forge.run(run),
        lambda: host.forge.runs(None),
        lambda: host.forge.jobs(run, 1),
        lambda: host.forge.artifacts(run),
        lambda: host.forge.file("shop.py", "main"),
        lambda: host.forge.resolve("main"),
        lambda: host.forge.branch("main"),
        lambda: host.forge.tree(sha),
        lambda: host.forge.compare("main", "fix"),
        lambda: host.forge.pull_request(case.number),
        lambda: host.forge.pull_requests("fix"),
        lambda: host.forge.comments(case.number),
        lambda: host.forge.permission("dev"),
    ]
    first = [read() for read in reads]
    used = host.server.token_state(host.token).used
    assert [read() for read in reads] == first
    assert host.server.token_state(host.token).used == used
    # All but the tree, which is named by its hash: that is not even asked for again.
    assert [call.status for call in host.forge.calls[len(reads) :]] == [304] * (len(reads) - 1)


def test_one_write_is_one_request_where_nothing_stands_in_its_way(host: ServerHost) -> None:
    sha = host.shop.branches["fix"]
    made = host.forge.create_commit(sha, {"a.py": FileWrite(b"1"), "b.py": FileWrite(b"2")}, "Fix")
    assert isinstance(made, str)
    host.forge.create_branch("grokfix/main/x", made)
    pull = host.forge.open_pull_request("grokfix/main/x", "main", "T", "B", True)
    assert isinstance(pull, PullRequest)
    host.forge.check(Check("grokfix", sha, "T", "S"))
    host.forge.comment(pull.number, MARKER, MARKER)
    shop = "/repos/octo/shop"
    assert [f"{call.method} {call.path.removeprefix(shop)} {call.status}" for call in host.forge.calls] == [
        f"GET /git/commits/{sha} 200",
        "POST /git/trees 201",
        "POST /git/commits 201",
        "POST /git/refs 201",
        "POST /pulls 201",
        "POST /check-runs 201",
        f"GET /issues/{pull.number}/comments 200",  # whose token it is, the check run's answer has told
        f"POST /issues/{pull.number}/comments 201",
    ]
    assert host.shop.seen(made).verified


def test_the_same_comment_again_is_not_sent_again(host: ServerHost) -> None:
    case = Case(host)
    for _ in range(3):
        host.forge.comment(case.number, MARKER, MARKER)
    assert [str(entry).partition("/repos")[0] for entry in host.server.writes] == ["POST "]


@pytest.mark.parametrize("effect", [Refuse(500), Refuse(418), Cut()], ids=repr)
def test_errors_and_logs_never_hold_the_token(
    host: ServerHost, caplog: pytest.LogCaptureFixture, effect: Cut | Refuse
) -> None:
    caplog.set_level(logging.DEBUG)
    case = Case(host)
    host.server.fault("", "", effect, times=20)
    with pytest.raises(ForgeError) as raised:
        case.add_comment()
    assert host.token not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert f"GET /repos/octo/shop/issues/{case.number}/comments" in caplog.text
    assert host.token not in caplog.text


def test_below_no_prefix_as_on_the_public_host(github: GitHubServer, tmp_path: Path) -> None:
    """Every other case here runs below /api/v3, as on a server of one's own."""
    with GitHubServer(tmp_path / "public", api_prefix="") as server:
        host = ServerHost(server)
        sha = host.push("main", {"shop.py": "PRICE = 1\n"})
        assert host.forge.viewer().kind is TokenKind.ACTIONS
        run = host.add_run(sha, log=b"FAILED\n", artifacts={"junit": {"r.xml": b"<x/>"}})
        assert host.forge.job_log(host.forge.jobs(run, 1)[0].id, 100) == b"FAILED\n"
        assert isinstance(host.forge.download(host.forge.artifacts(run)[0], 10_000), bytes)
        host.forge.close()


# --- settings -------------------------------------------------------------------------------------------------------


def test_settings_that_may_be_read(host: ServerHost) -> None:
    settings = host.forge.actions_settings()
    assert (settings.enabled, settings.allowed, settings.may_open_pull_requests) == (True, "all", True)
    host.shop.protected.add("main")
    host.shop.rules["grokfix/new"] = ("creation", "update")
    assert host.forge.branch_rules("main") == ("protected",)
    assert host.forge.branch_rules("grokfix/new") == ("creation", "update")
    host.shop.secrets.add("OWN")
    host.shop.organization_secrets.add("LENT")
    assert [host.forge.has_secret(name) for name in ("OWN", "LENT", "NONE")] == [True, True, False]


def test_settings_that_may_not_be_read_are_unknown(github: GitHubServer) -> None:
    host = ServerHost(github, permissions={"contents": "read"})
    host.push("main", {"shop.py": "PRICE = 1\n"})
    settings = host.forge.actions_settings()
    assert (settings.enabled, settings.allowed, settings.may_open_pull_requests) == (None, None, None)
    assert host.forge.has_secret("ANY") is None
    host.forge.close()
