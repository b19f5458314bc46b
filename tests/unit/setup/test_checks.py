"""What doctor finds: one row a fault, on files, on a code host in memory, and on this machine by stand-in answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot import config
from bot.config import Provider, Settings
from bot.errors import ConfigError, ForgeError, ModelError, SandboxError
from bot.ports import ActionsSettings, Permission, TokenKind, Viewer
from bot.setup.check_files import check_files, uses_of
from bot.setup.check_forge import FIX_BRANCH, NAMES, Asked, check_forge, no_token
from bot.setup.check_machine import check_docker, check_model
from bot.setup.checks import Check, Status, has_problem, ok, problem, render_json, render_text, unknown
from bot.setup.files import SECRET, SETTINGS_PATH, WORKFLOW_PATH, Mode, secrets_of, workflow_text
from bot.setup.pins import our_action
from bot.setup.workflows import Workflow, Workflows, read_workflow
from tests.fake_forge import FakeForge

TESTS = "name: tests\non: push\njobs: {t: {steps: [{run: pytest}]}}"
THREE = workflow_text(Mode.THREE_JOBS, ["tests"], our_action("a" * 40), 30)
ONE = workflow_text(Mode.ONE_JOB, ["tests"], our_action(None), 30)
DEFAULTS = Settings()
KEYS = """\
version: 1
model: {providers: [{name: gateway, base_url: "http://gateway.example/v1", api_key_env: GATEWAY_KEY}]}
suites: [{setup_secrets: [INDEX_TOKEN]}]
"""


def workflows(**texts: str) -> Workflows:
    files = [read_workflow(text, f".github/workflows/{name}.yml") for name, text in texts.items()]
    return Workflows(tuple(found for found in files if isinstance(found, Workflow)))


def by_name(checks: Sequence[Check], name: str) -> Check:
    """The gravest of that name."""
    order = [Status.OK, Status.UNKNOWN, Status.PROBLEM]
    return max((check for check in checks if check.name == name), key=lambda check: order.index(check.status))


def problems(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks if check.status is Status.PROBLEM]


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [THREE, ONE])
def test_what_init_writes_is_right(text: str) -> None:
    checks = check_files(workflows(tests=TESTS, grokfix=text), DEFAULTS)
    assert {check.status for check in checks} == {Status.OK}


@pytest.mark.parametrize(
    ("text", "name", "finding"),
    [
        ("name: x\non: push", "workflow", "no workflow of this checkout runs grokfix"),
        (THREE.replace('["tests"]', '["gone"]'), "workflow", "follows 'gone', and no workflow is called so"),
        (THREE.replace('workflows: ["tests"]', "workflows: []"), "workflow", "follows no workflow"),
        (
            THREE.replace("      checks: write # the check run with", "      #"),
            "permissions of publish",
            "lacks checks: write",
        ),
        (
            THREE.replace("      actions: write #", "      actions: read #"),
            "permissions of claim",
            "lacks actions: write",
        ),
        (
            THREE.replace("      contents: read #", "      contents: write #"),
            "permissions of analyze",
            "may write (contents)",
        ),
        (ONE.replace("      contents: write #", "      #"), "permissions of grokfix", "lacks contents: write"),
        (ONE.replace("timeout-minutes: 45", "timeout-minutes: 30"), "time limit of grokfix", "ends after 30 min"),
        (ONE.replace("mode: all", "max-minutes: 55"), "time limit of grokfix", "grokfix may take 55"),
    ],
)
def test_faults_of_workflows(text: str, name: str, finding: str) -> None:
    checks = check_files(workflows(tests=TESTS, grokfix=text), DEFAULTS)
    assert problems(checks) == [name]
    assert finding in by_name(checks, name).finding
    assert by_name(checks, name).advice


def test_permissions_that_the_repository_decides() -> None:
    text = "name: t\non: push\njobs: {t: {steps: [{run: pytest}, {uses: a/grokfix@v1, if: failure()}]}}"
    checks = check_files(workflows(tests=text), DEFAULTS)
    assert by_name(checks, "permissions of t").status is Status.UNKNOWN
    assert "contents: write" in by_name(checks, "permissions of t").advice
    assert not has_problem(checks)


def test_broken_settings_are_told_beside_the_rest() -> None:
    checks = check_files(workflows(tests=TESTS, grokfix=THREE), "grokfix.yml:2: unknown key")
    assert problems(checks) == ["settings"]
    assert by_name(checks, "workflow").status is Status.OK


@pytest.mark.parametrize(
    ("tests", "text", "status", "finding"),
    [
        (TESTS, ONE, Status.PROBLEM, "has no `workflow_dispatch`"),
        (TESTS.replace("on: push", "on: [push, workflow_dispatch]"), THREE, Status.PROBLEM, "may not start workflows"),
        (TESTS.replace("on: push", "on: [push, workflow_dispatch]"), ONE, Status.OK, "is started"),
    ],
)
def test_dispatch(tests: str, text: str, status: Status, finding: str) -> None:
    settings = config.load("version: 1\npublish: {dispatch: tests.yml}", "x", {})
    check = by_name(check_files(workflows(tests=tests, grokfix=text), settings), "publish.dispatch")
    assert check.status is status
    assert finding in check.finding


def test_dispatch_of_a_workflow_that_is_gone() -> None:
    settings = config.load("version: 1\npublish: {dispatch: gone.yml}", "x", {})
    assert problems(check_files(workflows(tests=TESTS, grokfix=ONE), settings)) == ["publish.dispatch"]


@pytest.mark.parametrize("mode", [Mode.ONE_JOB, Mode.THREE_JOBS])
def test_keys_of_providers_are_passed(mode: Mode) -> None:
    settings = config.load(KEYS, "x", {"INDEX_TOKEN": ""})
    bare = workflow_text(mode, ["tests"], our_action(None), 30)
    found = [
        check for check in check_files(workflows(tests=TESTS, grokfix=bare), settings) if check.status is not Status.OK
    ]
    (lacking,) = found
    assert lacking.name == f"variables of {'grokfix' if mode is Mode.ONE_JOB else 'analyze'}"
    assert "does not pass GATEWAY_KEY, INDEX_TOKEN" in lacking.finding
    assert "GATEWAY_KEY: ${{ secrets.GATEWAY_KEY }}" in lacking.advice
    given = {
        "by init": workflow_text(mode, ["tests"], our_action(None), 30, secrets_of(settings)),
        "for all jobs": bare.replace("permissions: {}", "env: {GATEWAY_KEY: a, INDEX_TOKEN: b}\npermissions: {}", 1),
    }
    for text in given.values():
        checks = check_files(workflows(tests=TESTS, grokfix=text), settings)
        assert {check.status for check in checks} == {Status.OK}


def test_what_the_image_cannot_speak() -> None:
    settings = config.load("version: 1\nmodel: {kind: xai}", "x", {})
    found = by_name(check_files(workflows(tests=TESTS, grokfix=ONE), settings), "model.kind")
    assert found.status is Status.PROBLEM and "kind: openai" in found.advice
    assert problems(check_files(workflows(tests=TESTS, grokfix=ONE), replace(settings, engine="search"))) == []


# --- the code host --------------------------------------------------------------------------------------------------


def forge(**state: object) -> FakeForge:
    """All is well, as far as it can be asked."""
    made = FakeForge(
        me=Viewer("dev", TokenKind.USER),
        permissions={"dev": Permission.ADMIN},
        settings=ActionsSettings(enabled=True, allowed="all", sha_pinning=False, may_open_pull_requests=True),
        rules={"main": ("pull_request",)},
        secrets={SECRET},
    )
    made.push("main", {WORKFLOW_PATH: THREE, SETTINGS_PATH: "version: 1"})
    for name, value in state.items():
        setattr(made, name, value)
    return made


def asked(of: FakeForge, text: str = THREE, settings: Settings = DEFAULTS) -> tuple[Check, ...]:
    return check_forge(Asked(of, settings, {}, uses_of(workflows(tests=TESTS, grokfix=text))))


def test_all_is_well() -> None:
    checks = asked(forge())
    assert {check.status for check in checks} == {Status.OK}
    assert {check.name for check in checks} == {*NAMES, "protection"}


def test_nothing_is_written() -> None:
    of = forge()
    asked(of)
    assert of.writes == []


ALL = ActionsSettings(enabled=True, allowed="all", sha_pinning=False, may_open_pull_requests=True)


@pytest.mark.parametrize(
    ("of", "name", "finding"),
    [
        (forge(permissions={"dev": Permission.READ}), "writing", "missing: dev has read"),
        (forge(settings=replace(ALL, may_open_pull_requests=False)), "pull requests", "create and approve"),
        (forge(settings=replace(ALL, enabled=False)), "allowed actions", "is off"),
        (forge(settings=replace(ALL, allowed="local_only")), "allowed actions", "owner"),
        (forge(rules={"grokfix-data": ("deletion", "creation")}), "branches", "of the ledger: creation"),
        (forge(rules={FIX_BRANCH: ("protected",)}), "branches", "of fixes: protected"),
        (forge(secrets=set()), "secret", "no secret XAI_API_KEY"),
    ],
)
def test_faults_of_a_repository(of: FakeForge, name: str, finding: str) -> None:
    checks = asked(of)
    assert problems(checks) == [name]
    assert finding in by_name(checks, name).finding
    assert by_name(checks, name).advice


def test_pinned_by_tag_where_only_commits_may_be() -> None:
    of = forge(settings=replace(ALL, sha_pinning=True))
    assert problems(asked(of)) == []
    of.push("main", {WORKFLOW_PATH: ONE})
    assert problems(asked(of, ONE)) == ["allowed actions"]


def test_a_workflow_that_is_not_merged_yet() -> None:
    of = forge()
    of.push("main", {WORKFLOW_PATH: None})
    assert problems(asked(of)) == ["default branch"]


@pytest.mark.parametrize("settings", ["version: 1\nnonsense: 2", "a: [", b"\xff\xfe".decode("latin-1")])
def test_broken_settings_on_the_default_branch(settings: str) -> None:
    of = forge()
    of.push("main", {SETTINGS_PATH: settings})
    assert problems(asked(of)) == ["default branch"]
    assert "grokfix.yml on main" in by_name(asked(of), "default branch").finding


def test_secrets_of_set_up_are_the_workflows_to_give() -> None:
    of = forge()
    of.push("main", {SETTINGS_PATH: "version: 1\nsuites: [{setup_secrets: [INDEX_TOKEN]}]"})
    assert problems(asked(of)) == []


def test_what_may_not_be_read_is_no_guess() -> None:
    of = forge(settings=ActionsSettings(), rules=None, secrets=None, me=Viewer("", TokenKind.UNKNOWN))
    checks = asked(of)
    unsure = {check.name for check in checks if check.status is Status.UNKNOWN}
    assert unsure == {"writing", "pull requests", "allowed actions", "branches", "protection", "secret"}
    assert not has_problem(checks)


@pytest.mark.parametrize(("status", "expected"), [(401, Status.PROBLEM), (404, Status.PROBLEM), (0, Status.UNKNOWN)])
def test_a_token_that_is_refused_and_a_host_that_does_not_answer(status: int, expected: Status) -> None:
    of = forge()
    of.fail("viewer", ForgeError("no", status=status))
    checks = asked(of)
    assert by_name(checks, "token").status is expected
    assert {check.status for check in checks if check.name != "token"} == {Status.UNKNOWN}


def test_reading_that_is_not_granted() -> None:
    of = forge()
    of.fail("runs", ForgeError("forbidden", status=403))
    assert by_name(asked(of), "reading").finding == "missing: actions"


@pytest.mark.parametrize("method", ["actions_settings", "branch_rules", "has_secret", "file", "permission", "runs"])
def test_one_question_without_answer_spoils_no_other(method: str) -> None:
    of = forge()
    of.fail(method, ForgeError("gone", status=502))
    checks = asked(of)
    assert len([check for check in checks if check.finding == "gone"]) == 1
    assert not has_problem(checks)


def test_an_app_token_that_dies_before_the_run_ends() -> None:
    settings = config.load("version: 1\nlimits: {minutes: 90}", "x", {})
    checks = asked(forge(me=Viewer("app[bot]", TokenKind.APP)), settings=settings)
    assert problems(checks) == ["token"]


def test_whether_pull_requests_start_ci() -> None:
    assert "after a person approves" in by_name(asked(forge()), "CI").finding
    own_token = THREE.replace("mode: publish", "mode: publish\n          github-token: ${{ steps.app.outputs.token }}")
    assert "start CI" in by_name(asked(forge(), own_token), "CI").finding


def test_search_needs_no_secret() -> None:
    settings = config.load("version: 1\nengine: search", "x", {})
    assert by_name(asked(forge(secrets=set()), settings=settings), "secret").status is Status.OK


def test_the_secret_that_the_workflow_names() -> None:
    renamed = THREE.replace("secrets.XAI_API_KEY", "secrets.MY_KEY")
    assert by_name(asked(forge(secrets={"MY_KEY"}), renamed), "secret").status is Status.OK
    assert "there is no secret MY_KEY" in by_name(asked(forge(), renamed), "secret").finding
    keyless = THREE.replace("api-key: ${{ secrets.XAI_API_KEY }}", "engine: auto")
    assert "no step gets a key" in by_name(asked(forge(), keyless), "secret").finding


def test_secrets_that_are_passed_on_are_looked_for() -> None:
    settings = config.load(KEYS, "x", {"INDEX_TOKEN": ""})
    text = workflow_text(Mode.THREE_JOBS, ["tests"], our_action(None), 30, secrets_of(settings))
    there = forge(secrets={"XAI_API_KEY", "GATEWAY_KEY"})
    found = [check.finding for check in asked(there, text, settings=settings) if check.status is Status.PROBLEM]
    assert found == [f"there is no secret INDEX_TOKEN: {SETTINGS_PATH} needs it"]
    token = replace(settings, model=replace(settings.model, providers=(Provider("g", "http://g", "GITHUB_TOKEN"),)))
    text = workflow_text(Mode.THREE_JOBS, ["tests"], our_action(None), 30, secrets_of(token))
    there = forge(secrets={"XAI_API_KEY", "INDEX_TOKEN"})
    assert by_name(asked(there, text, settings=token), "secret").status is Status.OK, "every job has that one"


def test_a_key_that_arrives_as_a_variable() -> None:
    passed = THREE.replace(
        "        with:\n          mode: analyze",
        "        env: {XAI_API_KEY: '${{ secrets.MINE }}'}\n        with:\n          mode: analyze",
    )
    passed = passed.replace("          api-key: ${{ secrets.XAI_API_KEY }}\n", "")
    assert by_name(asked(forge(secrets={"MINE"}), passed), "secret").status is Status.OK


def test_without_a_token() -> None:
    assert {check.status for check in no_token("no token")} == {Status.UNKNOWN}


# --- this machine ---------------------------------------------------------------------------------------------------

KEYED = config.load(None, "", {"XAI_API_KEY": "k-1"})


def refuse(_: object) -> tuple[str, ...] | None:
    raise ModelError("the key was refused")


def unreachable(*_: object) -> str:
    raise SandboxError("no Docker daemon answers")


def statuses(checks: Sequence[Check]) -> list[Status]:
    return [check.status for check in checks]


def test_keys_and_models() -> None:
    good, bad, unsure = Status.OK, Status.PROBLEM, Status.UNKNOWN
    name = KEYED.model.name
    assert statuses(check_model(KEYED, lambda _: (name, "other"), None)) == [good, good]
    assert statuses(check_model(KEYED, lambda _: ("other",), None)) == [good, unsure]
    assert statuses(check_model(KEYED, lambda _: None, None)) == [unsure, unsure]
    assert statuses(check_model(KEYED, refuse, None)) == [bad, unsure]
    assert statuses(check_model(DEFAULTS, refuse, None)) == [unsure, unsure]  # nothing is sent without a key
    assert statuses(check_model(replace(DEFAULTS, engine="search"), refuse, None)) == [good]
    probed = check_model(KEYED, refuse, lambda _: "served-1")
    assert (statuses(probed), probed[1].finding) == ([good, good], f"{name} is served by served-1")


def test_keys_and_models_of_every_provider() -> None:
    providers = (
        Provider("gateway", "http://gateway.example/v1", "GATEWAY_KEY", "k", "vendor/model"),
        Provider("shut", "http://shut.example/v1", "UNSET_KEY"),
        Provider("here", "http://127.0.0.1:8080/v1"),
    )
    settings = replace(KEYED, model=replace(KEYED.model, providers=providers))
    checks = check_model(settings, lambda model: (model.name,) if model.provider != "here" else None, None)
    assert [(check.name, check.status) for check in checks] == [
        ("key", Status.OK),
        ("model", Status.OK),
        ("key of gateway", Status.OK),
        ("model of gateway", Status.OK),
        ("key of shut", Status.UNKNOWN),
        ("model of shut", Status.UNKNOWN),
        ("key of here", Status.UNKNOWN),
        ("model of here", Status.UNKNOWN),
    ]
    assert "no key in UNSET_KEY" in checks[4].finding
    assert "vendor/model is offered" in checks[3].finding


def test_docker_and_images(tmp_path: Path) -> None:
    def none_there(_: str) -> str:
        raise SandboxError("not here")

    assert problems(check_docker(DEFAULTS, tmp_path, unreachable, unreachable)) == ["Docker"]
    assert problems(check_docker(DEFAULTS, tmp_path, lambda: "1", none_there)) == ["image of default"]
    assert problems(check_docker(DEFAULTS, tmp_path, lambda: "1", lambda _: "is present")) == []
    gone = config.load("version: 1\nsuites: [{name: a, path: gone}, {name: b, image: x:1}]", "x", {})
    checks = check_docker(gone, tmp_path, lambda: "1", lambda _: "can be pulled")
    assert problems(checks) == ["image of a"]
    assert checks[-1].finding == "x:1 can be pulled"
    alone = config.load("version: 1\nsandbox: {kind: process}", "x", {})
    assert statuses(check_docker(alone, tmp_path, unreachable, unreachable)) == [Status.OK]


# --- rendering ------------------------------------------------------------------------------------------------------


def test_text_and_json() -> None:
    checks = (ok("a", "fine"), problem("bb", "broken\x1b[2J\n::error::x", "mend it"), unknown("c", "who knows"))
    text = render_text(checks)
    assert text.endswith("\n1 ok, 1 to mend, 1 cannot be checked from here (?)\n")
    assert "\x1b" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    loaded = json.loads(render_json("o/n", checks))
    assert (loaded["repository"], loaded["problems"]) == ("o/n", 1)
    assert loaded["checks"][2] == {
        "name": "c",
        "status": "cannot be checked from here",
        "finding": "who knows",
        "advice": "",
    }


def test_config_errors_of_the_endpoint_are_told() -> None:
    def odd(_: object) -> tuple[str, ...] | None:
        raise ConfigError("XAI_API_KEY holds white space")

    assert problems(check_model(KEYED, odd, None)) == ["key"]
