"""The bundle between two jobs: what was written is read, and whatever else lies there is refused in a sentence."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish.bundle import Bundle, Findings, Refused
from bot.result import Result, RunOutcome
from bot.trace.redact import Redactor
from bot.trigger.types import Claim
from bot.verify.types import FURTHER, GateName, GateStatus
from tests.unit.publish.world import OTHER, World, make, repaired, result_of


@pytest.fixture
def it(tmp_path: Path) -> World:
    return make(tmp_path)


def written(it: World, folder: Path, bundle: Bundle | None = None) -> Path:
    bundles.write(bundle or it.bundle, folder)
    return folder


def test_what_was_written_is_read(it: World, tmp_path: Path) -> None:
    full = replace(
        it.bundle,
        findings=Findings(on_base="red since abc", notes=("one", "two")),
        explanation={"tests": 3, "causes": []},
    )
    folder = written(it, tmp_path / "bundle", full)
    assert sorted(os.listdir(folder)) == ["bundle.json", "explanation.json", "fix.patch", "result.json", "trace.jsonl"]
    assert bundles.read(folder, it.claim) == full


def test_a_run_that_stopped_early_is_a_bundle_too(it: World, tmp_path: Path) -> None:
    stopped = replace(it.bundle, result=Result(RunOutcome.STOPPED, reason=StopReason.INFRASTRUCTURE), trace=b"")
    assert bundles.read(written(it, tmp_path / "bundle", stopped), it.claim) == stopped


@pytest.mark.parametrize(
    "change",
    [
        lambda claim: replace(claim, attempt="f" * 16),
        lambda claim: replace(claim, trigger=replace(claim.trigger, sha="a" * 40)),
        lambda claim: replace(claim, trigger=replace(claim.trigger, repository="evil/shop")),
        lambda claim: replace(claim, trigger=replace(claim.trigger, branch="release")),
        lambda claim: replace(claim, diagnosis_only=True),
    ],
)
def test_another_claims_bundle_is_refused(it: World, tmp_path: Path, change: Callable[[Claim], Claim]) -> None:
    read = bundles.read(written(it, tmp_path / "bundle"), change(it.claim))
    assert isinstance(read, Refused) and "another claim" in read.message


def test_the_same_claim_may_have_got_a_comment_and_another_run_meanwhile(it: World, tmp_path: Path) -> None:
    now = replace(it.claim, progress_comment=5, check_run=6, run_url="https://github.test/octo/shop/actions/runs/78")
    read = bundles.read(written(it, tmp_path / "bundle"), now)
    assert isinstance(read, Bundle) and read.claim == now


# --- files ----------------------------------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    (path.parent.parent / "elsewhere").write_bytes(content)
    path.symlink_to(path.parent.parent / "elsewhere")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _large(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(bundles.LARGEST[path.name] + 1)  # sparse: it costs no disk


@pytest.mark.parametrize("name", ["bundle.json", "result.json", "trace.jsonl", "fix.patch"])
@pytest.mark.parametrize(
    "spoil",
    [Path.unlink, _fifo, _link, _folder, _large, lambda path: path.write_bytes(b"\xff\x00" + path.read_bytes())],
    ids=["missing", "FIFO", "symbolic link", "folder", "too large", "changed"],
)
def test_files_that_are_not_what_they_should_be(
    it: World, tmp_path: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    folder = written(it, tmp_path / "bundle")
    spoil(folder / name)
    read = bundles.read(folder, it.claim)
    assert isinstance(read, Refused) and name in read.message and read.reason is StopReason.INFRASTRUCTURE


def test_no_folder_at_all(it: World, tmp_path: Path) -> None:
    assert isinstance(bundles.read(tmp_path / "nothing", it.claim), Refused)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(format="grokfix-bundle/2"), "format"),
        (lambda data: data.update(more=1), "format"),
        (lambda data: data.pop("findings"), "format"),
        (lambda data: data.update(claim=None), "another claim"),
        (lambda data: data.update(files=[]), "other files"),
        (lambda data: data["files"].pop("trace.jsonl"), "other files"),
        (lambda data: data["files"].update({"../../etc/passwd": "0" * 64}), "other files"),
        (lambda data: data["files"].update({"result.json": None}), "SHA-256"),
        (lambda data: data["findings"].update(tested="main"), "no hash"),
        (lambda data: data["findings"].update(merge_only="yes"), "type"),
        (lambda data: data["findings"].update(on_base="x" * 3000), "too long"),
        (lambda data: data["findings"].update(notes=["x"] * 101), "too long"),
        (lambda data: data["findings"].update(more=1), "findings"),
        (lambda data: data["findings"].update(tested="a" * 40), "another commit than the claim's"),
    ],
)
def test_a_manifest_that_is_not_ours(
    it: World, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    folder = written(it, tmp_path / "bundle")
    data = json.loads((folder / "bundle.json").read_text())
    change(data)
    (folder / "bundle.json").write_text(json.dumps(data))
    read = bundles.read(folder, it.claim)
    assert isinstance(read, Refused) and said in read.message


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 90_000, '{"format": NaN}'], ids=len)
def test_a_manifest_that_is_no_json(it: World, tmp_path: Path, text: str) -> None:
    folder = written(it, tmp_path / "bundle")
    (folder / "bundle.json").write_text(text)
    assert isinstance(bundles.read(folder, it.claim), Refused)


# --- what it claims -------------------------------------------------------------------------------------------------


def _gates(result: Result, name: GateName, **changes: object) -> Result:
    (repair,) = result.repairs
    gates = tuple(replace(each, **changes) if each.name is name else each for each in repair.gates)  # type: ignore[arg-type]
    return replace(result, repairs=(replace(repair, gates=gates),))


def _further(result: Result, names: Sequence[GateName] = FURTHER) -> Result:
    """With the gates of a flaky test's repair."""
    gates = result.repairs[0].gates
    return _repair(result, gates=(*gates, *(replace(gates[-1], name=name) for name in names)))


def _repair(result: Result, **changes: object) -> Result:
    return replace(result, repairs=(replace(result.repairs[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda result: replace(result, commit="a" * 40), "it was verified on aaaaaaaaaaaa"),
        (lambda result: replace(result, commit=""), "an unknown commit"),
        (lambda result: replace(result, outcome=RunOutcome.NO_FAILURES), "do not bear out"),
        (lambda result: replace(result, trace_sha256="0" * 64), "trace is not the one"),
        (lambda result: _repair(result, patch=result.patch + "\n"), "judged another patch"),
        (lambda result: _repair(result, patch=None), "without a patch"),
        (lambda result: _repair(result, gates=()), "every gate in its order"),
        (lambda result: _repair(result, gates=result.repairs[0].gates[:-1]), "every gate"),
        (lambda result: _repair(result, gates=result.repairs[0].gates * 2), "every gate"),
        (lambda result: _repair(result, gates=result.repairs[0].gates[::-1]), "every gate"),
        (lambda result: _repair(result, fingerprint=""), "for none"),
        (lambda result: replace(_repair(result, outcome=RunOutcome.GAVE_UP), outcome=RunOutcome.GAVE_UP), "gave_up"),
        (lambda result: _gates(result, GateName.RED, patch_sha256="0" * 64), "another patch"),
        (lambda result: _gates(result, GateName.REPRODUCED, patch_sha256="0" * 64), "another patch"),
        (lambda result: _gates(result, GateName.GREEN, patch_sha256=""), "another patch"),
        (lambda result: _gates(result, GateName.RED, status=GateStatus.NOT_APPLICABLE), "not seen to fail"),
        (lambda result: _gates(result, GateName.SUITE, status=GateStatus.REVIEW), "asks for a person"),
        *(
            ((lambda result, name=name: _gates(result, name, status=GateStatus.NOT_RUN)), f"{name.value} is not_run")
            for name in GateName
            if name not in FURTHER
        ),
        (lambda result: _further(result, FURTHER[:1]), "every gate"),
        (lambda result: _further(result, FURTHER[::-1]), "every gate"),
        (lambda result: _gates(_further(result), GateName.CLEAN, patch_sha256="0" * 64), "another patch"),
        (lambda result: _gates(_further(result), GateName.CLEAN, status=GateStatus.REVIEW), "asks for a person"),
        *(
            (
                (lambda result, name=name: _gates(_further(result), name, status=GateStatus.NOT_RUN)),
                f"{name.value} is not_run",
            )
            for name in FURTHER
        ),
        (lambda result: replace(result, repairs=result.repairs * 2), "same failure"),
        (lambda result: replace(result, repairs=()), "none of its repairs is that"),
        (lambda result: replace(result, repairs=(), outcome=RunOutcome.NEEDS_REVIEW), "none of its repairs is that"),
        (lambda result: replace(result, patch=result.patch + "\n"), "as a whole"),
    ],
)
def test_a_repair_that_its_gates_do_not_carry(
    it: World, tmp_path: Path, change: Callable[[Result], Result], said: str
) -> None:
    folder = written(it, tmp_path / "bundle", replace(it.bundle, result=change(it.bundle.result)))
    read = bundles.read(folder, it.claim)
    assert isinstance(read, Refused) and said in read.message


def test_a_flaky_tests_repair_is_read(it: World, tmp_path: Path) -> None:
    bundle = replace(it.bundle, result=_further(it.bundle.result))
    assert bundles.read(written(it, tmp_path / "bundle", bundle), it.claim) == bundle


def test_more_fixes_than_a_run_may_bring(it: World, tmp_path: Path) -> None:
    (one,) = it.bundle.result.repairs
    assert one.patch is not None
    two = result_of((one, repaired(one.patch, OTHER)), it.sha, it.bundle.trace)
    folder = written(it, tmp_path / "bundle", replace(it.bundle, result=two))
    assert isinstance(bundles.read(folder, it.claim, clusters=2), Bundle)
    read = bundles.read(folder, it.claim, clusters=1)
    assert isinstance(read, Refused) and "2 fixes" in read.message


def test_a_trace_with_a_line_taken_out(it: World, tmp_path: Path) -> None:
    lines = it.bundle.trace.splitlines(keepends=True)
    cut = b"".join([*lines[:4], *lines[5:]])
    result = replace(it.bundle.result, trace_sha256=hashlib.sha256(cut).hexdigest())
    read = bundles.read(written(it, tmp_path / "bundle", replace(it.bundle, trace=cut, result=result)), it.claim)
    assert isinstance(read, Refused) and "the chain breaks" in read.message


# --- secrets --------------------------------------------------------------------------------------------------------

SECRET = "xK9v2QpL7mNsR4tYw8ZaB3cD6eFgH1jU"


def test_secrets_are_taken_out_once_more(it: World, tmp_path: Path) -> None:
    bundle = replace(
        it.bundle,
        result=replace(it.bundle.result, message=f"said {SECRET}"),
        findings=Findings(notes=(f"note {SECRET}",)),
        explanation={"problem": SECRET},
    )
    read = bundles.read(written(it, tmp_path / "bundle", bundle), it.claim, Redactor([SECRET]).redact)
    assert isinstance(read, Bundle) and SECRET not in repr(read) + read.trace.decode()
    assert read.result.message == "said [redacted]" and read.trace == it.bundle.trace


def test_a_trace_that_holds_one_is_not_kept_and_a_patch_is_refused(it: World, tmp_path: Path) -> None:
    redact = Redactor(["grok-code-fast-1-0825"]).redact
    read = bundles.read(written(it, tmp_path / "one"), it.claim, redact)
    assert isinstance(read, Bundle) and read.trace == b""
    read = bundles.read(written(it, tmp_path / "two"), it.claim, Redactor(["test_boundary"]).redact)
    assert isinstance(read, Refused) and "secret" in read.message
