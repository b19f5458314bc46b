"""Checks on the files of a checkout: nothing is asked of anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.config import Settings
from bot.setup.checks import Check, ok, problem, unknown
from bot.setup.files import SETTINGS_PATH, SPARE_MINUTES, WORKFLOW_PATH, secrets_of
from bot.setup.workflows import Job, Step, Workflow, Workflows

_LEAST_SPARE = 5
_RUNNING = {"all", "analyze"}
"""Modes that run tests; the others only read and write."""

NEEDED: Mapping[str, Mapping[str, str]] = {
    "claim": {
        "actions": "write",
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "pull-requests": "write",
    },
    "analyze": {"actions": "read", "contents": "read", "issues": "read", "pull-requests": "read"},
    "publish": {
        "actions": "read",
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "pull-requests": "write",
    },
    "all": {"actions": "read", "checks": "write", "contents": "write", "issues": "write", "pull-requests": "write"},
}
"""Permissions of the job's token by mode. `all` needs actions: write besides, where it answers comments."""


@dataclass(frozen=True, slots=True)
class Use:
    """One step that runs grokfix."""

    workflow: Workflow
    job: Job
    step: Step

    @property
    def mode(self) -> str:
        return self.step.inputs.get("mode") or "all"

    @property
    def place(self) -> str:
        return f"{self.workflow.path}, job {self.job.id}"

    @property
    def variables(self) -> Mapping[str, str]:
        """What `env` sets for the step, wherever it stands: the action's container is given all of it."""
        return {**self.workflow.environment, **self.job.environment, **self.step.environment}

    @property
    def runs(self) -> bool:
        """Whether it runs tests and asks the model: what the other modes need no secrets for."""
        return self.mode in _RUNNING

    @property
    def needed(self) -> Mapping[str, str]:
        """Permissions that the step's job must have."""
        needed = NEEDED.get(self.mode, {})
        if self.mode == "all" and "issue_comment" in self.workflow.events:
            return {**needed, "actions": "write"}
        return needed

    @property
    def given(self) -> Mapping[str, str] | None:
        """Permissions that the job has; None where the repository's setting decides."""
        return self.workflow.permissions if self.job.permissions is None else self.job.permissions

    def may(self, scope: str, access: str) -> bool | None:
        """Whether the job has that permission; None where only the repository's setting knows."""
        if self.given is None:
            return None
        has = self.given.get(scope, {"write-all": "write", "read-all": "read"}.get(self.given.get("*", ""), "none"))
        return has in {"write", access}


def uses_of(workflows: Workflows) -> tuple[Use, ...]:
    """Every step that runs grokfix: by its repository's name, whoever's copy it is, or as this repository's own."""
    return tuple(
        Use(workflow, job, step)
        for workflow in workflows.files
        for job, step in workflow.steps()
        if step.uses in {"./", "$/"} or step.uses.partition("@")[0].lower().endswith("/grokfix")
    )


def check_files(workflows: Workflows, settings: Settings | str) -> tuple[Check, ...]:
    """All checks on files. settings: those of the work tree, or what is wrong with its file."""
    uses = uses_of(workflows)
    return (
        *_settings(settings),
        *(
            problem("workflow files", each, "mend it, or GitHub will not run it either")
            for each in workflows.unreadable
        ),
        *_workflow(uses, workflows),
        *(check for use in uses for check in _permissions(use)),
        *(() if isinstance(settings, str) else _limits(uses, settings)),
        *(() if isinstance(settings, str) else _dispatch(uses, workflows, settings)),
        *(() if isinstance(settings, str) else _variables(uses, settings)),
        *(() if isinstance(settings, str) else _kinds(uses, settings)),
    )


def _settings(settings: Settings | str) -> Iterator[Check]:
    if isinstance(settings, str):
        yield problem("settings", settings, "mend the file; until then every run ends with this message")
    else:
        limits = settings.limits
        money = "no limit of money" if limits.cost_usd is None else f"{limits.cost_usd:g} USD"
        yield ok("settings", f"engine {settings.engine}, {limits.attempts} attempts, {limits.minutes:g} min, {money}")


def _workflow(uses: Sequence[Use], workflows: Workflows) -> Iterator[Check]:
    if not uses:
        yield problem("workflow", "no workflow of this checkout runs grokfix", "run `grokfix init`")
        return
    names = {workflow.name for workflow in workflows.files}
    for workflow in {use.workflow.path: use.workflow for use in uses}.values():
        if "workflow_run" not in workflow.events:
            yield ok("workflow", f"{workflow.path} runs grokfix on {', '.join(workflow.events) or 'nothing'}")
            continue
        gone = [name for name in workflow.follows if name not in names]
        if gone or not workflow.follows:
            yield problem(
                "workflow",
                f"{workflow.path} follows {gone[0]!r}, and no workflow is called so"
                if gone
                else f"{workflow.path} follows no workflow",
                f"name those that run tests under on.workflow_run.workflows: {', '.join(_candidates(workflows))}",
            )
        else:
            yield ok("workflow", f"{workflow.path} follows {', '.join(workflow.follows)}")


def _candidates(workflows: Workflows) -> tuple[str, ...]:
    return tuple(workflow.name for workflow in workflows.with_tests()) or ("none was found here",)


def _permissions(use: Use) -> Iterator[Check]:
    name = f"permissions of {use.job.id}"
    if use.given is None:
        yield unknown(
            name,
            f"{use.place} says nothing of permissions: the repository's setting decides",
            "write them into the job: " + _listed(use.needed),
        )
        return
    missing = {scope: access for scope, access in use.needed.items() if not use.may(scope, access)}
    surplus = [scope for scope, access in use.given.items() if access in {"write", "write-all"}]
    if missing:
        yield problem(name, f"{use.place} lacks {_listed(missing)}", "add it under the job's permissions")
    elif use.mode == "analyze" and surplus:
        yield problem(
            name,
            f"{use.place} runs tests and may write ({', '.join(surplus)})",
            "take that away; only claim and publish write",
        )
    else:
        yield ok(name, f"granted: {_listed(use.needed)}")


def _listed(permissions: Mapping[str, str]) -> str:
    return ", ".join(f"{scope}: {access}" for scope, access in permissions.items())


def _limits(uses: Sequence[Use], settings: Settings) -> Iterator[Check]:
    for use in uses:
        if not use.runs or "${{" in (given := use.step.inputs.get("max-minutes", "")):
            continue
        nights = settings.triage.minutes if use.step.inputs.get("shard") else 0.0
        minutes = float(given) if given.replace(".", "", 1).isdigit() else settings.limits.minutes + nights
        name = f"time limit of {use.job.id}"
        if use.job.minutes is None:
            yield ok(name, f"{minutes:g} min for grokfix; {use.place} has no limit below GitHub's 360 min")
        elif use.job.minutes < minutes + _LEAST_SPARE:
            yield problem(
                name,
                f"{use.place} ends after {use.job.minutes:g} min, grokfix may take {minutes:g}",
                f"set timeout-minutes to {minutes + SPARE_MINUTES:g}, or the settings' minutes lower: a job cut off "
                "publishes nothing",
            )
        else:
            yield ok(name, f"{minutes:g} min for grokfix, {use.job.minutes:g} for the job")


def _dispatch(uses: Sequence[Use], workflows: Workflows, settings: Settings) -> Iterator[Check]:
    """publish.dispatch names a workflow that can be started, and a job may start it."""
    wanted = settings.publish.dispatch
    if not wanted:
        return
    name, path = "publish.dispatch", f"{WORKFLOW_PATH.rpartition('/')[0]}/{wanted}"
    workflow = next((each for each in workflows.files if each.path == path), None)
    publishing = [use for use in uses if use.mode in {"all", "publish"}]
    refused = [use for use in publishing if use.may("actions", "write") is False]
    if workflow is None or "workflow_dispatch" not in workflow.events:
        what = "is not there" if workflow is None else "has no `workflow_dispatch` under `on`"
        yield problem(name, f"{path} {what}", "name a workflow that can be started by hand")
    elif refused:
        yield problem(name, f"{refused[0].place} may not start workflows", "give that job actions: write")
    else:
        yield ok(name, f"{path} is started on the branch of a fix")


def _variables(uses: Sequence[Use], settings: Settings) -> Iterator[Check]:
    """Keys of further providers, and what set-up needs: the settings name them, the workflow has to pass them."""
    wanted = secrets_of(settings).others
    for use in uses if wanted else ():
        name = f"variables of {use.job.id}"
        missing = [each for each in wanted if not use.variables.get(each)]
        if not use.runs:
            continue
        if missing:
            lines = ", ".join(f"{each}: ${{{{ secrets.{each} }}}}" for each in missing)
            yield problem(
                name,
                f"{use.place} does not pass {', '.join(missing)}, which {SETTINGS_PATH} names",
                f"add to the env of its step: {lines}; a provider without its key is not asked, set-up without its "
                "secret does not begin",
            )
        else:
            yield ok(name, f"passes {', '.join(wanted)}")


def _kinds(uses: Sequence[Use], settings: Settings) -> Iterator[Check]:
    """The action's image speaks the OpenAI protocol alone (why: docs/dependencies.md)."""
    asked = settings.model.configured() if settings.engine != "search" else ()
    if uses and (names := [each.provider or each.name for each in asked if each.kind == "xai"]):
        yield problem(
            "model.kind",
            f"{SETTINGS_PATH} says kind: xai for {', '.join(names)}, and the action's image has no SDK of xAI",
            "say kind: openai: the same models answer to it",
        )
