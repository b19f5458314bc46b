"""`grokfix replay`: a run with a model behind a real HTTP server, done again from its trace with the server gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot import process
from tests import model_server, repositories
from tests.command_line import grokfix, result_of, text
from tests.e2e.test_model import CODEC, FIX, KEY, NEW_TEST, WRONG, repair
from tests.model_server import ModelServer

REPLIES = [
    model_server.fix("rotation is missing", WRONG, NEW_TEST),
    model_server.fix("rotation by thirteen was never written", FIX, NEW_TEST, match="klm"),
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkout, and the output folder of its repair: one attempt that fails, one that is plausible."""
    folder = tmp_path_factory.mktemp("recorded")
    root, out = repositories.make(folder / "codec", CODEC), folder / "out"
    with ModelServer(REPLIES) as server:
        done = repair(root, out, server)
    assert done.exit_code == 0, text(done)
    return root, out


def replay(trace: Path, *more: str | Path, cwd: Path) -> process.Completed:
    return grokfix("replay", trace, *more, "--sandbox", "process", cwd=cwd)


def found(trace: Path, root: Path) -> dict[str, Any]:
    done = replay(trace, root, "--format", "json", cwd=root)
    assert done.exit_code == 0, text(done)
    loaded = json.loads(done.stdout)
    assert isinstance(loaded, dict)
    return loaded


def changed(trace: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a trace with events changed by hand (its chain breaks, which a replay says and lives with)."""
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    for event in events:
        change(event)
    target.write_text("".join(json.dumps(event) + "\n" for event in events))
    return target


def test_the_same_run_again_without_a_model(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    done = replay(out / "trace.jsonl", root, "--output", tmp_path / "again", cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    assert done.stdout.decode().startswith("The same run again. Outcome repaired, as recorded."), text(done)
    first, second = result_of(out), result_of(tmp_path / "again")
    assert second["patch"] == first["patch"] and second["outcome"] == "repaired"
    assert second["usage"] == first["usage"]  # charged as recorded
    assert [each["verdict"] for each in second["repairs"][0]["attempts"]] == ["failing", "plausible"]
    run = json.loads((tmp_path / "again" / "trace.jsonl").read_text().splitlines()[1])
    assert run["replay_of"] == first["trace_sha256"]
    assert repositories.git(root, "status", "--porcelain") == ""


def test_it_runs_at_the_recorded_commit_whatever_is_checked_out(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    clone = tmp_path / "clone"
    repositories.git(tmp_path, "clone", "--quiet", str(root), str(clone))
    repositories.commit(clone, {"rotation.py": "syntax error ("}, "worse")
    (clone / "test_codec.py").write_text("edited, and not committed")
    data = found(out / "trace.jsonl", clone)
    assert data["same"] and data["outcome"] == {"recorded": "repaired", "replayed": "repaired"}
    assert data["differences"] == [] and data["problems"] == []
    assert data["steps"]["recorded"] == data["steps"]["exact"] + data["steps"]["alike"]


def test_a_world_that_differs_is_named_step_by_step(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded

    def earlier(event: dict[str, Any]) -> None:
        if event.get("kind") == "request":
            event["key"] = "0" * 64
            event["messages"][-1]["content"] = event["messages"][-1]["content"].replace("klm", "KLM")
        if event.get("kind") == "gate" and event["name"] == "green":
            event["status"] = "review"

    data = found(changed(out / "trace.jsonl", tmp_path / "trace.jsonl", earlier), root)
    assert not data["same"] and not data["same_decisions"]
    assert "chain breaks" in data["problems"][0]
    request = next(each for each in data["differences"] if each["step"] == "repair 1, request 1")
    assert request["event"] is not None and not request["decision"]
    assert "new message 2 (user)" in request["part"]
    told, seen = (next(line for line in request["diff"] if line.startswith(sign)) for sign in "-+")
    assert "KLM" in told and "klm" in seen
    gate = next(each for each in data["differences"] if "gate green" in each["step"])
    assert gate["diff"] == ["line 1:", "- review", "+ failed"] and gate["decision"]


def test_another_reply_leads_another_way_and_that_is_no_fault(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    wrong, right = (model_server.answer("c", patch, NEW_TEST) for patch in (WRONG, FIX))

    def better(event: dict[str, Any]) -> None:
        if event.get("kind") == "reply" and "+ 12) % 26" in event["text"]:
            event["text"] = right

    done = replay(changed(out / "trace.jsonl", tmp_path / "trace.jsonl", better), root, cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    assert "Diverged at repair 1, attempt 1, proposal (event " in text(done), text(done)
    assert wrong != right


def test_a_recording_that_ends_too_early_is_said(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    lines = (out / "trace.jsonl").read_text().splitlines(keepends=True)
    cut = next(at for at, line in enumerate(lines) if '"kind": "attempt"' in line) + 1
    short = tmp_path / "trace.jsonl"
    short.write_text("".join(lines[:cut]))
    done = replay(short, root, cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    assert "Diverged at repair 1, request 2 (nothing is recorded there)" in text(done), text(done)
    assert "Outcome recorded: none (cut off); replayed: stopped (infrastructure)" in text(done)


def test_what_cannot_be_replayed_is_a_usage_error(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    other = repositories.make(tmp_path / "other", {"a.py": ""})
    done = replay(out / "trace.jsonl", other, cwd=tmp_path)
    assert done.exit_code == 2 and "does not have: fetch it" in text(done)
    header = (out / "trace.jsonl").read_text().splitlines(keepends=True)[0]
    (tmp_path / "header.jsonl").write_text(header)
    done = replay(tmp_path / "header.jsonl", root, cwd=tmp_path)
    assert done.exit_code == 2 and "names no run" in text(done)
    done = replay(tmp_path / "none.jsonl", root, cwd=tmp_path)
    assert done.exit_code == 2 and "cannot read the trace" in text(done)


def test_hostile_text_of_a_trace_stays_inert_on_the_terminal(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = recorded
    bad = "\x1b[31m\n::error::owned ##[error]x \u202e"

    def hostile(event: dict[str, Any]) -> None:
        if event.get("kind") == "request":
            event["messages"] = [{**each, "content": bad + each["content"]} for each in event["messages"]]
        if event.get("kind") == "outcome":
            event["outcome"] = event["reason"] = bad

    done = replay(changed(out / "trace.jsonl", tmp_path / "trace.jsonl", hostile), root, cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    said = done.stdout.decode()
    assert "\x1b" not in said and "\u202e" not in said and "##[" not in said
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())


def test_a_failed_request_fails_again(tmp_path: Path) -> None:
    root, out = repositories.make(tmp_path / "codec", CODEC), tmp_path / "out"
    with ModelServer([model_server.error(401, {"error": {"message": "no"}})]) as server:
        done = repair(root, out, server)
    assert done.exit_code == 3 and KEY not in text(done)
    data = found(out / "trace.jsonl", root)
    assert data["outcome"] == {"recorded": "stopped infrastructure", "replayed": "stopped infrastructure"}
    assert data["differences"] == []
