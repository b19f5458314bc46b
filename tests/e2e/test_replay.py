"""`grokfix replay` and `demo --replay`: a model repair done again from its trace, with no server, no key, no Docker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from bot import process
from bot.commands.demo import RECORDING, make_project
from bot.replay.compare import compare
from bot.replay.recording import exchanges
from bot.replay.same import same_texts
from bot.trace.read import read_trace
from tests import demo_recording, repositories
from tests.command_line import grokfix, result_of, text

_VERSION = re.compile(r"\d+(?:\.\d+)+")
BAD = "\x1b[31m\n::error::owned ##[error]x \u202e"


@pytest.fixture(scope="module")
def recording() -> Path:
    with resources.as_file(resources.files("bot") / "demo" / RECORDING) as path:
        return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled project, moved on since the recording: another commit, and uncommitted changes."""
    root = tmp_path_factory.mktemp("world") / "parcels"
    make_project(root)
    repositories.commit(root, {"parcels/bands.py": "syntax error ("}, "worse")
    (root / "tests/test_bands.py").write_text("edited, and not committed")
    return root


def replay(trace: Path, *more: str | Path, cwd: Path) -> process.Completed:
    return grokfix("replay", trace, *more, "--sandbox", "process", cwd=cwd, seconds=250)


def changed(trace: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a trace with events changed by hand: its chain breaks, which a replay says and lives with."""
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    for event in events:
        change(event)
    target.write_text("".join(json.dumps(event) + "\n" for event in events))
    return target


def test_the_demo_replays_a_model_repair(recording: Path, tmp_path: Path) -> None:
    done = grokfix("demo", "--replay", "--output", tmp_path / "demo", cwd=tmp_path, seconds=250)
    assert done.exit_code == 0, text(done)
    said = done.stdout.decode()
    assert "No model was asked" in said and ("The same run again." in said or "The same decisions" in said), said
    result = result_of(tmp_path / "demo" / "result")
    assert result["outcome"] == "repaired"
    assert [each["verdict"] for each in result["repairs"][0]["attempts"]] == ["unproven", "plausible"]
    recorded = read_trace(recording)
    assert recorded.problems == ()
    assert result["usage"]["prompt_tokens"] == sum(each.answer.usage.prompt_tokens for each in exchanges(recorded))
    run = next(read_trace(tmp_path / "demo" / "result" / "trace.jsonl").of_kind("run")).data
    assert run["replay_of"] == recorded.sha256
    repositories.git(tmp_path / "demo" / "parcels", "apply", "--check", "../result/fix.patch")


def test_the_recording_is_what_the_program_does_today(recording: Path, tmp_path: Path) -> None:
    """After a change of prompts or tools: `python -m tests.demo_recording`."""
    told, now = read_trace(recording), read_trace(demo_recording.record(tmp_path))
    compared = compare(told, now)
    assert compared.same_decisions, compared.differences
    assert [event.data["key"] == "" for event in told.of_kind("request")] == [False] * 5
    first, second = exchanges(told)[0], exchanges(now)[0]
    for old, new in zip(first.new, second.new, strict=True):  # but for the versions of Python and pytest
        assert same_texts(_VERSION.sub("<version>", old.content), _VERSION.sub("<version>", new.content)), old.role
    tools = [next(trace.of_kind("request")).data["tools"] for trace in (told, now)]
    assert tools[0] == tools[1]


def test_where_the_world_differs_is_named_step_by_step(recording: Path, project: Path, tmp_path: Path) -> None:
    def earlier(event: dict[str, Any]) -> None:
        if event.get("kind") == "request":
            event["key"] = "0" * 64
        if event.get("kind") == "request" and event["earlier_messages"] == 0:
            event["messages"][1]["content"] = BAD + event["messages"][1]["content"]
        if event.get("kind") == "tool_result" and event["name"] == "run_tests":
            event["result"] = event["result"].replace("3 passed", "2 passed, 1 failed")
        if event.get("kind") == "gate" and event["name"] == "green":
            event["status"] = "review"

    trace = changed(recording, tmp_path / "trace.jsonl", earlier)
    done = replay(trace, project, "--format", "json", cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    data = json.loads(done.stdout)
    assert data["outcome"] == {"recorded": "repaired", "replayed": "repaired"}
    assert not data["same"] and not data["same_decisions"] and "chain breaks" in data["problems"][0]
    found = {each["step"]: each for each in data["differences"]}
    asked = found["repair 1, request 1"]
    assert asked["part"] == "new message 2 (user)" and not asked["decision"]
    assert any(line.startswith("+ # Failing tests") for line in asked["diff"])
    ran = found["repair 1, tool result 4: run_tests"]
    assert [line[:1] for line in ran["diff"]] == ["l", "-", "+"] and "2 passed" in ran["diff"][1]
    gate = found["repair 1, attempt 2, gate green"]
    assert gate["decision"] and gate["diff"] == ["line 1:", "- review", "+ passed"]
    assert all(isinstance(each["event"], int) for each in found.values())


def test_a_recording_that_ends_too_early_ends_the_replay(recording: Path, project: Path, tmp_path: Path) -> None:
    lines = recording.read_text().splitlines(keepends=True)
    cut = next(at for at, line in enumerate(lines) if '"kind": "tool_result"' in line and "search_code" in line) + 1
    short = tmp_path / "trace.jsonl"
    short.write_text("".join(lines[:cut]))
    done = replay(short, project, "--output", tmp_path / "again", cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    said = done.stdout.decode()
    assert "Diverged at repair 1, request 2 (nothing is recorded there)" in said, said
    assert "Outcome recorded: none (cut off); replayed: stopped before the end (infrastructure)" in said, said
    assert (tmp_path / "again" / "trace.html").exists() and result_of(tmp_path / "again")["outcome"] == "stopped"


def test_what_cannot_be_replayed_is_a_usage_error(recording: Path, project: Path, tmp_path: Path) -> None:
    other = repositories.make(tmp_path / "other", {"a.py": ""})
    done = replay(recording, other, cwd=tmp_path)
    assert done.exit_code == 2 and "does not have: fetch it" in text(done), text(done)
    (tmp_path / "header.jsonl").write_text(recording.read_text().splitlines(keepends=True)[0])
    done = replay(tmp_path / "header.jsonl", project, cwd=tmp_path)
    assert done.exit_code == 2 and "names no run" in text(done)
    done = replay(tmp_path / "none.jsonl", project, cwd=tmp_path)
    assert done.exit_code == 2 and "cannot read the trace" in text(done)

    def no_revision(event: dict[str, Any]) -> None:
        if event.get("kind") == "run":
            event["commit"] = "--output=/etc/passwd" + BAD

    done = replay(changed(recording, tmp_path / "bad.jsonl", no_revision), project, cwd=tmp_path)
    assert done.exit_code == 2 and "\x1b" not in text(done) and "\u202e" not in text(done)
    assert repositories.git(project, "status", "--porcelain") == " M tests/test_bands.py\n"
