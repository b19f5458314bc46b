"""Runs one workflow for one event with act."""

from __future__ import annotations

import fcntl
import json
import os
import secrets as randomness
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from bot.ports import JsonValue
from bot.process import minimal_environment, run
from tests.act import images, workflow
from tests.act.log import StepRun, read


@dataclass(frozen=True, slots=True)
class Host:
    """Where the code host of the run answers; all on the machine's own network, as containers of a run share it."""

    server_url: str
    api_url: str
    graphql_url: str


@dataclass(frozen=True, slots=True)
class ActRun:
    """exit_code: act's own, 0 when no job failed; None after the time limit. jobs: id → success or failure; a job that
    was skipped is not in it. left_behind: what was still there, as "container NAME" (removed since).
    """

    exit_code: int | None
    jobs: Mapping[str, str]
    steps: tuple[StepRun, ...]
    log: str
    left_behind: tuple[str, ...]

    def step(self, job: str, step: str) -> StepRun:
        """A step by the job's id and its own (without one: its index in the job, as text)."""
        for candidate in self.steps:
            if (candidate.job, candidate.id) == (job, step):
                return candidate
        raise AssertionError(f"no step {step!r} in job {job!r} ran; the log:\n{self.log}")


@dataclass(frozen=True, slots=True)
class Act:
    """act on this machine, with all it needs; `actions` are folders by the name that workflows `use` them by."""

    program: str
    runner: str
    actions: Mapping[str, str]

    def run_workflow(
        self,
        project: Path,
        workflow_file: str,
        event: str,
        payload: Mapping[str, JsonValue],
        *,
        host: Host,
        mint: workflow.Mint,
        sha: str,
        ref: str = "refs/heads/main",
        run_id: int = 1,
        run_attempt: int = 1,
        triggering_actor: str = "",
        secrets: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        seconds: float = 280.0,
    ) -> ActRun:
        """Run `workflow_file` of `project` (a folder with a git repository: what `actions/checkout` gives).

        payload: the event, whole; repository and actor are read from it as GitHub does. sha, ref: GITHUB_SHA and
        GITHUB_REF. triggering_actor: who started this attempt, if not the sender. environment: variables that every
        step sees. One run at a time on a machine: act names its containers after workflow and job alone.
        """
        repository, sender = _full_name(payload), _login(payload)
        facts = {
            "GITHUB_SERVER_URL": host.server_url,
            "GITHUB_API_URL": host.api_url,
            "GITHUB_GRAPHQL_URL": host.graphql_url,
            "GITHUB_REPOSITORY": repository,
            "GITHUB_REPOSITORY_OWNER": repository.partition("/")[0],
            "GITHUB_REF": ref,
            "GITHUB_TRIGGERING_ACTOR": triggering_actor or sender,
            "GITHUB_RUN_ID": str(run_id),
            "GITHUB_RUN_NUMBER": str(run_id),
            "GITHUB_RUN_ATTEMPT": str(run_attempt),
            "SHA_REF": sha,  # act's name for GITHUB_SHA
        } | dict(environment or {})
        prepared = workflow.prepare(
            (project / workflow_file).read_text(encoding="utf-8"),
            mint,
            tuple(name for name in self.actions if name not in workflow.STAND_INS),
        )
        with _one_at_a_time(), tempfile.TemporaryDirectory(prefix="grokfix-act-") as scratch:
            folder = Path(scratch)
            (folder / "event.json").write_text(json.dumps(payload), encoding="utf-8")
            (folder / Path(workflow_file).name).write_text(prepared.text, encoding="utf-8")
            label = randomness.token_hex(8)
            arguments = [
                *(self.program, event, "--json", "--directory", str(project), "--actor", sender),
                *("--workflows", str(folder / Path(workflow_file).name), "--eventpath", str(folder / "event.json")),
                *("--platform", f"ubuntu-latest={self.runner}", "--pull=false", "--action-offline-mode", "--rm"),
                *("--no-cache-server", "--artifact-server-path", str(folder / "artifacts")),
                *("--artifact-server-addr", "127.0.0.1", "--artifact-server-port", str(_free_port())),
                *("--container-options", f"--label {images.RUN_LABEL}={label}"),
                *("--env-file", os.devnull, "--secret-file", os.devnull, "--var-file", os.devnull),
            ]
            for used in workflow.local_repositories(prepared, self.actions):
                arguments += ["--local-repository", used]
            for name, value in facts.items():
                arguments += ["--env", f"{name}={value}"]
            for name, value in (dict(secrets or {}) | dict(prepared.secrets)).items():
                arguments += ["--secret", f"{name}={value}"]
            with closing(docker.from_env()) as client:
                before = images.on_engine(client, label)
                done = run(arguments, environment=minimal_environment() | {"HOME": scratch}, seconds=seconds)
                left = images.on_engine(client, label) - before
                images.remove(client, left)
        log = read((done.stdout + done.stderr).decode(errors="replace"))
        exit_code = None if done.timed_out else done.exit_code
        return ActRun(exit_code, log.jobs, log.steps, log.text, tuple(sorted(map(str, left))))


def _full_name(payload: Mapping[str, JsonValue]) -> str:
    match payload:
        case {"repository": {"full_name": str(name)}}:
            return name
    raise ValueError("the payload has no repository.full_name; every event that starts a workflow carries it")


def _login(payload: Mapping[str, JsonValue]) -> str:
    match payload:
        case {"sender": {"login": str(login)}}:
            return login
    return "github-actions[bot]"  # a schedule has no sender


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with Path(tempfile.gettempdir(), "grokfix-act.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
