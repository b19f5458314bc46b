"""Fetching commits over HTTP, from a real git server, from servers that lie, and with a token that must not get out."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.errors import ConfigError, ForgeError
from bot.workspace.fetch import fetch
from bot.workspace.git import Repository
from tests.unit.workspace.repositories import Origin

TOKEN = "ghs_averysecrettoken1234567890"
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


class GitServer:
    """Serves `root`'s repositories by git's own backend to those who bear TOKEN; other paths misbehave.

    /moved/… redirects to `elsewhere`, /status/N/… answers N and echoes the credentials, /silent/… never answers.
    heard: path and Authorization of every request.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.heard: list[tuple[str, str]] = []
        self.elsewhere = ""
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                return None

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        authorization = request.headers.get("Authorization", "")
        self.heard.append((parts.path, authorization))
        first, _, rest = parts.path.strip("/").partition("/")
        if first == "silent":
            self.closing.wait(30)
        elif first == "moved":
            self.plain(request, 302, "", Location=f"{self.elsewhere}/{rest}?{parts.query}")
        elif first == "status":
            self.plain(request, int(rest.partition("/")[0]), f"you sent {authorization}")
        elif authorization != f"basic {BASIC}":
            self.plain(request, 401, "who are you", **{"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self.backend(request, parts.path, parts.query)

    def plain(self, request: BaseHTTPRequestHandler, status: int, text: str, **headers: str) -> None:
        body = text.encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Type", "text/plain")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def backend(self, request: BaseHTTPRequestHandler, path: str, query: str) -> None:
        """CGI (RFC 3875), as git-http-backend(1) wants it."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"],
            check=False,
            input=body,
            capture_output=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": request.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "somebody",
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line)
        request.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@pytest.fixture
def upstream(tmp_path: Path) -> Origin:
    """A repository as the code host holds it: three commits on main, a pull request's merge under refs/pull."""
    origin = Origin(tmp_path / "host" / "octo" / "shop")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    return origin


@pytest.fixture
def server(tmp_path: Path, upstream: Origin) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "host")
    yield server
    server.close()


@pytest.fixture
def commits(upstream: Origin) -> list[str]:
    return [
        upstream.commit({"app.py": "a = 1\nb = 2\n", "sub/x.txt": "x\n"}, "good"),
        upstream.commit({"app.py": "a = 1\nb = 3\n"}, "between"),
        upstream.commit({"app.py": "a = 1\nb = 4\n", "new.py": "c = 1\n"}, "bad"),
    ]


def address(server: GitServer, path: str = "") -> str:
    return f"{server.address}{path}/octo/shop"


def files_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_two_commits_become_a_repository(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    good, between, bad = commits
    folder = fetch(address(server), [bad, good], TOKEN, tmp_path / "fetched", seconds=60)
    repository = Repository.open(folder, tmp_path / "scratch")
    assert repository.head == bad
    ranges, text = repository.changed_since(good)
    assert {(each.path, each.first, each.last) for each in ranges} == {("app.py", 2, 2), ("new.py", 1, 1)}
    assert "-b = 2\n+b = 4\n" in text
    assert (repository.checkout().path / "app.py").read_text() == "a = 1\nb = 4\n"
    old = repository.checkout(good)
    assert old.commit == good
    assert (old.path / "app.py").read_text() == "a = 1\nb = 2\n"
    assert (old.path / "sub/x.txt").read_text() == "x\n"
    with pytest.raises(ConfigError, match="no commit"):
        repository.checkout(between)  # what lies between was not asked for, and history is cut


def test_the_merge_of_a_pull_request(server: GitServer, upstream: Origin, commits: list[str], tmp_path: Path) -> None:
    upstream.git("update-ref", "refs/pull/7/merge", commits[1])
    folder = fetch(address(server), ["refs/pull/7/merge", commits[0]], TOKEN, tmp_path / "fetched", seconds=60)
    repository = Repository.open(folder, tmp_path / "scratch")
    assert repository.head == commits[1]
    assert repository.resolve("refs/fetched/1") == commits[0]


def test_the_same_commit_twice_is_one(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    folder = fetch(address(server), [commits[2], commits[2]], TOKEN, tmp_path / "fetched", seconds=60)
    assert Repository.open(folder, tmp_path / "scratch").head == commits[2]


def test_the_token_is_in_no_argument_and_no_file(
    server: GitServer, commits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    record = tmp_path / "record"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    # The command line as the kernel shows it to every user of the machine, of git and of whoever started it.
    wrapper.write_text(
        f"#!/bin/sh\ncat /proc/$$/cmdline /proc/$PPID/cmdline >> {record}\n"
        f'echo >> {record}\nenv | grep -v GIT_CONFIG_VALUE_0 >> {record}\nexec {real} "$@"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    folder = fetch(address(server), [commits[2]], TOKEN, tmp_path / "fetched", seconds=60)
    recorded = record.read_bytes()
    assert b"fetch" in recorded
    assert ("/octo/shop/git-upload-pack", f"basic {BASIC}") in server.heard
    for secret in (TOKEN.encode(), BASIC.encode()):
        assert secret not in recorded
        assert secret not in files_under(folder)


def test_without_a_token_none_is_sent(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="token is missing") as caught:
        fetch(address(server), commits[:1], "", tmp_path / "fetched", seconds=60)
    assert caught.value.status == 401
    assert {authorization for _, authorization in server.heard} == {""}


def test_a_redirect_to_another_host_is_not_followed(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    other = GitServer(tmp_path / "host")
    server.elsewhere = other.address
    try:
        with pytest.raises(ForgeError, match="redirects elsewhere") as caught:
            fetch(address(server, "/moved"), commits[:1], TOKEN, tmp_path / "fetched", seconds=60)
    finally:
        other.close()
    assert caught.value.status == 302
    assert other.heard == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/status/401", 401, "expired"),
        ("/status/403", 403, "contents: read"),
        ("/status/404", 404, "no repository"),
        ("/status/500", 500, "status 128"),
        ("/absent", 404, "no repository"),
    ],
)
def test_refusals_are_told_and_the_token_is_not(
    path: str, status: int, said: str, server: GitServer, commits: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ForgeError, match=said) as caught:
        fetch(address(server, path), commits[:1], TOKEN, tmp_path / "fetched", seconds=60)
    assert caught.value.status == status
    assert TOKEN not in str(caught.value)
    assert BASIC not in str(caught.value)
    assert "***" in str(caught.value) or path in ("/status/401", "/absent")  # where git shows the server's words
    assert address(server, path) in str(caught.value)


def test_a_wrong_token_is_refused(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="expired") as caught:
        fetch(address(server), commits[:1], "another", tmp_path / "fetched", seconds=60)
    assert caught.value.status == 401


@pytest.mark.parametrize("commit", ["ab" * 20, "refs/pull/99/merge"])
def test_an_unknown_commit_is_named(commit: str, server: GitServer, commits: list[str], tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match=f"no commit {commit}") as caught:
        fetch(address(server), [commits[0], commit], TOKEN, tmp_path / "fetched", seconds=60)
    assert caught.value.status == 404


def test_a_server_that_never_answers_is_left(server: GitServer, commits: list[str], tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="took longer than 1 s") as caught:
        fetch(address(server, "/silent"), commits[:1], TOKEN, tmp_path / "fetched", seconds=1)
    assert caught.value.status == 0


def test_no_server_at_all(tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="failed") as caught:
        fetch("http://127.0.0.1:1/octo/shop", ["ab" * 20], TOKEN, tmp_path / "fetched", seconds=60)
    assert caught.value.status == 0
    assert TOKEN not in str(caught.value)


def test_a_pack_past_the_limit_is_stopped(server: GitServer, upstream: Origin, tmp_path: Path) -> None:
    # Many files, none of them past the limit by itself.
    large = upstream.commit({f"{number}.bin": os.urandom(200_000) for number in range(20)}, "large")
    with pytest.raises(ForgeError, match="more than the 1,048,576 bytes") as caught:
        fetch(address(server), [large], TOKEN, tmp_path / "fetched", seconds=60, limit=1 << 20)
    assert caught.value.status == 413
    assert sum(path.stat().st_size for path in (tmp_path / "fetched").rglob("*") if path.is_file()) < 2 << 20


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "ssh://git@host/x",
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
        f"https://x-access-token:{TOKEN}@host/octo/shop",
        "https:///octo/shop",
        "https://host/octo\nshop",
        "/tmp/somewhere",
    ],
)
def test_addresses_that_are_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address"):
        fetch(url, ["ab" * 20], TOKEN, tmp_path / "fetched", seconds=60)


@pytest.mark.parametrize(
    "commit",
    ["", "main", "abc1234", "--upload-pack=x", "refs/heads/main", "refs/pull/0/merge", "AB" * 20, "ab" * 20 + "\n"],
)
def test_only_whole_hashes_and_pull_requests(commit: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be fetched"):
        fetch("https://host/octo/shop", [commit], TOKEN, tmp_path / "fetched", seconds=60)
    assert not (tmp_path / "fetched").exists()


def test_nothing_asked_and_a_folder_in_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no commit was given"):
        fetch("https://host/octo/shop", [], TOKEN, tmp_path / "fetched", seconds=60)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not an empty folder"):
        fetch("https://host/octo/shop", ["ab" * 20], TOKEN, tmp_path, seconds=60)


def test_the_users_git_configuration_is_not_read(
    server: GitServer, commits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[url "{server.address}/status/500/"]\n\tinsteadOf = {server.address}/octo/\n[credential]\n\thelper = "!touch {home}/ran"\n'
    )
    (home / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    fetch(address(server), commits[:1], TOKEN, tmp_path / "fetched", seconds=60)
    assert not (home / "ran").exists()
