"""`grokfix doctor` in a process of its own, against a GitHub and a model's endpoint over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot import process
from bot.ports import TokenKind
from bot.setup.check_forge import NAMES
from bot.setup.files import Mode, workflow_text
from bot.setup.pins import our_action
from tests.command_line import grokfix, text
from tests.github_server import GitHubServer, Repository
from tests.model_list import endpoint, listed
from tests.model_server import ModelServer, say
from tests.repositories import git, make

NOTHING = {
    "GITHUB_TOKEN": "",
    "GH_TOKEN": "",
    "GITHUB_REPOSITORY": "",
    "GITHUB_API_URL": "",
    "GITHUB_SERVER_URL": "",
    "GITHUB_GRAPHQL_URL": "",
}
SETTINGS = ".github/grokfix.yml"
FILES = {
    ".github/workflows/ci.yml": "name: CI\non: push\njobs: {t: {steps: [{run: pytest}]}}\n",
    ".github/workflows/grokfix.yml": workflow_text(Mode.THREE_JOBS, ["CI"], our_action(None), 30),
    SETTINGS: "version: 1\nsandbox: {kind: process}\n",
}
READING = {"contents": "read", "actions": "read", "pull-requests": "read"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout as `init` leaves it, with Docker left out of the question."""
    return make(tmp_path / "shop", FILES)


def doctor(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> process.Completed:
    return grokfix("doctor", *arguments, cwd=root, environment={**NOTHING, **(environment or {})})


def checks(done: process.Completed) -> dict[str, list[dict[str, Any]]]:
    """By name, of `--format json`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for check in json.loads(done.stdout)["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def statuses(done: process.Completed) -> dict[str, set[str]]:
    return {name: {check["status"] for check in found} for name, found in checks(done).items()}


def test_without_a_token(root: Path) -> None:
    """Files are checked, nothing is asked of anybody, and nothing is called a problem for want of a token."""
    done = doctor(root, "--format", "json")
    assert done.exit_code == 0, text(done)
    found = statuses(done)
    assert found["workflow"] == {"ok"}
    assert {name for name, status in found.items() if status == {"cannot be checked from here"}} >= set(NAMES)


def test_problems_are_exit_status_1_and_say_what_to_do(root: Path) -> None:
    workflow = root / ".github/workflows/grokfix.yml"
    workflow.write_text(workflow.read_text().replace('["CI"]', '["gone"]'))
    (root / SETTINGS).write_text("version: 1\nlimits: {minutes: soon}\n")
    done = doctor(root)
    assert done.exit_code == 1
    said = done.stdout.decode()
    assert "follows 'gone', and no workflow is called so" in said
    assert f"{SETTINGS}:2: limits.minutes:" in said
    assert "→ name those that run tests under on.workflow_run.workflows: CI" in said


def test_a_repository_without_anything(tmp_path: Path) -> None:
    done = doctor(make(tmp_path / "bare", {SETTINGS: FILES[SETTINGS]}))
    assert done.exit_code == 1
    assert "run `grokfix init`" in text(done)


@pytest.mark.parametrize("name", ["shop", "../x/y"])
def test_names_that_are_none(root: Path, name: str) -> None:
    done = doctor(root, "--repository", name)
    assert done.exit_code == 2
    assert "write it as OWNER/NAME" in text(done)


def test_the_repository_is_read_from_the_remote(root: Path) -> None:
    git(root, "remote", "add", "origin", "git@github.com:octo/shop.git")
    assert json.loads(doctor(root, "--format", "json").stdout)["repository"] == "octo/shop"


# --- with a token ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(github: GitHubServer, root: Path) -> Repository:
    repository = github.create("octo/shop", FILES)
    repository.collaborators["dev"] = "write"
    return repository


def with_token(server: GitHubServer, token: str) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": token,
        "GITHUB_REPOSITORY": "octo/shop",
        "GITHUB_API_URL": server.api_url,
        "GITHUB_SERVER_URL": server.server_url,
        "GITHUB_GRAPHQL_URL": server.graphql_url,
    }


def test_a_person_with_write(root: Path, shop: Repository, github: GitHubServer) -> None:
    token = github.token(TokenKind.USER, READING, login="dev")
    done = doctor(root, "--format", "json", environment=with_token(github, token))
    found = statuses(done)
    assert (found["token"], found["reading"], found["writing"]) == ({"ok"}, {"ok"}, {"ok"}), text(done)
    assert found["default branch"] == {"ok"}
    assert not github.writes
    assert token not in text(done)


def test_a_workflow_that_nobody_merged(root: Path, shop: Repository, github: GitHubServer) -> None:
    shop.commit("main", {".github/workflows/grokfix.yml": None}, "not merged")
    token = github.token(TokenKind.USER, READING, login="dev")
    done = doctor(root, environment=with_token(github, token))
    assert done.exit_code == 1
    assert ".github/workflows/grokfix.yml is not on main" in text(done)


def test_a_token_that_may_not_read_runs(root: Path, shop: Repository, github: GitHubServer) -> None:
    token = github.token(TokenKind.ACTIONS, {"contents": "read", "pull-requests": "read"})
    done = doctor(root, "--format", "json", environment=with_token(github, token))
    assert checks(done)["reading"][0]["finding"] == "missing: actions"
    assert checks(done)["writing"][0]["status"] == "cannot be checked from here"
    assert done.exit_code == 1


def test_a_token_that_is_none(root: Path, shop: Repository, github: GitHubServer) -> None:
    done = doctor(root, environment=with_token(github, "ghp_expired"))
    assert done.exit_code == 1
    assert "ghp_expired" not in text(done)


# --- the model's endpoint -------------------------------------------------------------------------------------------

KEY = "xai-0123456789abcdef"


def settings_for(url: str) -> str:
    return f"{FILES[SETTINGS]}model: {{base_url: '{url}'}}\n"


def test_a_key_that_is_taken(root: Path) -> None:
    with endpoint(200, listed("grok-code-fast-1", "other"), KEY) as url:
        (root / SETTINGS).write_text(settings_for(url))
        done = doctor(root, "--format", "json", environment={"XAI_API_KEY": KEY})
    found = statuses(done)
    assert (found["key"], found["model"]) == ({"ok"}, {"ok"}), text(done)
    assert KEY not in text(done)


def test_a_key_that_is_refused(root: Path) -> None:
    with endpoint(200, listed("grok-code-fast-1"), KEY) as url:
        (root / SETTINGS).write_text(settings_for(url))
        done = doctor(root, environment={"XAI_API_KEY": "xai-wrong-wrong-wrong"})
    assert done.exit_code == 1
    assert "put a valid one there" in text(done)
    assert "xai-wrong" not in text(done)


def test_an_endpoint_that_is_not_there(root: Path) -> None:
    (root / SETTINGS).write_text(settings_for("http://127.0.0.1:9/v1"))
    done = doctor(root, environment={"XAI_API_KEY": KEY})
    assert done.exit_code == 1
    assert "cannot be reached" in text(done)


def test_probe_asks_the_model_for_a_word(root: Path) -> None:
    with ModelServer([say("ok", model="grok-code-fast-1-0825")]) as server:
        (root / SETTINGS).write_text(settings_for(server.base_url))
        done = doctor(root, "--probe", "--format", "json", environment={"XAI_API_KEY": KEY})
        assert len(server.requests) == 1
    assert checks(done)["model"][0]["finding"] == "grok-code-fast-1 is served by grok-code-fast-1-0825"


# --- Docker ---------------------------------------------------------------------------------------------------------


def test_no_docker(root: Path) -> None:
    (root / SETTINGS).write_text("version: 1\n")
    done = doctor(root, environment={"DOCKER_HOST": "unix:///nonexistent/docker.sock"})
    assert done.exit_code == 1
    assert "no Docker daemon answers" in text(done)


@pytest.mark.docker
def test_docker_and_the_base_image(root: Path, docker_image: str) -> None:
    (root / SETTINGS).write_text(
        f"version: 1\nsuites: [{{name: here, image: '{docker_image}'}}, {{name: gone, image: 'grokfix-test/gone:0'}}]\n"
    )
    done = doctor(root, "--format", "json")
    found = checks(done)
    assert found["Docker"][0]["status"] == "ok"
    assert found["image of here"][0]["finding"] == f"{docker_image} is present"
    assert found["image of gone"][0]["status"] == "problem"
