"""Events as GitHub sends them, and as nobody should."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import pytest

from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.trigger.events import EventFacts, parse
from bot.trigger.types import Fix, Help, Ignored, Triage, Trigger, TriggerKind, WrongCommand
from tests import npm
from tests.unit.trigger.sample import FACTS, REPOSITORY, SHA, changed

Event = dict[str, JsonValue]
EXAMPLES = "@octokit/webhooks-examples@7.6.1"
STEP = replace(FACTS, has_reports=True, workflow="tests")


def events(host: str = "api.github.com") -> Iterator[tuple[str, Event]]:
    for kind in json.loads((npm.package(EXAMPLES) / host / "index.json").read_text(encoding="utf-8")):
        for example in kind["examples"]:
            yield kind["name"], example


def event(name: str, action: str = "") -> Event:
    """The first of GitHub's own examples, as if it were of our repository."""
    found = next(each for kind, each in events() if kind == name and action in ("", each.get("action")))
    return changed(found, "repository.full_name", REPOSITORY)


def failed_run() -> Event:
    run = changed(event("workflow_run", "completed"), "workflow_run.conclusion", "failure")
    for path, value in {
        "status": "completed",
        "event": "push",
        "actor.login": "dev",
        "triggering_actor.login": "boss",
        "head_repository.full_name": REPOSITORY,
        "head_sha": SHA,
        "run_attempt": 2,
    }.items():
        run = changed(run, f"workflow_run.{path}", value)
    return run


def commented(body: str = "/grok fix") -> Event:
    found = changed(event("issue_comment", "created"), "comment.body", body)
    return changed(found, "issue.pull_request", {"url": "https://api.github.test/pulls/2"})


def test_every_example_of_github_is_a_trigger_or_ignored() -> None:
    seen: dict[tuple[str, bool], set[type]] = {}
    for host in ("api.github.com", "ghes-35", "ghes-31"):
        for name, payload in events(host):
            repository = cast(Mapping[str, JsonValue], payload.get("repository") or {}).get("full_name", "o/r")
            for reports in (False, True):
                facts = replace(FACTS, repository=str(repository), has_reports=reports)
                answer = parse(name, payload, facts)
                seen.setdefault((name, reports), set()).add(type(answer))
                if isinstance(answer, Ignored):
                    assert answer.reason.isprintable() and 10 < len(answer.reason) < 300
    started = {name for (name, _), kinds in seen.items() if Trigger in kinds}
    assert started == {"push", "pull_request", "workflow_dispatch"}  # no example is a failed run or a command
    assert {name for (name, reports), kinds in seen.items() if Trigger in kinds and not reports} == {
        "workflow_dispatch"
    }
    assert len(seen) > 100


def test_a_failed_run() -> None:
    assert parse("workflow_run", failed_run(), FACTS) == Trigger(
        kind=TriggerKind.RUN,
        repository=REPOSITORY,
        default_branch="main",
        sender="Codertocat",
        actor="dev",
        triggering_actor="boss",
        sha=SHA,
        branch="main",
        head_repository=REPOSITORY,
        run_id=1589141559,
        run_attempt=2,
        workflow_id=16340987,
        workflow="Manually triggered workflow",
        event="push",
    )


def test_a_failed_run_of_a_pull_request() -> None:
    pulls: JsonValue = [{"number": 12, "base": {"ref": "main"}}]
    trigger = parse("workflow_run", changed(failed_run(), "workflow_run.pull_requests", pulls), FACTS)
    assert isinstance(trigger, Trigger)
    assert (trigger.pull_request, trigger.base_branch) == (12, "main")


def test_a_forks_run_is_known_by_its_head_repository_not_by_its_branch() -> None:
    """SECURITY 8: a fork's branch may be named main."""
    for head in ("stranger/shop", None, "not a name"):
        trigger = parse("workflow_run", changed(failed_run(), "workflow_run.head_repository.full_name", head), FACTS)
        assert isinstance(trigger, Trigger)
        assert trigger.is_fork and trigger.branch == "main"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("action", "requested", "has not ended"),
        ("action", None, "has not ended"),
        ("workflow_run.conclusion", "success", "did not fail"),
        ("workflow_run.conclusion", "cancelled", "did not fail"),
        ("workflow_run.conclusion", "action_required", "did not fail"),
        ("workflow_run.conclusion", None, "did not fail"),
        ("workflow_run.conclusion", {"failure": 1}, "did not fail"),
        ("workflow_run.head_branch", "grokfix/main/0123456789ab", "of grokfix's own"),
        ("workflow_run.head_branch", "grokfix-data", "of grokfix's own"),
        ("workflow_run.event", "issue_comment", "only runs started by"),
        ("workflow_run.event", "merge_group", "only runs started by"),
        ("workflow_run.event", "pull_request_target", "only runs started by"),
        ("workflow_run.event", "::error::x\x1b", "only runs started by"),
        ("workflow_run.name", "grokfix", "grokfix's own workflow"),
        ("repository.full_name", "octo/other", "this job runs in"),
    ],
)
def test_runs_that_are_not_for_us(path: str, value: JsonValue, reason: str) -> None:
    answer = parse("workflow_run", changed(failed_run(), path, value), FACTS)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason and answer.reason.isascii() and answer.reason.isprintable()


@pytest.mark.parametrize("conclusion", ["failure", "timed_out"])
@pytest.mark.parametrize("name", ["push", "pull_request", "schedule", "workflow_dispatch"])
def test_runs_that_are(name: str, conclusion: str) -> None:
    payload = changed(failed_run(), "workflow_run.event", name)
    assert isinstance(parse("workflow_run", changed(payload, "workflow_run.conclusion", conclusion), FACTS), Trigger)


def test_a_command() -> None:
    assert parse("issue_comment", commented("/grok fix a.py"), FACTS) == Trigger(
        kind=TriggerKind.COMMENT,
        repository=REPOSITORY,
        default_branch="master",
        sender="Codertocat",
        pull_request=1,
        comment_id=492700400,
        workflow="grokfix",
        command=Fix(("a.py",)),
    )
    wrong = parse("issue_comment", commented("/grok fix --base_url=http://x"), FACTS)
    assert isinstance(wrong, Trigger) and isinstance(wrong.command, WrongCommand)
    other = parse("issue_comment", commented("/grok help"), FACTS)
    assert isinstance(other, Trigger) and other.command == Help()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("action", "edited", "only new comments"),
        ("action", "deleted", "only new comments"),
        ("comment.body", "> /grok fix", "no command"),
        ("comment.body", "/grok fixx", "no command"),
        ("comment.body", None, "no command"),
        ("comment.body", ["/grok fix"], "no command"),
        ("comment.body", "/grok fix\n\n<!-- grokfix:progress 1 -->", "its marker"),
        ("issue.pull_request", None, "on an issue"),
        ("sender.login", "somebody", "nobody's word"),
    ],
)
def test_comments_that_are_not_for_us(path: str, value: JsonValue, reason: str) -> None:
    answer = parse("issue_comment", changed(commented(), path, value), FACTS)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason


def test_a_step_after_the_tests_of_a_pull_request_is_about_its_head_not_the_merge() -> None:
    trigger = parse("pull_request", event("pull_request", "synchronize"), STEP)
    assert isinstance(trigger, Trigger)
    assert trigger.kind is TriggerKind.STEP
    assert (trigger.sha, trigger.branch, trigger.base_branch, trigger.pull_request) == (SHA, "changes", "master", 2)
    assert trigger.sha != STEP.sha
    assert (trigger.run_id, trigger.run_attempt, trigger.event) == (70, 1, "pull_request")
    assert trigger.is_fork  # the example's head is another repository than ours
    gone = parse("pull_request", changed(event("pull_request", "opened"), "pull_request.head.repo", None), STEP)
    assert isinstance(gone, Trigger) and gone.is_fork


def test_a_step_after_the_tests_of_a_push() -> None:
    payload = changed(event("push"), "ref", "refs/heads/release/1.x")
    trigger = parse("push", payload, STEP)
    assert isinstance(trigger, Trigger)
    assert (trigger.kind, trigger.branch, trigger.sha) == (TriggerKind.STEP, "release/1.x", payload["after"])
    assert not trigger.is_fork and trigger.pull_request is None


@pytest.mark.parametrize("name", ["schedule", "workflow_dispatch"])
def test_a_step_after_tests_that_a_schedule_or_a_person_started(name: str) -> None:
    payload: Event = {"repository": {"full_name": REPOSITORY, "default_branch": "main"}}
    trigger = parse(name, payload, STEP)
    assert isinstance(trigger, Trigger)
    assert (trigger.kind, trigger.branch, trigger.sha) == (TriggerKind.STEP, "main", STEP.sha)


@pytest.mark.parametrize(
    ("name", "kind"), [("schedule", TriggerKind.SCHEDULE), ("workflow_dispatch", TriggerKind.DISPATCH)]
)
@pytest.mark.parametrize(("tests", "shards"), [("", 3), ("tests/test_cart.py::test_total", 1)], ids=["all", "one"])
def test_a_night_of_triage(name: str, kind: TriggerKind, tests: str, shards: int) -> None:
    payload: Event = {
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "inputs": {"tests": tests},
    }
    trigger = parse(name, payload, replace(FACTS, shards=3))
    assert isinstance(trigger, Trigger)
    assert trigger.kind is kind
    assert trigger.command == Triage(shards, (tests,) if tests else ())


def test_a_night_of_triage_names_no_options() -> None:
    payload: Event = {
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "inputs": {"tests": "--collect-only"},
    }
    with pytest.raises(ConfigError, match="the input tests cannot be used"):
        parse("workflow_dispatch", payload, replace(FACTS, shards=2))


@pytest.mark.parametrize(
    ("name", "change", "facts", "reason"),
    [
        ("push", {}, FACTS, "no test reports were given"),
        ("pull_request", {}, FACTS, "no test reports were given"),
        ("push", {"deleted": True}, STEP, "deleted"),
        ("push", {"ref": "refs/tags/v1"}, STEP, "is no branch"),
        ("push", {"ref": "refs/heads/grokfix/main/0123456789ab"}, STEP, "of grokfix's own"),
        ("push", {"ref": "refs/heads/grokfix-data"}, STEP, "of grokfix's own"),
        ("pull_request", {"action": "closed"}, STEP, "closed"),
        ("pull_request", {"pull_request.head.ref": "grokfix/x/0123456789ab"}, STEP, "of grokfix's own"),
        ("merge_group", {}, STEP, "does not last"),
        ("pull_request_target", {}, STEP, "not supported"),
        ("issues", {}, STEP, "asks for nothing"),
        ("::error::\x1b[31m", {}, STEP, "asks for nothing"),
    ],
)
def test_events_that_are_not_for_us(name: str, change: Event, facts: EventFacts, reason: str) -> None:
    known = name if name in {"push", "pull_request"} else "push"
    payload = changed(event(known), "deleted", False) if known == "push" else event(known)
    for path, value in change.items():
        payload = changed(payload, path, value)
    answer = parse(name, payload, facts)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason and answer.reason.isprintable()


def dispatch(**inputs: str) -> Event:
    return changed(event("workflow_dispatch"), "inputs", {key.replace("_", "-"): text for key, text in inputs.items()})


def test_a_dispatch() -> None:
    trigger = parse("workflow_dispatch", dispatch(ref="feature", tests='a.py "b c"', hint="look"), FACTS)
    assert isinstance(trigger, Trigger)
    assert (trigger.kind, trigger.branch, trigger.run_id) == (TriggerKind.DISPATCH, "feature", None)
    assert trigger.command == Fix(("a.py", "b c"), "look")
    run = parse("workflow_dispatch", dispatch(run_id=" 123 "), FACTS)
    assert isinstance(run, Trigger) and (run.run_id, run.branch) == (123, "")
    plain = parse("workflow_dispatch", dispatch(ref="refs/heads/feature"), STEP)
    assert isinstance(plain, Trigger) and (plain.kind, plain.branch) == (TriggerKind.DISPATCH, "feature")
    nothing = parse("workflow_dispatch", changed(dispatch(), "inputs", None), FACTS)
    assert isinstance(nothing, Trigger) and (nothing.kind, nothing.branch) == (TriggerKind.DISPATCH, "main")
    assert isinstance(parse("workflow_dispatch", dispatch(ref="grokfix-data"), FACTS), Ignored)


@pytest.mark.parametrize(
    "inputs",
    [
        {"ref": "--upload-pack=x"},
        {"ref": "a b"},
        {"ref": "a..b"},
        {"ref": "a\nb"},
        {"ref": "x" * 300},
        {"run_id": "abc"},
        {"run_id": "-1"},
        {"run_id": "0"},
        {"run_id": "9" * 40},
        {"run_id": "\u0663"},
        {"tests": "--collect-only"},
        {"hint": "x" * 501},
    ],
    ids=str,
)
def test_wrong_inputs_of_a_dispatch_are_said(inputs: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse("workflow_dispatch", dispatch(**inputs), FACTS)
    assert str(error.value).isprintable() and len(str(error.value)) < 400


def paths(payload: Mapping[str, JsonValue], above: str = "") -> Iterator[str]:
    for key, value in payload.items():
        yield above + key
        if isinstance(value, Mapping):
            yield from paths(value, f"{above}{key}.")


NONSENSE: tuple[JsonValue, ...] = (None, "", "\ud800\x00::error::", -1, 10**30, True, 1.5, [], ["x"], {}, {"login": {}})
READ = (
    *("action", "ref", "after", "deleted", "inputs", "repository", "sender", "number"),
    *("comment", "issue", "workflow_run", "pull_request", "workflow"),
)


@pytest.mark.parametrize("name", ["workflow_run", "issue_comment", "push", "pull_request", "workflow_dispatch"])
def test_no_hole_in_a_payload_is_more_than_a_clear_error(name: str) -> None:
    payload = {
        "workflow_run": failed_run,
        "issue_comment": commented,
        "workflow_dispatch": lambda: dispatch(ref="feature"),
    }.get(name, lambda: changed(event(name), "ref", "refs/heads/main") if name == "push" else event(name))()
    assert isinstance(parse(name, payload, STEP), Trigger)
    places = [path for path in paths(payload) if path.split(".")[0] in READ and not path.endswith("_url")]
    for path in places:
        for value in NONSENSE:
            try:
                parse(name, changed(payload, path, value), STEP)
            except ConfigError as error:
                assert name in str(error) or "input" in str(error)
    with pytest.raises(ConfigError, match=r"repository\.full_name"):
        parse(name, {}, STEP)
