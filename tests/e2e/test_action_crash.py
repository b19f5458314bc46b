"""The action interrupted, killed, refused and answered badly: run again, it ends in one state, and nothing twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.action_world import READS, Analyzed, Started, Step, World, ledger
from tests.github_server import Call, Cut, DoneBut, GitHubServer, Refuse
from tests.github_server.faults import Effect
from tests.github_server.payloads import of_comment
from tests.github_server.state import Artifact, Comment, Run, packed

SLEEPER = """\
import subprocess


def test_for_ever():
    subprocess.run(["sleep", "{seconds}"])
"""


@pytest.fixture
def pulled(github: GitHubServer, tmp_path: Path) -> World:
    """The bug is on the branch of pull request 1; the default branch is green."""
    world = World.make(github, tmp_path / "steps", branch="cheaper")
    assert world.pull() == 1
    return world


def own_run(world: World, event: str = "issue_comment") -> Run:
    """The run that a step is a part of, on the code host."""
    return world.shop.add_run("grokfix", branch="main", event=event, status="in_progress")


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it; AssertionError where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


# --- 5. and 6. interrupted -------------------------------------------------------------------------------------------


def sleeping(marker: str) -> list[str]:
    """Processes that sleep for `marker` seconds."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", marker.encode()]:
            found.append(each.parent.name)
    return found


@pytest.fixture
def endless(github: GitHubServer, tmp_path: Path) -> tuple[World, str]:
    """A pull request with a test that sleeps for ever, and for how long that is: a number of this test alone."""
    world = World.make(github, tmp_path / "steps", branch="cheaper")
    seconds = f"{100_000 + os.getpid()}.{time.monotonic_ns() % 10**9}"
    world.shop.commit("cheaper", {"tests/test_sleep.py": SLEEPER.format(seconds=seconds)}, "A test")
    assert world.pull() == 1
    return world, seconds


def begun(world: World, seconds: str, run: Run) -> tuple[Comment, Started]:
    """`/grok fix`, until its tests are running."""
    comment = world.shop.add_comment(1, "maintainer", "/grok fix")
    started = world.start("issue_comment", of_comment(world.shop, comment), run_id=run.id)
    until(lambda: started.process.poll() is not None or bool(sleeping(seconds)))
    assert started.process.poll() is None, started.wait().log
    return comment, started


def test_stop_ends_the_run_that_works(endless: tuple[World, str]) -> None:
    world, seconds = endless
    live, stopping = own_run(world), own_run(world)
    comment, started = begun(world, seconds, live)
    _, answered = world.ask(1, "/grok stop", run_id=stopping.id)
    assert answered.exit_code == 0, answered.log
    assert [str(each) for each in world.server.writes if each.path.endswith("/cancel")] == [
        f"POST /repos/octo/shop/actions/runs/{live.id}/cancel 202"
    ]
    started.process.send_signal(signal.SIGTERM)  # what the runner does then
    step = started.wait(60)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "interrupted"), step.log
    assert sleeping(seconds) == []
    [line] = ledger(world)
    assert (line["state"], line["outcome"]) == ("stopped", "stopped")
    [_, progress, _, reply] = world.shop.comments(1)
    assert "Stopped before the end: the run was interrupted" in progress.body
    assert f"/actions/runs/{live.id}" in reply.body
    assert list(world.shop.pulls) == [1]
    assert [each.content for each in world.shop.reactions(comment.id)] == ["eyes", "confused"]
    [check] = world.shop.checks
    assert (check.status, check.conclusion) == ("completed", "cancelled")


def test_a_signal_while_the_evidence_is_fetched(pulled: World) -> None:
    """No sandbox is there yet, and all the same it is said what became of it."""
    started: list[Started] = []

    def cancel() -> None:
        until(lambda: bool(started))
        started[0].process.send_signal(signal.SIGINT)
        started[0].process.send_signal(signal.SIGTERM)

    pulled.server.fault("GET", "/artifacts$", Call(cancel))
    comment = pulled.shop.add_comment(1, "maintainer", "/grok fix")
    started.append(pulled.start("issue_comment", of_comment(pulled.shop, comment)))
    step = started[0].wait(60)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "interrupted"), step.log
    assert "the run was interrupted" in pulled.shop.comments(1)[1].body
    [line] = ledger(pulled)
    assert (line["state"], line["outcome"]) == ("ended", "stopped")


def test_a_signal_while_it_is_published(pulled: World, repaired: Analyzed) -> None:
    """What is half out is told to its end."""
    started: list[Started] = []

    def cancel() -> None:
        until(lambda: bool(started))
        started[0].process.send_signal(signal.SIGTERM)

    comment, claim = pulled.ask(1, "/grok fix", mode="claim")
    pulled.server.fault("POST", "/git/refs$", Call(cancel))
    trigger = claim.outputs["trigger"]
    workspace = pulled.handed(trigger, repaired.bundle)
    started.append(pulled.start("issue_comment", {}, mode="publish", trigger=trigger, workspace=workspace))
    step = started[0].wait(60)
    assert (step.exit_code, step.outputs["outcome"]) == (0, "repaired"), step.log
    one_of_each(pulled, comment)


def test_what_was_stopped_is_not_published(pulled: World, repaired: Analyzed) -> None:
    """Three jobs: the analysis had ended when the stop came, and the publishing job runs all the same."""
    live = own_run(pulled)
    _, claim = pulled.ask(1, "/grok fix", mode="claim", run_id=live.id)
    pulled.ask(1, "/grok stop", run_id=own_run(pulled).id)
    step = pulled.publish(claim.outputs["trigger"], repaired.bundle, run_id=live.id)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "interrupted"), step.log
    assert list(pulled.shop.pulls) == [1]
    assert set(pulled.shop.branches) == {"main", "cheaper", "grokfix-data"}
    [line] = ledger(pulled)
    assert (line["state"], line["outcome"]) == ("stopped", "stopped")
    progress = pulled.shop.comments(1)[1]
    assert "Stopped before the end: the run was interrupted" in progress.body
    assert "It was stopped by `/grok stop`." in progress.body
    assert "trace.html" in progress.body
    assert "price < best" not in progress.body
    assert "<!-- grokfix:progress" in progress.body
    [check] = pulled.shop.checks
    assert (check.status, check.conclusion) == ("completed", "cancelled")


def test_killed_in_mid_run_and_run_again(endless: tuple[World, str]) -> None:
    """SIGKILL leaves everything as it is; the same run, started again, takes it up."""
    world, seconds = endless
    live = own_run(world)
    comment, started = begun(world, seconds, live)
    started.process.kill()
    started.wait()
    until(lambda: not sleeping(seconds))  # the sandbox's supervisor sees that its owner is gone
    again = world.start("issue_comment", of_comment(world.shop, comment), run_id=live.id)
    until(lambda: again.process.poll() is not None or bool(sleeping(seconds)))
    again.process.send_signal(signal.SIGTERM)
    step = again.wait(60)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "interrupted"), step.log
    assert sleeping(seconds) == []
    [line] = ledger(world)
    assert (line["state"], line["outcome"], line["reason"]) == ("ended", "stopped", "interrupted")
    [_, progress] = world.shop.comments(1)
    assert "Stopped before the end" in progress.body
    assert [each.content for each in world.shop.reactions(comment.id)] == ["eyes", "confused"]
    assert [check.status for check in world.shop.checks if check.status != "completed"] == ["in_progress"]


# --- 7. killed at every write ----------------------------------------------------------------------------------------


def one_of_each(world: World, comment: Comment) -> None:
    """The end state, however often it was begun."""
    shop = world.shop
    stacked = shop.pulls[2]
    assert list(shop.pulls) == [1, 2]
    assert (stacked.state, stacked.base_branch, stacked.draft) == ("open", "cheaper", True)
    seen = shop.seen(stacked.head_sha)
    assert seen.parents == (world.red,)
    assert b"price < best" in seen.files["shop/cart.py"]
    assert {name for name in shop.branches if name.startswith("grokfix/")} == {stacked.head_branch}
    [_, progress] = shop.comments(1)
    assert "pull request #2" in progress.body
    assert [each.content for each in shop.reactions(comment.id)] == ["eyes", "rocket"]
    [line] = ledger(world)
    assert (line["state"], line["outcome"], line["pull_requests"]) == ("ended", "repaired", [2])
    assert sum(path.endswith("/trace.jsonl") for path in shop.seen("grokfix-data").files) == 1
    assert sum(check.status != "completed" for check in shop.checks) <= 1
    assert sum(check.status == "completed" for check in shop.checks) == 1


def killed_at(world: World, number: int, start: Callable[[], Started]) -> tuple[bool, Step]:
    """Start a step, kill its process when its write of that number was done, and start it again; whether it came so
    far, and how the step ended."""
    running: list[Started] = []
    struck: list[bool] = []

    def kill() -> None:
        until(lambda: bool(running))
        struck.append(True)
        running[0].process.kill()
        running[0].process.wait()

    fault = world.server.fault("WRITE", "", Call(kill), nth=number)
    running.append(start())
    step = running[0].wait()
    fault.times = 0
    return bool(struck), start().wait() if struck else step


def test_killed_at_every_write_and_run_again(repaired: Analyzed, tmp_path: Path) -> None:
    counts = [0, 0]  # of the claim's and the publication's writes
    struck, number = True, 0
    while struck:
        number += 1
        folder = tmp_path / str(number)
        with GitHubServer(folder / "github") as server:
            world = World.make(server, folder / "steps", branch="cheaper")
            world.pull()
            run = own_run(world)
            comment = world.shop.add_comment(1, "maintainer", "/grok fix")

            def claim(world: World = world, comment: Comment = comment, run: Run = run) -> Started:
                payload = of_comment(world.shop, comment)
                return world.start("issue_comment", payload, mode="claim", run_id=run.id)

            in_claim, step = killed_at(world, number, claim)
            assert step.outputs["proceed"] == "true", step.log
            trigger = step.outputs["trigger"]

            def publish(world: World = world, trigger: str = trigger, run: Run = run) -> Started:
                workspace = world.handed(trigger, repaired.bundle)
                given = {"mode": "publish", "trigger": trigger, "workspace": workspace, "run_id": run.id}
                return world.start("issue_comment", {}, **given)

            in_publish, step = killed_at(world, number, publish)
            assert step.outputs["outcome"] == "repaired", step.log
            one_of_each(world, comment)
            counts[0] += in_claim
            counts[1] += in_publish
            struck = in_claim or in_publish
    assert counts[0] >= 5, counts  # reaction, ledger (blob or tree, commit, branch), comment, check run
    assert counts[1] >= 9, (
        counts
    )  # fix (tree, commit, branch), pull request, ledger (tree, commit, branch), and the rest


# --- 8. answers that go wrong ----------------------------------------------------------------------------------------

LIMITED = Refuse(403, "You have exceeded a secondary rate limit.", {"Retry-After": "1"})


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/pulls$"), ("POST", "/issues/1/comments$"), ("PATCH", "/git/refs/"), ("POST", "/git/refs$")],
)
@pytest.mark.parametrize("effect", [DoneBut(502), Cut(), LIMITED], ids=["502", "cut", "limited"])
def test_an_answer_that_got_lost_repeats_nothing(
    pulled: World, repaired: Analyzed, method: str, path: str, effect: Effect
) -> None:
    fault = pulled.server.fault(method, path, effect)
    comment, claim = pulled.ask(1, "/grok fix", mode="claim")
    step = pulled.publish(claim.outputs["trigger"], repaired.bundle)
    assert fault.seen >= 1
    assert step.outputs["outcome"] == "repaired", step.log
    one_of_each(pulled, comment)


def test_a_refused_pull_request_leaves_the_branch(pulled: World, repaired: Analyzed) -> None:
    shop = pulled.shop
    shop.actions_may_create_pull_requests = False
    _, claim = pulled.ask(1, "/grok fix", mode="claim")
    step = pulled.publish(claim.outputs["trigger"], repaired.bundle)
    assert (step.exit_code, step.outputs["outcome"], step.outputs["pull-request"]) == (0, "repaired", ""), step.log
    assert list(shop.pulls) == [1]
    [branch] = [name for name in shop.branches if name.startswith("grokfix/")]
    assert shop.seen(branch).parents == (pulled.red,)
    compare = f"{pulled.server.server_url}/octo/shop/compare/cheaper...{branch}?expand=1"
    for said in (shop.comments(1)[-1].body, step.summary):
        assert compare in said
        assert "Allow GitHub Actions to create and approve pull requests" in said
    [line] = ledger(pulled)
    assert (line["state"], line["outcome"], line["pull_requests"]) == ("ended", "repaired", [])


def test_a_token_that_may_not_write_begins_nothing(pulled: World) -> None:
    """Nothing is begun that the ledger would not count; what to grant is said where the owner looks."""
    _, step = pulled.ask(1, "/grok fix", token=pulled.token(READS))
    assert step.exit_code == 3, step.log
    assert "contents: write" in step.log
    assert "contents: write" in step.summary
    assert pulled.server.writes == () or {each.status for each in pulled.server.writes} == {403}
    assert len(pulled.shop.comments(1)) == 1


def test_a_token_that_may_not_push_says_so(pulled: World, repaired: Analyzed) -> None:
    """Between claim and publish the permission was taken away."""
    _, claim = pulled.ask(1, "/grok fix", mode="claim")
    token = pulled.token({"actions": "write", "checks": "write", "issues": "write", "contents": "read"})
    step = pulled.publish(claim.outputs["trigger"], repaired.bundle, token=token)
    assert step.exit_code == 0, step.log
    assert list(pulled.shop.pulls) == [1]
    said = pulled.shop.comments(1)[-1].body
    for told in (said, step.summary):
        assert "contents: write" in told
        assert "price < best" in told or "price &lt; best" in told


@pytest.mark.parametrize("uploaded", [True, False], ids=["bundle", "no-bundle"])
def test_a_token_that_died_leaves_it_to_the_next_run(pulled: World, repaired: Analyzed, uploaded: bool) -> None:
    shop = pulled.shop
    dead = own_run(pulled)
    comment, claim = pulled.ask(1, "/grok fix", mode="claim", run_id=dead.id)
    trigger = claim.outputs["trigger"]
    token = pulled.token()

    def expire() -> None:
        pulled.server.token_state(token).expired = True

    pulled.server.fault("GET", "/contents/", Call(expire))  # the settings are the first thing that publish reads
    step = pulled.publish(trigger, repaired.bundle, token=token, run_id=dead.id)
    assert step.exit_code == 0, step.log
    assert "the next run of grokfix publishes" in step.log
    assert list(shop.pulls) == [1]
    [line] = ledger(pulled)
    assert line["state"] == "claimed"
    dead.status, dead.conclusion = "completed", "success"
    if uploaded:
        folder = pulled.handed(trigger, repaired.bundle) / "grokfix-bundle"
        content = packed({each.name: each.read_bytes() for each in folder.iterdir()})
        dead.artifacts.append(Artifact(pulled.server.world.next_id(), "grokfix-bundle", content, dead.started))
    _, other = pulled.ask(1, "/grok explain", run_id=own_run(pulled).id)
    assert other.exit_code == 0, other.log
    first, _ = ledger(pulled)
    progress = shop.comments(1)[1].body
    if uploaded:
        assert (first["state"], first["outcome"], first["pull_requests"]) == ("ended", "repaired", [2]), other.log
        assert shop.seen(shop.pulls[2].head_sha).parents == (pulled.red,)
        assert "pull request #2" in progress
        assert [each.content for each in shop.reactions(comment.id)] == ["eyes", "rocket"]
    else:
        assert (first["state"], first["outcome"]) == ("ended", "stopped"), other.log
        assert "it left no bundle" in progress
        assert list(shop.pulls) == [1]
