"""The files and lines that `init` gives a repository, rendered."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

import yaml

from bot.config import Settings
from bot.publish.untrusted import one_line
from bot.setup.pins import pins
from bot.setup.workflows import Job, Step, Workflow

WORKFLOW_PATH = ".github/workflows/grokfix.yml"
TRIAGE_PATH = ".github/workflows/grokfix-triage.yml"
SETTINGS_PATH = ".github/grokfix.yml"
SECRET = "XAI_API_KEY"  # noqa: S105 (the secret's name)
SPARE_MINUTES = 15
"""What a job needs beside limits.minutes: the image, fetching, the report."""
SHARDS = 2
"""Jobs among which a night of triage is divided where nobody says otherwise."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JUNIT = re.compile(r"--junit-?xml[= ]['\"]?([\w./*-]+)")
_STEP_PERMISSIONS = (
    ("actions", "read", "the last green run"),
    ("checks", "write", "the check run with its annotations"),
    ("contents", "write", "the branch of the fix; the ledger and traces on grokfix-data"),
    ("issues", "write", "the progress comment, labels"),
    ("pull-requests", "write", "the pull request"),
)


class Mode(StrEnum):
    """How grokfix is built in, from least to most apart."""

    STEP = "step"
    ONE_JOB = "one-job"
    THREE_JOBS = "three-jobs"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Names of the secrets that the step which repairs is given. key: as its input api-key. others: as variables."""

    key: str = SECRET
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paste:
    """Lines for a person to add to a workflow of theirs. place: where, in a sentence's words. notes: what else."""

    place: str
    step: str
    permissions: str
    notes: tuple[str, ...]


def secrets_of(settings: Settings) -> Secrets:
    """Those that `settings` read from the environment: keys of the model's endpoints, and what set-up needs."""
    model = settings.model
    named = [each.api_key_env for each in model.providers] if settings.engine != "search" else []
    named += [name for suite in settings.suites for name in suite.setup_secrets]
    # A name that is none of a secret's cannot be written down; doctor says that nobody passes it.
    others = (name for name in dict.fromkeys(named) if name != model.api_key_env and _NAME.fullmatch(name))
    return Secrets(model.api_key_env, tuple(others))


def settings_text() -> str:
    """`.github/grokfix.yml` with every key at its default, in comments."""
    return _template("grokfix.yml")


def workflow_text(
    mode: Mode,
    names: Sequence[str],
    action: str,
    minutes: float,
    secrets: Secrets = Secrets(),
) -> str:
    """`.github/workflows/grokfix.yml` for `mode` (not STEP), after the workflows `names`.

    action: text after `uses: ` for grokfix. minutes: limits.minutes of the settings.
    """
    known = pins()
    values = {
        "__WORKFLOWS__": f"[{', '.join(_quoted(name) for name in names)}]",
        "__GROKFIX__": action,
        "__MINUTES__": str(int(minutes) + SPARE_MINUTES),
        "__KEY__": secrets.key,
        "__ENVIRONMENT__": _indented(_environment(secrets), 8),
        "__UPLOAD_ARTIFACT__": known["actions/upload-artifact"].uses,
        "__DOWNLOAD_ARTIFACT__": known["actions/download-artifact"].uses,
    }
    # in one pass: a workflow's name may itself look like one of these marks
    return re.sub("|".join(values), lambda match: values[match[0]], _template(f"{mode}.yml"))


def triage_text(settings: Settings, action: str, shards: int = SHARDS) -> str:
    """`.github/workflows/grokfix-triage.yml`. action: text after `uses: ` for grokfix. shards: jobs a night, from 1."""
    known, secrets = pins(), secrets_of(settings)
    set_up = {name for suite in settings.suites for name in suite.setup_secrets}
    minutes = settings.triage.minutes + settings.limits.minutes
    values = {
        "__GROKFIX__": action,
        "__KEY__": secrets.key,
        "__MINUTES__": str(int(minutes) + SPARE_MINUTES),
        "__SHARDS__": str(shards),
        "__ENVIRONMENT__": _indented(_environment(secrets, {*secrets.others} - set_up), 8),
        "__UPLOAD_ARTIFACT__": known["actions/upload-artifact"].uses,
        "__DOWNLOAD_ARTIFACT__": known["actions/download-artifact"].uses,
    }
    return re.sub("|".join(values), lambda match: values[match[0]], _template("triage.yml"))


def step_to_paste(
    workflow: Workflow | None,
    action: str,
    secrets: Secrets = Secrets(),
) -> Paste:
    """The step and the permissions for mode STEP, indented for `workflow` (None: for any)."""
    found = None if workflow is None else next(((job, step) for job, step in workflow.steps() if step.runs_tests), None)
    if workflow is None or found is None:
        return Paste(
            "after the step that runs the tests", _step(action, "reports/*.xml", 6, secrets), _permissions(4), _notes()
        )
    job, step = found
    report = _JUNIT.search(step.run)
    return Paste(
        place=f"{one_line(workflow.path)}, job {one_line(job.id)}, after line {step.end_line} ({_called(step)})",
        step=_step(action, report[1] if report else "reports/*.xml", step.column, secrets),
        permissions=_permissions(job.column),
        notes=_notes(job, reports=report is not None),
    )


def _environment(secrets: Secrets, for_repairs: Collection[str] = ()) -> tuple[str, ...]:
    """Lines of a step, not indented; none where there is nothing to pass. for_repairs: passed only where claim says
    that a repair was asked for."""
    if not secrets.others:
        return ()
    lines = (f"  {name}: {_secret(name, only_mending=name in for_repairs)}" for name in secrets.others)
    return ("env: # secrets that grokfix.yml names", *lines)


def _secret(name: str, *, only_mending: bool = False) -> str:
    condition = f"needs.claim.outputs.mend == 'true' && secrets.{name} || ''"
    return f"${{{{ {condition if only_mending else f'secrets.{name}'} }}}}"


def _step(action: str, junit: str, column: int, secrets: Secrets) -> str:
    lines = (
        "- name: Repair failing tests",
        "  if: failure()",
        f"  uses: {action}",
        *(f"  {line}" for line in _environment(secrets)),
        "  with:",
        f'    junit: "{junit}"',
        f"    api-key: {_secret(secrets.key)}",
    )
    return _indented(lines, column)


def _permissions(column: int) -> str:
    scopes = (f"  {scope}: {access} # {reason}" for scope, access, reason in _STEP_PERMISSIONS)
    return _indented(("permissions:", *scopes), column)


def _notes(job: Job | None = None, *, reports: bool = False) -> tuple[str, ...]:
    notes = []
    if not reports:
        notes.append("Let the tests write JUnit XML, e.g. pytest --junit-xml=reports/junit.xml")
    if job is None or job.permissions is None:
        notes.append("Give that job the permissions below; those that it has no line for are taken away from it")
    else:
        notes.append("Add to that job's permissions what it lacks of those below")
    checkouts = [] if job is None else [step for step in job.steps if step.uses.startswith("actions/checkout@")]
    if any(step.inputs.get("persist-credentials") != "false" for step in checkouts) or job is None:
        notes.append(
            "Set persist-credentials: false on the job's actions/checkout: else the token, which may now write, lies "
            "where the tests can read it"
        )
    return tuple(notes)


def _called(step: Step) -> str:
    if step.name:
        return f"the step “{one_line(step.name, 60)}”"
    first = next((line for line in step.run.splitlines() if line.strip()), "")
    return f"the step that runs {one_line(first, 60)}"


def _indented(lines: Sequence[str], column: int) -> str:
    return "".join(f"{' ' * column}{line}\n" for line in lines)


def _quoted(name: str) -> str:
    """A YAML string in double quotes, on one line whatever is in it."""
    dumped: str = yaml.safe_dump(name, default_style='"', allow_unicode=True, width=10_000)
    return dumped.strip()


def _template(name: str) -> str:
    return files("bot.setup").joinpath("templates", name).read_text(encoding="utf-8")
