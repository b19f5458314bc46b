"""Requests to GitHub: what is asked again, what is waited for, what is kept, and what never leaves."""

from __future__ import annotations

import concurrent.futures
import json
import logging

import pytest

from bot.adapters.github import GitHubForge
from bot.errors import ConfigError, ForgeError
from bot.ports import Comment, Denied, FileWrite, JsonValue, Permission, TokenKind, Viewer
from tests.fakes import FakeClock
from tests.github_server.exchange import Request, Response
from tests.github_server.faults import Cut, Fault
from tests.unit.adapters.scripted import TOKEN, scripted

REPOSITORY = Response(200, {"default_branch": "main"})
SHA = "1" * 40


def branch(name: str, sha: str = SHA) -> Response:
    return Response(200, {"name": name, "commit": {"sha": sha, "commit": {"tree": {"sha": "base"}}}})


REF = Response(200, {"ref": "refs/heads/fix", "object": {"sha": SHA}})
NOW = int(FakeClock().now())


def limit(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"message": "You have exceeded a secondary rate limit."}, named)


@pytest.mark.parametrize(
    ("replies", "slept"),
    [
        ((Response(502), REPOSITORY), 1.0),
        ((Response(500), Response(503), REPOSITORY), 5.0),
        ((limit(403, retry_after="7"), REPOSITORY), 7.0),
        ((limit(429, retry_after="60"), limit(429, retry_after="2"), REPOSITORY), 64.0),
        ((limit(403), REPOSITORY), 60.0),
        ((limit(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(NOW + 20)), REPOSITORY), 21.0),
        ((Response(200, b"<html>a proxy</html>"), REPOSITORY), 1.0),
        ((Response(200, b'{"default_branch": "ma'), REPOSITORY), 1.0),
    ],
)
def test_reads_are_asked_again_after_a_pause(replies: tuple[Response, ...], slept: float) -> None:
    clock = FakeClock()
    with scripted(*replies) as host:
        forge = host.forge(clock)
        assert forge.default_branch() == "main"
        assert len(host.asked) == len(replies)
        assert clock.time - 1_000.0 == pytest.approx(slept)
        forge.close()


@pytest.mark.parametrize(
    ("reply", "asked", "says"),
    [
        (Response(502), 4, "try again later"),
        (limit(403, retry_after="1"), 4, "rate limit"),
        (limit(403, retry_after="3600"), 1, "60 minutes"),
        (limit(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(NOW + 1800)), 1, "30 minutes"),
        (Response(401, {"message": "Bad credentials"}), 1, "expired"),
        (Response(403, {"message": "Resource not accessible by integration"}), 1, "`metadata: read`"),
        (Response(404, {"message": "Not Found"}), 1, "check its name"),
        (Response(200, {"message": "moved"}), 1, "default_branch"),
        (Response(200, b"[" * 100_000), 4, "JSON"),
        (Response(307, None, {"Location": "/repositories/1"}), 1, "renamed or moved"),
        (Response(301, None, {"Location": "https://elsewhere.test/repositories/1"}), 4, "GITHUB_API_URL"),
    ],
)
def test_reads_that_stay_refused_end_in_an_error(reply: Response, asked: int, says: str) -> None:
    with scripted(reply) as host:
        forge = host.forge()
        with pytest.raises(ForgeError) as raised:
            forge.default_branch()
        assert says in str(raised.value)
        assert TOKEN not in str(raised.value)
        assert len(host.asked) == asked
        forge.close()


def test_a_host_that_does_not_answer_is_named_without_the_token() -> None:
    with scripted(REPOSITORY) as host:
        forge = host.forge()
    with pytest.raises(ForgeError, match=r"http://127\.0\.0\.1:\d+ did not answer GET /repos/octo/shop") as raised:
        forge.default_branch()
    assert raised.value.status == 0
    assert TOKEN not in str(raised.value)
    forge.close()


def test_an_unchanged_answer_is_asked_conditionally_and_kept() -> None:
    def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == 'W/"first"':
            return Response(304, None, {"ETag": 'W/"first"'})
        return Response(200, {"default_branch": "main"}, {"ETag": 'W/"first"'})

    with scripted(answer) as host:
        forge = host.forge()
        assert [forge.default_branch() for _ in range(3)] == ["main"] * 3
        assert [call.status for call in forge.calls] == [200, 304, 304]
        forge.close()


def test_a_changed_answer_replaces_the_kept_one() -> None:
    first = Response(200, {"default_branch": "main"}, {"ETag": '"1"'})
    second = Response(200, {"default_branch": "trunk"}, {"ETag": '"2"'})
    with scripted(first, second, Response(304)) as host:
        forge = host.forge()
        assert [forge.default_branch() for _ in range(3)] == ["main", "trunk", "trunk"]
        assert [request.headers.get("if-none-match") for request in host.asked] == [None, '"1"', '"2"']
        forge.close()


def test_pages_are_followed_and_each_is_conditional() -> None:
    def answer(request: Request) -> Response:
        page = int(request.query["page"])
        more = f'<{request.path}?page={page + 1}>; rel="next", <x>; rel="last"'
        comment = {"id": page, "user": {"login": "dev"}, "body": f"page {page}", "html_url": "https://x.test"}
        tag = f'"{page}"'
        if request.headers.get("if-none-match") == tag:
            return Response(304)
        return Response(200, [comment], {"ETag": tag} | ({"Link": more} if page < 3 else {}))

    with scripted(answer) as host:
        forge = host.forge()
        assert [comment.id for comment in forge.comments(1)] == [1, 2, 3]
        assert [comment.id for comment in forge.comments(1)] == [1, 2, 3]
        assert [call.status for call in forge.calls] == [200, 200, 200, 304, 304, 304]
        forge.close()


def test_a_list_without_an_end_is_not_read_for_ever() -> None:
    comment = {"id": 1, "user": {"login": "dev"}, "body": "", "html_url": ""}
    with scripted(Response(200, [comment], {"Link": '<https://x.test>; rel="next"'})) as host:
        forge = host.forge()
        with pytest.raises(ForgeError, match="more than 5000 items"):
            forge.comments(1)
        forge.close()


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_addresses_below_a_server_of_ones_own(prefix: str) -> None:
    viewer = Response(200, {"data": {"viewer": {"login": "github-actions[bot]"}}})
    with scripted(viewer, REPOSITORY, prefix=prefix) as host:
        forge = host.forge()
        assert forge.viewer() == Viewer("github-actions[bot]", TokenKind.ACTIONS)
        assert forge.default_branch() == "main"
        graphql = "/api/graphql" if prefix else "/graphql"
        assert host.paths == [f"POST {graphql}", f"GET {prefix}/repos/octo/shop"]
        assert forge.calls[1].path == "/repos/octo/shop"
        assert {request.headers["authorization"] for request in host.asked} == {f"token {TOKEN}"}
        forge.close()


@pytest.mark.parametrize(
    ("login", "kind"),
    [
        ("github-actions[bot]", TokenKind.ACTIONS),
        ("grokfix[bot]", TokenKind.APP),
        ("octocat", TokenKind.USER),
    ],
)
def test_whose_token_it_is(login: str, kind: TokenKind) -> None:
    with scripted(Response(200, {"data": {"viewer": {"login": login}}})) as host:
        forge = host.forge()
        assert [forge.viewer(), forge.viewer()] == [Viewer(login, kind)] * 2
        assert len(host.asked) == 1
        forge.close()


@pytest.mark.parametrize(
    "reply",
    [
        Response(200, {"errors": [{"message": "no"}]}),
        Response(200, {"data": None}),
        Response(200, {"data": {"viewer": {"login": 7}}}),
        Response(401, {"message": "Bad credentials"}),
        Response(404, {"message": "Not Found"}),
        Response(502),
    ],
)
def test_a_viewer_that_is_not_told_is_unknown(reply: Response) -> None:
    with scripted(reply) as host:
        forge = host.forge()
        assert forge.viewer() == Viewer("", TokenKind.UNKNOWN)
        forge.close()


@pytest.mark.parametrize("graphql_url", ["https://api.github.com/graphql", "http://127.0.0.1:1/graphql", ""])
def test_no_other_host_gets_the_token(graphql_url: str) -> None:
    with scripted(REPOSITORY) as host:
        forge = host.forge(graphql_url=graphql_url)
        assert forge.viewer().kind is TokenKind.UNKNOWN
        assert host.asked == []
        forge.close()


@pytest.mark.parametrize(
    ("token", "repository", "api_url"),
    [
        ("", "octo/shop", "https://api.github.com"),
        ("  \n", "octo/shop", "https://api.github.com"),
        ("ghs_a\nX-Injected: 1", "octo/shop", "https://api.github.com"),
        ("ghs_ä", "octo/shop", "https://api.github.com"),
        (TOKEN, "octo", "https://api.github.com"),
        (TOKEN, "octo/../user", "https://api.github.com"),
        (TOKEN, "octo/..", "https://api.github.com"),
        (TOKEN, "octo/shop?x=1", "https://api.github.com"),
        (TOKEN, "octo/shop", "ftp://api.github.com"),
        (TOKEN, "octo/shop", "api.github.com"),
        (TOKEN, "octo/shop", f"https://me:{TOKEN}@api.github.com"),
    ],
)
def test_what_no_request_can_be_made_with_is_refused_at_once(token: str, repository: str, api_url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        GitHubForge(token, repository, api_url=api_url, server_url="", graphql_url="", clock=FakeClock())
    assert "ghs_a" not in str(raised.value)


def test_a_token_pasted_with_its_line_end_is_taken() -> None:
    with scripted(REPOSITORY) as host:
        forge = host.forge(token=f"{TOKEN}\n")
        assert forge.default_branch() == "main"
        assert host.asked[0].headers["authorization"] == f"token {TOKEN}"
        forge.close()


@pytest.mark.parametrize("name", ["../../../../user", "a/../../b", "/etc/passwd", "a//b", ".", "", "a/", "x\0y"])
def test_names_that_lead_elsewhere_are_never_sent(name: str) -> None:
    with scripted(REF) as host:
        forge = host.forge()
        assert forge.file(name, "main") is None
        assert forge.resolve(name) is None
        assert forge.branch(name) is None
        assert forge.compare(name, "main") is None
        assert isinstance(forge.move_branch(name, SHA), Denied)
        with pytest.raises(ForgeError, match="no SHA"):
            forge.tree(name)
        with pytest.raises(ForgeError, match="no SHA"):
            forge.blob(name)
        assert host.asked == []
        forge.close()


def test_names_are_quoted() -> None:
    with scripted(branch("fix/ä?x=1#y%2e%2e")) as host:
        forge = host.forge()
        assert forge.branch("fix/ä?x=1#y%2e%2e") == SHA
        assert host.paths == ["GET /repos/octo/shop/branches/fix/%C3%A4%3Fx%3D1%23y%252e%252e"]
        forge.close()


def test_a_renamed_branch_is_gone() -> None:
    """GitHub answers for the old name with the new branch."""
    with scripted(branch("main")) as host:
        forge = host.forge()
        assert forge.branch("master") is None
        forge.close()


def test_a_login_is_one_segment() -> None:
    with scripted(Response(404, {"message": "Not Found"})) as host:
        forge = host.forge()
        assert forge.permission("../../octo/shop") is Permission.NONE
        assert host.paths == ["GET /repos/octo/shop/collaborators/..%2F..%2Focto%2Fshop/permission"]
        forge.close()


def test_nothing_of_the_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(Response(502), REPOSITORY) as host:
        forge = host.forge()
        forge.default_branch()
        forge.close()
    assert "GET /repos/octo/shop: 200" in caplog.text
    assert TOKEN not in caplog.text


def test_threads_do_not_mix_their_requests() -> None:
    def echo(request: Request) -> Response:
        name = request.path.rpartition("/")[2]
        return branch(name, name)

    with scripted(echo) as host:
        forge = host.forge()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            names = [f"{number:040d}" for number in range(40)]
            assert list(pool.map(forge.branch, names)) == names
        forge.close()


def test_a_commit_is_left_to_github_to_sign_and_odd_bytes_go_as_blobs() -> None:
    def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response(200, {"tree": {"sha": "base"}})
        return Response(201, {"sha": request.path.rpartition("/")[2], "tree": {"sha": "made"}})

    files = {
        "text.py": FileWrite("grüße\r\n".encode()),
        "run.sh": FileWrite(b"", "100755"),
        "gone.py": FileWrite(None),
        "nul.bin": FileWrite(b"a\0b"),
        "latin.txt": FileWrite(b"\xfc"),
        "large.txt": FileWrite(b"x" * 300_000),
    }
    with scripted(answer) as host:
        forge = host.forge()
        assert forge.create_commit(SHA, files, "Fix it", "other") == "commits"
        bodies = {request.path.rpartition("/")[2]: json.loads(request.body) for request in host.asked if request.body}
        tree = {entry["path"]: entry for entry in bodies["trees"]["tree"]}
        assert bodies["trees"]["base_tree"] == "base"
        assert tree["text.py"] == {"path": "text.py", "mode": "100644", "type": "blob", "content": "grüße\r\n"}
        assert tree["run.sh"]["mode"] == "100755"
        assert tree["gone.py"]["sha"] is None
        assert {path for path, entry in tree.items() if entry.get("sha") == "blobs"} == {
            "nul.bin",
            "latin.txt",
            "large.txt",
        }
        assert bodies["commits"] == {"message": "Fix it", "tree": "trees", "parents": [SHA, "other"]}
        forge.close()


def test_what_we_wrote_ourselves_is_not_asked_for() -> None:
    def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response(200, {"type": "file", "encoding": "base64", "content": "dG9sZA=="})
        return Response(201, {"sha": request.path.rpartition("/")[2], "tree": {"sha": "made"}})

    files = {"small": FileWrite(b"ours"), "gone": FileWrite(None), "link": FileWrite(b"small", "120000")}
    with scripted(answer) as host:
        forge = host.forge()
        commit = forge.create_commit(None, files | {"large": FileWrite(b"x" * 300_000)}, "Keep")
        assert isinstance(commit, str)
        made = len(host.asked)
        assert (forge.file("small", commit), forge.file("gone", commit)) == (b"ours", None)
        assert len(host.asked) == made
        for name in ("link", "large", "other"):
            assert forge.file(name, commit) == b"told"
        assert forge.file("small", "main") == b"told"
        forge.close()


def test_a_cut_listing_is_an_error() -> None:
    with scripted(Response(200, {"tree": [], "truncated": True})) as host:
        forge = host.forge()
        with pytest.raises(ForgeError, match="cuts the listing"):
            forge.tree(SHA)
        forge.close()


def test_a_file_past_a_megabyte_is_read_as_a_blob() -> None:
    listed = Response(200, {"type": "file", "encoding": "none", "content": "", "sha": SHA})
    with scripted(listed, Response(200, {"encoding": "base64", "content": "aGVs\nbG8=\n"})) as host:
        forge = host.forge()
        assert forge.file("big.txt", "main") == b"hello"
        assert host.paths[1] == f"GET /repos/octo/shop/git/blobs/{SHA}"
        forge.close()


def test_writes_wait_for_a_rate_limit_and_go_once() -> None:
    clock = FakeClock()
    with scripted(limit(403, retry_after="7"), limit(429, retry_after="8"), Response(201, REF.content)) as host:
        forge = host.forge(clock)
        assert forge.create_branch("fix", SHA) is True
        assert clock.time - 1_000.0 == pytest.approx(15.0)
        assert host.paths == ["POST /repos/octo/shop/git/refs"] * 3
        forge.close()


def test_writes_give_up_on_a_rate_limit_that_stays() -> None:
    with scripted(limit(403, retry_after="7")) as host:
        forge = host.forge()
        with pytest.raises(ForgeError, match="rate limit"):
            forge.create_branch("fix", SHA)
        assert len(host.asked) == 3
        forge.close()


def test_a_dispatch_without_an_answer_is_not_repeated() -> None:
    with scripted(Response(204)) as host:
        host.faults.add(Fault("POST", "dispatches", Cut()))
        forge = host.forge()
        with pytest.raises(ForgeError, match="did not say whether it started"):
            forge.dispatch("ci.yml", "fix", {})
        assert len(host.asked) == 1
        forge.close()


def listed_pull(number: int, repository: str | None) -> JsonValue:
    head = {"ref": "fix", "sha": SHA, "repo": None if repository is None else {"full_name": repository}}
    return {
        "number": number,
        "state": "open",
        "head": head,
        "base": {"ref": "main", "sha": SHA},
        "user": None,
        "merged_at": None,
    }


def test_a_fork_of_the_same_owner_is_not_this_repository() -> None:
    """GitHub's filter `head=octo:fix` knows owners, not repositories."""
    found = [listed_pull(9, None), listed_pull(8, "octo/shop-copy"), listed_pull(7, "Octo/Shop")]
    with scripted(Response(200, found)) as host:
        forge = host.forge()
        assert [pull.number for pull in forge.pull_requests("fix")] == [7]
        assert host.asked[0].query["head"] == "octo:fix"
        forge.close()


@pytest.mark.parametrize(("author", "method"), [("grokfix[bot]", "PATCH"), ("mallory", "POST"), ("bot", "POST")])
def test_where_nobody_says_who_we_are_only_a_bots_comment_can_be_ours(author: str, method: str) -> None:
    said = {"id": 5, "user": {"login": author}, "body": "<!-- grokfix:x --> before", "html_url": ""}

    def answer(request: Request) -> Response:
        return Response(200, [said] if request.method == "GET" else said)

    with scripted(answer) as host:
        forge = host.forge(graphql_url="")
        assert isinstance(forge.comment(1, "<!-- grokfix:x --> after", "<!-- grokfix:x -->"), Comment)
        assert [request.method for request in host.asked] == ["GET", method]
        forge.close()
