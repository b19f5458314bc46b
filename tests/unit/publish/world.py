"""A repository with a bug on an in-memory code host, a claim on its failure, and the bundle of a real repair of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.config import Settings
from bot.evidence.types import Outcome, TestId
from bot.patch.apply import apply
from bot.patch.types import Applied
from bot.ports import EventKind
from bot.publish.bundle import Bundle
from bot.result import RepairResult, Result, RunOutcome, TestChange
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor
from bot.trigger.ledger import Begun, Ledger
from bot.trigger.types import Claim, Command, Fix, OwnRun, Trigger, TriggerKind
from bot.verify.types import Gate
from bot.workspace.from_files import File, repository_of
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.publish.sample import REPAIR, REPAIRED, play

CART = "def discount(count):\n    if count > 10:\n        return 5\n    return 0\n"
TESTS = "from cart import discount\n\n\ndef test_ten():\n    assert discount(10) == 5\n"
TAX = "def tax(price):\n    return price * 20 // 10\n"
FILES = {
    "cart.py": CART,
    "tax.py": TAX,
    "tests/test_cart.py": TESTS,
    "README.md": "shop\n",
    ".github/workflows/tests.yml": "on: push\n",
}
FIXED = CART.replace("> 10", ">= 10")
PROOF = "from cart import discount\n\n\ndef test_boundary():\n    assert discount(10) == 5\n"
DIFF = "--- a/cart.py\n+++ b/cart.py\n@@ -2 +2 @@\n-    if count > 10:\n+    if count >= 10:\n"
NEW = "--- /dev/null\n+++ b/tests/test_boundary.py\n@@ -0,0 +1,5 @@\n" + "".join(
    f"+{line}\n" for line in PROOF.splitlines()
)
TARGET = TestId.from_node_id("tests/test_cart.py::test_ten")
FINGERPRINT = "c0ffee" + "0" * 58
OTHER = "beef" + "1" * 60
_PATCHES: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
RUN = OwnRun(77, "https://github.test/octo/shop/actions/runs/77")


@dataclass
class World:
    """forge: with `main` at `sha`, which fails. claim: on it, begun in the ledger."""

    forge: FakeForge
    clock: FakeClock
    claim: Claim
    bundle: Bundle
    settings: Settings
    scratch: Path

    @property
    def sha(self) -> str:
        return self.claim.trigger.sha


def patch_of(diff: str, scratch: Path, files: Mapping[str, str] = FILES) -> str:
    """The diff as git reads it back on `files`."""
    known = (diff, tuple(files.items()))
    if known not in _PATCHES:
        _PATCHES[known] = _read_back(diff, scratch, files)
    return _PATCHES[known]


def _read_back(diff: str, scratch: Path, files: Mapping[str, str]) -> str:
    checkout = repository_of({path: File(text.encode()) for path, text in files.items()}, scratch).checkout()
    applied = apply(diff, checkout)
    assert isinstance(applied, Applied), applied
    return applied.patch.text


def repaired(patch: str, fingerprint: str = FINGERPRINT, **changes: object) -> RepairResult:
    """A repair whose gates all judged `patch`."""
    digest = hashlib.sha256(patch.encode()).hexdigest()
    gates: tuple[Gate, ...] = tuple(
        replace(gate, patch_sha256=digest if gate.patch_sha256 else "") for gate in REPAIR.gates
    )
    new = TestId.from_node_id("tests/test_boundary.py::test_boundary")
    repair = replace(
        REPAIR,
        targets=(TARGET,),
        fingerprint=fingerprint,
        patch=patch,
        gates=gates,
        new_tests=(new,),
        tests=(TestChange(TARGET, Outcome.FAILED, Outcome.PASSED), TestChange(new, None, Outcome.PASSED)),
    )
    return replace(repair, **changes)  # type: ignore[arg-type]


def result_of(repairs: tuple[RepairResult, ...], commit: str, trace: bytes) -> Result:
    outcome = max((each.outcome for each in repairs), key=lambda each: each.badness, default=RunOutcome.REPAIRED)
    reason = next((each.reason for each in repairs if each.outcome is outcome), None)
    return replace(
        REPAIRED,
        outcome=outcome,
        reason=reason,
        repairs=repairs,
        patch=repairs[0].patch if len(repairs) == 1 else None,
        commit=commit,
        trace_sha256=hashlib.sha256(trace).hexdigest() if trace else "",
    )


def trace_bytes(folder: Path, clock: FakeClock) -> bytes:
    path = folder / "made-trace.jsonl"
    path.unlink(missing_ok=True)
    with TraceFile(path, {"version": "0.1.0"}, clock, Redactor()) as trace:
        play(trace)
        trace.record(EventKind.OUTCOME, outcome="repaired", message="@org/team fixes #1 <img src=x> /grok fix")
    return path.read_bytes()


def make(
    tmp_path: Path,
    *,
    branch: str = "main",
    pull_request: bool = False,
    fork: str = "",
    command: Command | None = None,
    **claimed: object,
) -> World:
    """A failed run on a branch; with `pull_request` that branch (of `fork`) is the head of one, and somebody asks."""
    forge, clock = FakeForge(), FakeClock()
    base = forge.push("main", FILES, "Begin")
    number = comment_id = None
    if pull_request:
        branch = "feature/cart"
        if fork:
            sha = forge.add_commit([base], {}, "Theirs", "somebody")
            number = forge.add_pull(branch, fork=fork, head_sha=sha).number
        else:
            forge.branches[branch] = base
            sha = forge.push(branch, {"README.md": "shop, better\n"}, "Mine")
            number = forge.add_pull(branch).number
        comment_id = forge.say(number, "dev", "/grok fix").id
        command = command or Fix()
    else:
        forge.branches.setdefault(branch, base)
        sha = base
    run = forge.add_run(sha, branch=branch)
    trigger = Trigger(
        kind=TriggerKind.COMMENT if pull_request else TriggerKind.RUN,
        repository=forge.repository,
        default_branch="main",
        sender="dev",
        actor="dev",
        triggering_actor="dev",
        sha=sha,
        branch=branch,
        head_repository=fork or forge.repository,
        base_branch="main" if pull_request else "",
        pull_request=number,
        run_id=run.id,
        workflow_id=run.workflow_id,
        workflow=run.name,
        event="push",
        comment_id=comment_id,
        command=command,
    )
    claim = Claim(trigger, "0123456789abcdef", RUN.url, asked=pull_request)
    claim = replace(claim, **claimed)  # type: ignore[arg-type]
    begun = Ledger(forge, clock, jitter=lambda: 0.0).begin(claim, RUN, Settings(), lambda: None)
    assert isinstance(begun, Begun)
    trace = trace_bytes(tmp_path, clock)
    scratch = tmp_path / "scratch"
    patch = patch_of(DIFF + NEW, scratch)
    bundle = Bundle(claim, result_of((repaired(patch),), sha, trace), trace)
    return World(forge, clock, claim, bundle, Settings(), scratch)
