"""What every test shares: which machines may skip, and the session's engine and images."""

from __future__ import annotations

import os
import shutil
from contextlib import closing

import pytest

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
