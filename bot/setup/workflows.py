"""Reading the workflows of a checkout: names, events, jobs, which of them run tests, and where steps stand.

The files are somebody's text: bounded, never executed, and what is odd in them is left out rather than guessed. They
are read as YAML nodes, which know their lines, and as strings (YAML 1.1 would make `on:` a truth value).
Source of the shapes: GitHub, "Workflow syntax for GitHub Actions".
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

FOLDER = ".github/workflows"
_LARGEST = 512 << 10  # bytes of a workflow file; GitHub's own limit is about this
_MOST = 500  # files, jobs of a file, steps of a job: more is no work of a person
_DEEPEST = 4  # reusable workflows that call each other (GitHub's limit)
_TESTS = re.compile(
    r"\./(?:gradlew|mvnw)\s+(?:\S+\s+)?(?:test|check|verify)\b|(?<![\w./-])(?:pytest|py\.test|tox|nox|nosetests|trial|stestr|unittest|jest|vitest|mocha|rspec|phpunit|ctest"
    r"|(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:test|t)\b|(?:make|just|task|rake|hatch|pdm|rye|invoke|inv)\s+(?:run\s+)?\w*tests?\b"
    r"|(?:go|cargo|mvn|gradle|dotnet|bazel|swift|mix|deno)\s+(?:\S+\s+)?test\b"
    r"|manage\.py\s+test)(?![\w-]*\.(?:py|toml|ini|cfg|json|txt|ya?ml)\b)(?![\w/-])"
)
_INSTALLS = re.compile(r"\b(?:pip3?|pipx|uv|poetry|conda|npm|apt(?:-get)?|brew)\s+(?:\w+\s+)?(?:install|add|sync)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """One step. line, end_line: first and last line in the file, from 1. column: of its dash, from 0.

    environment: what its `env` sets; a job and a workflow have the same.
    """

    name: str
    run: str
    uses: str
    inputs: Mapping[str, str]
    line: int
    end_line: int
    column: int
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_tests(self) -> bool:
        """Whether a command in it starts a test runner; installing one is no test."""
        lines = (part for line in self.run.splitlines() for part in re.split(r"&&|;|\|\|", line))
        return any(
            _TESTS.search(line) and not _INSTALLS.search(line) and not line.lstrip().startswith("#") for line in lines
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One job. uses: of a reusable workflow. minutes: `timeout-minutes`, None where it is not set or an expression.

    permissions: scope → access; None where the job has none of its own. `{"*": "write-all"}` for the short forms.
    column: of its keys, from 0.
    """

    id: str
    uses: str
    minutes: float | None
    permissions: Mapping[str, str] | None
    steps: tuple[Step, ...]
    column: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow file. name: as GitHub shows it and `workflow_run` takes it: its `name`, else its path.

    follows: names in `on.workflow_run.workflows`. permissions: as in Job, of the whole file.
    """

    path: str
    name: str
    events: tuple[str, ...]
    follows: tuple[str, ...]
    permissions: Mapping[str, str] | None
    jobs: tuple[Job, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def steps(self) -> Iterator[tuple[Job, Step]]:
        """Every step with its job."""
        return ((job, step) for job in self.jobs for step in job.steps)

    def called(self) -> tuple[str, ...]:
        """Paths of the reusable workflows of the same repository that its jobs are."""
        return tuple(job.uses[2:] for job in self.jobs if job.uses.startswith(("./", "$/")))


@dataclass(frozen=True, slots=True)
class Workflows:
    """All workflows of a checkout, by path; `unreadable`: what could not be read, and why."""

    files: tuple[Workflow, ...]
    unreadable: tuple[str, ...] = ()

    def with_tests(self) -> tuple[Workflow, ...]:
        """Those that run tests on push or pull_request, also through a reusable workflow of the same repository."""
        testing = {workflow.path for workflow in self.files if any(step.runs_tests for _, step in workflow.steps())}
        for _ in range(_DEEPEST):
            testing |= {workflow.path for workflow in self.files if testing & set(workflow.called())}
        return tuple(
            workflow
            for workflow in self.files
            if {"push", "pull_request"} & set(workflow.events) and workflow.path in testing
        )


def read_workflows(root: Path) -> Workflows:
    """Every workflow file below `root`/.github/workflows; a missing folder has none."""
    files: list[Workflow] = []
    unreadable: list[str] = []
    try:
        names = sorted(each.name for each in (root / FOLDER).iterdir() if each.suffix in {".yml", ".yaml"})
    except OSError:
        names = []
    for name in names[:_MOST]:
        path = f"{FOLDER}/{name}"
        found = _text(root / path)
        read = found if isinstance(found, Unreadable) else read_workflow(found, path)
        if isinstance(read, Workflow):
            files.append(read)
        else:
            unreadable.append(f"{path}: {read.reason}")
    return Workflows(tuple(files), tuple(unreadable))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is no workflow for us, and why."""

    reason: str


def _text(path: Path) -> str | Unreadable:
    """A regular file's text; no link is followed, for what it names is not what GitHub reads."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Unreadable(f"cannot be read ({error.strerror})")
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Unreadable("is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        return Unreadable(f"is larger than {_LARGEST >> 10} KiB")
    return content.decode("utf-8", "replace")


def read_workflow(text: str, path: str) -> Workflow | Unreadable:
    """One file's text; `path` is relative to the repository."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return Unreadable(f"line {line} is not readable as YAML")
    except (yaml.YAMLError, RecursionError, ValueError):
        return Unreadable("is not readable as YAML")
    if not isinstance(root, yaml.MappingNode):
        return Unreadable("holds no workflow")
    top = _mapping(root)
    events = top.get("on")
    after = _mapping(_mapping(events).get("workflow_run"))
    lines = text.splitlines()
    return Workflow(
        path=path,
        name=_string(top.get("name")) or path,
        events=_strings(events) or tuple(_mapping(events)),
        follows=_strings(after.get("workflows")),
        permissions=_permissions(top.get("permissions")),
        jobs=tuple(_job(name, node, lines) for name, node in _mapping(top.get("jobs")).items()),
        environment=_texts(top.get("env")),
    )


def _job(name: str, node: yaml.Node, lines: list[str]) -> Job:
    parts = _mapping(node)
    steps = parts.get("steps")
    found = steps.value[:_MOST] if isinstance(steps, yaml.SequenceNode) else ()
    return Job(
        id=name,
        uses=_string(parts.get("uses")),
        minutes=_minutes(_string(parts.get("timeout-minutes"))),
        permissions=_permissions(parts.get("permissions")),
        steps=tuple(_step(step, lines) for step in found if isinstance(step, yaml.MappingNode)),
        column=node.start_mark.column,
        environment=_texts(parts.get("env")),
    )


def _step(node: yaml.MappingNode, lines: list[str]) -> Step:
    parts = _mapping(node)
    line = node.start_mark.line
    end = min(_end(node), len(lines))
    while end > line + 1 and not lines[end - 1].strip():
        end -= 1
    text = lines[line] if line < len(lines) else ""
    dash = text.rfind("-", 0, node.start_mark.column)
    return Step(
        name=_string(parts.get("name")),
        run=_string(parts.get("run")),
        uses=_string(parts.get("uses")),
        inputs=_texts(parts.get("with")),
        line=line + 1,
        end_line=end,
        column=dash if dash >= 0 else max(node.start_mark.column - 2, 0),
        environment=_texts(parts.get("env")),
    )


def _end(node: yaml.Node) -> int:
    """Number of the last line (from 1) that a node's own text is on: the end mark of a mapping lies behind comments."""
    for _ in range(_MOST):
        if not isinstance(node, yaml.CollectionNode) or not node.value or node.flow_style:
            break
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    mark = node.end_mark
    return int(mark.line) if mark.column == 0 and mark.line > node.start_mark.line else int(mark.line) + 1


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value[:_MOST] if isinstance(key, yaml.ScalarNode)}


def _texts(node: yaml.Node | None) -> dict[str, str]:
    return {key: _string(value) for key, value in _mapping(node).items()}


def _string(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _strings(node: yaml.Node | None) -> tuple[str, ...]:
    """A string or a list of strings."""
    if isinstance(node, yaml.ScalarNode):
        return (str(node.value),) if node.value else ()
    found = node.value[:_MOST] if isinstance(node, yaml.SequenceNode) else ()
    return tuple(str(each.value) for each in found if isinstance(each, yaml.ScalarNode))


def _permissions(node: yaml.Node | None) -> Mapping[str, str] | None:
    if isinstance(node, yaml.ScalarNode) and node.value:
        return {"*": str(node.value)}
    return _texts(node) if isinstance(node, yaml.MappingNode) else None


def _minutes(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,5}(\.\d{1,3})?", text) else None
