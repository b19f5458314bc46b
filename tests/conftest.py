"""What every test shares: which machines may skip, and the session's engine and images."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.act.run import Act
    from tests.github_server import GitHubServer
    from tests.real_model import RealModel

REQUIRED = frozenset(filter(None, os.environ.get("GROKFIX_REQUIRE", "").split(",")))


def unavailable(what: str, reason: str) -> None:
    """Skip for lack of `what`, or fail where GROKFIX_REQUIRE names it (CI: nothing may be missing)."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required here (GROKFIX_REQUIRE) and missing: {reason}", pytrace=False)
    pytest.skip(f"no {what}: {reason}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for page tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        unavailable("chromium", "no chromium on PATH")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def docker_image() -> str:
    """Tag of a base image with Python and pytest, built on first use (tests/base_images.py); needs an engine."""
    import docker
    from docker.errors import DockerException

    from tests import base_images

    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        unavailable("docker", str(error))
    with closing(client):
        return base_images.ensure(client, "python:3.13-slim")


@pytest.fixture(scope="session")
def act(docker_image: str, tmp_path_factory: pytest.TempPathFactory) -> Act:
    """act with this checkout's action and the stand-ins (tests/act); needs an engine."""
    import docker

    from tests.act import images, workflow
    from tests.act.run import Act

    program = shutil.which("act", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if program is None:
        unavailable("act", "no act beside this Python or on PATH")
    assert program is not None
    folder = tmp_path_factory.mktemp("act")
    actions = {
        workflow.ACTION: str(images.stage_action(folder / "action")),
        **images.stage_stand_ins(folder / "stand-ins"),
    }
    with closing(docker.from_env()) as client:
        return Act(program, images.runner(client), actions)


@pytest.fixture(scope="session")
def real_model() -> RealModel:
    """llama.cpp's server with a small model (tests/real_model.py); made, in minutes, only where it is required."""
    from tests import real_model

    found = real_model.make() if "real_model" in REQUIRED else real_model.find()
    if isinstance(found, str):
        unavailable("real_model", found)
    assert not isinstance(found, str)
    return found


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubServer]:
    """A stateful GitHub over HTTP (tests/github_server); what breaks GitHub's own description fails the test."""
    from tests.github_server import GitHubServer

    with GitHubServer(tmp_path / "github") as server:
        yield server
