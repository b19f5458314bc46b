"""What a forged bundle with a valid claim can do at the publishing job: nothing but offer a diff that holds there too."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bot.evidence.types import TestId
from bot.ports import FileWrite
from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish.bundle import Bundle, Findings
from bot.publish.post import Posted, post
from bot.result import RunOutcome
from bot.result_file import from_json
from bot.trigger.entry import State
from bot.trigger.ledger import Ledger
from tests.unit.publish import world
from tests.unit.publish.world import DIFF, NEW, World, make, patch_of, repaired, result_of


def forged(it: World, tmp_path: Path, patch: str, tested: str = "") -> Posted:
    """Publish what a job that was broken out of might leave: gates, hashes and trace all say what they should."""
    told = Findings(tested=tested)
    result = result_of((repaired(patch),), tested or it.sha, it.bundle.trace)
    folder = tmp_path / "bundle"
    bundles.write(Bundle(it.claim, result, it.bundle.trace, told), folder)
    read = bundles.read(folder, it.claim)
    return post(it.claim, read, it.forge, it.settings, it.clock, it.scratch)


def last_comment(it: World) -> str:
    assert it.claim.trigger.pull_request is not None
    return it.forge.threads[it.claim.trigger.pull_request][-1].body


@pytest.mark.parametrize(
    "around",
    [
        "GROKFIX\ntouch pwned\n: <<'GROKFIX'\n{}",
        "touch pwned\n{}",
        "{}GROKFIX\ntouch pwned\n",
        "```\n{}```\n",
    ],
)
def test_what_stands_around_a_diff_is_no_command_for_people_to_paste(tmp_path: Path, around: str) -> None:
    it = make(tmp_path, pull_request=True, fork="mallory/shop")
    patch = around.format(patch_of(DIFF + NEW, it.scratch))
    posted = forged(it, tmp_path, patch)
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.INFRASTRUCTURE)
    assert "not written as git writes it" in posted.summary
    for text in (last_comment(it), posted.summary):
        assert "pwned" not in text
        for command in re.findall(r"```+sh\n(.*?)\n```+", text, re.DOTALL):
            subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, capture_output=True, timeout=20)
    assert "pwned" not in os.listdir(tmp_path)


def test_a_verified_commit_that_is_none_of_the_claimed_heads_is_not_believed(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    elsewhere = it.forge.add_commit([], {path: FileWrite(text.encode()) for path, text in world.FILES.items()}, "Mine")
    posted = forged(it, tmp_path, patch_of(DIFF + NEW, it.scratch), tested=elsewhere)
    assert posted.outcome is RunOutcome.STOPPED and posted.pull_requests == ()
    assert "does not hold the commit that was claimed" in posted.summary
    assert [name for name in it.forge.branches if name.startswith("grokfix/")] == []


def test_a_fix_that_ran_on_the_merge_alone_is_told_so_where_it_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file differs between merge and head: the commit that is pushed was never run, so it is not called repaired."""
    head = {**world.FILES, "cart.py": world.CART + "\n" * 8 + "LIMIT = 10\n"}
    monkeypatch.setattr(world, "FILES", head)
    it = make(tmp_path, pull_request=True)
    longer = {**head, "cart.py": head["cart.py"] + "\n\nMORE = 20\n"}
    it.forge.push("main", {"cart.py": longer["cart.py"]})
    assert it.claim.trigger.pull_request is not None
    merge = it.forge._pull(it.claim.trigger.pull_request).merge_sha
    posted = forged(it, tmp_path, patch_of(DIFF + NEW, it.scratch, longer), tested=merge)
    assert (posted.outcome, posted.reason) == (RunOutcome.NEEDS_REVIEW, StopReason.REVIEW_GRADE)
    (pull,) = posted.pull_requests
    assert pull.title.startswith("Needs review") and "nobody ran the fix there" in pull.body
    message = it.forge.commits[it.forge.branches[pull.head_branch]].message
    assert f"Verified on {merge[:12]}" in message and it.sha[:12] not in message


def test_one_that_reads_alike_on_both_says_where_it_ran(tmp_path: Path) -> None:
    it = make(tmp_path, pull_request=True)
    assert it.claim.trigger.pull_request is not None
    merge = it.forge._pull(it.claim.trigger.pull_request).merge_sha
    posted = forged(it, tmp_path, patch_of(DIFF + NEW, it.scratch), tested=merge)
    (pull,) = posted.pull_requests
    assert posted.outcome is RunOutcome.REPAIRED and "on the head alone it was not run" in pull.body
    assert f"Verified on {merge[:12]}" in it.forge.commits[it.forge.branches[pull.head_branch]].message


def test_the_same_bundle_unforged_is_published(tmp_path: Path) -> None:
    it = make(tmp_path)
    it = replace(it, scratch=tmp_path / "scratch")
    assert forged(it, tmp_path, patch_of(DIFF + NEW, it.scratch)).outcome is RunOutcome.REPAIRED


def test_an_analysis_that_left_nothing_costs_what_it_was_allowed(tmp_path: Path) -> None:
    """Else code under test that brings its job down after the model was paid would keep the day's caps at nothing."""
    it = make(tmp_path)
    post(it.claim, bundles.read(tmp_path / "none", it.claim), it.forge, it.settings, it.clock, it.scratch)
    (entry,) = Ledger(it.forge, it.clock).entries()
    assert entry.state is State.ENDED
    assert (entry.minutes, entry.cost_usd) == (it.settings.limits.minutes, it.settings.limits.cost_usd)


def test_what_is_kept_says_what_became_of_it(tmp_path: Path) -> None:
    it = make(tmp_path)
    it.forge.push("main", {"README.md": "later\n"})
    posted = forged(it, tmp_path, patch_of(DIFF + NEW, it.scratch))
    assert posted.reason is StopReason.HEAD_MOVED
    files = it.forge.commits[it.forge.branches["grokfix-data"]].files
    folder = "traces/0123456789abcdef"
    assert files[f"{folder}/README.md"][1].startswith(b"# Trace: stopped, attempt")
    assert from_json(files[f"{folder}/result.json"][1].decode()).outcome is RunOutcome.STOPPED


def test_a_patch_that_was_refused_is_kept_nowhere(tmp_path: Path) -> None:
    it = make(tmp_path)
    workflow = DIFF + "--- /dev/null\n+++ b/.github/workflows/evil.yml\n@@ -0,0 +1 @@\n+on: push\n"
    posted = forged(it, tmp_path, patch_of(workflow, it.scratch))
    assert posted.outcome is RunOutcome.STOPPED and "protected_paths" in posted.summary
    files = it.forge.commits[it.forge.branches["grokfix-data"]].files
    assert [path for path in files if path.endswith(".patch")] == []
    assert "+on: push" not in files["traces/0123456789abcdef/result.json"][1].decode()


def test_a_forged_name_of_a_test_is_no_option_of_the_command_that_people_paste(tmp_path: Path) -> None:
    it = make(tmp_path)
    patch = patch_of(DIFF + NEW, it.scratch)
    names = tuple(TestId.from_node_id(name) for name in ("-pevil", "@options", "tests/test_cart.py::test_ten"))
    result = result_of((repaired(patch, targets=names),), it.sha, it.bundle.trace)
    post(it.claim, replace(it.bundle, result=result), it.forge, it.settings, it.clock, it.scratch)
    (pull,) = (it.forge._pull(number) for number in it.forge.pulls)
    (command,) = re.findall(r"```+sh\n(git fetch .*?)\n```+", pull.body)
    assert command.partition(" -m pytest ")[2].split()[0] == "tests/test_cart.py::test_ten"
    assert "evil" not in command and "@" not in command
