"""Earlier runs of a workflow: the last green commit, and failures that the base branch has already."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.evidence.ci_history import RedSince, base_runs, last_green, on_base
from bot.evidence.types import Outcome, TestCase, TestId
from bot.ports import JobStep, WorkflowRun
from tests.fake_forge import FakeForge
from tests.unit.evidence.ci_logs import script, stamped

GLOBS = ("*junit*",)


@pytest.fixture
def forge() -> FakeForge:
    forge = FakeForge()
    forge.push("main", {"app.py": "a = 1\n"})
    forge.branches["topic"] = forge.branches["main"]
    return forge


def run_on(forge: FakeForge, branch: str, conclusion: str, **facts: object) -> WorkflowRun:
    sha = forge.push(branch, {"app.py": f"a = {len(forge.commits)}\n"})
    return forge.add_run(sha, branch=branch, conclusion=conclusion, **facts)  # type: ignore[arg-type]


def xml(*failures: tuple[str, str]) -> bytes:
    cases = "".join(
        f'<testcase classname="tests.test_cart" file="tests/test_cart.py" name="{name}">'
        f'<failure message="{exception}: now 17">E   {exception}: now 17</failure></testcase>'
        for name, exception in failures
    )
    return f"<testsuite>{cases}</testsuite>".encode()


def failed(name: str, exception: str) -> TestCase:
    text = f"{exception}: now 42"
    return TestCase(TestId("tests/test_cart.py", "tests.test_cart", name), Outcome.FAILED, 0.0, text, f"E   {text}")


def methods(forge: FakeForge) -> list[str]:
    return [call.method for call in forge.calls]


# --- the last green commit ------------------------------------------------------------------------------------------


def test_on_the_runs_own_branch(forge: FakeForge) -> None:
    run_on(forge, "main", "success")
    old = run_on(forge, "main", "success")
    run_on(forge, "main", "failure")
    run = run_on(forge, "main", "failure")
    run_on(forge, "main", "success")  # later than the failed run
    assert last_green(forge, run) == old
    assert methods(forge) == ["runs"]


def test_a_pull_requests_own_branch_comes_before_its_base(forge: FakeForge) -> None:
    base_green = run_on(forge, "main", "success")
    own_green = run_on(forge, "topic", "success", event="pull_request")
    run = run_on(forge, "topic", "failure", event="pull_request")
    base = base_runs(forge, run, "main")
    assert last_green(forge, run, base) == own_green
    del forge.workflow_runs[own_green.id]
    assert last_green(forge, run, base) == base_green
    assert last_green(forge, run) is None
    assert set(methods(forge)) == {"runs"}
    assert forge.count("runs") == 4


def test_a_green_run_on_the_same_commit_says_nothing(forge: FakeForge) -> None:
    old = run_on(forge, "main", "success")
    sha = forge.push("main", {"app.py": "b\n"})
    forge.add_run(sha, conclusion="success")
    run = forge.add_run(sha, conclusion="failure")
    assert last_green(forge, run) == old


def test_runs_of_other_workflows_and_forks_do_not_count(forge: FakeForge) -> None:
    run_on(forge, "main", "success", workflow_id=8)
    run_on(forge, "main", "success", head_repository="fork/shop", event="pull_request")
    run = run_on(forge, "main", "failure")
    assert last_green(forge, run) is None


def test_a_forks_run_is_compared_with_the_forks(forge: FakeForge) -> None:
    run_on(forge, "main", "success")
    own = run_on(forge, "main", "success", head_repository="Fork/shop", event="pull_request")
    run = run_on(forge, "main", "failure", head_repository="fork/shop", event="pull_request")
    assert last_green(forge, run, base_runs(forge, run, "main")) == own


# --- the base branch ------------------------------------------------------------------------------------------------


def test_which_runs_are_the_base_branchs(forge: FakeForge) -> None:
    green = run_on(forge, "main", "success")
    red = run_on(forge, "main", "failure")
    run_on(forge, "main", "cancelled")
    run_on(forge, "main", "failure", status="in_progress")
    run_on(forge, "main", "failure", event="pull_request")  # a pull request from main to a release branch
    run_on(forge, "main", "failure", head_repository="fork/shop")
    run = run_on(forge, "topic", "failure", event="pull_request")
    assert base_runs(forge, run, "main") == (red, green)
    assert forge.count("runs") == 1
    assert base_runs(forge, red, "main") == ()
    assert base_runs(forge, run, "") == ()
    assert forge.count("runs") == 1


def pull_request(forge: FakeForge, *conclusions: str) -> tuple[Sequence[WorkflowRun], WorkflowRun]:
    """Runs of the base branch (newest first), the newest with an artifact of two failures; a failed run beside it."""
    for conclusion in conclusions:
        newest = run_on(forge, "main", conclusion)
    forge.add_job(newest, "test", conclusion=newest.conclusion)
    forge.add_artifact(newest, "junit", {"junit.xml": xml(("test_a", "ValueError"), ("test_b", "ValueError"))})
    run = run_on(forge, "topic", "failure", event="pull_request")
    return base_runs(forge, run, "main"), run


def test_the_same_failures_on_the_base_branch(forge: FakeForge) -> None:
    base, _ = pull_request(forge, "success", "success", "failure", "cancelled", "failure", "failure")
    first = base[2]
    same = on_base(
        forge,
        base,
        [failed("test_a", "ValueError"), failed("test_b", "KeyError"), failed("test_c", "ValueError")],
        GLOBS,
    )
    assert same is not None
    assert same.run == base[0]
    assert [id.name for id in same.failing] == ["test_a"]  # another message is the same failure, another type is not
    assert same.since == RedSince(first.head_sha, first.created_at, first.url, known=True)
    assert methods(forge) == ["runs", "jobs", "artifacts", "download", "job_log"]


def test_red_for_longer_than_can_be_seen(forge: FakeForge) -> None:
    base, _ = pull_request(forge, "failure", "failure")
    same = on_base(forge, base, [failed("test_a", "ValueError")], GLOBS)
    assert same is not None
    assert same.since == RedSince(base[-1].head_sha, base[-1].created_at, base[-1].url, known=False)


def test_a_green_base_branch_is_not_looked_into(forge: FakeForge) -> None:
    base, _ = pull_request(forge, "failure", "success")
    assert on_base(forge, base, [failed("test_a", "ValueError")], GLOBS) is None
    assert methods(forge) == ["runs"]


def test_other_failures_on_the_base_branch(forge: FakeForge) -> None:
    base, _ = pull_request(forge, "success", "failure")
    assert on_base(forge, base, [failed("test_c", "ValueError")], GLOBS) is None
    assert on_base(forge, base, [], GLOBS) is None
    assert on_base(forge, (), [failed("test_a", "ValueError")], GLOBS) is None


def test_the_base_branchs_log_tells_where_no_artifact_does(forge: FakeForge) -> None:
    newest = run_on(forge, "main", "failure")
    lines = [
        "=== short test summary info ===",
        "FAILED tests/test_cart.py::test_a - ValueError: now 3",
        "1 failed in 0.10s",
    ]
    steps = (JobStep(1, "Tests", "failure"),)
    forge.add_job(newest, "test", log=stamped(script(["pytest"], lines, 1)), steps=steps)
    run = run_on(forge, "topic", "failure")
    same = on_base(forge, base_runs(forge, run, "main"), [failed("test_a", "ValueError")], GLOBS)
    assert same is not None
    assert same.since.known is False
