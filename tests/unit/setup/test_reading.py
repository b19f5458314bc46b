"""Reading a repository's workflows: what runs tests, where steps stand, and what hostile files do (nothing)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.setup.workflows import FOLDER, Step, Unreadable, Workflow, read_workflow, read_workflows

CI = """\
name: "CI: tests & lint"
on: [push, pull_request]
permissions: read-all
jobs:
  lint:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - run: ruff check
  test:
    runs-on: ubuntu-latest
    timeout-minutes: ${{ fromJSON('10') }}
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@v4
        with: {persist-credentials: false}
      - name: Run tests
        run: |
          pip install pytest
          pytest -q

      # a remark
      - run: echo done
"""


def workflow(text: str, path: str = f"{FOLDER}/ci.yml") -> Workflow:
    found = read_workflow(text, path)
    assert isinstance(found, Workflow)
    return found


def step(run: str) -> Step:
    return Step("", run, "", {}, 1, 1, 0)


def test_a_workflow() -> None:
    found = workflow(CI)
    assert (found.name, found.events, found.permissions) == (
        "CI: tests & lint",
        ("push", "pull_request"),
        {"*": "read-all"},
    )
    lint, test = found.jobs
    assert (lint.id, lint.minutes, lint.permissions) == ("lint", 5.0, None)
    assert (test.id, test.minutes, test.permissions, test.column) == ("test", None, {"contents": "read"}, 4)
    assert [each.runs_tests for each in test.steps] == [False, True, False]
    assert test.steps[0].inputs == {"persist-credentials": "false"}


def test_where_a_step_stands() -> None:
    """The line after which another step can be put: behind its last line, before blank lines and remarks."""
    _, tests, done = workflow(CI).jobs[1].steps
    lines = CI.splitlines()
    assert (lines[tests.line - 1], lines[tests.end_line - 1]) == ("      - name: Run tests", "          pytest -q")
    assert tests.column == 6
    assert done.end_line == len(lines)


@pytest.mark.parametrize(
    ("text", "column", "last"),
    [
        ("jobs:\n  a:\n    steps:\n    - run: pytest\n    - run: x\n", 4, 4),
        ("jobs:\n  a:\n    steps:\n      - {run: pytest, name: y}\n", 6, 4),
        ("jobs:\n  a:\n    steps:\n      -   run: pytest\n          env:\n            A: b\n\n\n", 6, 6),
        ("jobs:\n  a:\n    steps:\n      - run: >-\n          pytest\n          -q", 6, 6),
        ('jobs:\n  a:\n    steps:\n      - run: "pytest\n          -q"\n        if: "true" # why\n', 6, 6),
        ("jobs: {a: {steps: [{run: pytest}]}}", 18, 1),
    ],
)
def test_where_odd_steps_stand(text: str, column: int, last: int) -> None:
    found = workflow(text).jobs[0].steps[0]
    assert (found.runs_tests, found.end_line) == (True, last)
    assert column in (found.column, 18)


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "python -m pytest tests/",
        "uv run --frozen pytest -q",
        "python3 -m unittest discover",
        "tox run -e py312",
        "nox -s tests",
        "npm test",
        "npm run test",
        "yarn test --ci",
        "make test",
        "make -C x\nmake unit_tests",
        "hatch run test",
        "go test ./...",
        "cargo test",
        "./gradlew test",
        "python manage.py test",
        "cd sub && pytest",
        "pip install -e . && pytest",
        "coverage run -m pytest",
    ],
)
def test_commands_that_run_tests(command: str) -> None:
    assert step(command).runs_tests


@pytest.mark.parametrize(
    "command",
    [
        "",
        "pip install pytest",
        "uv pip install tox pytest-cov",
        "python -m pip install --upgrade tox",
        "cat pytest.ini",
        "ruff check tests",
        "# pytest",
        "echo latest",
        "./scripts/pytest_report.sh",
        "cp tox.ini /tmp",
        "make contest-page-latest",
        "npm ci",
        "go build ./...",
        "upload --name pytest-results.xml",
    ],
)
def test_commands_that_run_none(command: str) -> None:
    assert not step(command).runs_tests


def repository(tmp_path: Path, files: dict[str, str]) -> Path:
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return tmp_path


def test_which_workflows_are_followed(tmp_path: Path) -> None:
    root = repository(
        tmp_path,
        {
            "ci.yml": CI,
            "nameless.yaml": "on: push\njobs: {t: {steps: [{run: tox}]}}",
            "nightly.yml": "name: nightly\non: {schedule: [{cron: '0 0 * * *'}]}\njobs: {t: {steps: [{run: pytest}]}}",
            "called.yml": "name: called\non: workflow_call\njobs: {t: {steps: [{run: pytest}]}}",
            "caller.yml": "name: caller\non: {push: null}\njobs: {t: {uses: ./.github/workflows/called.yml}}",
            "own.yml": "name: own\non: pull_request\njobs: {t: {uses: $/.github/workflows/called.yml}}",
            "docs.yml": "name: docs\non: push\njobs: {t: {steps: [{run: mkdocs build}]}}",
            "notes.txt": "no workflow",
        },
    )
    found = read_workflows(root)
    assert found.unreadable == ()
    names = [workflow.name for workflow in found.with_tests()]
    assert names == ["caller", "CI: tests & lint", f"{FOLDER}/nameless.yaml", "own"]


def test_reusable_workflows_in_a_circle(tmp_path: Path) -> None:
    circle = "on: push\njobs: {t: {uses: ./.github/workflows/%s.yml}}"
    root = repository(tmp_path, {"a.yml": circle % "b", "b.yml": circle % "a"})
    assert read_workflows(root).with_tests() == ()


def test_no_folder(tmp_path: Path) -> None:
    assert read_workflows(tmp_path).files == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no workflow"),
        ("- a", "holds no workflow"),
        ("a: [", "line 1 is not readable as YAML"),
        ("a: b\n\tc: d", "line 2 is not readable as YAML"),
        ("a: \x07", "is not readable as YAML"),
        ("[" * 5000, "readable as YAML"),
    ],
)
def test_what_is_no_workflow(text: str, reason: str) -> None:
    found = read_workflow(text, "x.yml")
    assert isinstance(found, Unreadable)
    assert reason in found.reason


@pytest.mark.parametrize(
    "text",
    [
        "on: 3\njobs: 4",
        "on: {push: [1, {2: 3}]}\njobs: {a: 1, b: [2], c: {steps: {}}, d: {steps: [1, [2], {run: [3], with: 4}]}}",
        "jobs: {? [a, b] : c}",
        "name: [a]\npermissions: [b]\njobs: {a: {timeout-minutes: -5, permissions: 7}}",
        "a: &a [x]\njobs: {t: {steps: [{run: *a}, {uses: *a, with: {k: *a}}]}}",
        "jobs: {t: {timeout-minutes: 1e999, steps: null}}",
    ],
)
def test_odd_shapes_are_left_out(text: str) -> None:
    found = workflow(text)
    assert all(isinstance(each.run, str) for _, each in found.steps())
    assert found.name == found.path


def test_an_alias_bomb_costs_nothing() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12))
    text = f"l0: &l0 {{run: pytest}}\n{levels}\njobs: {{t: {{steps: *l11}}}}\n"
    assert workflow(text).jobs[0].steps == ()


def test_links_pipes_folders_and_large_files_are_said_and_left_out(tmp_path: Path) -> None:
    root = repository(tmp_path, {"large.yml": "a: " + "b" * (600 << 10)})
    folder = root / FOLDER
    (folder / "link.yml").symlink_to("/etc/hostname")
    (folder / "folder.yml").mkdir()
    os.mkfifo(folder / "pipe.yml")
    found = read_workflows(root)
    assert found.files == ()
    assert len(found.unreadable) == 4
