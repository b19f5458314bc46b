"""The connection to an engine that is not there, is not one, goes away, or cannot do what is needed; whose is what."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import docker
import pytest

from bot.adapters.docker import DockerSandbox
from bot.adapters.docker_engine import Engine
from bot.adapters.docker_owner import Owner, left_over
from bot.errors import SandboxError
from bot.ports import Command, Limits, SetUp
from tests.contract.docker_cases import Proxy, made_by, run_of

LIMITS = Limits(memory=64 << 20, pids=64, workspace=16 << 20, tmp=16 << 20)
ABLE = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True, "MemTotal": 8 << 30}


class Endpoint(socketserver.ThreadingUnixStreamServer):
    """Speaks as much of the Engine API as a connection needs, over a real Unix socket."""

    daemon_threads = True
    answers: Mapping[str, tuple[int, bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        path = "/" + self.path.rpartition("/")[2].partition("?")[0]
        status, body = self.server.answers.get(path, (404, b'{"message": "no such thing"}'))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def endpoint(folder: Path, **answers: tuple[int, bytes]) -> Iterator[str]:
    version = json.dumps({"ApiVersion": "1.41", "Version": "20.10"}).encode()
    path = folder / "engine.sock"
    with Endpoint(str(path), Handler) as server:
        server.answers = {"/version": (200, version), "/_ping": (200, b"OK")} | {
            f"/{name}": answer for name, answer in answers.items()
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


# --- connecting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "nonsense://", "tcp://127.0.0.1:1"])
def test_without_a_daemon_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SandboxError, match=r"no Docker daemon answers .*start Docker.*--sandbox process"):
        DockerSandbox.connect()


@pytest.mark.parametrize(
    "answer",
    [
        (500, b'{"message": "\\u001b[31m::error::broken"}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"x": 1}'),
        (204, b""),
    ],
    ids=["error", "html", "list", "other", "empty"],
)
def test_what_is_no_docker_daemon_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    with endpoint(tmp_path, version=answer) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(SandboxError, match="no Docker daemon answers") as caught:
            DockerSandbox.connect()
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("lacking", "name"),
    [("MemoryLimit", "a memory limit"), ("PidsLimit", "a limit of processes"), ("CpuCfsQuota", "a CPU quota")],
)
def test_an_engine_that_cannot_enforce_a_limit_is_refused_unless_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str, name: str
) -> None:
    with endpoint(tmp_path, info=(200, json.dumps(ABLE | {lacking: False}).encode())) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with DockerSandbox.connect() as sandbox:
            with pytest.raises(SandboxError, match=f"cannot enforce {name}.*allow_missing"):
                sandbox.set_up(SetUp("base"), tmp_path, LIMITS)
            # Allowed, it goes on, to the image that this endpoint has not.
            with pytest.raises(SandboxError, match="image base is not on this engine"):
                sandbox.set_up(SetUp("base"), tmp_path, Limits(allow_missing=True))


# --- the daemon goes away in mid-run (case 53) ----------------------------------------------------------------------


@pytest.fixture
def _leaking() -> Iterator[None]:
    """The SDK leaves sockets open that could not connect: collected here, where nobody minds."""
    yield
    gc.collect()


@pytest.mark.docker
@pytest.mark.usefixtures("_leaking")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_daemon_that_goes_away_in_mid_run_is_an_infrastructure_error(
    docker_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(docker.from_env()) as client:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        if not host.startswith("unix://"):
            pytest.skip("the engine is not reached over a Unix socket")
        proxy = Proxy(tmp_path / "proxy.sock", host.removeprefix("unix://"))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{proxy.path}")
        sandbox = DockerSandbox.connect()
        (tmp_path / "tree").mkdir()
        try:
            environment = sandbox.set_up(SetUp(docker_image), tmp_path / "tree", LIMITS)
            box = environment.open()
            timer = threading.Timer(0.5, proxy.cut)
            timer.start()
            start = time.monotonic()
            with pytest.raises(SandboxError, match=r"Docker"):
                box.execute(Command(("sleep", "30"), 30))
            assert time.monotonic() - start < 10
            with pytest.raises(SandboxError, match="the Docker daemon went away"):
                environment.open()
            with pytest.raises(SandboxError, match="the Docker daemon went away"):
                box.close()
            environment.close()
            sandbox.close()
            timer.join()
        finally:
            proxy.cut()
            Engine(client, run=run_of(sandbox)).remove_all()
        assert made_by(client, run_of(sandbox)) == []


# --- whose is what --------------------------------------------------------------------------------------------------


def test_an_owner_is_alive_only_as_the_same_process() -> None:
    own = Owner.current()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        running = Owner(other.pid, started, own.boot, own.namespace)
        assert running.alive
        assert not Owner(other.pid, "1", own.boot, own.namespace).alive  # its PID was used again
        other.communicate(b"\n")
    assert not running.alive
    assert own.alive
    assert Owner.of(own.labels()) == own


@pytest.mark.parametrize(
    ("change", "hours", "expected"),
    [
        ({}, 100.0, False),
        ({"grokfix.started": "1"}, 0.0, True),
        ({"grokfix.pid": "not a number"}, 0.0, True),
        ({"grokfix.boot": "another"}, 1.0, False),
        ({"grokfix.boot": "another"}, 25.0, True),
        ({"grokfix.namespace": "pid:[1]"}, 1.0, False),
        ({"grokfix.namespace": "pid:[1]"}, 25.0, True),
        ({"grokfix.run": ""}, 100.0, False),
    ],
)
def test_what_is_left_over(change: dict[str, str], hours: float, expected: bool) -> None:
    labels = {"grokfix.run": "x", **Owner.current().labels(), **change}
    assert left_over(labels, time.time() - hours * 3600) is expected
