"""The workflows of this repository, and those that `init` writes, as linters and readers see them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import process
from bot.config import Settings, SuiteSettings
from bot.setup.files import (
    SETTINGS_PATH,
    WORKFLOW_PATH,
    Mode,
    Secrets,
    step_to_paste,
    triage_text,
    workflow_text,
)
from bot.setup.pins import ACTION_REPOSITORY, TAG, our_action, pins
from bot.setup.settings import read_settings
from bot.setup.workflows import Workflow, read_workflow, read_workflows
from tests.meta.linters import actionlint, zizmor

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SHA = "0123456789abcdef0123456789abcdef01234567"
OWN = "./ # zizmor: ignore[self-repository] `$/` takes no action at the root"
PLAIN = """\
name: tests
on: [push, pull_request]
permissions: {}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - name: Test
        run: pytest -q
"""


def uses_of(text: str) -> list[str]:
    return re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)


def pasted() -> str:
    """PLAIN with the lines that `init --mode step` shows, put where it says."""
    workflow = read_workflow(PLAIN, ".github/workflows/tests.yml")
    assert isinstance(workflow, Workflow)
    paste = step_to_paste(workflow, our_action(SHA))
    return PLAIN.replace("    runs-on", paste.permissions + "    runs-on") + paste.step


MORE_KEYS = Secrets("HOUSE_KEY", ("GATEWAY_KEY", "INDEX_TOKEN"))
WITH_SECRETS = Settings(suites=(SuiteSettings(name="default", setup_secrets={"INDEX_TOKEN": b""}),))
GENERATED = {
    "three-jobs-by-tag": workflow_text(Mode.THREE_JOBS, ["tests"], our_action(None), 30),
    "three-jobs-by-commit": workflow_text(Mode.THREE_JOBS, ["tests", "a: [b]"], our_action(SHA), 30),
    "one-job-by-tag": workflow_text(Mode.ONE_JOB, ["tests"], our_action(None), 30),
    "one-job-by-commit": workflow_text(Mode.ONE_JOB, ["tests"], our_action(SHA), 30),
    "three-jobs-more-keys": workflow_text(Mode.THREE_JOBS, ["tests"], our_action(SHA), 30, MORE_KEYS),
    "one-job-more-keys": workflow_text(Mode.ONE_JOB, ["tests"], our_action(SHA), 30, MORE_KEYS),
    "triage-by-tag": triage_text(Settings(), our_action(None)),
    "triage-more-secrets": triage_text(WITH_SECRETS, our_action(SHA), 5),
    "step": pasted(),
}


@pytest.fixture
def generated(tmp_path: Path) -> list[Path]:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for name, text in GENERATED.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def test_zizmor_on_this_repository() -> None:
    assert zizmor(ROOT / ".github", ROOT / "action.yml") == []


def test_zizmor_on_what_init_writes(generated: list[Path]) -> None:
    assert zizmor(generated[0].parents[2]) == []


def test_zizmor_is_awake(tmp_path: Path) -> None:
    """A linter that finds nothing anywhere would pass the tests above as well."""
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(PLAIN.replace("pytest -q", "echo ${{ github.event.comment.body }}"))
    assert [finding for finding in zizmor(tmp_path) if finding.startswith("template-injection")]


def test_actionlint(generated: list[Path]) -> None:
    assert actionlint([*WORKFLOWS, *generated]) == []


def test_actionlint_is_awake(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(PLAIN.replace("steps:", "stepz:"))
    assert any("stepz" in finding for finding in actionlint([tmp_path / "bad.yml"]))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_as_init_pins_them(path: Path) -> None:
    known = {pin.uses for pin in pins().values()} | {OWN}
    assert set(uses_of(path.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("text", [path.read_text() for path in WORKFLOWS] + list(GENERATED.values()))
def test_the_habits_of_every_workflow(text: str) -> None:
    """Nothing by default, a time limit a job, no token left by a checkout, nothing untrusted in a command."""
    loaded: dict[Any, Any] = yaml.safe_load(text)
    assert loaded["permissions"] == {}
    for name, job in loaded["jobs"].items():
        assert "permissions" in job, name
        assert text == GENERATED["step"] or job["timeout-minutes"] <= 120, name
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), name
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_commands_are_readable_by_the_shell(path: Path) -> None:
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
        for step in job["steps"]:
            done = process.run(("bash", "-n"), stdin=step.get("run", "").encode())
            assert (done.exit_code, done.stderr) == (0, b""), (name, step["name"])


def test_our_own_workflow_is_what_init_writes() -> None:
    """But for the action, which is the default branch's and must be checked out first."""
    own = (ROOT / WORKFLOW_PATH).read_text(encoding="utf-8")
    minutes = read_settings((ROOT / SETTINGS_PATH).read_text(encoding="utf-8"), "grokfix.yml", {}).limits.minutes
    written = workflow_text(Mode.THREE_JOBS, ["tests"], OWN, minutes)
    checkout = r"      - name: Check out .*\n        uses: actions/checkout@.*\n        with:\n          persist-.*\n"
    stripped, count = re.subn(checkout, "", own)
    assert count == 3
    comments = re.compile(r"^ *#.*\n", re.MULTILINE)
    assert comments.sub("", stripped) == comments.sub("", written)


def test_our_own_workflow_follows_our_tests() -> None:
    found = read_workflows(ROOT)
    assert found.unreadable == ()
    assert [workflow.name for workflow in found.with_tests()] == ["tests"]


def test_release_keeps_the_line_that_it_replaces() -> None:
    """The release workflow replaces one line of action.yml and reads one of the Dockerfile."""
    assert (ROOT / "action.yml").read_text(encoding="utf-8").count("\n  image: Dockerfile\n") == 1
    assert re.search(r"^ARG BASE=[\w.:/-]+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_step_of_the_readme_is_the_one_that_init_shows() -> None:
    shown = step_to_paste(None, f"{ACTION_REPOSITORY}@{TAG}").step
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")


def test_permissions_in_the_documentation_are_those_that_init_writes() -> None:
    """The table of docs/github.md, column by column."""
    table = re.findall(
        r"^\| (actions|checks|contents|issues|pull-requests) \|(.*)\|$",
        (ROOT / "docs/github.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    documented = {scope: [cell.strip() for cell in cells.split("|")[:5]] for scope, cells in table}
    three, one = (yaml.safe_load(GENERATED[f"{name}-by-tag"])["jobs"] for name in ("three-jobs", "one-job"))
    jobs = [three["claim"], three["analyze"], three["publish"], one["grokfix"]]
    jobs.append(yaml.safe_load(GENERATED["step"])["jobs"]["test"])
    for scope, cells in documented.items():
        assert cells == [job["permissions"].get(scope, "") for job in jobs], scope
    assert set(documented) == {scope for job in jobs for scope in job["permissions"]}
