"""What a user of the action meets, from the event to the end state on the code host."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot import process
from tests import repositories
from tests.action_world import BUG, GREEN, LOG, SETTINGS, Analyzed, Step, World, ledger
from tests.command_line import BUGGY, text
from tests.github_server import Call, GitHubServer, JobSpec, Repository
from tests.github_server.payloads import of_comment, of_run
from tests.github_server.state import Comment, Pull

FINGERPRINT = re.compile(r"<!-- grokfix:fix ([0-9a-f]{64}) -->")


@pytest.fixture
def world(github: GitHubServer, tmp_path: Path) -> World:
    """The bug is on the default branch."""
    return World.make(github, tmp_path / "steps")


@pytest.fixture
def pulled(github: GitHubServer, tmp_path: Path) -> World:
    """The bug is on the branch of pull request 1; the default branch is green."""
    world = World.make(github, tmp_path / "steps", branch="cheaper")
    assert world.pull() == 1
    return world


def fingerprint(repaired: Analyzed) -> str:
    [repair] = json.loads((repaired.bundle / "result.json").read_text())["repairs"]
    return str(repair["fingerprint"])


def claimed(world: World, number: int, body: str, **options: Any) -> tuple[Comment, str]:
    """Ask, and be taken: the comment and the claim."""
    comment, step = world.ask(number, body, mode="claim", **options)
    assert step.outputs["proceed"] == "true", step.log
    return comment, step.outputs["trigger"]


def asked(world: World, repaired: Analyzed, number: int, body: str) -> tuple[Comment, Step]:
    """Ask for a fix on a pull request, and publish the one that was found elsewhere."""
    comment, trigger = claimed(world, number, body)
    return comment, world.publish(trigger, repaired.bundle)


def fixed(world: World, pull: Pull, base: str) -> None:
    """A pull request holds the fix as one verified commit on `base`."""
    seen = world.shop.seen(pull.head_sha)
    assert seen.parents == (base,)
    assert seen.verified
    assert b"price < best" in seen.files["shop/cart.py"]


def settle(world: World, text: str) -> None:
    world.shop.commit("main", {".github/grokfix.yml": SETTINGS + text}, "Settings")


# --- 1. a failed run -------------------------------------------------------------------------------------------------


def test_a_failed_run_becomes_a_draft_pull_request(repaired: Analyzed) -> None:
    world, step = repaired.world, repaired.step
    assert (step.exit_code, step.outputs["outcome"], step.outputs["reason"]) == (0, "repaired", ""), step.log
    [pull] = world.shop.pulls.values()
    assert (pull.base_branch, pull.draft, pull.user) == ("main", True, "github-actions[bot]")
    assert pull.head_branch == f"grokfix/main/{fingerprint(repaired)[:12]}"
    assert pull.title == "Fix: shop/cart.py:11, in `cheapest`: `if price > best:` is wrong"
    assert step.outputs["pull-request"].endswith(f"/octo/shop/pull/{pull.number}")
    fixed(world, pull, world.red)
    assert world.shop.branches["main"] == world.red
    seen = world.shop.seen(pull.head_sha)
    assert set(seen.files) - set(world.shop.seen(world.red).files) == {"tests/test_cheapest_regression.py"}
    assert f"Verified on {world.red[:12]}" in seen.message
    [line] = ledger(world)
    assert (line["state"], line["outcome"], line["pull_requests"]) == ("ended", "repaired", [pull.number])
    assert line["fingerprints"] == [fingerprint(repaired)]
    assert f"#{pull.number}" in step.summary
    assert "price < best" in step.summary


def test_the_body_says_all_that_a_reviewer_asks(repaired: Analyzed) -> None:
    world = repaired.world
    body = world.shop.pulls[1].body
    for heading in (
        "Root cause", "What changes", "Proof", "Gates", "Tests before and after", "Test integrity",
        "Confidence and risks", "Check it on your machine", "Cost and time",
    ):  # fmt: skip
        assert f"\n## {heading}\n" in body, heading
    assert FINGERPRINT.findall(body) == [fingerprint(repaired)]
    assert f"actions/runs/{repaired.failed.id}" in body
    assert "its checks wait for approval" in body
    assert len(re.findall(r"^\| (?:reproduced|applies|vetted|red|green|minimal|suite|stable): ", body, re.M)) == 8
    assert "before 4 tests, 1 failed; after 5 tests, 0 failed" in body
    assert "<details><summary>How it was found" in body
    assert len(body) <= 65_536


def test_what_the_body_links_to_is_kept(repaired: Analyzed) -> None:
    world = repaired.world
    body = world.shop.pulls[1].body
    kept = world.shop.seen("grokfix-data").files
    [page] = re.findall(r"/tree/grokfix-data/(traces/\w+)\)", body)
    assert f"{page}/README.md" in kept
    linked = re.findall(r"/blob/grokfix-data/([^)\s]+)\)", body)
    assert {Path(name).suffix for name in linked} == {".json", ".jsonl", ".html", ".patch"}
    assert set(linked) <= set(kept)
    trace = kept[f"{page}/trace.jsonl"]
    assert hashlib.sha256(trace).hexdigest() in body
    kinds = [json.loads(each)["kind"] for each in trace.splitlines()[1:]]
    assert (kinds[0], kinds[-1]) == ("run", "outcome")
    [patch] = [kept[name].decode() for name in linked if name.endswith(".patch")]
    assert hashlib.sha256(patch.encode()).hexdigest()[:16] in body


def test_the_check_run_points_at_the_line(repaired: Analyzed) -> None:
    [check] = repaired.world.shop.checks
    assert (check.name, check.head_sha) == ("grokfix", repaired.world.red)
    assert (check.status, check.conclusion, check.title) == ("completed", "success", "Repaired")
    [first] = [each for each in check.annotations if each["annotation_level"] == "warning"]
    assert (first["path"], first["start_line"]) == ("shop/cart.py", 11)


def test_a_repair_costs_31_calls_at_most_and_none_twice(repaired: Analyzed) -> None:
    calls = [each for each in repaired.journal if each.host in ("api", "graphql")]
    assert len(calls) <= 31, "\n".join(map(str, calls))
    # Asked again is only what may have changed, on condition that it has (304), or what was not there at first (404).
    reads = Counter(f"{each.path}?{each.query}" for each in calls if each.status == 200 and each.method == "GET")
    assert [each for each, count in reads.items() if count > 1] == []
    edits = Counter(f"{each.method} {each.path}" for each in calls if each.method in ("PATCH", "PUT"))
    assert [each for each, count in edits.items() if count > 1] == []


# --- 2. `/grok fix` on a pull request --------------------------------------------------------------------------------


def test_a_fix_is_stacked_on_the_pull_request(pulled: World, repaired: Analyzed) -> None:
    comment, step = asked(pulled, repaired, 1, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    stacked = pulled.shop.pulls[2]
    assert (stacked.base_branch, stacked.draft) == ("cheaper", True)
    fixed(pulled, stacked, pulled.red)
    assert pulled.shop.branches["cheaper"] == pulled.red
    [_, result] = pulled.shop.comments(1)
    assert "#2" in result.body
    assert sorted(each.content for each in pulled.shop.reactions(comment.id)) == ["eyes", "rocket"]
    [line] = ledger(pulled)
    assert (line["outcome"], line["pull_requests"]) == ("repaired", [2])


def test_by_setting_the_fix_is_a_commit_on_the_branch(pulled: World, repaired: Analyzed) -> None:
    settle(pulled, "publish: {on_pull_request: commit}\n")
    _, step = asked(pulled, repaired, 1, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    assert list(pulled.shop.pulls) == [1]
    fixed(pulled, pulled.shop.pulls[1], pulled.red)
    assert not [name for name in pulled.shop.branches if name.startswith("grokfix/")]
    [_, result] = pulled.shop.comments(1)
    assert f"The fix is commit {pulled.shop.branches['cheaper'][:12]}" in result.body


def apply_command(body: str) -> str:
    """The one command that a comment offers."""
    [command] = re.findall(r"^```sh\n(.*?)^```$", body, re.M | re.S)
    return str(command)


def try_command(world: World, repository: Repository, sha: str, command: str, folder: Path) -> None:
    """Run it in a clean clone at `sha`: the tests are red before and green after."""
    token = world.server.token(permissions={"contents": "read"})
    url = repository.clone_url.replace("://", f"://x-access-token:{token}@")
    repositories.git(folder.parent, "clone", "--quiet", url, str(folder))
    repositories.git(folder, "checkout", "--quiet", "--detach", sha)
    # -B: what is compiled in the second of the patch, and is as long, would be taken for what is there after it.
    tests = (
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir=.",
        "-c",
        "pyproject.toml",
    )
    assert process.run(tests, cwd=folder).exit_code == 1
    done = process.run(("bash", "-euo", "pipefail", "-c", command), cwd=folder)
    assert done.exit_code == 0, text(done)
    tested = process.run(tests, cwd=folder)
    assert tested.exit_code == 0, text(tested)


def test_by_setting_the_fix_is_a_comment_with_one_command(pulled: World, repaired: Analyzed, tmp_path: Path) -> None:
    settle(pulled, "publish: {on_pull_request: comment}\n")
    before = dict(pulled.shop.branches)
    _, step = asked(pulled, repaired, 1, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    assert list(pulled.shop.pulls) == [1]
    assert {name: sha for name, sha in pulled.shop.branches.items() if name != "grokfix-data"} == before
    [_, result] = pulled.shop.comments(1)
    assert "Nothing was pushed" in result.body
    try_command(pulled, pulled.shop, pulled.red, apply_command(result.body), tmp_path / "clone")


def test_to_a_fork_nothing_is_pushed(github: GitHubServer, repaired: Analyzed, tmp_path: Path) -> None:
    world = World.make(github, tmp_path / "steps", branch="later")
    shop, fork = world.shop, github.fork(world.shop, "mallory")
    shop.git.delete_ref("refs/heads/later")
    assert fork.branches["later"] == world.red
    number = shop.add_pull("later", "main", user="mallory", from_fork=fork).number
    before = dict(fork.branches)
    comment, step = asked(world, repaired, number, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    assert dict(fork.branches) == before
    assert set(shop.branches) == {"main", "grokfix-data"}
    [_, result] = shop.comments(number)
    assert "fork" in result.body
    assert [each.content for each in shop.reactions(comment.id)] == ["eyes", "rocket"]
    try_command(world, fork, world.red, apply_command(result.body), tmp_path / "clone")


# --- 3. the merge, and the base --------------------------------------------------------------------------------------


def checkout_log(merge: str) -> str:
    """As actions/checkout and pytest write it, on the merge of a pull request."""
    stamp = "2026-11-25T10:00:00.0000000Z"
    lines = ["##[group]Run actions/checkout@v4", "with:", "##[endgroup]", "[command]/usr/bin/git log -1 --format=%H"]
    return "".join(f"{stamp} {line}\n" for line in [*lines, merge]) + LOG


def test_red_on_the_merge_only(github: GitHubServer, tmp_path: Path) -> None:
    """The branch breaks what no test of its own looks at; the base has got a test for it meanwhile."""
    untested = BUGGY["tests/test_cart.py"].partition("\n\ndef test_cheapest")[0] + "\n"
    world = World.make(github, tmp_path / "steps", branch="cheaper", files=GREEN | {"tests/test_cart.py": untested})
    base = world.shop.commit("main", {"tests/test_cart.py": BUGGY["tests/test_cart.py"]}, "Test it")
    pull = world.shop.add_pull("cheaper", "main", user="maintainer")
    log = checkout_log(pull.merge_sha)
    job = JobSpec("test", "failure", (("Run python -m pytest", "failure"),), log)
    world.failed_run("cheaper", event="pull_request", pull_requests=[1], jobs=(job,))
    _, step = world.ask(1, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    [_, result] = world.shop.comments(1)
    said = f"It breaks only when merged with `main@{base[:12]}`"
    assert said in result.body
    stacked = world.shop.pulls[2]
    assert said in stacked.body
    fixed(world, stacked, world.red)


def base_is_red(world: World) -> tuple[int, str]:
    """A pull request that breaks nothing of its own, on a base that has been red for two commits."""
    shop = world.shop
    first = world.failed_run()
    shop.commit("main", {"README.md": "more\n"}, "More")
    world.failed_run()
    shop.commit("cheaper", {"NEWS.md": "news\n"}, "News", start="main")
    return world.pull(), first.head_sha


def test_what_fails_on_the_base_too_is_not_worked_on_by_itself(world: World) -> None:
    number, since = base_is_red(world)
    step = world.action("workflow_run", of_run(world.shop, world.shop.runs[-1]))
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("gave_up", "on_base"), step.log
    assert f"since {since[:12]}" in step.summary
    assert "lready failing on the base" in step.summary
    assert list(world.shop.pulls) == [number]
    [check] = world.shop.checks
    assert (check.status, check.conclusion) == ("completed", "neutral")
    assert "fails on the base branch too" in check.title


def test_who_asks_gets_a_fix_although_the_base_fails_too(world: World) -> None:
    number, since = base_is_red(world)
    _, step = world.ask(number, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    [_, result] = world.shop.comments(number)
    assert "Already failing on the base branch" in result.body
    assert f"since {since[:12]}" in result.body
    assert world.shop.pulls[number + 1].base_branch == "cheaper"


# --- 4. the same failure again ---------------------------------------------------------------------------------------


def run_on_main(world: World, repaired: Analyzed) -> Step:
    """One more failed run of the default branch, repaired as the other one was."""
    claim = world.action("workflow_run", of_run(world.shop, world.failed_run()), mode="claim")
    assert claim.outputs["proceed"] == "true", claim.log
    return world.publish(claim.outputs["trigger"], repaired.bundle)


def test_an_open_pull_request_is_brought_up_to_date(world: World, repaired: Analyzed) -> None:
    shop, mark = world.shop, fingerprint(repaired)
    branch = f"grokfix/main/{mark[:12]}"
    old = shop.commit(branch, {"NEWS.md": "an older fix\n"}, f"Fix: it\n\nGrokfix-Fix: {mark[:12]}", start=world.green)
    pull = shop.add_pull(branch, "main", title="Fix: it", body=f"<!-- grokfix:fix {mark} -->", draft=True)
    step = run_on_main(world, repaired)
    assert step.outputs["outcome"] == "repaired", step.log
    assert list(shop.pulls) == [pull.number]
    seen = shop.seen(branch)
    assert seen.parents == (world.red, old)
    assert seen.verified
    assert b"price < best" in seen.files["shop/cart.py"]
    assert "NEWS.md" not in seen.files
    assert "## Root cause" in pull.body
    assert pull.head_sha == seen.sha


def test_what_a_person_closed_stays_closed_until_retry(pulled: World, repaired: Analyzed) -> None:
    shop = pulled.shop
    asked(pulled, repaired, 1, "/grok fix")
    shop.close_pull(2, by="maintainer")
    stood = dict(shop.branches)
    _, step = asked(pulled, repaired, 1, "/grok fix")
    assert step.outputs["outcome"] == "repaired", step.log
    assert (list(shop.pulls), shop.pulls[2].state) == ([1, 2], "closed")
    assert {**shop.branches, "grokfix-data": ""} == {**stood, "grokfix-data": ""}
    said = shop.comments(1)[-1].body.replace("\u200b", "")
    assert "#2 offered a fix for the same failure" in said
    assert "`/grok retry`" in said
    assert "price < best" in said
    _, step = asked(pulled, repaired, 1, "/grok retry")
    assert step.outputs["outcome"] == "repaired", step.log
    assert shop.pulls[3].state == "open"
    assert shop.pulls[2].state == "closed"
    assert shop.pulls[3].head_branch == shop.pulls[2].head_branch


def test_what_was_merged_meanwhile_is_fixed_elsewhere(world: World, repaired: Analyzed) -> None:
    shop = world.shop
    claim = world.action("workflow_run", of_run(shop, world.failed_run()), mode="claim")
    shop.commit("main", {"shop/cart.py": GREEN["shop/cart.py"]}, "Mend it")
    shop.add_run("CI", branch="main", conclusion="success")
    step = world.publish(claim.outputs["trigger"], repaired.bundle)
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "fixed_elsewhere"), step.log
    assert "where the workflow is green" in step.summary
    assert not shop.pulls
    assert set(shop.branches) == {"main", "grokfix-data"}


def test_a_head_that_moves_while_it_is_worked_on(world: World, repaired: Analyzed) -> None:
    """It moves with the last request before the branch is looked at once more."""
    shop = world.shop
    claim = world.action("workflow_run", of_run(shop, world.failed_run()), mode="claim")
    moved = []
    world.server.fault("GET", "/contents/", Call(lambda: moved.append(shop.commit("main", {"NEWS.md": "x"}))))
    step = world.publish(claim.outputs["trigger"], repaired.bundle)
    assert moved
    assert (step.outputs["outcome"], step.outputs["reason"]) == ("stopped", "head_moved"), step.log
    assert moved[0][:12] in step.summary
    assert not shop.pulls
    assert set(shop.branches) == {"main", "grokfix-data"}
    [line] = ledger(world)
    assert (line["outcome"], line["reason"]) == ("stopped", "head_moved")


def test_what_does_not_fail_any_more_is_not_reproduced(world: World) -> None:
    sha = world.shop.commit("main", {"shop/cart.py": GREEN["shop/cart.py"]}, "Mend it")
    step = world.action("workflow_run", of_run(world.shop, world.failed_run(head_sha=sha)))
    assert step.outputs["outcome"] == "not_reproduced", step.log
    assert not world.shop.pulls
    [line] = ledger(world)
    assert line["outcome"] == "not_reproduced"


# --- 5. the other commands -------------------------------------------------------------------------------------------


def test_explain_tells_and_pushes_nothing(pulled: World) -> None:
    before = dict(pulled.shop.branches)
    comment, step = pulled.ask(1, "/grok explain")
    assert step.exit_code == 0, step.log
    [_, told] = pulled.shop.comments(1)
    assert "shop/cart.py:11" in told.body.replace("`", ""), told.body
    assert "AssertionError" in told.body
    assert list(pulled.shop.pulls) == [1]
    assert {name: sha for name, sha in pulled.shop.branches.items() if name != "grokfix-data"} == before
    assert sorted(each.content for each in pulled.shop.reactions(comment.id)) == ["eyes", "rocket"]


def test_flaky_says_how_often(pulled: World) -> None:
    settle(pulled, "triage: {runs: 8}\n")
    comment, step = pulled.ask(1, "/grok flaky tests/test_cart.py::test_cheapest")
    assert step.exit_code == 0, step.log
    [_, told] = pulled.shop.comments(1)
    assert "**1 broken, 3 stable**" in told.body, told.body
    assert re.search(r"failed in its last \d runs", told.body), told.body
    assert "`tests/test_cart.py::test_cheapest`" in told.body
    assert list(pulled.shop.pulls) == [1]
    assert "rocket" in [each.content for each in pulled.shop.reactions(comment.id)]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/grok help", "`/grok fix"),
        ("/grok fix --attempts many", "What can be asked for"),
        ("/grok stop", "Nothing is running"),
    ],
)
def test_a_command_without_a_run_is_answered(pulled: World, command: str, said: str) -> None:
    comment, step = pulled.ask(1, command)
    assert (step.exit_code, step.outputs["proceed"]) == (0, "false"), step.log
    [_, reply] = pulled.shop.comments(1)
    assert said in reply.body
    assert "grokfix-data" not in pulled.shop.branches
    pulled.action("issue_comment", of_comment(pulled.shop, comment))  # delivered twice, or run again
    assert len(pulled.shop.comments(1)) == 2


# --- 10. and 11. -----------------------------------------------------------------------------------------------------


def test_on_github_com_the_api_has_no_prefix(repaired: Analyzed, tmp_path: Path) -> None:
    with GitHubServer(tmp_path / "github", api_prefix="") as server:
        world = World.make(server, tmp_path / "steps")
        step = run_on_main(world, repaired)
        assert step.outputs["outcome"] == "repaired", step.log
        [pull] = world.shop.pulls.values()
        fixed(world, pull, world.red)
        assert "its checks wait for approval" in pull.body  # GraphQL was found


AUTH = "def may_enter(age):\n    return age >= 18\n"
AUTH_TEST = """\
from shop.auth import may_enter


def test_of_age():
    if not may_enter(18):
        raise LookupError("shut out")


def test_too_young():
    assert not may_enter(17)
"""


def test_two_failures_are_two_pull_requests_and_one_needs_a_person(github: GitHubServer, tmp_path: Path) -> None:
    settings = SETTINGS + "publish: {labels: [bot], reviewers: [maintainer, octo/shopkeepers]}\n"
    world = World.make(
        github,
        tmp_path / "steps",
        settings,
        files=GREEN | {"shop/auth.py": AUTH, "tests/test_auth.py": AUTH_TEST},
        bug=BUG | {"shop/auth.py": AUTH.replace(">=", ">")},
    )
    step = world.action("workflow_run", of_run(world.shop, world.failed_run(artifacts={})))
    assert step.outputs["outcome"] == "needs_review", step.log
    pulls = sorted(world.shop.pulls.values(), key=lambda pull: pull.title)
    assert len({pull.head_branch for pull in pulls}) == 2, step.log
    [repair, review] = pulls
    assert repair.title.startswith("Fix: shop/cart.py")
    assert review.title.startswith("Needs review: shop/auth.py")
    assert [each.name for each in repair.labels] == ["bot"]
    assert repair.reviewers == repair.teams == []
    assert sorted(each.name for each in review.labels) == ["bot", "grokfix-needs-review"]
    assert (review.reviewers, review.teams) == (["maintainer"], ["shopkeepers"])
    for pull in pulls:
        assert world.shop.seen(pull.head_sha).parents == (world.red,)
    assert "shop/auth.py" not in repair.body.split("## Gates")[0]
    [line] = ledger(world)
    assert (line["outcome"], sorted(line["pull_requests"])) == ("needs_review", [1, 2])
