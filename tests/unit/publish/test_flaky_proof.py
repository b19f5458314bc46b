"""A flaky repair's counts, and the command that provokes the failure: run for real, and made from hostile text."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.evidence.types import TestId
from bot.flaky.fix_proof import FlakyProof
from bot.flaky.types import Counts
from bot.publish.context import PublishContext
from bot.publish.flaky_proof import provoking
from bot.publish.pull_request import pull_request_body, pull_request_title
from bot.result import RunOutcome
from tests.unit.publish.sample import REPAIR, REPAIRED
from tests.unit.publish.test_untrusted import HOSTILE, _acting

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ZOO = Path(__file__).parents[2] / "zoo"
VICTIM = TestId.from_node_id("tests/test_basket.py::test_pounds")
POLLUTER = TestId.from_node_id("tests/test_admin.py::test_a_table_can_be_loaded")
PROOF = FlakyProof(
    cause="order: victim",
    detail=f"fails after {POLLUTER.node_id}",
    tests=(POLLUTER, VICTIM),
    repeat=1,
    hash_seed=None,
    zone="",
    clock="",
    threads=0,
    open_files=0,
    workers=0,
    also=(),
    before=Counts(10, 10),
    after=Counts(10),
    ordinary_before=Counts(20, 4),
    ordinary_after=Counts(59),
    scope="the whole suite",
    whole=True,
)


def told(proof: FlakyProof, branch: str = "", risks: str = "") -> str:
    repair = replace(REPAIR, flaky=proof, targets=(VICTIM,), new_test=None, new_tests=(), risks=risks)
    context = PublishContext("<!-- grokfix -->", "https://localhost/run", branch=branch) if branch else None
    return pull_request_body(replace(REPAIRED, repairs=(repair,)), context=context)


def test_what_was_counted_is_evidence_and_no_risk() -> None:
    body = told(PROOF)
    assert "Failing sometimes: `tests/test_basket.py::test_pounds`" in body
    proof, risks = body.split("## Proof\n")[1].split("\n## ")[0], body.split("Risks: ")[1].split("\n")[0]
    assert "| failed 10 of 10 | failed 0 of 10 |" in proof
    assert "| ordinary (the whole suite) | failed 4 of 20 | failed 0 of 59, so at most 5.0 % of them (95 %) |" in proof
    assert "With the fix taken back it failed again" in proof
    assert risks == "None were named."


def test_it_is_checked_first_without_the_fix_and_then_with_it() -> None:
    run = f"python -m pytest -p no:randomly {POLLUTER.node_id} {VICTIM.node_id}"
    assert f"```sh\n{run}  # fails\ngit apply fix.patch\n{run}  # passes\n```" in told(PROOF)
    there = told(PROOF, branch="grokfix/main/0123456789ab")
    assert "git fetch origin grokfix/main/0123456789ab && git switch --detach FETCH_HEAD~1\n" in there
    assert f"\n{run}  # fails\ngit switch --detach FETCH_HEAD\n{run}  # passes\n" in there


@pytest.mark.parametrize(
    ("change", "command"),
    [
        ({"hash_seed": 3, "zone": "Asia/Kolkata"}, "PYTHONHASHSEED=3 TZ=Asia/Kolkata python -m pytest -p no:randomly t"),
        ({"clock": "2026-06-17T23:59:30"}, "faketime '2026-06-17 23:59:30' python -m pytest -p no:randomly t"),
        ({"open_files": 64}, "(ulimit -n 64; python -m pytest -p no:randomly t)"),
        ({"workers": 4}, "python -m pytest -p no:randomly -n 4 t"),
        ({"threads": 1}, "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 python -m pytest -p no:randomly t"),
        ({"zone": "UTC; rm -rf /"}, ""),
        ({"zone": "../../etc"}, ""),
        ({"clock": "now $(id)"}, ""),
        ({"tests": (TestId.from_node_id("--pdbcls=a:b"),)}, ""),
        ({"tests": (TestId.from_node_id("@file"),)}, ""),
        ({"tests": (TestId.from_node_id("t"),) * 31}, ""),
    ],
)  # fmt: skip
def test_commands(change: dict[str, object], command: str) -> None:
    proof = replace(PROOF, **{"tests": (TestId.from_node_id("t"),), **change})  # type: ignore[arg-type]
    assert provoking(proof) == command


def test_what_no_command_does_is_said() -> None:
    body = told(replace(PROOF, also=("16 busy processes beside it",)))
    assert "# fails under the conditions below" in body
    assert "under what no plain command brings about: 16 busy processes beside it." in body
    body = told(replace(PROOF, zone="a b"))
    assert "is in result.json: no plain command does it" in body
    assert "`faketime` is the program" in told(replace(PROOF, clock="2026-06-17T23:59:30"))


@pytest.mark.parametrize(
    ("project", "change"),
    [
        ("victim", {}),
        ("not_idempotent", {"tests": (TestId.from_node_id("test_events.py::test_subscribe"),), "repeat": 2}),
        ("zone", {"tests": (TestId.from_node_id("test_log_lines.py::test_stamp"),), "zone": "Asia/Kolkata"}),
        ("few_files", {"tests": (TestId.from_node_id("test_archive.py::test_many_parts"),), "open_files": 64}),
    ],
)
def test_the_command_provokes_it(tmp_path: Path, project: str, change: dict[str, object]) -> None:
    shutil.copytree(ZOO / project, tmp_path / project, ignore=shutil.ignore_patterns("__pycache__"))
    command = provoking(replace(PROOF, **change))  # type: ignore[arg-type]
    assert command
    shell = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": ".", "HOME": str(tmp_path)}
    again = command.replace(
        "no:randomly", "no:randomly -p no:cacheprovider -p no:hypothesispytest -p no:playwright -p no:anyio"
    )
    place = tmp_path / project
    done = subprocess.run(["sh", "-c", again], cwd=place, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_acts_nowhere(text: str) -> None:
    test = TestId.from_node_id(f"tests/test_x.py::test_x[{text}]")
    proof = replace(PROOF, cause=text, detail=text, tests=(test,), also=(text,), scope=text, zone=text, clock=text)
    body = told(proof, branch="grokfix/main/0123456789ab", risks=text)
    assert _acting(MARKDOWN.render(body)) == _acting(MARKDOWN.render(told(PROOF, "b")))
    plain = replace(PROOF, tests=(test,))
    words = shlex.split(provoking(plain), posix=True)
    assert len(words) == 6, words


def test_a_title_names_the_test_and_why_it_is_flaky() -> None:
    cause = (
        "`test_show` is flaky (hash order): tags.py:9: `tags` comes in no certain order and is now taken in sorted "
        "order. Proven by runs: hash seed 0; passes with hash seed 1."
    )
    result = replace(REPAIRED, outcome=RunOutcome.REPAIRED, repairs=(replace(REPAIR, root_cause=cause, flaky=PROOF),))
    assert pull_request_title(result) == "Fix: `test_show` is flaky (hash order): tags.py:9"
