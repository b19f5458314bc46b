"""The API's values win over the event's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.trigger.resolve import resolve
from bot.trigger.types import Ignored, Trigger, TriggerKind
from tests.fake_forge import FakeForge
from tests.unit.trigger.sample import of_run, red_main, said, shop, step


def settled(trigger: Trigger, forge: FakeForge) -> Trigger:
    found = resolve(trigger, forge)
    assert isinstance(found, Trigger), found
    return found


def ignored(trigger: Trigger, forge: FakeForge) -> str:
    found = resolve(trigger, forge)
    assert isinstance(found, Ignored), found
    return found.reason


def dispatch(branch: str = "", run: int | None = None) -> Trigger:
    return Trigger(TriggerKind.DISPATCH, "octo/shop", "main", "dev", branch=branch, run_id=run, workflow="grokfix")


# --- comments -------------------------------------------------------------------------------------------------------


def test_a_comment_is_about_the_head_of_its_pull_request_and_the_newest_run_that_failed_there() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    head = forge.branches["feature"]
    forge.add_run(head, branch="feature", event="pull_request")
    newest = forge.add_run(head, branch="feature", event="pull_request", workflow="lint", attempt=3, actor="boss")
    forge.add_run(head, branch="feature", event="issue_comment")  # tests the default branch, whatever its SHA says
    forge.add_run(head, branch="feature", event="workflow_dispatch", workflow="grokfix")  # our own
    forge.add_run(head, branch="feature", conclusion="success")
    found = settled(said(pull), forge)
    assert (found.sha, found.branch, found.base_branch, found.pull_request) == (head, "feature", "main", pull.number)
    assert (found.run_id, found.run_attempt, found.workflow, found.actor) == (newest.id, 3, "lint", "boss")
    assert not found.is_fork
    assert [call.method for call in forge.calls] == ["pull_request", "runs"]


def test_a_comment_needs_no_failed_run() -> None:
    forge = shop()
    found = settled(said(forge.add_pull("feature")), forge)
    assert found.run_id is None and found.workflow == ""


def test_a_comment_on_a_forks_pull_request() -> None:
    forge = shop()
    sha = forge.add_commit([forge.branches["main"]], {}, "theirs")
    found = settled(said(forge.add_pull("main", fork="stranger/shop", head_sha=sha)), forge)
    assert found.is_fork and found.sha == sha and found.branch == "main"


def test_comments_that_came_too_late() -> None:
    forge = shop()
    assert "no pull request" in ignored(said(forge.add_issue()), forge)
    pull = forge.add_pull("feature")
    forge.close(pull.number)
    assert "closed" in ignored(said(pull), forge)


# --- failed runs ----------------------------------------------------------------------------------------------------


def test_a_run_on_the_default_branch() -> None:
    forge = shop()
    trigger = red_main(forge)
    assert settled(trigger, forge) == trigger
    assert [call.method for call in forge.calls] == ["run", "branch"]


def test_what_the_event_claims_is_not_believed() -> None:
    """SECURITY 21: another commit, branch, repository, people, pull request than the run's."""
    forge = shop()
    run = forge.add_run(forge.branches["main"], actor="dev", triggering_actor="boss")
    claimed = replace(
        of_run(run),
        sha="0" * 40,
        branch="release",
        head_repository="stranger/shop",
        actor="admin",
        triggering_actor="admin",
        pull_request=99,
        base_branch="prod",
        workflow_id=1,
    )
    assert settled(claimed, forge) == of_run(run)


@pytest.mark.parametrize("numbers", ["told", "not told"])
def test_the_open_pull_request_of_a_run(numbers: str) -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    listed = (pull.number,) if numbers == "told" else ()
    run = forge.add_run(forge.branches["feature"], branch="feature", event="pull_request", pull_requests=listed)
    found = settled(of_run(run), forge)
    assert (found.pull_request, found.base_branch, found.sha) == (pull.number, "main", run.head_sha)
    assert len(forge.calls) == 2
    forge.close(pull.number)
    assert settled(of_run(run), forge).pull_request is None


def test_a_fork_of_the_same_branch_name_lends_its_pull_request_to_nobody() -> None:
    forge = shop()
    theirs = forge.add_pull("feature", fork="stranger/shop", head_sha=forge.branches["feature"])
    run = forge.add_run(forge.branches["feature"], branch="feature", pull_requests=(theirs.number,))
    assert settled(of_run(run), forge).pull_request is None


def test_a_forks_run_named_main() -> None:
    forge = shop()
    sha = forge.add_commit([forge.branches["main"]], {}, "theirs")
    run = forge.add_run(sha, event="pull_request", head_repository="stranger/shop", triggering_actor="dev")
    found = settled(of_run(run), forge)
    assert found.is_fork and found.sha == sha and found.pull_request is None
    gone = forge.add_run(sha, event="pull_request", head_repository="")
    assert settled(of_run(gone), forge).is_fork


def test_a_head_that_moved() -> None:
    forge = shop()
    on_main = red_main(forge)
    pull = forge.add_pull("feature")
    head = forge.branches["feature"]
    on_pull = of_run(forge.add_run(head, branch="feature", pull_requests=(pull.number,)))
    on_branch = of_run(forge.add_run(head, branch="feature"))
    stepped = replace(step(forge, "feature"), pull_request=pull.number)
    for branch in ("main", "feature"):
        forge.push(branch, {"new.py": "1"})
    for trigger in (on_main, on_pull, on_branch, stepped):
        assert ignored(trigger, forge).startswith("head moved")


def test_runs_that_are_nothing_any_more() -> None:
    forge = shop()
    main = forge.branches["main"]
    assert "knows no run" in ignored(replace(red_main(forge), run_id=1), forge)
    again = of_run(forge.add_run(main, attempt=2))
    assert "started again" in ignored(replace(again, run_attempt=1), forge)
    assert "did not fail" in ignored(of_run(forge.add_run(main, status="in_progress")), forge)
    assert "did not fail" in ignored(of_run(forge.add_run(main, conclusion="success")), forge)
    assert "only runs started by" in ignored(of_run(forge.add_run(main, event="issue_comment")), forge)
    assert "grokfix's own" in ignored(of_run(forge.add_run(main, branch="grokfix/main/0123456789ab")), forge)
    assert "is gone" in ignored(of_run(forge.add_run(main, branch="v1.0")), forge)


# --- steps and dispatches -------------------------------------------------------------------------------------------


def test_a_step_is_taken_as_its_payload_says_while_its_head_stands() -> None:
    forge = shop()
    assert settled(step(forge), forge) == step(forge)
    assert [call.method for call in forge.calls] == ["branch"]
    pull = forge.add_pull("feature")
    found = settled(step(forge, "feature"), forge)
    assert (found.pull_request, found.base_branch) == (pull.number, "main")
    forge.close(pull.number)
    assert "closed" in ignored(replace(step(forge, "feature"), pull_request=pull.number), forge)


def test_a_dispatch_on_a_branch() -> None:
    forge = shop()
    pull = forge.add_pull("feature")
    run = forge.add_run(forge.branches["feature"], branch="feature")
    found = settled(dispatch("feature"), forge)
    assert (found.sha, found.pull_request, found.run_id) == (forge.branches["feature"], pull.number, run.id)
    assert not found.is_fork
    assert "has no branch" in ignored(dispatch("v1"), forge)


def test_a_dispatch_on_a_run() -> None:
    forge = shop()
    run = forge.add_run(forge.branches["main"], attempt=4)
    found = settled(dispatch(run=run.id), forge)
    assert (found.sha, found.branch, found.run_attempt) == (forge.branches["main"], "main", 4)
    assert settled(dispatch("main", run.id), forge) == found
    assert "not on 'feature'" in ignored(dispatch("feature", run.id), forge)


def test_a_default_branch_that_the_event_did_not_tell_is_asked_for() -> None:
    forge = shop()
    assert settled(replace(step(forge), default_branch=""), forge).default_branch == "main"
