"""What people are told beside the pull request: replies, diagnosis, check run, trace page, job summary."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.ports import JsonValue
from bot.propose.types import StopReason
from bot.publish import checks, explain_markdown, job_summary, keep, replies, trace_page
from bot.publish.context import PublishContext
from bot.publish.ending import LIMIT, Delivery, Offer, Report, comment
from bot.publish.markers import marker
from bot.result import RunOutcome
from bot.trace.read import read_trace
from bot.trigger.grammar import read_comment
from bot.trigger.types import Answered, Declined, Help, Stop, WrongCommand
from tests.unit.publish.sample import GAVE_UP, REPAIR, REPAIRED
from tests.unit.publish.test_untrusted import HOSTILE, _acting
from tests.unit.publish.world import make

# --- replies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (Help(), "believes no repair that it has not seen red and then green"),
        (Stop(), "nothing to stop"),
        (WrongCommand("`--base_url` is no option of fix."), "`--base_url` is no option of fix."),
    ],
)
def test_answers(command: Help | Stop | WrongCommand, wanted: str) -> None:
    body = replies.answer(Answered(command), 41)
    assert body.startswith("<!-- grokfix:reply 41 -->\n") and wanted in body
    assert read_comment(body) is None  # our own words start nothing, whoever's token posts them
    assert ("- `/grok fix" in body) == (not isinstance(command, Stop))


def test_stopped_runs_are_linked_and_refusals_posted_as_they_are() -> None:
    assert "Stopped: https://h/1, https://h/2." in replies.answer(Answered(Stop(), ("https://h/1", "https://h/2")), 1)
    assert replies.declined(Declined("log", "Only **writers** may."), 7).endswith("\nOnly **writers** may.\n")
    assert replies.declined(Declined("log"), 7) == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_a_wrong_commands_words_are_inert(text: str) -> None:
    body = replies.answer(Answered(WrongCommand(text)), 1)
    assert not _acting(MarkdownIt("commonmark").render(body.split("What can be asked")[0]))
    assert read_comment(body) is None


@pytest.mark.parametrize("key", ["a --> <img>", "a--b", "--!>", "\n", "x" * 999])
def test_nothing_gets_out_of_a_marker(key: str) -> None:
    made = marker("progress", key)
    assert re.fullmatch(r"<!-- grokfix:progress [A-Za-z0-9._:/-]* -->", made) and len(made) < 250
    assert "--" not in made[4:-3]


# --- diagnosis ------------------------------------------------------------------------------------------------------

DIAGNOSIS: dict[str, JsonValue] = {
    "tests": 12,
    "problem": None,
    "causes": [
        {
            "exception": "KeyError",
            "message": "'sku'",
            "tests": ["tests/test_a.py::test_x", "tests/test_a.py::test_y"],
            "locations": [
                {
                    "path": "a.py",
                    "line": 7,
                    "symbol": "f",
                    "suspiciousness": 0.91,
                    "reason": "run by both failing tests",
                }
            ],
            "excerpts": [
                {"path": "a.py", "first": 6, "symbol": "f", "suspicious": [7], "text": "def f():\n    boom()"}
            ],
            "changed": [{"path": "a.py", "first": 7, "last": 7}],
        }
    ],
    "flaky": [{"test": "t.py::z", "failures": 1, "runs": 4}],
    "not_reproduced": [{"test": "t.py::gone", "seen": "it is passed here"}],
}


def test_a_diagnosis_says_what_where_and_why() -> None:
    body = explain_markdown.render(DIAGNOSIS)
    for wanted in (
        "**12 tests, 2 failing, 1 cause.** Nothing was changed.",
        "### Cause: `KeyError: 'sku'`",
        "| 91% | `a.py:7` in `f` | `run by both failing tests` |",
        ">     7     boom()",
        "Changed since the last good run: `a.py:7-7`",
        "`t.py::z` failed in 1 of 4 runs",
        "`t.py::gone`: `it is passed here`",
    ):
        assert wanted in body, wanted


@pytest.mark.parametrize(
    "data",
    [{}, {"causes": 7}, {"causes": [7, {}]}, {"causes": [{"locations": [{"line": "x"}], "excerpts": [{"text": 3}]}]},
     {"tests": 1e400, "flaky": [{"runs": None}]}],
)  # fmt: skip
def test_a_diagnosis_of_odd_data_is_still_one(data: dict[str, JsonValue]) -> None:
    assert "Nothing was changed" in explain_markdown.render(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_diagnosis_is_inert(text: str) -> None:
    raw = json.dumps(DIAGNOSIS)
    for word in ("KeyError", "'sku'", "a.py", "run by both failing tests", "t.py::z", "it is passed here", "boom()"):
        raw = raw.replace(word, json.dumps(text)[1:-1])
    for data in (json.loads(raw), {"problem": text}):
        rendered = MarkdownIt("commonmark").enable("table").render(explain_markdown.render(data))
        assert not _acting(rendered), rendered
        assert "<img" not in rendered and "<script" not in rendered


def test_a_huge_diagnosis_is_cut() -> None:
    cause: dict[str, JsonValue] = {
        "message": "m" * 99_999,
        "tests": ["t" * 9_999] * 999,
        "excerpts": [{"text": "x\n" * 99_999}] * 99,
        "locations": [{"path": "p" * 9_999, "reason": "r" * 9_999}] * 99,
    }
    assert len(explain_markdown.render({"causes": [cause] * 99})) < 60_000


# --- check run ------------------------------------------------------------------------------------------------------


def test_suspicions_are_few_plain_and_on_paths_of_the_repository() -> None:
    events: list[dict[str, JsonValue]] = [
        {"locations": [{"path": f"a{number}.py", "line": number + 1, "reason": "::error::x \x1b[31m"}]}
        for number in range(99)
    ]
    odd = [
        {"path": path, "line": line}
        for path, line in (
            ("../x", 1),
            ("/etc/passwd", 1),
            ("a.py", 0),
            ("a.py", -1),
            ("a.py", None),
            ("a.py", 1 << 40),
        )
    ]
    found = checks.suspicions([{"locations": odd}, {"locations": 3}, {}, *events, *events])
    assert len(found) == checks.MOST_ANNOTATIONS and found[0].path == "a0.py"
    assert all("\x1b" not in each.message and not each.message.startswith("::") for each in found)


def test_a_check_never_fails(tmp_path: Path) -> None:
    claim = make(tmp_path).claim
    told = {outcome: checks.ended(claim, outcome, None, "s").conclusion for outcome in RunOutcome}
    assert set(told.values()) == {"success", "neutral"}
    assert {outcome for outcome, said in told.items() if said == "success"} == {
        RunOutcome.REPAIRED,
        RunOutcome.NO_FAILURES,
    }
    assert checks.ended(claim, RunOutcome.STOPPED, StopReason.INTERRUPTED, "s").conclusion == "cancelled"
    assert (
        checks.begun(claim).conclusion == ""
        and len(checks.ended(claim, RunOutcome.FLAKY, None, "x" * 99_999).summary) < 65_000
    )


# --- trace, summary, comment ----------------------------------------------------------------------------------------


def test_the_trace_page_is_bounded_and_whole_in_its_turns(tmp_path: Path) -> None:
    it = make(tmp_path)
    path = tmp_path / "t.jsonl"
    path.write_bytes(it.bundle.trace)
    page = trace_page.render(read_trace(path), "a | title @org", (("trace.jsonl", "trace.jsonl"),), it.claim.run_url)
    assert "# Trace: a \\| title @\u200borg" in page and "## Repair 1" in page and "attempt 2 of 5" in page
    assert "<details><summary>The proposed patch</summary>" in page and "[trace.jsonl](trace.jsonl)" in page
    trace = read_trace(path)
    long = replace(
        trace,
        events=tuple(replace(event, data={**event.data, "output": "x\n" * 50_000}) for event in trace.events) * 20,
    )
    assert len(trace_page.render(long, "t", (), "u")) <= trace_page.LIMIT


def test_what_is_too_large_to_keep_is_left_in_the_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = make(tmp_path)
    monkeypatch.setattr(keep, "LARGEST", 5_000)
    kit = keep.pack(replace(it.claim, attempt="../../x"), it.bundle.result, it.bundle.trace, "https://h", "o/r")
    assert "too large to be kept" in kit.kept.left_out and "trace.jsonl" in kit.kept.left_out
    assert {path.rpartition("/")[0] for path in kit.files} == {"traces/x"}
    assert not any(path.endswith("trace.jsonl") for path in kit.files)


def report(**changes: object) -> Report:
    context = PublishContext("<!-- grokfix:progress x -->", "https://h/run")
    return replace(Report(REPAIRED, context, "https://h/o/r"), **changes)  # type: ignore[arg-type]


def test_comment_and_summary_stay_within_what_the_host_takes() -> None:
    patch = "\n".join(["diff --git a/x b/x", *("+" + "y" * 200 for _ in range(20_000))]) + "\n"
    huge = replace(REPAIR, patch=patch, root_cause="é" * 500_000, message="m" * 500_000)
    many = tuple(replace(huge, fingerprint=f"{number:064x}") for number in range(40))
    offers = tuple(Offer(each, Delivery(withheld="w" * 5_000)) for each in many)
    told = report(
        result=replace(REPAIRED, repairs=many, message="x" * 99_999), offers=offers, problems=("p" * 9_999,) * 99
    )
    assert len(comment(told)) <= LIMIT
    assert len(job_summary.render(told).encode()) <= job_summary.LIMIT
    assert comment(told).startswith("<!-- grokfix:progress x -->")


def test_failures_without_a_fix_are_told_with_their_reason() -> None:
    told = comment(report(result=GAVE_UP))
    assert "**No fix found.**" in told or "**No fix found: " in told
    assert "no candidate passed every gate" in told and "Suspected cause" in told


def test_short_summaries() -> None:
    assert job_summary.ignored("no `@org` here") == "## grokfix\n\nNothing to do: ``no `@org` here``\n"
    assert "@org" not in job_summary.fault("@org broke")
