"""Downloads from the hosts that GitHub redirects to: without the token, within their budgets, and told when broken."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.adapters.github_download import refused
from bot.ports import ArtifactInfo, Missing
from tests.fakes import FakeClock
from tests.github_server.exchange import Response
from tests.unit.adapters.scripted import TOKEN, raw_host, scripted

ARTIFACT = ArtifactInfo(7, "junit", 10)
MIB = 1 << 20


def answer(
    body: bytes, *headers: str, status: str = "200 OK", length: int | None = None
) -> Callable[[socket.socket], None]:
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}")
    head = "\r\n".join((*lines, "Connection: close", "", "")).encode()
    return lambda connection: connection.sendall(head + body)


def to(address: str) -> Response:
    return Response(302, b"redirecting", {"Location": f"{address}/blob?sig=secret"})


def test_the_storage_host_sees_neither_token_nor_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_host(answer(b"PK")) as (address, heads), scripted(to(address)) as host:
        forge = host.forge()
        assert forge.download(ARTIFACT, MIB) == b"PK"
        assert forge.job_log(1, MIB) == b"PK"
        forge.close()
    assert len(heads) == 2
    for head in heads:
        assert b"authorization" not in head.lower()
        assert TOKEN.encode() not in head
    assert [request.path for request in host.asked] == [
        "/repos/octo/shop/actions/artifacts/7/zip",
        "/repos/octo/shop/actions/jobs/1/logs",
    ]


@pytest.mark.parametrize(
    "script",
    [
        answer(b"x" * 2000),
        answer(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip"),
        answer(b"", "Transfer-Encoding: chunked", length=0),
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000),
    ],
    ids=["declared", "unpacks", "chunked", "undeclared"],
)
def test_an_archive_over_its_budget_is_missing(
    script: Callable[[socket.socket], None], request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.id == "chunked":
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

        def script(connection: socket.socket) -> None:
            connection.sendall(head + chunk * 100 + b"0\r\n\r\n")

    with raw_host(script) as (address, _), scripted(to(address)) as host:
        forge = host.forge()
        found = forge.download(ARTIFACT, 1500)
        assert isinstance(found, Missing)
        assert "larger than the 1500 bytes" in found.reason
        forge.close()


def test_an_artifact_that_says_it_is_too_large_is_not_asked_for() -> None:
    with scripted(Response(500)) as host:
        forge = host.forge()
        found = forge.download(ArtifactInfo(7, "junit", 2000), 1500)
        assert isinstance(found, Missing) and "2000" in found.reason
        assert isinstance(forge.download(ArtifactInfo(7, "junit", 10, expired=True), 1500), Missing)
        assert host.asked == []
        forge.close()


def test_a_log_keeps_its_head_and_its_tail() -> None:
    body = b"".join(b"line %06d\n" % number for number in range(100_000))
    with raw_host(answer(body)) as (address, _), scripted(to(address)) as host:
        forge = host.forge()
        found = forge.job_log(1, 5_000)
        assert isinstance(found, bytes)
        assert len(found) <= 5_000
        assert found.startswith(b"line 000000\n")
        assert found.endswith(b"line 099999\n")
        assert b"bytes of output left out" in found
        assert forge.job_log(1, len(body)) == body
        forge.close()


def test_bytes_of_a_log_come_as_they_are() -> None:
    body = b"\xff\xfe \x1b[31m::error::\r\n\0"
    with raw_host(answer(body)) as (address, _), scripted(to(address)) as host:
        forge = host.forge()
        assert forge.job_log(1, MIB) == body
        forge.close()


class Hurried(FakeClock):
    """Every look takes a minute."""

    def __init__(self) -> None:
        super().__init__(step=60.0)


def test_a_host_that_drips_is_left() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(1_000_000):
            connection.sendall(b"x")

    with raw_host(drip) as (address, _), scripted(to(address)) as host:
        forge = host.forge(Hurried())
        found = forge.download(ARTIFACT, MIB)
        assert isinstance(found, Missing) and "within 300 s" in found.reason
        log = forge.job_log(1, MIB)
        assert isinstance(log, bytes) and log.startswith(b"x") and b"too slow to be read" in log
        assert len(log) < 1_000_000
        forge.close()


def test_a_broken_download_begins_again_with_a_new_address() -> None:
    short = answer(b"PK", length=50)
    gone = answer(b"<Error>AuthenticationFailed</Error>", status="403 Forbidden")
    with raw_host(short, gone, answer(b"PK whole")) as (address, heads), scripted(to(address)) as host:
        clock = FakeClock()
        forge = host.forge(clock)
        assert forge.download(ARTIFACT, MIB) == b"PK whole"
        assert (len(heads), len(host.asked)) == (3, 3)
        assert clock.time - 1_000.0 == pytest.approx(5.0)
        forge.close()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (answer(b"PK", length=50), "broke off"),
        (answer(b"", status="500 Internal Server Error"), "answered 500"),
        (answer(b"", "Location: http://169.254.169.254/", status="302 Found"), "answered 302"),
        (answer(b"not gzip", "Content-Encoding: gzip"), "broke off"),
        (lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), "broke off"),
        (lambda connection: None, "broke off"),
    ],
    ids=["short", "500", "redirects", "bad-gzip", "not-http", "silent"],
)
def test_a_download_that_stays_broken_is_missing_and_its_signature_untold(
    script: Callable[[socket.socket], None], says: str
) -> None:
    with raw_host(script) as (address, heads), scripted(to(address)) as host:
        forge = host.forge()
        for found in (forge.download(ARTIFACT, MIB), forge.job_log(1, MIB)):
            assert isinstance(found, Missing)
            assert says in found.reason
            assert "secret" not in found.reason
        assert len(heads) == 6
        forge.close()


def test_a_storage_host_that_is_not_there_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with scripted(to(address)) as host:
        forge = host.forge()
        found = forge.download(ARTIFACT, MIB)
        assert isinstance(found, Missing) and "broke off" in found.reason and "secret" not in found.reason
        forge.close()


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Response(404, {"message": "Not Found"}), "not there"),
        (Response(410, {"message": "Artifact has expired"}), "expired"),
        (Response(403, {"message": "Resource not accessible by integration"}), "`actions: read`"),
        (Response(302, b"", {}), "no address at all"),
        (Response(302, b"", {"Location": "file:///etc/passwd"}), "no address at all"),
        (Response(302, b"", {"Location": "ftp://files.test/x"}), "'ftp'"),
        (Response(200, {"unexpected": True}), "no address at all"),
    ],
)
def test_what_github_does_not_give_is_missing(reply: Response, says: str) -> None:
    with scripted(reply) as host:
        forge = host.forge()
        for found in (forge.download(ARTIFACT, MIB), forge.job_log(1, MIB)):
            assert isinstance(found, Missing) and says in found.reason
        forge.close()


@pytest.mark.parametrize(
    ("address", "api_url", "says"),
    [
        ("https://results.blob.core.windows.net/x?sig=1", "https://api.github.com", None),
        ("https://8.8.8.8/x", "https://api.github.com", None),
        ("http://results.blob.core.windows.net/x", "https://api.github.com", "'http'"),
        ("https://169.254.169.254/latest", "https://api.github.com", "private"),
        ("https://10.0.0.1/x", "https://api.github.com", "private"),
        ("https://[::1]/x", "https://api.github.com", "private"),
        ("https://[fd00::1]/x", "https://api.octo.ghe.com", "private"),
        ("https://[::ffff:10.0.0.1]/x", "https://api.github.com", "private"),
        ("https://127.0.0.1:8443/x", "https://api.github.com", "private"),
        ("https://localhost/x", "https://api.github.com", "private"),
        ("https://metadata.google.internal/x", "https://api.github.com", "private"),
        ("https://user:pass@files.test/x", "https://api.github.com", "password"),
        ("https://", "https://api.github.com", "no address"),
        ("https://files.test:port/x", "https://api.github.com", "no address"),
        ("//files.test/x", "https://api.github.com", "''"),
        ("", "https://api.github.com", "no address"),
        ("https://10.0.0.1/x", "https://ghe.corp/api/v3", None),
        ("http://10.0.0.1/x", "https://ghe.corp/api/v3", "'http'"),
        ("http://10.0.0.1/x", "http://ghe.corp/api/v3", None),
    ],
)
def test_addresses_that_nothing_is_fetched_from(address: str, api_url: str, says: str | None) -> None:
    found = refused(address, api_url)
    assert found is None if says is None else found is not None and says in found
