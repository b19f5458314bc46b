"""The tests' GitHub server proves itself: what stands on it must not be green because the server is lax."""

from __future__ import annotations

import base64
import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from bot import process
from tests.github_server import (
    Call,
    Cut,
    Delay,
    DoneBut,
    GitHubServer,
    Hang,
    JobSpec,
    Refuse,
    Repository,
    TokenKind,
    payloads,
)
from tests.github_server.faults import Effect

EVERYTHING = dict.fromkeys(("contents", "pull-requests", "issues", "actions", "checks"), "write")
WORKFLOW = "name: CI\non: [push, workflow_dispatch]\n"


class Client:
    """Plain HTTP with a token, below one repository."""

    def __init__(self, server: GitHubServer, token: str) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        address = path if path.startswith("http") else f"{self.server.api_url}/repos/octo/shop{path}"
        options = {"timeout": 20, "allow_redirects": False, **options}
        return self.session.request(method, address, json=body, **options)


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.create("octo/shop", {"shop.py": "price = 1\n", ".github/workflows/ci.yml": WORKFLOW})


@pytest.fixture
def call(github: GitHubServer, shop: Repository) -> Iterator[Client]:
    client = Client(github, github.token(TokenKind.ACTIONS, EVERYTHING))
    with client.session:
        yield client


def expected(server: GitHubServer) -> list[str]:
    """The violations so far, taken out."""
    found = list(server.violations)
    server.violations.clear()
    return found


# --- by a client library ----------------------------------------------------------------------------------------------


def test_a_repair_by_pygithub(github: GitHubServer, shop: Repository) -> None:
    """From the failed run to the pull request, with every object that the library makes of the answers."""
    from github import Auth, Github, InputGitTreeElement

    shop.commit("main", {"shop.py": "price = 2\n"}, "break it")
    run = shop.add_run(artifacts={"reports": {"junit.xml": "<testsuite/>"}}, logs={"test (3.13)": "boom\n"})
    token = github.token(TokenKind.ACTIONS, EVERYTHING)
    with Github(
        auth=Auth.Token(token),
        base_url=github.api_url,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    ) as client:
        repository = client.get_repo("octo/shop")
        assert repository.default_branch == "main"
        seen = repository.get_workflow_run(run.id)
        assert (seen.conclusion, seen.head_sha, seen.name) == ("failure", shop.branches["main"], "CI")
        assert [job.name for job in seen.jobs()] == ["test (3.13)"]
        assert [artifact.name for artifact in seen.get_artifacts()] == ["reports"]
        content = repository.get_contents("shop.py", ref=seen.head_sha)
        assert not isinstance(content, list) and content.decoded_content == b"price = 2\n"
        base = repository.get_git_commit(seen.head_sha)
        element = InputGitTreeElement("shop.py", "100644", "blob", content="price = 1\n")
        tree = repository.create_git_tree([element], base_tree=base.tree)
        commit = repository.create_git_commit("Put the price back", tree, [base])
        repository.create_git_ref("refs/heads/grokfix/main/0123456789ab", commit.sha)
        made = repository.create_pull(
            base="main", head="grokfix/main/0123456789ab", title="Put the price back", body="why", draft=True
        )
        made.add_to_labels("grokfix-needs-review")
        made.create_issue_comment("first").create_reaction("eyes")
        check = repository.create_check_run("grokfix", commit.sha, status="in_progress")
        check.edit(conclusion="success", output={"title": "done", "summary": "red, then green"})
        assert [pull.number for pull in repository.get_pulls(head="octo:grokfix/main/0123456789ab")] == [made.number]

    commit_seen = shop.seen("grokfix/main/0123456789ab")
    assert commit_seen.files["shop.py"] == b"price = 1\n"
    assert commit_seen.parents == (run.head_sha,)
    assert (commit_seen.verified, commit_seen.author) == (True, "github-actions[bot]")
    pull = shop.pulls[made.number]
    assert (pull.title, pull.body, pull.draft, pull.user) == ("Put the price back", "why", True, "github-actions[bot]")
    assert [label.name for label in pull.labels] == ["grokfix-needs-review"]
    assert [(one.user, one.body) for one in shop.comments(made.number)] == [("github-actions[bot]", "first")]
    assert [one.content for one in shop.comments(made.number)[0].reactions] == ["eyes"]
    assert [(one.status, one.conclusion, one.title) for one in shop.checks] == [("completed", "success", "done")]
    assert [entry.status for entry in github.writes] == [201, 201, 201, 201, 200, 201, 201, 201, 200]


# --- tokens -----------------------------------------------------------------------------------------------------------

SHA = "0" * 40
GUARDED = [
    ("GET", "/contents/shop.py", None, {"contents": "read"}),
    ("GET", "/git/ref/heads/main", None, {"contents": "read"}),
    ("GET", "/commits/main", None, {"contents": "read"}),
    ("GET", "/compare/main...main", None, {"contents": "read"}),
    ("POST", "/git/blobs", {"content": "x"}, {"contents": "write"}),
    ("POST", "/git/trees", {"tree": [{"path": "a", "mode": "100644", "content": "x"}]}, {"contents": "write"}),
    ("POST", "/git/refs", {"ref": "refs/heads/x", "sha": SHA}, {"contents": "write"}),
    ("PATCH", "/git/refs/heads/main", {"sha": SHA}, {"contents": "write"}),
    ("DELETE", "/git/refs/heads/main", None, {"contents": "write"}),
    ("PUT", "/contents/new", {"message": "m", "content": "eA=="}, {"contents": "write"}),
    ("GET", "/pulls", None, {"pull-requests": "read"}),
    ("POST", "/pulls", {"head": "a", "base": "main", "title": "t"}, {"pull-requests": "write"}),
    ("GET", "/actions/runs", None, {"actions": "read"}),
    ("POST", "/actions/workflows/ci.yml/dispatches", {"ref": "main"}, {"actions": "write"}),
    ("POST", "/check-runs", {"name": "n", "head_sha": SHA}, {"checks": "write"}),
    ("GET", "/issues/1/comments", None, {"issues": "read"}),
    ("GET", "/issues/1/comments", None, {"pull-requests": "read"}),
    ("POST", "/issues/1/comments", {"body": "b"}, {"issues": "write"}),
    ("POST", "/issues/1/comments", {"body": "b"}, {"pull-requests": "write"}),
    ("GET", "/actions/permissions", None, {"administration": "read"}),
    ("GET", "/branches/main/protection", None, {"administration": "read"}),
    ("GET", "/actions/secrets/KEY", None, {"secrets": "read"}),
]


@pytest.mark.parametrize(("method", "path", "body", "needed"), GUARDED)
def test_a_token_gets_what_it_was_granted_and_no_more(
    github: GitHubServer, shop: Repository, method: str, path: str, body: object, needed: dict[str, str]
) -> None:
    shop.add_issue()
    every_other = {**EVERYTHING, "administration": "write", "secrets": "write"}
    related = {"issues", "pull-requests"} if "/issues/" in path else set(needed)
    without = {name: level for name, level in every_other.items() if name not in related}
    refused = Client(github, github.token(TokenKind.ACTIONS, without))(method, path, body)
    assert refused.status_code == 403
    assert refused.json()["message"] == "Resource not accessible by integration"
    ((name, level),) = needed.items()
    assert f"{name.replace('-', '_')}={level}" in refused.headers["x-accepted-github-permissions"]
    if level == "write":
        reader = github.token(TokenKind.USER, dict.fromkeys(every_other, "read"))
        refused = Client(github, reader)(method, path, body)
        assert (refused.status_code, refused.json()["message"]) == (
            403,
            "Resource not accessible by personal access token",
        )
    before = len(github.writes)
    assert Client(github, github.token(TokenKind.ACTIONS, needed))(method, path, body).status_code != 403
    assert len(github.writes) == before + (level == "write")


def test_who_is_not_known_is_not_let_in(github: GitHubServer, shop: Repository) -> None:
    expired = github.token(TokenKind.APP, EVERYTHING)
    github.token_state(expired).expired = True
    for token, message in (("", "Requires authentication"), ("ghs_x", "Bad credentials"), (expired, "Bad credentials")):
        answer = Client(github, token)("GET", "")
        assert (answer.status_code, answer.json()["message"]) == (401, message)
    elsewhere = github.token(TokenKind.ACTIONS, EVERYTHING, repositories=("octo/other",))
    assert Client(github, elsewhere)("GET", "").status_code == 404
    assert [entry.login for entry in github.journal] == ["", "", "", "github-actions[bot]"]


def test_the_setting_that_keeps_actions_from_opening_pull_requests(github: GitHubServer, shop: Repository) -> None:
    shop.commit("fix", {"shop.py": "price = 3\n"})
    shop.actions_may_create_pull_requests = False
    body = {"head": "fix", "base": "main", "title": "t"}
    answer = Client(github, github.token(TokenKind.ACTIONS, EVERYTHING))("POST", "/pulls", body)
    assert answer.status_code == 403
    assert answer.json()["message"] == "GitHub Actions is not permitted to create or approve pull requests."
    assert shop.pulls == {}
    assert Client(github, github.token(TokenKind.APP, EVERYTHING))("POST", "/pulls", body).status_code == 201


@pytest.mark.parametrize(
    ("kind", "login"),
    [(TokenKind.ACTIONS, "github-actions[bot]"), (TokenKind.APP, "grokfix-app[bot]"), (TokenKind.USER, "octocat")],
)
def test_whose_token_it_is(github: GitHubServer, shop: Repository, kind: TokenKind, login: str) -> None:
    call = Client(github, github.token(kind))
    answer = call("POST", github.graphql_url, {"query": "query { viewer { login } }"})
    assert answer.json() == {"data": {"viewer": {"login": login}}}
    assert call("GET", f"{github.api_url}/user").status_code == (200 if kind is TokenKind.USER else 403)
    assert github.writes == ()


def test_permissions_of_people(github: GitHubServer, shop: Repository, call: Client) -> None:
    shop.collaborators |= {"keeper": "maintain", "helper": "triage", "writer": "write"}
    for login in (*shop.collaborators, "stranger"):
        github.world.user(login)
    found = {}
    for login in ("octo", "keeper", "helper", "Writer", "stranger"):
        answer = call("GET", f"/collaborators/{login}/permission").json()
        found[login] = (answer["permission"], answer["role_name"])
    assert found == {
        "octo": ("admin", "admin"),
        "keeper": ("write", "maintain"),
        "helper": ("read", "triage"),
        "Writer": ("write", "write"),
        "stranger": ("none", "none"),
    }
    assert call("GET", "/collaborators/nobody/permission").status_code == 404


# --- rate, ETags, pages -----------------------------------------------------------------------------------------------


def test_a_known_answer_is_304_and_costs_nothing(github: GitHubServer, shop: Repository, call: Client) -> None:
    first = call("GET", "/git/ref/heads/main")
    known = {"If-None-Match": first.headers["etag"]}
    again = call("GET", "/git/ref/heads/main", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    shop.commit("main", {"shop.py": "price = 5\n"})
    changed = call("GET", "/git/ref/heads/main", headers=known)
    assert changed.json()["object"]["sha"] == shop.branches["main"]
    assert int(changed.headers["x-ratelimit-remaining"]) == int(first.headers["x-ratelimit-remaining"]) - 1
    assert [entry.conditional for entry in github.journal] == [False, True, True]


def test_rate_limits(github: GitHubServer, shop: Repository) -> None:
    token = github.token(TokenKind.ACTIONS, EVERYTHING)
    call = Client(github, token)
    github.limit_secondary(2, status=429, retry_after=7)
    for _ in range(2):
        answer = call("GET", "")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert "secondary rate limit" in answer.json()["message"]
    assert call("GET", "").status_code == 200
    state = github.token_state(token)
    state.used = state.limit
    answer = call("GET", "")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert int(answer.headers["x-ratelimit-reset"]) > github.world.now()
    state.reset_at = 0  # the hour is over
    assert call("GET", "").status_code == 200


def test_pages(shop: Repository, call: Client) -> None:
    issue = shop.add_issue()
    made = [shop.add_comment(issue.number, "octocat", f"comment {at}").id for at in range(7)]
    answer = call("GET", f"/issues/{issue.number}/comments?per_page=3")
    pages = [answer]
    while "next" in answer.links:
        answer = call("GET", answer.links["next"]["url"])
        pages.append(answer)
    assert [[one["id"] for one in page.json()] for page in pages] == [made[:3], made[3:6], made[6:]]
    assert set(pages[1].links) == {"prev", "first", "next", "last"}
    assert call("GET", f"/issues/{issue.number}/comments?per_page=3&page=9").json() == []
    for at in range(3):
        shop.add_run(created=1_700_000_000.0 + at)
    envelope = call("GET", "/actions/runs?per_page=2").json()
    assert (envelope["total_count"], len(envelope["workflow_runs"])) == (3, 2)


# --- git data ---------------------------------------------------------------------------------------------------------


def test_only_a_bots_commit_that_names_nobody_is_signed(github: GitHubServer, shop: Repository) -> None:
    person = {"name": "Somebody", "email": "some@body.example", "date": "2024-02-03T04:05:06+02:00"}
    tree = shop.git.read(shop.branches["main"], "tree")
    assert tree is not None
    body = {"message": "a message\n\nwith a body\n", "tree": tree[0], "parents": [shop.branches["main"]]}
    signed = {}
    for kind in (TokenKind.ACTIONS, TokenKind.APP, TokenKind.USER):
        call = Client(github, github.token(kind, EVERYTHING))
        for name, extra in (("", {}), ("author", {"author": person}), ("committer", {"committer": person})):
            answer = call("POST", "/git/commits", {**body, **extra}).json()
            signed[kind, name] = answer["verification"]["verified"]
            if name == "author":
                assert answer["author"] == {**person, "date": "2024-02-03T02:05:06Z"}
            assert shop.seen(answer["sha"]).message == "a message\n\nwith a body"
    assert {key for key, value in signed.items() if value} == {(TokenKind.ACTIONS, ""), (TokenKind.APP, "")}


def test_a_ref_moves_forward_only(shop: Repository, call: Client) -> None:
    base = shop.branches["main"]
    newer = shop.commit("other", {"shop.py": "price = 9\n"})
    aside = shop.commit("aside", {"shop.py": "price = 8\n"}, start=base)
    assert call("PATCH", "/git/refs/heads/main", {"sha": newer, "force": False}).status_code == 200
    assert call("PATCH", "/git/refs/heads/main", {"sha": newer}).status_code == 200  # it is there: no harm
    refused = call("PATCH", "/git/refs/heads/main", {"sha": aside, "force": False})
    assert (refused.status_code, refused.json()["message"]) == (422, "Update is not a fast forward")
    assert shop.branches["main"] == newer
    assert call("PATCH", "/git/refs/heads/main", {"sha": aside, "force": True}).status_code == 200
    assert call("POST", "/git/refs", {"ref": "refs/heads/main", "sha": base}).json()["message"] == (
        "Reference already exists"
    )
    assert call("PATCH", "/git/refs/heads/nowhere", {"sha": base}).json()["message"] == "Reference does not exist"
    for ref in ("refs/heads/a..b", "refs/heads/a b", "heads/x", "refs/x", "refs/heads/-~"):
        assert call("POST", "/git/refs", {"ref": ref, "sha": base}).status_code == 422
    shop.protected.add("main")
    shop.rules["grokfix/main/a"] = ("creation",)
    assert call("PATCH", "/git/refs/heads/main", {"sha": aside}).status_code == 422
    assert call("POST", "/git/refs", {"ref": "refs/heads/grokfix/main/a", "sha": base}).status_code == 422
    assert "grokfix/main/a" not in shop.branches


def test_of_many_who_move_a_ref_at_once_one_wins(github: GitHubServer, shop: Repository) -> None:
    base = shop.branches["main"]
    heads = [shop.commit(f"try-{at}", {"shop.py": f"price = {at}\n"}, start=base) for at in range(6)]
    token = github.token(TokenKind.ACTIONS, EVERYTHING)

    def move(sha: str) -> int:
        return Client(github, token)("PATCH", "/git/refs/heads/main", {"sha": sha, "force": False}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(move, heads)) == [200, 422, 422, 422, 422, 422]
    assert shop.branches["main"] in heads


def test_trees(shop: Repository, call: Client) -> None:
    """Laid over a base: contents, blobs, modes, deletions, folders; and what GitHub does not take."""
    shop.commit("main", {"tests/test_shop.py": "one\n", "lib/a.py": "a\n"})
    base = shop.branches["main"]
    raw = call("POST", "/git/blobs", {"content": base64.b64encode(b"\xff\x00").decode(), "encoding": "base64"}).json()
    entries = [
        {"path": "shop.py", "mode": "100755", "type": "blob", "content": "zwölf\n"},
        {"path": "data/raw.bin", "mode": "100644", "type": "blob", "sha": raw["sha"]},
        {"path": "tests/test_shop.py", "mode": "100644", "type": "blob", "sha": None},
        {"path": "lib", "mode": "100644", "type": "blob", "content": "a file where a folder was\n"},
    ]
    tree = call("POST", "/git/trees", {"base_tree": base, "tree": entries}).json()["sha"]
    commit = call("POST", "/git/commits", {"message": "m", "tree": tree, "parents": [base]}).json()["sha"]
    seen = shop.seen(commit)
    assert {path: data for path, data in seen.files.items() if not path.startswith(".github")} == {
        "shop.py": "zwölf\n".encode(),
        "data/raw.bin": b"\xff\x00",
        "lib": b"a file where a folder was\n",
    }
    assert seen.modes["shop.py"] == "100755"
    assert shop.branches["main"] == base  # no branch holds it
    listing = call("GET", f"/git/trees/{commit}?recursive=1").json()
    assert {one["path"] for one in listing["tree"] if one["type"] == "blob"} == set(seen.files)
    shop.tree_limit = 2
    assert call("GET", f"/git/trees/{commit}?recursive=1").json()["truncated"] is True
    for wrong in (
        {"path": "nowhere.py", "mode": "100644", "type": "blob", "sha": None},
        {"path": "../up", "mode": "100644", "type": "blob", "content": ""},
        {"path": "/up", "mode": "100644", "type": "blob", "content": ""},
        {"path": ".GIT/config", "mode": "100644", "type": "blob", "content": ""},
        {"path": "a", "mode": "100644", "type": "blob", "sha": SHA},
        {"path": "a", "mode": "100644", "type": "blob"},
        {"path": "a", "mode": "100644", "type": "blob", "content": "", "sha": raw["sha"]},
    ):
        assert call("POST", "/git/trees", {"base_tree": base, "tree": [wrong]}).status_code == 422, wrong
    assert call("POST", "/git/trees", {"base_tree": SHA, "tree": entries}).status_code == 404


def test_contents(shop: Repository, call: Client) -> None:
    shop.commit(
        "main", {"tests/ünï cödé.py": "x\n", "big.txt": "x" * 1_000_001, "link": "shop.py"}, modes={"link": "120000"}
    )
    found = call("GET", "/contents/tests/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9.py?ref=main").json()
    assert base64.b64decode(found["content"]) == b"x\n"
    assert [one["type"] for one in call("GET", "/contents/tests").json()] == ["file"]
    assert call("GET", "/contents/big.txt").json()["encoding"] == "none"
    assert call("GET", "/contents/link").json()["target"] == "shop.py"
    raw = call("GET", "/contents/big.txt", headers={"Accept": "application/vnd.github.raw+json"})
    assert len(raw.content) == 1_000_001
    for path in ("nowhere", "shop.py?ref=nowhere", "..%2f..%2fetc%2fpasswd", "shop.py?ref=main~1", "shop.py?ref=--all"):
        assert call("GET", f"/contents/{path}").status_code == 404
    put = {"message": "m", "content": base64.b64encode(b"price = 4\n").decode()}
    assert call("PUT", "/contents/shop.py", put).status_code == 422  # whose contents does it replace?
    assert call("PUT", "/contents/shop.py", {**put, "sha": found["sha"]}).status_code == 409
    sha = call("GET", "/contents/shop.py").json()["sha"]
    assert call("PUT", "/contents/shop.py", {**put, "sha": sha}).status_code == 200
    assert call("PUT", "/contents/new.py", {**put, "branch": "main"}).status_code == 201
    assert shop.file("main", "shop.py") == shop.file("main", "new.py") == b"price = 4\n"


def test_compare(shop: Repository, call: Client) -> None:
    base = shop.branches["main"]
    made = [shop.commit("topic/a", {"shop.py": f"price = {at}\n", "blob": bytes([0, at])}) for at in (2, 3)]
    shop.commit("main", {"other.py": "x\n"})
    found = call("GET", "/compare/main...topic/a").json()
    assert (found["status"], found["ahead_by"], found["behind_by"]) == ("diverged", 2, 1)
    assert found["merge_base_commit"]["sha"] == base
    assert [one["sha"] for one in found["commits"]] == made
    assert [(one["filename"], one["status"]) for one in found["files"]] == [("blob", "added"), ("shop.py", "modified")]
    assert call("GET", f"/compare/{base}...{made[0]}").json()["status"] == "ahead"
    assert call("GET", "/compare/main...nowhere").status_code == 404


@pytest.mark.parametrize("ref", ["nowhere", "main~1", "main^{tree}", "-x", "HEAD..main", "@{-1}", SHA, "main%0aHEAD"])
def test_no_syntax_of_gits_is_understood(call: Client, ref: str) -> None:
    assert call("GET", f"/commits/{ref}").status_code == 422


@pytest.mark.parametrize("ref", ["main", "heads/main", "refs/heads/main", "HEAD"])
def test_names_of_a_commit(shop: Repository, call: Client, ref: str) -> None:
    assert call("GET", f"/commits/{ref}").json()["sha"] == shop.branches["main"]


def test_an_empty_repository(github: GitHubServer, call: Client) -> None:
    github.create("octo/empty")
    for path in ("git/ref/heads/main", "commits/main"):
        assert call("GET", f"{github.api_url}/repos/octo/empty/{path}").status_code == 409
    assert call("GET", f"{github.api_url}/repos/octo/empty/contents/a").status_code == 404


# --- runs -------------------------------------------------------------------------------------------------------------


def archive(response: requests.Response) -> zipfile.ZipFile:
    assert response.status_code == 302
    location = response.headers["location"]
    assert location.startswith("http://localhost:")  # another host name and port than the API's
    return zipfile.ZipFile(io.BytesIO(requests.get(location, timeout=20).content))


def test_what_a_run_left(github: GitHubServer, shop: Repository, call: Client) -> None:
    jobs = (JobSpec("lint", "success"), JobSpec("test (3.13)", steps=(("Set up", "success"), ("pytest", "failure"))))
    run = shop.add_run(
        jobs=jobs, logs={"test (3.13)": "E  boom"}, artifacts={"reports": {"a.xml": "<x/>"}, "gone": b""}
    )
    run.artifacts[1].expired = True
    listed = call("GET", f"/actions/runs/{run.id}/attempts/1/jobs").json()["jobs"]
    assert [(job["name"], job["conclusion"]) for job in listed] == [("lint", "success"), ("test (3.13)", "failure")]
    assert [(step["number"], step["conclusion"]) for step in listed[1]["steps"]] == [(1, "success"), (2, "failure")]
    log = call("GET", f"/actions/jobs/{listed[1]['id']}/logs")
    assert requests.get(log.headers["location"], timeout=20).content == b"E  boom"
    logs = archive(call("GET", f"/actions/runs/{run.id}/logs"))
    assert logs.read("test (3.13)/2_pytest.txt") == logs.read("1_test (3.13).txt") == b"E  boom"
    named = call("GET", f"/actions/runs/{run.id}/artifacts?name=reports").json()["artifacts"]
    assert archive(call("GET", f"/actions/artifacts/{named[0]['id']}/zip")).read("a.xml") == b"<x/>"
    assert call("GET", f"/actions/artifacts/{run.artifacts[1].id}/zip").status_code == 410
    run.jobs[0].log_gone = True
    assert call("GET", f"/actions/jobs/{run.jobs[0].id}/logs").status_code == 410
    assert call("GET", f"/actions/runs/{run.id}/attempts/2/jobs").status_code == 404


def test_storage_takes_no_credential(github: GitHubServer, shop: Repository, call: Client) -> None:
    """Following the redirect with the API's Authorization hands the token to another host."""
    run = shop.add_run(artifacts={"reports": {"a.xml": "<x/>"}})
    location = call("GET", f"/actions/artifacts/{run.artifacts[0].id}/zip").headers["location"]
    assert call("GET", location).status_code == 418
    assert "credential was sent to the storage host" in expected(github)[0]
    assert requests.get(location.partition("?")[0], timeout=20).status_code == 403  # unsigned


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "edcba"),
        ("branch=main", "edca"),
        ("status=failure", "db"),
        ("status=queued", "e"),
        ("event=pull_request", "b"),
        ("branch=main&status=success&per_page=1", "c"),
        ("created=%3E%3D2023-11-15", "edc"),
        ("created=2023-11-14..2023-11-14", "ba"),
        ("created=*..2023-11-14T22:13:20Z", "a"),
        ("actor=Somebody", "d"),
    ],
)
def test_filters_of_runs(shop: Repository, call: Client, query: str, found: str) -> None:
    shop.commit("topic", {"shop.py": "price = 7\n"})
    at = 1_700_000_000.0  # 2023-11-14T22:13:20Z
    runs = {
        shop.add_run(created=at, conclusion="success").id: "a",
        shop.add_run(created=at + 60, branch="topic", event="pull_request").id: "b",
        shop.add_run(created=at + 86_400, conclusion="success").id: "c",
        shop.add_run("Other", created=at + 90_000, actor="somebody").id: "d",
        shop.add_run(created=at + 90_000, status="queued").id: "e",
    }
    answer = call("GET", f"/actions/runs?{query}").json()["workflow_runs"]
    assert "".join(runs[run["id"]] for run in answer) == found
    of_workflow = call("GET", f"/actions/workflows/ci.yml/runs?{query}").json()["workflow_runs"]
    assert "".join(runs[run["id"]] for run in of_workflow) == found.replace("d", "")[: 1 if "per_page" in query else 9]


def test_attempts_cancelling_and_dispatching(shop: Repository, call: Client) -> None:
    run = shop.add_run(logs={"test": "first"})
    shop.rerun(run, triggering_actor="writer", logs={"test": "second"})
    seen = call("GET", f"/actions/runs/{run.id}").json()
    assert (seen["run_attempt"], seen["actor"]["login"], seen["triggering_actor"]["login"]) == (2, "octocat", "writer")
    assert seen["run_started_at"] > seen["created_at"]
    ids = [call("GET", f"/actions/runs/{run.id}/attempts/{n}/jobs").json()["jobs"][0]["id"] for n in (1, 2)]
    assert ids == [job.id for job in run.jobs]
    assert call("POST", f"/actions/runs/{run.id}/cancel").status_code == 409
    assert call("POST", "/actions/workflows/ci.yml/dispatches", {"ref": "nowhere"}).status_code == 422
    assert call("POST", "/actions/workflows/other.yml/dispatches", {"ref": "main"}).status_code == 404
    started = call("POST", "/actions/workflows/ci.yml/dispatches", {"ref": "main", "inputs": {"why": "fix"}})
    assert (started.status_code, shop.runs[-1].event, shop.runs[-1].inputs) == (
        204,
        "workflow_dispatch",
        {"why": "fix"},
    )
    assert call("POST", f"/actions/runs/{shop.runs[-1].id}/cancel").status_code == 202
    assert shop.runs[-1].conclusion == "cancelled"


# --- pull requests, comments, checks ----------------------------------------------------------------------------------


def test_pull_requests(shop: Repository, call: Client) -> None:
    head = shop.commit("grokfix/main/a", {"shop.py": "price = 2\n"})
    body = {"head": "grokfix/main/a", "base": "main", "title": "Fix", "body": "why", "draft": True}
    made = call("POST", "/pulls", body).json()
    again = call("POST", "/pulls", body)
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "A pull request already exists for octo:grokfix/main/a."
    assert made["head"]["sha"] == head
    merge = shop.seen(made["merge_commit_sha"])
    assert merge.parents == (shop.branches["main"], head)
    for wrong in ({"head": "nowhere"}, {"base": "nowhere"}, {"head": "main"}, {"title": ""}, {"title": "t" * 257}):
        assert call("POST", "/pulls", {**body, **wrong}).status_code == 422
    assert call("PATCH", f"/pulls/{made['number']}", {"body": "b" * 65_537}).status_code == 422
    newer = shop.commit("grokfix/main/a", {"shop.py": "price = 3\n"})
    shop.commit("main", {"shop.py": "price = 4\n"})
    seen = call("GET", f"/pulls/{made['number']}").json()
    assert (seen["head"]["sha"], seen["mergeable"], seen["merge_commit_sha"]) == (newer, False, None)
    assert call("PATCH", f"/pulls/{made['number']}", {"state": "closed"}).json()["state"] == "closed"
    assert call("GET", "/pulls").json() == []
    assert len(call("GET", "/pulls?state=all&head=octo:grokfix/main/a").json()) == 1
    assert call("GET", "/pulls?state=all&head=mallory:grokfix/main/a").json() == []
    assert call("POST", "/pulls", body).status_code == 201
    assert call("DELETE", "/git/refs/heads/grokfix/main/a").status_code == 204
    assert [pull.state for pull in shop.pulls.values()] == ["closed", "closed"]


def test_reviewers(shop: Repository, call: Client) -> None:
    shop.collaborators["keeper"] = "write"
    shop.commit("fix", {"shop.py": "price = 2\n"})
    pull = shop.add_pull("fix", user="author")
    path = f"/pulls/{pull.number}/requested_reviewers"
    for login in ("stranger", "author"):
        assert call("POST", path, {"reviewers": ["keeper", login]}).status_code == 422
    assert pull.reviewers == []
    assert call("POST", path, {"reviewers": ["keeper"], "team_reviewers": ["core"]}).status_code == 201
    assert (pull.reviewers, pull.teams) == (["keeper"], ["core"])


def test_forks(github: GitHubServer, shop: Repository, call: Client) -> None:
    fork = github.fork(shop, "mallory")
    head = fork.commit("main", {"shop.py": "price = 6\n"})
    pull = shop.add_pull("main", from_fork=fork, user="mallory")
    run = shop.add_run(branch="main", head_sha=head, event="pull_request", head_repository=fork.full_name)
    seen = call("GET", f"/pulls/{pull.number}").json()
    assert (seen["head"]["sha"], seen["head"]["label"]) == (head, "mallory:main")
    assert seen["head"]["repo"]["full_name"] == "mallory/shop"
    assert shop.seen(pull.merge_sha).files["shop.py"] == b"price = 6\n"
    newer = fork.commit("main", {"shop.py": "price = 7\n"})
    assert pull.head_sha == newer
    fork.deleted = True
    assert call("GET", f"/pulls/{pull.number}").json()["head"]["repo"] is None
    assert call("GET", f"/actions/runs/{run.id}").json()["head_repository"] is None


def test_comments_and_reactions(shop: Repository, call: Client) -> None:
    issue = shop.add_issue()
    comment = shop.add_comment(issue.number, "octocat", "/grok fix")
    path = f"/issues/comments/{comment.id}"
    statuses = [call("POST", f"{path}/reactions", {"content": "eyes"}).status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert [one.content for one in shop.reactions(comment.id)] == ["eyes"]
    assert call("PATCH", path, {"body": "other"}).json()["body"] == "other"
    assert comment.edits == ["/grok fix"]
    for body in ("", " \n", "x" * 65_537):
        assert call("POST", f"/issues/{issue.number}/comments", {"body": body}).status_code == 422
    assert call("POST", "/issues/99/comments", {"body": "b"}).status_code == 404
    assert call("DELETE", path).status_code == 204
    assert shop.comments(issue.number) == []


def test_checks(github: GitHubServer, shop: Repository, call: Client) -> None:
    sha = shop.branches["main"]
    mark = {"path": "shop.py", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"}
    output = {"title": "t", "summary": "s", "annotations": [mark] * 50}
    made = call("POST", "/check-runs", {"name": "grokfix", "head_sha": sha, "output": output}).json()
    path = f"/check-runs/{made['id']}"
    assert call("PATCH", path, {"output": output}).json()["output"]["annotations_count"] == 100
    assert call("PATCH", path, {"conclusion": "failure"}).json()["status"] == "completed"
    assert call("GET", f"/commits/{sha}/check-runs?check_name=grokfix").json()["total_count"] == 1
    assert call("POST", "/check-runs", {"name": "n", "head_sha": SHA}).status_code == 422
    person = Client(github, github.token(TokenKind.USER, EVERYTHING))
    assert person("POST", "/check-runs", {"name": "n", "head_sha": sha}).status_code == 403
    too_many = {**output, "annotations": [mark] * 51}
    assert call("PATCH", path, {"output": too_many}).status_code == 418
    assert "body.output.annotations" in expected(github)[0]


def test_settings(github: GitHubServer, shop: Repository) -> None:
    """What `doctor` asks; an Actions token is never granted administration or secrets."""
    shop.rules["main"] = ("pull_request", "required_signatures")
    shop.protected.add("main")
    shop.secrets.add("XAI_API_KEY")
    shop.organization_secrets.add("OTHER_KEY")
    shop.actions_may_create_pull_requests = False
    call = Client(
        github, github.token(TokenKind.USER, {"administration": "read", "secrets": "read", "contents": "read"})
    )
    assert [rule["type"] for rule in call("GET", "/rules/branches/main").json()] == list(shop.rules["main"])
    assert call("GET", "/rules/branches/not/there").json() == []
    assert call("GET", "/branches/main").json()["protected"] is True
    assert call("GET", "/branches/main/protection").status_code == 200
    assert call("GET", "/branches/nowhere").status_code == 404
    assert call("GET", "/actions/permissions").json()["enabled"] is True
    assert call("GET", "/actions/permissions/workflow").json()["can_approve_pull_request_reviews"] is False
    assert [call("GET", f"/actions/secrets/{name}").status_code for name in ("XAI_API_KEY", "NONE")] == [200, 404]
    listed = call("GET", "/actions/organization-secrets").json()["secrets"]
    assert [secret["name"] for secret in listed] == ["OTHER_KEY"]
    assert call("GET", f"{github.api_url}/rate_limit").json()["rate"]["limit"] == 5000
    assert [
        one["path"]
        for one in Client(github, github.token(permissions={"actions": "read"}))("GET", "/actions/workflows").json()[
            "workflows"
        ]
    ] == [".github/workflows/ci.yml"]


# --- the description --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("GET", "/pulls?stat=all", None, "query parameter 'stat' is unknown"),
        ("GET", "/pulls?state=merged", None, "query state"),
        ("GET", "/pulls/one", None, "path pull_number"),
        ("GET", "/actions/runs?per_page=many", None, "query per_page"),
        ("POST", "/git/refs", {"ref": "refs/heads/x"}, "'sha' is a required property"),
        ("POST", "/git/refs", None, "the body is missing"),
        ("POST", "/issues/1/comments", {"body": 1}, "is not of type 'string'"),
        ("POST", "/issues/1/comments", {"body": "b", "mark": 1}, "'mark' is unknown"),
        ("POST", "/issues/1/labels", [1], "body"),
        ("POST", "/issues/comments/1/reactions", {"content": "ok"}, "body.content"),
        ("POST", "/git/trees", {"tree": [{"path": "a", "mode": "644", "content": ""}]}, "body.tree[0].mode"),
        ("GET", "/pull/1", None, "GitHub has no such operation"),
        ("POST", "/git/tags", {}, "no route for /repos/{owner}/{repo}/git/tags"),
    ],
)
def test_a_request_against_the_description_is_caught(
    github: GitHubServer, call: Client, method: str, path: str, body: object, told: str
) -> None:
    answer = call(method, path, body)
    assert answer.status_code == 418
    (violation,) = expected(github)
    assert told in violation
    assert violation in answer.json()["message"]


@pytest.mark.parametrize("query", ["{ viewer { login name } }", "mutation { x }", "", None])
def test_no_other_graphql_is_known(github: GitHubServer, call: Client, query: str | None) -> None:
    assert call("POST", github.graphql_url, {"query": query} if query is not None else [1]).status_code == 418
    assert "the only GraphQL query known" in expected(github)[0]


def test_a_body_that_is_no_json(github: GitHubServer, call: Client) -> None:
    assert call("POST", "/git/blobs", data=b"{").status_code == 418
    assert "no JSON" in expected(github)[0]


def test_an_own_answer_against_the_description_is_caught(github: GitHubServer, shop: Repository, call: Client) -> None:
    shop.id = "not a number"  # type: ignore[assignment]
    assert call("GET", "").status_code == 418
    assert "own answer 200" in expected(github)[0]
    shop.branches["main"]
    shop.git.path = Path("/nonexistent")  # a defect in a route is told, not swallowed
    assert call("GET", "/git/ref/heads/main").status_code == 418
    assert "Traceback" in expected(github)[0]


def test_a_violation_fails_the_test_that_caused_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="GitHub has no such operation"), GitHubServer(tmp_path / "own") as server:
        server.create("octo/shop", {})
        Client(server, server.token())("GET", "/nothing")


def test_payloads_are_complete(github: GitHubServer, shop: Repository) -> None:
    shop.commit("fix", {"shop.py": "price = 2\n"})
    pull = shop.add_pull("fix")
    on_pull = shop.add_comment(pull.number, "octocat", "/grok fix")
    on_issue = shop.add_comment(shop.add_issue().number, "octocat", "hello")
    made: list[tuple[str, dict[str, Any]]] = [
        ("webhook-workflow-run-completed", payloads.of_run(shop, shop.add_run(pull_requests=[pull.number]))),
        ("webhook-issue-comment-created", payloads.of_comment(shop, on_pull)),
        ("webhook-issue-comment-created", payloads.of_comment(shop, on_issue)),
        ("webhook-issue-comment-edited", payloads.of_comment(shop, on_pull, "edited")),
        ("webhook-pull-request-opened", payloads.of_pull(shop, pull)),
        ("webhook-push", payloads.of_push(shop, "fix")),
        ("webhook-workflow-dispatch", payloads.of_dispatch(shop, ".github/workflows/ci.yml", "main", {"ref": "x"})),
    ]
    for schema, payload in made:
        assert github.description.faults_of(schema, payload) == []
        for key in payload:
            assert github.description.faults_of(schema, {**payload, key: 1.5}) != [], (schema, key)
    assert "pull_request" in made[1][1]["issue"] and "pull_request" not in made[2][1]["issue"]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "status", "done"),
    [
        (Refuse(502), 502, False),
        (Refuse(403, "slow down", {"Retry-After": "3"}), 403, False),
        (Cut(before=True), None, False),
        (Cut(), None, True),
        (DoneBut(500), 500, True),
        (Hang(), None, True),
        (Delay(0.01), 201, True),
    ],
)
def test_faults(
    github: GitHubServer, shop: Repository, call: Client, effect: Effect, status: int | None, done: bool
) -> None:
    issue = shop.add_issue()
    github.fault("POST", r"/comments$", effect, nth=2)
    path = f"/issues/{issue.number}/comments"
    assert call("POST", path, {"body": "first"}).status_code == 201
    if status is None:
        with pytest.raises(requests.RequestException):
            call("POST", path, {"body": "second"}, timeout=0.3)
    else:
        assert call("POST", path, {"body": "second"}).status_code == status
    assert call("POST", path, {"body": "third"}).status_code == 201
    bodies = [comment.body for comment in shop.comments(issue.number)]
    assert bodies == (["first", "second", "third"] if done else ["first", "third"])
    assert [entry.status for entry in github.writes] == [201, status or 0, 201]


def test_a_callback_after_the_nth_write(github: GitHubServer, shop: Repository, call: Client) -> None:
    """GraphQL and reads are none."""
    issue = shop.add_issue()
    seen: list[int] = []
    github.fault("WRITE", "", Call(lambda: seen.append(len(shop.comments(issue.number)))), nth=2)
    for body in ("first", "second", "third"):
        call("POST", github.graphql_url, {"query": "{viewer{login}}"})
        call("GET", "")
        call("POST", f"/issues/{issue.number}/comments", {"body": body})
    assert seen == [2]


def test_the_journal(github: GitHubServer, shop: Repository, call: Client) -> None:
    call("GET", "/pulls?state=all")
    call("PUT", "/contents/a%20b", {"message": "m", "content": ""})
    assert [str(entry) for entry in github.journal] == [
        "GET /repos/octo/shop/pulls?state=all 200",
        "PUT /repos/octo/shop/contents/a%20b 201",
    ]
    assert [(entry.host, entry.login) for entry in github.writes] == [("api", "github-actions[bot]")]


def test_nothing_is_left_when_it_closes(tmp_path: Path) -> None:
    before = threading.active_count()
    with GitHubServer(tmp_path / "own", api_prefix="") as server:
        server.create("octo/shop", {})
        call = Client(server, server.token())
        assert call("GET", "").status_code == 200  # the connection stays open
        assert server.api_url == server.server_url
        assert server.graphql_url == f"{server.server_url}/graphql"
    assert threading.active_count() == before
    call.session.close()


# --- git over HTTP ----------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str, token: str = "") -> process.Completed:
    environment = {**process.minimal_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    if token:
        secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: basic {secret}",
        }
    return process.run(("git", *arguments), cwd=folder, environment=environment)


def test_clone_and_fetch(github: GitHubServer, shop: Repository, call: Client, tmp_path: Path) -> None:
    """A clone; a commit that no branch holds, by its SHA; the test merge of a pull request."""
    token = github.token(TokenKind.ACTIONS, {"contents": "read"})
    assert git(tmp_path, "clone", "--quiet", shop.clone_url, "copy", token=token).exit_code == 0
    copy = tmp_path / "copy"
    assert (copy / "shop.py").read_text() == "price = 1\n"
    base = shop.branches["main"]
    tree = call("POST", "/git/trees", {"base_tree": base, "tree": [{"path": "shop.py", "content": "price = 2\n"}]})
    commit = call("POST", "/git/commits", {"message": "m", "tree": tree.json()["sha"], "parents": [base]}).json()["sha"]
    shop.commit("topic", {"other.py": "x\n"})
    pull = shop.add_pull("topic")
    for ref, sha in ((commit, commit), (f"refs/pull/{pull.number}/merge", pull.merge_sha)):
        done = git(copy, "fetch", "--quiet", "--depth=1", "origin", ref, token=token)
        assert done.exit_code == 0, done.stderr
        assert git(copy, "rev-parse", "FETCH_HEAD").stdout.decode().strip() == sha
    entries = {entry.path for entry in github.journal if entry.host == "git"}
    assert entries == {"/octo/shop.git/info/refs", "/octo/shop.git/git-upload-pack"}
    assert not any(entry.write for entry in github.journal if entry.host == "git")


def test_git_is_refused(github: GitHubServer, shop: Repository, tmp_path: Path) -> None:
    for token in ("", "ghs_unknown", github.token(TokenKind.ACTIONS, {"issues": "write"})):
        assert git(tmp_path, "clone", "--quiet", shop.clone_url, "copy", token=token).exit_code != 0
    writer = github.token(TokenKind.ACTIONS, EVERYTHING)
    assert git(tmp_path, "clone", "--quiet", shop.clone_url, "copy", token=writer).exit_code == 0
    pushed = git(tmp_path / "copy", "push", "--quiet", "origin", "HEAD:refs/heads/pushed", token=writer)
    assert pushed.exit_code != 0
    assert "pushed" not in shop.branches
    shop.deleted = True
    assert git(tmp_path / "copy", "fetch", "--quiet", token=writer).exit_code != 0
