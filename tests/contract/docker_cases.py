"""What the Docker tests share: looking at what a run made, and set-ups that no cache knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
