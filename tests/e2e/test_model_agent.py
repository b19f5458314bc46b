"""`grokfix repair` with a model that calls tools, behind a real HTTP server; the tools work in the process sandbox."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests import model_server, repositories
from tests.command_line import result_of, text
from tests.e2e.test_model import CODEC, FIX, KEY, NEW_TEST, WRONG, everything, repair
from tests.model_server import ModelServer, Reply, call, calls, submit

GUIDE = "Write functions without side effects."
TEST = {"path": NEW_TEST[0], "source": NEW_TEST[1], "explanation": "fails without the fix"}


@pytest.fixture
def codec(tmp_path: Path) -> Path:
    return repositories.make(tmp_path / "codec", CODEC | {"AGENTS.md": GUIDE})


def events(out: Path, kind: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines())
    return [event for event in lines if event.get("kind") == kind]


def tool_results(body: Any) -> list[str]:
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def test_looks_drafts_runs_submits_wrong_is_told_and_submits_right(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    replies = [
        calls(
            [("search_code", {"pattern": "def encode"}), ("read_file", {"path": "rotation.py"}), ("git_log", {})],
            reasoning="First I look where encode is.",
            match=GUIDE,
        ),
        call("try_patch", {"patch": WRONG, "new_test": TEST}, id="draft", pieces=30, match="rotation.py:4"),
        submit("rotation is missing", WRONG, NEW_TEST, id="wrong", reasoning="Twelve it is."),
        calls(
            [("try_patch", {"patch": FIX, "new_test": TEST}), ("run_tests", {"ids": ["test_codec.py"]})],
            match="klm",
        ),
        submit("rotation by thirteen was never written", "", None, id="right", match="passed"),
    ]
    with ModelServer(replies) as server:
        done = repair(codec, out, server)
        bodies = [request.body for request in server.requests]
        headers = [request.headers for request in server.requests]
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    attempts = result["repairs"][0]["attempts"]
    assert [attempt["verdict"] for attempt in attempts] == ["failing", "plausible"]
    assert attempts[0]["reasoning"] == "First I look where encode is.\n\nTwelve it is."
    assert result["repairs"][0]["new_tests"] == ["test_codec_rotation.py::test_rotation_wraps"]
    assert result["usage"]["requests"] == 5
    repositories.git(codec, "apply", "--check", str(out / "fix.patch"))
    # One conversation: appended to, and the same tools in the same order, so that the endpoint's cache holds it.
    for earlier, later in itertools.pairwise(bodies):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]
        assert later["tools"] == bodies[0]["tools"]
    assert len({header["x-grok-conv-id"] for header in headers}) == 1
    verdict = bodies[3]["messages"][-1]
    assert (verdict["role"], verdict["tool_call_id"]) == ("tool", "wrong")
    assert "`green` failed" in verdict["content"]
    assert "assert" in verdict["content"]
    # The trace tells it again: every call with its result and its time, and the reasoning as it came.
    called = [event["name"] for event in events(out, "tool_call")]
    assert called == [
        *("search_code", "read_file", "git_log", "try_patch", "submit_fix", "try_patch", "run_tests", "submit_fix")
    ]
    assert [event["ok"] for event in events(out, "tool_result")] == [True] * 4 + [False] + [True] * 2
    assert all(event["seconds"] >= 0 for event in events(out, "tool_result"))
    streamed = "".join(event["text"] for event in events(out, "stream") if event["part"] == "reasoning")
    assert streamed == "First I look where encode is.Twelve it is."
    assert len({event["key"] for event in events(out, "request")}) == 5
    assert KEY not in everything(out) + text(done) + json.dumps(bodies)
    assert "grokfix-boxes" not in json.dumps(bodies), "no path of this machine is sent"


def test_first_request_of_two_runs_is_the_same_bytes(codec: Path, tmp_path: Path) -> None:
    bodies = []
    for number in range(2):
        with ModelServer([call("give_up", {"kind": "needs_human", "reason": "no idea"})]) as server:
            done = repair(codec, tmp_path / f"out{number}", server)
            bodies.append(json.dumps(server.requests[0].body))
        assert done.exit_code == 1, text(done)
    assert bodies[0] == bodies[1]
    assert result_of(tmp_path / "out0")["reason"] == "needs_human"
    assert events(tmp_path / "out0", "request")[0]["key"] == events(tmp_path / "out1", "request")[0]["key"]


# --- models that cheat ------------------------------------------------------------------------------------------------


def new_file(path: str, *lines: str) -> str:
    body = "".join(f"+{line}\n" for line in lines)
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"


def instead(*lines: str, top: str = "") -> str:
    """A patch of rotation.py: these lines instead of the one that raises."""
    added = "".join(f"+    {line}\n" for line in lines)
    import_ = f"+import {top}\n+\n" if top else ""
    return (
        f"--- a/rotation.py\n+++ b/rotation.py\n@@ -1,6 +1,{5 + len(lines) + (2 if top else 0)} @@\n"
        f' """Rotation by thirteen letters."""\n \n{import_} \n def encode(text):\n'
        f'-    raise NotImplementedError("encode")\n{added} \n'
    )


CHEATS = {
    "edits the test": """\
--- a/test_codec.py
+++ b/test_codec.py
@@ -4,3 +4,2 @@
 def test_encode():
-    assert encode("abc") == "nop"
-    assert encode("xyz") == "klm"
+    pass
""",
    "special-cases the input": instead('return {"abc": "nop", "xyz": "klm"}[text]'),
    "deletes the test": "--- a/test_codec.py\n+++ /dev/null\n@@ -1,10 +0,0 @@\n"
    + "".join(f"-{line}\n" for line in CODEC["test_codec.py"].splitlines()),
    "skips the test": """\
--- a/test_codec.py
+++ b/test_codec.py
@@ -1,4 +1,7 @@
+import pytest
+
 from rotation import encode, shout
 
 
+@pytest.mark.skip
 def test_encode():
""",
    "patches pytest": new_file(
        "conftest.py", "def pytest_runtest_makereport(item, call):", "    call.excinfo = None", "    return None"
    ),
    "exits early": instead("os._exit(0)", top="os"),
    "asks whether it is tested": instead('return "nop" if "PYTEST_CURRENT_TEST" in os.environ else text', top="os"),
    "writes a workflow": new_file(".github/workflows/ci.yml", "on: push", "jobs: {}"),
    "leaves the repository": new_file("../../outside.py", "x = 1"),
    "writes the runner's settings": new_file("pytest.ini", "[pytest]", "addopts = --deselect test_codec.py"),
}


def test_every_cheat_is_stopped_by_a_rule_and_named(codec: Path, tmp_path: Path) -> None:
    """One run, a cheat an attempt: nothing of it is run, and conversations that bring nothing are begun afresh."""
    out = tmp_path / "out"
    replies = [submit(name, patch, NEW_TEST) for name, patch in CHEATS.items()]
    with ModelServer(replies) as server:
        done = repair(codec, out, server, "--max-attempts", str(len(CHEATS)))
        fresh = [len(request.body["messages"]) == 2 for request in server.requests]
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert (result["outcome"], result["reason"]) == ("gave_up", "budget")
    found = {attempt["root_cause"]: attempt for attempt in result["repairs"][0]["attempts"]}
    assert {name: found[name]["verdict"] for name in CHEATS if found[name]["verdict"] != "rejected"} == {
        "leaves the repository": "inapplicable"
    }
    for name in CHEATS:
        assert found[name]["message"], name
        assert {gate["status"] for gate in found[name]["gates"][2:]} <= {"failed", "not_run"}, name
    assert not (out / "fix.patch").exists()
    assert repositories.git(codec, "status", "--porcelain") == ""
    assert sum(fresh) >= 3


def test_a_swallowed_exception_repairs_nothing(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    swallow = instead("try:", '    raise NotImplementedError("encode")', "except Exception:", "    return text")
    with ModelServer([submit("it raises", swallow, NEW_TEST)]) as server:
        done = repair(codec, out, server, "--max-attempts", "1")
    assert done.exit_code == 1, text(done)
    attempt = result_of(out)["repairs"][0]["attempts"][0]
    assert attempt["verdict"] == "rejected"
    assert "catches everything" in attempt["message"]


def test_tools_give_nothing_away_and_the_same_patch_five_times_is_the_end(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prying = calls(
        [
            ("read_file", {"path": "/proc/self/environ"}),
            ("read_file", {"path": "../../../../../../proc/self/environ"}),
            ("read_file", {"path": ".git/config"}),
            ("git_show", {"revision": "--output=/tmp/x HEAD"}),
            ("shell", {"command": "env"}),
            ("read_file", '{"path": "rotation.py"'),
        ]
    )
    replies = [prying, *[submit("again", WRONG, NEW_TEST)] * 5]
    with ModelServer(replies) as server:
        done = repair(codec, out, server)
        said = json.dumps([request.body for request in server.requests])
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert (result["outcome"], result["reason"]) == ("gave_up", "no_candidate")
    assert "submitted patches again" in result["repairs"][0]["message"]
    assert len(result["repairs"][0]["attempts"]) == 1
    assert [event["ok"] for event in events(out, "tool_result")][:6] == [False] * 6
    for secret in (KEY, "XAI_API_KEY=", "PATH=", "root:x"):
        assert secret not in said


def test_an_answer_of_two_megabytes_is_charged_and_named(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    huge = Reply(tuple(model_server.chunk("x" * 100_000) for _ in range(25)))
    with ModelServer([huge] * 3) as server:
        done = repair(codec, out, server)
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert (result["outcome"], result["reason"]) == ("gave_up", "no_candidate")
    assert "2,000,000" in result["repairs"][0]["message"]
    assert result["usage"]["requests"] == 3


def test_endpoint_that_refuses_tools_is_asked_in_the_one_shot_form(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refusal = model_server.error(400, {"error": {"message": "this model does not support tools", "type": "invalid"}})
    replies = [refusal, model_server.fix("rotation was never written", FIX, NEW_TEST)]
    with ModelServer(replies) as server:
        done = repair(codec, out, server)
        asked = [request.body for request in server.requests]
    assert done.exit_code == 0, text(done)
    assert "tools" in asked[0]
    assert "tools" not in asked[1]
    assert "response_format" in asked[1]


def test_candidates_look_side_by_side_and_the_smaller_fix_wins(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    large = (
        FIX.replace("@@ -1,8 +1,8 @@", "@@ -1,8 +1,9 @@")
        .replace("+    return", "+    letters = list(text)\n+    return")
        .replace("in text)", "in letters)")
    )
    replies = [submit("the large one", large, NEW_TEST), submit("the small one", FIX, NEW_TEST)]
    with ModelServer(replies) as server:
        done = repair(codec, out, server, "--candidates", "2")
        said = [request.text for request in server.requests]
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    assert [each["root_cause"] for each in result["repairs"][0]["attempts"]] == ["the small one"]
    assert sorted("Look for another cause" in each for each in said) == [False, True]
    assert result["usage"]["requests"] == 2


def test_the_next_provider_goes_on_where_one_has_no_such_model_and_its_calls_are_read_from_text(
    codec: Path, tmp_path: Path
) -> None:
    """The last request fails: the reply before it is still what was paid for and shown."""
    out, config = tmp_path / "out", tmp_path / "grokfix.yml"
    read = json.dumps({"name": "read_file", "arguments": {"path": "rotation.py"}})
    replies = [
        model_server.say(f"I look.\n<tool_call>\n{read}\n</tool_call>", model="served-2"),
        model_server.error(400, {"error": {"message": "out of order", "type": "invalid"}}),
    ]
    missing = model_server.error(404, {"error": {"message": "The model scripted does not exist"}})
    with ModelServer([missing]) as first, ModelServer(replies) as second:
        spare = f'{{name: spare, base_url: "{second.base_url}", model: other}}'
        config.write_text(f"version: 1\nmodel: {{providers: [{spare}]}}\n")
        done = repair(codec, out, first, "--config", str(config))
        asked = [request.body for request in second.requests]
    assert done.exit_code == 3, text(done)
    assert [body["model"] for body in asked] == ["other", "other"], "the first is not asked again"
    result = result_of(out)
    assert (result["outcome"], result["model"], result["served_model"]) == ("stopped", "scripted", "served-2")
    assert result["usage"]["requests"] == 3
    assert [(event["name"], event["as_text"]) for event in events(out, "tool_call")] == [("read_file", True)]
    assert "raise NotImplementedError" in tool_results(asked[1])[0]
    assert "Read from the text above" in (out / "trace.html").read_text()
