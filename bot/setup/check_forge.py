"""Checks that only the code host can answer, each as far as the token at hand may ask.

What a token may do cannot be listed: reading is tried, writing is never tried for a check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.config import Settings
from bot.errors import ConfigError, ForgeError
from bot.ports import ActionsSettings, Forge, TokenKind, Viewer
from bot.setup.check_files import Use
from bot.setup.checks import Check, ok, problem, unknown
from bot.setup.files import SETTINGS_PATH, secrets_of
from bot.setup.pins import ACTION_REPOSITORY
from bot.setup.settings import read_settings
from bot.trigger.own import DATA_BRANCH, FIX_PREFIX

FIX_BRANCH = f"{FIX_PREFIX}main/000000000000"
"""A name like those of the branches of fixes; it need not exist to have rules."""

MAY_OPEN = "Allow GitHub Actions to create and approve pull requests"
_APP_TOKEN_MINUTES = 60
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECRET = re.compile(r"\bsecrets\.(\w+)")
_REFUSED = {401, 403, 404}
_IN_THE_WAY = {
    "branch_name_pattern",
    "commit_author_email_pattern",
    "commit_message_pattern",
    "committer_email_pattern",
    "creation",
    "file_extension_restriction",
    "file_path_restriction",
    "merge_queue",
    "protected",
    "pull_request",
    "required_deployments",
    "required_status_checks",
    "update",
    "workflows",
}
"""Rules of a ruleset that keep the bot from making a branch of its own and moving it forward. Signatures do not: the
code host signs commits that are made through its API with the workflow's own token."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the checks are about. environment: for reading settings. uses: steps of the checkout that run grokfix."""

    forge: Forge
    settings: Settings
    environment: Mapping[str, str]
    uses: Sequence[Use]


NAMES = (
    "token",
    "reading",
    "writing",
    "default branch",
    "pull requests",
    "allowed actions",
    "branches",
    "secret",
    "CI",
)


def no_token(why: str) -> tuple[Check, ...]:
    """All of these, without a token or a repository to ask about."""
    return tuple(unknown(name, why) for name in NAMES)


def check_forge(asked: Asked) -> tuple[Check, ...]:
    """All of these; a question that the code host does not answer spoils no other."""
    forge = asked.forge
    try:
        viewer = forge.viewer()
        branch = forge.default_branch()
    except ForgeError as error:
        said = problem if error.status in _REFUSED else unknown  # no answer says nothing about the token
        first = said("token", str(error), f"the token must be valid and may read {forge.repository}")
        return (first, *no_token("see token")[1:])
    questions: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("token", lambda: _token(asked, viewer)),
        ("reading", lambda: _reading(forge, branch)),
        ("writing", lambda: _writing(forge, viewer)),
        ("default branch", lambda: _default_branch(asked, branch)),
        ("pull requests", lambda: _settings(forge.actions_settings(), asked.uses)),
        ("branches", lambda: _branches(forge, branch)),
        ("secret", lambda: _secret(asked)),
        ("CI", lambda: _starts_ci(asked)),
    )
    checks: list[Check] = []
    for name, question in questions:
        try:
            checks += question()
        except ForgeError as error:
            checks.append(unknown(name, str(error)))
    return tuple(checks)


def _token(asked: Asked, viewer: Viewer) -> Iterator[Check]:
    minutes = asked.settings.limits.minutes
    kind = {
        TokenKind.ACTIONS: "the workflow's own token",
        TokenKind.APP: "a GitHub App's token",
        TokenKind.USER: "a person's token",
        TokenKind.UNKNOWN: "a token of unknown kind",
    }[viewer.kind]
    told = f"{viewer.login or 'somebody'}: {kind}"
    if viewer.kind is TokenKind.APP and minutes >= _APP_TOKEN_MINUTES:
        yield problem(
            "token",
            f"{told}, which dies after {_APP_TOKEN_MINUTES} min; limits.minutes is {minutes:g}",
            "set limits.minutes below 50, so that what is found can still be published",
        )
    else:
        yield ok("token", told)


def _reading(forge: Forge, branch: str) -> Iterator[Check]:
    """Tried, one request a permission."""
    attempts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("contents", lambda: forge.branch(branch)),
        ("actions", lambda: forge.runs(None, limit=1)),
        ("pull-requests", lambda: forge.pull_requests(FIX_BRANCH)),
    )
    refused = []
    for scope, attempt in attempts:
        try:
            attempt()
        except ForgeError as error:
            if error.status not in {403, 404}:
                raise
            refused.append(scope)
    if refused:
        advice = "give the token these permissions; in a workflow under the job's permissions"
        yield problem("reading", f"missing: {', '.join(refused)}", advice)
    else:
        yield ok("reading", "granted: contents, actions, pull-requests")


def _writing(forge: Forge, viewer: Viewer) -> Iterator[Check]:
    if viewer.kind is not TokenKind.USER or not viewer.login:
        yield unknown("writing", "a token's permissions cannot be listed, and nothing is written for a check")
        return
    permission = forge.permission(viewer.login)
    if permission.may_write:
        yield ok("writing", f"granted to {viewer.login} ({permission}); a fine-grained token may still have less")
    else:
        advice = "use a token of somebody who may write; a workflow has its own"
        yield problem("writing", f"missing: {viewer.login} has {permission} here", advice)


def _default_branch(asked: Asked, branch: str) -> Iterator[Check]:
    """Comments and finished runs start the default branch's workflow, and its settings count."""
    name, forge = "default branch", asked.forge
    paths = dict.fromkeys(
        use.workflow.path for use in asked.uses if {"workflow_run", "issue_comment"} & set(use.workflow.events)
    )
    absent = [path for path in paths if forge.file(path, branch) is None]
    if absent:
        yield problem(name, f"{absent[0]} is not on {branch}", f"merge it: its triggers work from {branch} alone")
    elif paths:
        yield ok(name, f"{', '.join(paths)} is on {branch}")
    text = forge.file(SETTINGS_PATH, branch)
    if text is None:
        yield ok(name, f"{SETTINGS_PATH} is not on {branch}: defaults hold on GitHub")
        return
    try:
        read_settings(text.decode("utf-8", "replace"), f"{SETTINGS_PATH} on {branch}", asked.environment)
    except ConfigError as error:
        yield problem(name, str(error), "mend it there: this is the file that counts on GitHub")
    else:
        yield ok(name, f"{SETTINGS_PATH} on {branch} is right")


def _settings(found: ActionsSettings, uses: Sequence[Use]) -> Iterator[Check]:
    where = "Settings → Actions → General"
    if found.may_open_pull_requests is None:
        yield unknown("pull requests", f"an administrator's token could read it: {where}, “{MAY_OPEN}”")
    elif found.may_open_pull_requests:
        yield ok("pull requests", f"“{MAY_OPEN}” is on")
    else:
        yield problem(
            "pull requests",
            f"“{MAY_OPEN}” is off: fixes end as branches with a link",
            f"turn it on in {where}, or of the organisation where it is greyed out",
        )
    name, tagged = "allowed actions", any(not _by_commit(use.step.uses) for use in uses)
    if found.enabled is None:
        yield unknown(name, f"an administrator's token could read it: {where}")
    elif not found.enabled:
        yield problem(name, "GitHub Actions is off in this repository", f"turn it on in {where}")
    elif found.allowed == "local_only":
        yield problem(
            name, "only actions of this repository's owner may be used", f"allow {ACTION_REPOSITORY}@*: {where}"
        )
    elif found.sha_pinning and tagged:
        yield problem(
            name,
            "actions must be pinned by commit, and grokfix is pinned by tag",
            "run `grokfix init --force` with GITHUB_TOKEN set",
        )
    elif found.allowed == "selected":
        yield unknown(name, "selected actions only", f"see that {ACTION_REPOSITORY}@* is among them: {where}")
    else:
        yield ok(name, "actions of others may be used")


def _by_commit(uses: str) -> bool:
    return uses.startswith(("./", "$/")) or _COMMIT.fullmatch(uses.partition("@")[2]) is not None


def _branches(forge: Forge, branch: str) -> Iterator[Check]:
    """The bot must be free on its own branches and need not be on the default branch, which it never writes."""
    for what, own in (("the ledger", DATA_BRANCH), ("fixes", FIX_BRANCH)):
        rules = forge.branch_rules(own)
        if rules is None:
            yield unknown("branches", f"this token may not read the rules of {own}")
            continue
        held = sorted(_IN_THE_WAY & set(rules))
        if held:
            yield problem(
                "branches",
                f"rules hold for the branch of {what}: {', '.join(held)}",
                "exempt grokfix/** and grokfix-data from that rule, or give the bot's token a bypass",
            )
        else:
            yield ok("branches", f"no rule stands in the way of the branch of {what}")
    rules = forge.branch_rules(branch)
    if rules is None:
        yield unknown("protection", f"this token may not read the rules of {branch}")
    elif {"protected", "pull_request"} & set(rules):
        yield ok("protection", f"{branch} is protected")
    else:
        yield ok(
            "protection",
            f"{branch} is not protected",
            "grokfix never merges, but its token could push there; a rule that asks for a pull request forbids it",
        )


def _secret(asked: Asked) -> Iterator[Check]:
    """The secret that the steps hand over as api-key, by whatever name, and those that they pass as variables."""
    wanted, engine = secrets_of(asked.settings), asked.settings.engine
    passed = (use.variables.get(name, "") for name in wanted.others for use in asked.uses if use.runs)
    without = dict.fromkeys(_secrets_in(passed), f"{SETTINGS_PATH} needs it")
    keys = (use.step.inputs.get("api-key") or use.variables.get(wanted.key, "") for use in asked.uses)
    given = list(_secrets_in(keys))
    if engine == "search":
        yield ok("secret", "engine search needs no key")
    elif asked.uses and not given:
        yield problem(
            "secret", "no step gets a key: search alone will repair", "give it api-key, or say engine: search"
        )
    else:
        less = "engine model needs it" if engine == "model" else "search alone will repair"
        without = dict.fromkeys(given or [wanted.key], less) | without
    for name, consequence in without.items():
        there = asked.forge.has_secret(name)
        if there is None:
            yield unknown("secret", f"this token may not list secrets; see that there is one called {name}")
        elif there:
            yield ok("secret", f"workflows get {name}")
        else:
            advice = f"gh secret set {name} --repo {asked.forge.repository}"
            more = "" if name in wanted.others else ", or say engine: search"
            yield problem("secret", f"there is no secret {name}: {consequence}", advice + more)


def _secrets_in(values: Iterable[str]) -> Iterator[str]:
    """Names of the repository's secrets in expressions; the token that every job has is none of them."""
    found = (match[1] for value in values if (match := _SECRET.search(value)))
    return (name for name in found if name.upper() != "GITHUB_TOKEN")


def _starts_ci(asked: Asked) -> Iterator[Check]:
    """By the token that publishes, which is the workflow's own unless a step names another."""
    publishing = [use for use in asked.uses if use.mode in {"all", "publish"}]
    own = [use for use in publishing if not use.step.inputs.get("github-token")]
    if not publishing:
        yield unknown("CI", "no workflow of this checkout publishes fixes")
    elif not own:
        yield ok("CI", "another token than the workflow's own publishes: its pull requests start CI")
    elif asked.settings.publish.dispatch:
        yield ok(
            "CI",
            f"pushes of the workflow's own token start no CI; {asked.settings.publish.dispatch} is started instead",
        )
    else:
        yield ok(
            "CI",
            "pull requests of the workflow's own token start CI only after a person approves it",
            "name a workflow in publish.dispatch, or give the step a GitHub App's token as github-token",
        )
