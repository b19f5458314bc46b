"""What init writes and shows, rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from pydantic import BaseModel

from bot import config
from bot.config_file import File
from bot.setup.files import Mode, Secrets, secrets_of, settings_text, step_to_paste, workflow_text
from bot.setup.pins import ACTION_REPOSITORY, TAG, our_action, pins
from bot.setup.workflows import Workflow, read_workflow

MARK = re.compile(r"^#(?=\w|  +(?:- )?\w+:)", re.MULTILINE)
"""The sign before a setting; prose has one blank after it."""


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys(part, f"{prefix}{name}.")


def keys_of(value: object, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from keys_of(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for each in value:
            yield from keys_of(each, prefix)


def test_settings_as_written_are_the_defaults() -> None:
    assert config.load(settings_text(), "grokfix.yml", {}) == config.load(None, "", {})


def test_settings_with_their_signs_taken_away_are_the_defaults_too() -> None:
    text = MARK.sub("", settings_text())
    assert config.load(text, "grokfix.yml", {}) == config.load(None, "", {})


def test_settings_have_every_key() -> None:
    """What a price, a provider or a service looks like is shown in prose: it has no default."""
    shown = set(keys_of(yaml.safe_load(MARK.sub("", settings_text()))))
    known = {key for key in keys(File) if not key.startswith(("model.prices.", "model.providers.", "suites.services."))}
    assert shown == known


def test_pins_are_commits() -> None:
    for pin in pins().values():
        assert re.fullmatch(r"[0-9a-f]{40}", pin.sha)
        assert re.fullmatch(r"v\d+\.\d+\.\d+", pin.tag)


def test_our_action_is_pinned_by_the_tag_of_this_version() -> None:
    assert our_action(None).startswith(f"{ACTION_REPOSITORY}@{TAG} #")
    assert our_action("a" * 40) == f"{ACTION_REPOSITORY}@{'a' * 40} # {TAG}"


NAMES = ["tests", "q\"uo'te", "a: [b, c]", "# no remark", "tëst 🤖", "${{ x }}", "__GROKFIX__", "*", "a\x1b[31mb\u202e"]


@pytest.mark.parametrize("mode", [Mode.ONE_JOB, Mode.THREE_JOBS])
def test_names_of_workflows_arrive_as_they_are(mode: Mode) -> None:
    loaded = yaml.safe_load(workflow_text(mode, NAMES, our_action(None), 30))
    assert loaded[True]["workflow_run"]["workflows"] == NAMES  # YAML 1.1 reads `on` as true


def test_no_name_breaks_out_of_its_line() -> None:
    text = workflow_text(Mode.ONE_JOB, ["a\n  evil: true\r\u2028b"], our_action(None), 30)
    assert "evil" not in yaml.safe_load(text)[True]
    assert len(text.splitlines()) == len(workflow_text(Mode.ONE_JOB, ["a"], our_action(None), 30).splitlines())


def test_nothing_is_left_of_the_marks() -> None:
    for mode in (Mode.ONE_JOB, Mode.THREE_JOBS):
        assert "__" not in workflow_text(mode, ["tests"], our_action(None), 30)


def test_three_jobs_share_no_rights() -> None:
    """The one with the key may not write; those that may write have no key; nothing is checked out."""
    text = workflow_text(Mode.THREE_JOBS, ["tests"], our_action("a" * 40), 20)
    loaded = yaml.safe_load(text)
    assert loaded["permissions"] == {}
    jobs = loaded["jobs"]
    writing = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    with_key = {name for name, job in jobs.items() if "secrets." in yaml.safe_dump(job)}
    assert (writing, with_key) == ({"claim", "publish"}, {"analyze"})
    assert "checkout" not in {
        step["uses"].partition("@")[0].rpartition("/")[2] for job in jobs.values() for step in job["steps"]
    }
    assert jobs["publish"]["needs"] == ["claim", "analyze"]
    assert jobs["publish"]["if"] == "always() && needs.claim.outputs.proceed == 'true'"
    assert jobs["analyze"]["timeout-minutes"] == 35
    handing = jobs["analyze"]["steps"][-1]
    assert (handing["if"], handing["with"]["name"]) == ("always()", "grokfix-bundle")


KEYED = """\
version: 1
model:
  api_key_env: HOUSE_KEY
  providers:
    - {name: a, base_url: "http://a.example/v1", api_key_env: GATEWAY_KEY}
    - {name: b, base_url: "http://b.example/v1", api_key_env: HOUSE_KEY}
    - {name: c, base_url: "http://c.example/v1"}
    - {name: d, base_url: "http://d.example/v1", api_key_env: GATEWAY_KEY}
suites: [{name: one, setup_secrets: [INDEX_TOKEN, "no: name", "a\\nb: c"]}]
"""
PASSED = {name: f"${{{{ secrets.{name} }}}}" for name in ("GATEWAY_KEY", "INDEX_TOKEN")}


def keyed(more: str = "") -> Secrets:
    named = dict.fromkeys(("INDEX_TOKEN", "no: name", "a\nb: c"), "")
    return secrets_of(config.load(KEYED + more, "grokfix.yml", named))


def test_secrets_that_the_settings_name() -> None:
    assert secrets_of(config.load(None, "", {})) == Secrets("XAI_API_KEY", ())
    assert keyed() == Secrets("HOUSE_KEY", ("GATEWAY_KEY", "INDEX_TOKEN"))
    assert keyed("engine: search\n").others == ("INDEX_TOKEN",), "search asks no provider"


@pytest.mark.parametrize(("mode", "job"), [(Mode.ONE_JOB, "grokfix"), (Mode.THREE_JOBS, "analyze")])
def test_secrets_are_passed_to_the_step_that_repairs_alone(mode: Mode, job: str) -> None:
    loaded = yaml.safe_load(workflow_text(mode, ["tests"], our_action(None), 30, keyed()))
    steps = [(name, step) for name, each in loaded["jobs"].items() for step in each["steps"]]
    assert [(name, step["env"]) for name, step in steps if "env" in step] == [(job, PASSED)]
    assert [step["with"]["api-key"] for _, step in steps if "api-key" in step["with"]] == ["${{ secrets.HOUSE_KEY }}"]
    plain = yaml.safe_load(workflow_text(mode, ["tests"], our_action(None), 30))
    assert "env" not in yaml.safe_dump(plain).split()


def test_secrets_are_in_the_step_to_paste() -> None:
    (step,) = yaml.safe_load(step_to_paste(None, our_action(None), keyed()).step)
    assert (step["env"], step["with"]["api-key"]) == (PASSED, "${{ secrets.HOUSE_KEY }}")


def test_stop_waits_for_nothing() -> None:
    """`/grok stop` is a comment: what handles it is in no group that a running repair is in."""
    three = yaml.safe_load(workflow_text(Mode.THREE_JOBS, ["tests"], our_action(None), 30))
    assert "concurrency" not in three
    assert "concurrency" not in three["jobs"]["claim"]
    one = yaml.safe_load(workflow_text(Mode.ONE_JOB, ["tests"], our_action(None), 30))
    assert "concurrency" not in one
    assert "issue" not in one["jobs"]["grokfix"]["concurrency"]["group"]


TESTED = """\
on: push
jobs:
    test:
        %s
        steps:
        - uses: actions/checkout@v4
        - run: pytest --junitxml=out/all.xml
        - run: echo
"""


def test_the_step_fits_into_the_workflow() -> None:
    workflow = read_workflow(TESTED % "runs-on: x", "ci.yml")
    assert isinstance(workflow, Workflow)
    paste = step_to_paste(workflow, our_action("a" * 40))
    assert paste.place == "ci.yml, job test, after line 7 (the step that runs pytest --junitxml=out/all.xml)"
    lines = (TESTED % "runs-on: x").splitlines(keepends=True)
    whole = "".join([*lines[:3], paste.permissions, *lines[3:7], paste.step, *lines[7:]])
    job = yaml.safe_load(whole)["jobs"]["test"]
    assert job["permissions"]["contents"] == "write"
    step = job["steps"][2]
    assert (step["if"], step["with"]["junit"]) == ("failure()", "out/all.xml")
    assert step["uses"] == f"{ACTION_REPOSITORY}@{'a' * 40}"
    assert [note for note in paste.notes if "persist-credentials" in note]
    assert not [note for note in paste.notes if "JUnit" in note]


def test_what_the_step_needs_besides() -> None:
    workflow = read_workflow(
        (TESTED % "permissions: {contents: read}").replace(" --junitxml=out/all.xml", ""), "ci.yml"
    )
    assert isinstance(workflow, Workflow)
    paste = step_to_paste(workflow, our_action(None))
    assert any("JUnit" in note for note in paste.notes)
    assert any(note.startswith("Add to that job's permissions") for note in paste.notes)


def test_a_step_for_no_workflow_in_particular() -> None:
    paste = step_to_paste(None, our_action(None))
    assert paste.place == "after the step that runs the tests"
    assert yaml.safe_load(f"steps:\n{paste.step}")["steps"][0]["if"] == "failure()"


def test_hostile_names_do_not_act_on_the_terminal() -> None:
    text = 'on: push\njobs: {"t\\e[2J": {steps: [{name: "a\\n::set-env::b", run: pytest}]}}'
    workflow = read_workflow(text, "ci.yml")
    assert isinstance(workflow, Workflow)
    place = step_to_paste(workflow, our_action(None)).place
    assert "\x1b" not in place
    assert "\n" not in place
