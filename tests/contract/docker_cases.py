"""What the Docker tests share: looking at what a run made, and set-ups that no cache knows."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker

from bot.adapters.docker import DockerSandbox
from bot.ports import Box, Command, Execution, SetUp


def python(box: Box, code: str, seconds: float = 30.0) -> Execution:
    """Run Python source in a box."""
    return box.execute(Command(("python3", "-c", code), seconds))


def run_of(sandbox: DockerSandbox) -> str:
    """The run label of everything that `sandbox` makes."""
    return sandbox._engine.run


def made_by(client: docker.DockerClient, run: str) -> list[str]:
    """Containers and volumes of a run that are there now."""
    filters = {"label": f"grokfix.run={run}"}
    containers = client.api.containers(all=True, filters=filters)
    volumes = client.api.volumes(filters=filters).get("Volumes") or []
    return [item["Id"] for item in containers] + [item["Name"] for item in volumes]


@contextmanager
def fresh(client: docker.DockerClient, plan: SetUp) -> Iterator[SetUp]:
    """`plan` with a variable that makes its key new; the images made of it are removed at the end."""
    mark = os.urandom(8).hex()
    try:
        yield replace(plan, environment={**plan.environment, "GROKFIX_TEST": mark})
    finally:
        for image in client.images.list("grokfix/setup"):
            if f"GROKFIX_TEST={mark}" in (image.attrs["Config"]["Env"] or ()):
                client.images.remove(str(image.id), force=True)


class Proxy:
    """Forwards a Unix socket to the engine's until it is cut: every connection drops, and no new one is taken."""

    def __init__(self, path: Path, target: str) -> None:
        self.path, self._target = path, target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._open += [near, far]
                self._spawn(self._pump, near, far)
                self._spawn(self._pump, far, near)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for opened in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for opened in [self._listener, *self._open]:
            opened.close()
        self.path.unlink(missing_ok=True)
