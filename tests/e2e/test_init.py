"""`grokfix init` in a process of its own, in real repositories, on a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bot.ports import TokenKind
from bot.setup.files import SETTINGS_PATH, TRIAGE_PATH, WORKFLOW_PATH
from bot.setup.pins import ACTION_REPOSITORY, TAG
from tests.command_line import grokfix, text
from tests.github_server import GitHubServer
from tests.repositories import make

CI = {
    ".github/workflows/ci.yml": """\
name: "CI: tests"
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
        with:
          persist-credentials: false
      - name: Run tests
        run: pytest --junit-xml=reports/junit.xml
"""
}
NO_TOKEN = {"GITHUB_TOKEN": "", "GH_TOKEN": ""}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "shop", CI)


def written(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in (root / ".github").rglob("*") if path.is_file()}


def workflow(root: Path) -> dict[object, object]:
    loaded = yaml.safe_load((root / WORKFLOW_PATH).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(("mode", "jobs"), [("one-job", 1), ("three-jobs", 3), (None, 3)])
def test_workflow_and_settings(root: Path, mode: str | None, jobs: int) -> None:
    """Without a terminal nothing is asked."""
    done = grokfix("init", *(("--mode", mode) if mode else ()), cwd=root, environment=NO_TOKEN)
    assert done.exit_code == 0, text(done)
    assert written(root) == {*CI, SETTINGS_PATH, WORKFLOW_PATH}
    found = workflow(root)
    assert found[True]["workflow_run"]["workflows"] == ["CI: tests"]  # type: ignore[index]
    assert len(found["jobs"]) == jobs  # type: ignore[arg-type]
    assert f"{ACTION_REPOSITORY}@{TAG}" in (root / WORKFLOW_PATH).read_text()
    assert "XAI_API_KEY" in text(done)


def test_step_shows_the_lines_and_leaves_the_workflow_alone(root: Path) -> None:
    done = grokfix("init", "--mode", "step", cwd=root, environment=NO_TOKEN)
    assert done.exit_code == 0, text(done)
    assert written(root) == {*CI, SETTINGS_PATH}
    assert (root / ".github/workflows/ci.yml").read_text() == CI[".github/workflows/ci.yml"]
    shown = done.stdout.decode()
    assert "ci.yml, job test, after line 11 (the step “Run tests”)" in shown
    assert (
        f"      - name: Repair failing tests\n        if: failure()\n        uses: {ACTION_REPOSITORY}@{TAG}" in shown
    )
    assert "persist-credentials" not in shown


def test_from_a_folder_below(root: Path) -> None:
    (root / "src").mkdir()
    assert grokfix("init", "src", cwd=root, environment=NO_TOKEN).exit_code == 0
    assert WORKFLOW_PATH in written(root)


def test_a_second_time(root: Path) -> None:
    assert grokfix("init", cwd=root, environment=NO_TOKEN).exit_code == 0
    (root / SETTINGS_PATH).write_text("version: 1\nlimits: {minutes: 50}\n")
    before = (root / WORKFLOW_PATH).read_text()
    again = grokfix("init", "--mode", "one-job", cwd=root, environment=NO_TOKEN)
    assert again.exit_code == 2
    assert "exists already" in text(again)
    assert (root / WORKFLOW_PATH).read_text() == before
    forced = grokfix("init", "--mode", "one-job", "--force", cwd=root, environment=NO_TOKEN)
    assert forced.exit_code == 0, text(forced)
    assert (root / SETTINGS_PATH).read_text() == "version: 1\nlimits: {minutes: 50}\n"
    assert workflow(root)["jobs"]["grokfix"]["timeout-minutes"] == 65  # type: ignore[index]


@pytest.mark.parametrize(
    ("files", "arguments", "says"),
    [
        ({"a.py": ""}, (), "no workflow in .github/workflows runs tests"),
        (CI, ("--workflow", "nightly"), "no workflow here is called 'nightly' (--workflow); there are: CI: tests"),
        ({**CI, SETTINGS_PATH: "version: 1\nlimit: 3\n"}, (), f"{SETTINGS_PATH}:2: limit: unknown key"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, files: dict[str, str], arguments: tuple[str, ...], says: str) -> None:
    root = make(tmp_path / "shop", files)
    done = grokfix("init", *arguments, cwd=root, environment=NO_TOKEN)
    assert (done.exit_code, says in text(done)) == (2, True), text(done)
    assert not (root / WORKFLOW_PATH).exists()


def test_outside_a_repository(tmp_path: Path) -> None:
    done = grokfix("init", cwd=tmp_path, environment=NO_TOKEN)
    assert done.exit_code == 2
    assert "not inside a git repository" in text(done)


@pytest.mark.parametrize(("arguments", "shards"), [((), "2"), (("--shards", "1"), "1"), (("--shards", "20"), "20")])
def test_the_workflow_of_the_nights_and_its_shards(tmp_path: Path, arguments: tuple[str, ...], shards: str) -> None:
    root = make(tmp_path / "shop", {"README.md": ""})
    done = grokfix("init", "--triage", *arguments, cwd=root, environment=NO_TOKEN)
    assert done.exit_code == 0, text(done)
    assert written(root) == {SETTINGS_PATH, TRIAGE_PATH}
    jobs = yaml.safe_load((root / TRIAGE_PATH).read_text(encoding="utf-8"))["jobs"]
    assert jobs["claim"]["steps"][0]["with"]["shard"] == shards


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--triage", "--shards", "21"), "--shards 21: a night is divided among 1 to 20 jobs"),
        (("--triage", "--shards", "0"), "'0' is not a whole number from 1"),
        (("--triage", "--shards", "1.5"), "'1.5' is not a whole number from 1"),
        (("--triage", "--shards", "1/2"), "'1/2' is not a whole number from 1"),
        (("--shards", "2"), "belongs to `grokfix init --triage`"),
    ],
)
def test_shards_that_cannot_be(root: Path, arguments: tuple[str, ...], says: str) -> None:
    done = grokfix("init", *arguments, cwd=root, environment=NO_TOKEN)
    assert done.exit_code == 2
    assert says in text(done)
    assert written(root) == {*CI}


def test_a_workflow_by_name(tmp_path: Path) -> None:
    odd = {".github/workflows/odd.yml": "name: odd\non: push\njobs: {t: {steps: [{run: ./check.sh}]}}"}
    root = make(tmp_path / "shop", {**CI, **odd})
    done = grokfix("init", "--workflow", "odd", "--workflow", "CI: tests", cwd=root, environment=NO_TOKEN)
    assert done.exit_code == 0, text(done)
    assert workflow(root)[True]["workflow_run"]["workflows"] == ["odd", "CI: tests"]  # type: ignore[index]


@pytest.mark.parametrize(("answer", "jobs"), [("2\n", 1), ("\n", 3), ("nonsense\none-job\n", 1)])
def test_on_a_terminal_it_asks(root: Path, answer: str, jobs: int) -> None:
    """One question; a wrong answer is asked about again, Enter takes the default."""
    terminal, other_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "init"],
        cwd=root,
        env={**os.environ, **NO_TOKEN},
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
    ) as child:
        os.close(other_end)
        os.write(terminal, answer.encode())
        said = b""
        try:
            while part := os.read(terminal, 4096):
                said += part
        except OSError:
            pass  # the child has closed its end
        os.close(terminal)
    assert child.returncode == 0, said.decode()
    assert b"How shall grokfix run?" in said
    assert len(workflow(root)["jobs"]) == jobs  # type: ignore[arg-type]


def at(server: GitHubServer, token: str) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": token,
        "GITHUB_API_URL": server.api_url,
        "GITHUB_SERVER_URL": server.server_url,
        "GITHUB_GRAPHQL_URL": server.graphql_url,
    }


def test_with_a_token_grokfix_is_pinned_by_commit(root: Path, github: GitHubServer) -> None:
    released = github.create(ACTION_REPOSITORY, {"action.yml": "x"})
    sha = released.commit(TAG, {"action.yml": "y"}, "A branch that is named like the release")
    token = github.token(TokenKind.USER, {"contents": "read"}, login="dev")
    done = grokfix("init", cwd=root, environment=at(github, token))
    assert done.exit_code == 0, text(done)
    assert (root / WORKFLOW_PATH).read_text().count(f"uses: {ACTION_REPOSITORY}@{sha} # {TAG}\n") == 3


def test_a_token_that_does_not_help_costs_nothing(root: Path, github: GitHubServer) -> None:
    done = grokfix("init", cwd=root, environment=at(github, "ghp_wrong"))
    assert done.exit_code == 0, text(done)
    assert "ghp_wrong" not in text(done)
    assert f"uses: {ACTION_REPOSITORY}@{TAG} #" in (root / WORKFLOW_PATH).read_text()
