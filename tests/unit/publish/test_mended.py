"""A bundle for flaky tests whose repair was ticked: held to every gate of such a repair, and to what was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.evidence.types import TestId
from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish.bundle import Refused
from bot.publish.post import Posted, post
from bot.result import RepairResult, RunOutcome
from bot.trigger.ledger import Ledger
from bot.trigger.types import Triage
from bot.verify.types import Gate, GateName, GateStatus
from tests.unit.publish.world import DIFF, NEW, OTHER, TARGET, World, make, patch_of, repaired, result_of

SECOND = TestId.from_node_id("tests/test_cart.py::test_many")
ASKED = Triage(shards=1, mend=(TARGET.node_id, SECOND.node_id))
WAIT = (
    "--- a/cart.py\n+++ b/cart.py\n@@ -1,2 +1,5 @@\n+import time\n+\n def discount(count):\n"
    "-    if count > 10:\n+    time.sleep(0.1)\n+    if count >= 10:\n"
)


@pytest.fixture
def it(tmp_path: Path) -> World:
    return make(tmp_path, command=ASKED)


def mended(patch: str, **changes: object) -> RepairResult:
    """A repair with the gates that only a flaky test's has."""
    digest = hashlib.sha256(patch.encode()).hexdigest()
    repair = repaired(patch)
    clean = Gate(GateName.CLEAN, GateStatus.PASSED, "it failed 10 of 10 times before and 0 of 10 after", (), digest)
    back = Gate(GateName.REVERTED, GateStatus.PASSED, "without the fix it failed again", (), digest)
    return replace(replace(repair, gates=(*repair.gates, clean, back)), **changes)  # type: ignore[arg-type]


def healed(test: TestId = SECOND, **changes: object) -> RepairResult:
    message = "the patch of another repair of this run heals it too"
    return replace(RepairResult((test,), OTHER, RunOutcome.REPAIRED, None, message), **changes)  # type: ignore[arg-type]


def published(it: World, folder: Path, *repairs: RepairResult) -> Posted | Refused:
    """As a job hands it over: written, read back, posted."""
    result = result_of(repairs, it.sha, it.bundle.trace)
    patches = [each.patch for each in repairs if each.patch is not None]
    result = replace(result, patch=patches[0] if len(patches) == 1 else None)
    bundles.write(replace(it.bundle, result=result), folder / "bundle")
    read = bundles.read(folder / "bundle", it.claim)
    if isinstance(read, Refused):
        return read
    return post(it.claim, read, it.forge, it.settings, it.clock, it.scratch)


def test_a_fix_becomes_a_pull_request_on_the_default_branch_and_no_judgement_of_its_commit(
    it: World, tmp_path: Path
) -> None:
    posted = published(it, tmp_path, mended(patch_of(DIFF + NEW, it.scratch)), healed())
    assert isinstance(posted, Posted), posted
    assert posted.outcome is RunOutcome.REPAIRED, posted.problems
    [pull] = posted.pull_requests
    assert pull.base_branch == "main"
    assert "heals it too" in posted.summary
    assert len(posted.fingerprints) == 2
    assert posted.minutes is not None
    assert it.forge.checks == {}
    [line] = Ledger(it.forge, it.clock).entries()
    assert (line.outcome, line.pull_requests) == ("repaired", (pull.number,))


@pytest.mark.parametrize(
    ("repair", "said"),
    [
        (repaired, "every gate"),
        (lambda patch: replace(mended(patch), gates=mended(patch).gates[:-1]), "every gate"),
        (lambda patch: mended(patch, targets=(replace(TARGET, name="test_other"),)), "nobody asked for"),
        (lambda patch: mended(patch, targets=(TARGET, replace(TARGET, name="test_other"))), "nobody asked for"),
        (lambda patch: mended(patch, targets=()), "no test"),
    ],
)
def test_what_no_run_for_this_claim_can_have_written(
    it: World, tmp_path: Path, repair: Callable[[str], RepairResult], said: str
) -> None:
    refused = published(it, tmp_path, repair(patch_of(DIFF + NEW, it.scratch)))
    assert isinstance(refused, Refused)
    assert said in refused.message


def test_a_test_is_healed_by_a_patch_or_not_at_all(it: World, tmp_path: Path) -> None:
    refused = published(it, tmp_path, healed())
    assert isinstance(refused, Refused)
    assert "without a patch" in refused.message


def test_what_hides_the_failure_is_refused_and_nothing_is_called_healed(it: World, tmp_path: Path) -> None:
    posted = published(it, tmp_path, mended(patch_of(WAIT, it.scratch), new_tests=(), tests=()), healed())
    assert isinstance(posted, Posted), posted
    assert (posted.outcome, posted.reason) == (RunOutcome.STOPPED, StopReason.INFRASTRUCTURE)
    assert "flaky_masking" in posted.summary
    assert "not all of them went out" in posted.summary
    assert posted.pull_requests == ()


def test_a_branch_that_moved_on_gets_the_fix_of_the_commit_that_was_verified(it: World, tmp_path: Path) -> None:
    it.forge.push("main", {"README.md": "newer\n"}, "Later")
    posted = published(it, tmp_path, mended(patch_of(DIFF + NEW, it.scratch)))
    assert isinstance(posted, Posted), posted
    [pull] = posted.pull_requests
    assert it.forge.commits[it.forge.branches[pull.head_branch]].parents == (it.sha,)


def test_a_branch_that_was_written_anew_gets_none(it: World, tmp_path: Path) -> None:
    it.forge.branches["main"] = it.forge.add_commit([], {}, "Begin again")
    posted = published(it, tmp_path, mended(patch_of(DIFF + NEW, it.scratch)))
    assert isinstance(posted, Posted), posted
    assert (posted.outcome, posted.reason, posted.pull_requests) == (
        RunOutcome.STOPPED,
        StopReason.HEAD_MOVED,
        (),
    )
