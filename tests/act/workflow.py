"""A workflow made ready for act: every job gets a token of its own, with the rights that the workflow gives it, and the
name of a runner, which on GitHub no other job of a run has and act leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

ACTION = "grokfix/grokfix"
STAND_INS = ("actions/upload-artifact", "actions/download-artifact")
SCOPES = (
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id_token",
    "issues",
    "packages",
    "pages",
    "pull_requests",
    "security_events",
    "statuses",
)
DEFAULT_GRANTS = {"contents": "read", "packages": "read"}  # GitHub's, where a workflow says nothing
_TOKEN = re.compile(r"\b(?:github\.token|secrets\.GITHUB_TOKEN)\b")

Mint = Callable[[str, Mapping[str, str]], str]
"""Job id and its grants, e.g. {"pull_requests": "write"} → a token that the server knows."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """uses: every "owner/name@ref" that a step names. secrets: the tokens by the names that `text` uses."""

    text: str
    uses: tuple[str, ...]
    secrets: Mapping[str, str]


def prepare(text: str, mint: Mint, actions: tuple[str, ...] = (ACTION,)) -> Prepared:
    """The workflow with `github.token` replaced, also where it is only the default of an input of `actions`."""
    workflow = yaml.safe_load(text)
    workflow["on"] = workflow.pop("on" if "on" in workflow else True)  # YAML 1.1 reads a bare `on` as true
    secrets: dict[str, str] = {}
    uses: list[str] = []
    for number, (name, job) in enumerate(workflow["jobs"].items(), 1):
        secret = f"TOKEN_OF_{name.upper().replace('-', '_')}"
        secrets[secret] = mint(name, grants(job.get("permissions", workflow.get("permissions"))))
        job.setdefault("env", {}).setdefault("RUNNER_NAME", f"GitHub Actions {number}{_variant(job)}")
        for step in job["steps"]:
            used = step.get("uses", "")
            if "@" in used:
                uses.append(used)
            if used.startswith(tuple(f"{action}@" for action in actions)):
                step.setdefault("with", {}).setdefault("github-token", "${{ github.token }}")
        workflow["jobs"][name] = _replaced(job, f"secrets.{secret}")
    return Prepared(yaml.safe_dump(workflow, sort_keys=False), tuple(dict.fromkeys(uses)), secrets)


def grants(permissions: str | Mapping[str, str] | None) -> dict[str, str]:
    """What the key `permissions` gives, with the names of the API (pull_requests); what is not named is not given."""
    if permissions is None:
        return dict(DEFAULT_GRANTS)
    if isinstance(permissions, str):
        level = permissions.removesuffix("-all")
        return dict.fromkeys(SCOPES, level)
    return {name.replace("-", "_"): level for name, level in permissions.items() if level != "none"}


def _variant(job: Mapping[str, Any]) -> str:
    """An expression that tells the jobs of a matrix apart, "" without one."""
    matrix = job.get("strategy", {}).get("matrix", {})
    names = dict.fromkeys([*matrix, *(name for entry in matrix.get("include", ()) for name in entry)])
    return "".join(f" ${{{{ matrix.{name} }}}}" for name in names if name not in {"include", "exclude"})


def _replaced(value: Any, token: str) -> Any:
    if isinstance(value, str):
        return _TOKEN.sub(token, value)
    if isinstance(value, list):
        return [_replaced(item, token) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, token) for key, item in value.items()}
    return value


def local_repositories(prepared: Prepared, folders: Mapping[str, str]) -> Iterator[str]:
    """`owner/name@ref=folder` for act, for every ref under which the workflow names one of `folders`."""
    for used in prepared.uses:
        name, _, ref = used.partition("@")
        if name in folders:
            yield f"{name}@{ref}={folders[name]}"
