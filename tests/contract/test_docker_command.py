"""The command line on a Docker engine: a whole repair, the engine lost under it, and its end by signals (cases 50, 53)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest

from bot.adapters.docker import DockerSandbox
from bot.trace.read import read_trace
from tests import repositories
from tests.command_line import BUGGY, grokfix, result_of, text
from tests.contract.docker_cases import Proxy

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_image")]

SLOW = {"test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(300)\n"}
CONFIG = {".github/grokfix.yml": "version: 1\nsuites:\n  - image: python:3.13-slim\n    setup: pip install -q pytest\n"}


def owned_by(pid: int) -> list[str]:
    """Containers and volumes that a process made."""
    with closing(docker.from_env()) as client:
        filters = {"label": f"grokfix.pid={pid}"}
        found = [item["Id"] for item in client.api.containers(all=True, filters=filters)]
        return found + [item["Name"] for item in client.api.volumes(filters=filters).get("Volumes") or []]


@contextmanager
def in_mid_run(tmp_path: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`grokfix repair` in the middle of its base run, and its output folder."""
    root, out = repositories.make(tmp_path / "r", {**SLOW, **CONFIG}), tmp_path / "out"
    command = (sys.executable, "-m", "bot", "repair", ".", "--sandbox", "docker", "--output", str(out))
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}
    ) as child:
        try:
            trace = out / "trace.jsonl"
            deadline = time.monotonic() + 60
            while not (trace.exists() and b'"purpose":"base"' in trace.read_bytes().replace(b" ", b"")):
                assert child.poll() is None, child.stdout and child.stdout.read().decode()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)  # into the command
            yield child, out
        finally:
            child.kill()


def test_a_bug_is_repaired_in_containers(tmp_path: Path) -> None:
    root, out = repositories.make(tmp_path / "r", {**BUGGY, **CONFIG}), tmp_path / "out"
    done = grokfix("repair", ".", "--sandbox", "docker", "--output", out, cwd=root)
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    assert result["outcome"] == "repaired"
    assert result["sandbox"]["isolated"] is True
    assert "no network" in result["sandbox"]["description"]
    assert repositories.git(root, "status", "--porcelain", "--untracked-files=no") == ""


def test_an_engine_lost_in_mid_run_is_an_infrastructure_error_with_its_trace(tmp_path: Path) -> None:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        pytest.skip("the engine is not reached over a Unix socket")
    proxy = Proxy(tmp_path / "proxy.sock", host.removeprefix("unix://"))
    try:
        with in_mid_run(tmp_path, DOCKER_HOST=f"unix://{proxy.path}") as (child, out):
            proxy.cut()
            output, _ = child.communicate(timeout=60)
            assert child.returncode == 3, output.decode()
            assert b"Docker" in output
            assert b"Traceback" not in output
        assert [event.kind for event in read_trace(out / "trace.jsonl").events][-1] == "outcome"
        assert result_of(out)["reason"] == "infrastructure"
    finally:
        proxy.cut()
        with DockerSandbox.connect() as sandbox:
            sandbox.sweep()
    assert owned_by(child.pid) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_repair_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with in_mid_run(tmp_path) as (child, out):
        child.send_signal(number)
        output, _ = child.communicate(timeout=60)
    assert child.returncode == 130, output.decode()
    assert result_of(out)["outcome"] == "stopped"
    assert owned_by(child.pid) == []
