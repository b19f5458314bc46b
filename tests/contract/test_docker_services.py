"""Services beside a box: a server of our own and a real Redis, on loopback, gone with the box."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from bot.adapters.docker import DockerSandbox
from bot.errors import SandboxError
from bot.ports import Limits, Service, SetUp
from tests.contract.docker_cases import made_by, python, run_of

pytestmark = pytest.mark.docker

LIMITS = Limits(memory=128 << 20, pids=64, workspace=16 << 20, tmp=16 << 20)
SERVER = """
import os, socket
print('serving', os.environ['GREETING'], flush=True)
with socket.create_server(('127.0.0.1', 7000)) as server:
    while True:
        with server.accept()[0] as peer:
            peer.sendall(os.environ['GREETING'].encode())
"""
READY = ("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 7000), timeout=1)")
ASK = """
import socket
with socket.create_connection(('127.0.0.1', 7000), timeout=2) as peer:
    print(peer.recv(99).decode(), socket.gethostbyname(socket.gethostname()))
"""


@pytest.fixture(scope="module")
def sandbox(docker_image: str) -> Iterator[DockerSandbox]:
    with DockerSandbox.connect() as connected:
        yield connected


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as connected:
        yield connected


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "code.py").write_text("answer = 42\n")
    return root


def image(client: docker.DockerClient, tag: str, base: str, *, command: str, prepare: str = "true") -> str:
    """An image that runs `command`, made from `base` on first use."""
    try:
        client.images.get(tag)
    except ImageNotFound:
        container = client.containers.run(base, ["sh", "-ec", prepare], detach=True)
        try:
            outcome = container.wait()["StatusCode"]
            assert outcome == 0, container.logs(tail=20)
            repository, _, version = tag.partition(":")
            container.commit(repository, version, changes=f"CMD {command}")
        finally:
            container.remove(force=True)
    return tag


@pytest.fixture(scope="module")
def server(client: docker.DockerClient, docker_image: str) -> str:
    command = "exec python3 /server.py"
    put = f"cat > /server.py <<'END'\n{SERVER}\nEND"
    return image(client, "grokfix-test/server:1", docker_image, command=command, prepare=put)


def test_a_service_is_ready_before_the_box_and_gone_after_it(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, server: str, tree: Path
) -> None:
    service = Service(server, {"GREETING": "hello"}, READY)
    with sandbox.set_up(SetUp(docker_image, services=(service,)), tree, LIMITS) as environment:
        assert server in environment.description
        environment.prepare()
        for _ in range(2):
            with environment.open() as box:
                assert python(box, ASK).output == "hello 127.0.0.1\n"
                outside = "import socket; socket.create_connection(('198.51.100.1', 80), timeout=2)"
                assert "unreachable" in python(box, outside).output
                kept = "open('/tmp/mark', 'x'); import os; print(os.path.exists('/server.py'))"
                assert python(box, kept).output == "False\n"
    assert made_by(client, run_of(sandbox)) == []


@pytest.mark.parametrize(
    ("environment", "ready", "message"),
    [
        ({}, READY, r"ended with 1 before it was ready[^$]*KeyError: 'GREETING'"),
        ({"GREETING": "x"}, ("false",), r"was not ready within 2 s[^$]*serving x"),
        ({"GREETING": "x"}, ("sleep", "60"), r"was not ready within 2 s[^$]*serving x"),
    ],
    ids=["ends", "never-ready", "ready-hangs"],
)
def test_a_service_that_does_not_come_up_says_why(
    sandbox: DockerSandbox,
    client: docker.DockerClient,
    docker_image: str,
    server: str,
    tree: Path,
    environment: dict[str, str],
    ready: tuple[str, ...],
    message: str,
) -> None:
    service = Service(server, environment, ready, ready_seconds=2.0)
    with (
        sandbox.set_up(SetUp(docker_image, services=(service,)), tree, LIMITS) as made,
        pytest.raises(SandboxError, match=message),
    ):
        made.open()
    assert made_by(client, run_of(sandbox)) == []


def test_a_service_whose_image_is_not_there_fails_before_any_run(
    sandbox: DockerSandbox, docker_image: str, tree: Path
) -> None:
    plan = SetUp(docker_image, services=(Service("localhost:1/nothing:1"),))
    with pytest.raises(SandboxError, match="localhost:1/nothing:1 is not on this engine"):
        sandbox.set_up(plan, tree, LIMITS)


def test_a_real_broker(sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path) -> None:
    install = "apt-get update -qq && apt-get install -qq --no-install-recommends redis-server >/dev/null"
    tag = image(client, "grokfix-test/redis:1", docker_image, command='["redis-server", "--save", ""]', prepare=install)
    service = Service(tag, ready=("redis-cli", "ping"))
    talk = """
import socket
with socket.create_connection(('localhost', 6379), timeout=2) as peer:
    peer.sendall(b'SET key value\\r\\nGET key\\r\\n')
    received = b''
    while b'value' not in received:
        received += peer.recv(99)
    print(received)
"""
    with sandbox.set_up(SetUp(docker_image, services=(service,)), tree, LIMITS) as environment:
        with environment.open() as box:
            assert python(box, talk).output.strip() == r"b'+OK\r\n$5\r\nvalue\r\n'"
        with environment.open() as box:  # another box, another Redis
            empty = talk.replace("SET key value\\r\\nGET key", "EXISTS key").replace("b'value'", "b':'")
            assert python(box, empty).output.strip() == r"b':0\r\n'"
