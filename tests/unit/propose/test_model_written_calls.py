"""Calls that came as text: which are read, which are not, and that a hostile text costs nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import cast

import pytest

from bot.ports import Bench, EventKind, ModelReply
from bot.propose.model.calls import ENDING
from bot.propose.model.tools import registry
from bot.propose.model.written_calls import Written, written_calls
from bot.propose.types import NoProposal, Proposal, StopReason
from tests.model_talk import DIFF, SPENT, TEST, IdleBench, ScriptedModel, evidence, proposer

READ = '{"name": "read_file", "arguments": {"path": "cart.py"}}'
SEARCH = '{"name": "search_code", "arguments": {"pattern": "total"}}'
SUBMIT = json.dumps({"name": "submit_fix", "arguments": {"root_cause": "x", "patch": DIFF}})


def read(text: str) -> Written | None:
    return written_calls(text, registry.NAMES, ENDING, "talk", 3)


def names(text: str) -> list[str]:
    found = read(text)
    return [] if found is None else [call.name for call in found.calls]


READABLE = {
    "tag": f"<tool_call>\n{READ}\n</tool_call>",
    "tag behind words": f"First I look at it.\n\n<tool_call>{READ}</tool_call>\n",
    "tag behind thoughts": f"<think>\n<tool_call>{SEARCH}</tool_call> or not\n</think>\n<tool_call>{READ}</tool_call>",
    "end cut off by the template": f"<tool_call>\n{READ}",
    "end of the turn": f"<tool_call>{READ}</tool_call><|im_end|>",
    "words behind it": f"<tool_call>{READ}</tool_call>\nNow I wait for the result.",
    "Mistral": f"[TOOL_CALLS][{READ}]",
    "Llama": '<|python_tag|>{"name": "read_file", "parameters": {"path": "cart.py"}}<|eom_id|>',
    "bare": READ,
    "bare list": f"[{READ}]",
    "OpenAI's own shape": f'{{"type": "function", "id": "a", "function": {READ}}}',
    "fenced": f"I read the file.\n\n```json\n{READ}\n```",
    "fenced beside code": f"This is wrong:\n\n```python\nx = {{}}\n```\n\n```json\n{READ}\n```\n",
    "arguments as text": '<tool_call>{"name": "read_file", "arguments": "{\\"path\\": \\"cart.py\\"}"}</tool_call>',
}


@pytest.mark.parametrize("text", READABLE.values(), ids=READABLE.keys())
def test_one_call_is_read(text: str) -> None:
    found = read(text)
    assert found is not None
    (call,) = found.calls
    assert (call.name, json.loads(call.arguments)) == ("read_file", {"path": "cart.py"})
    assert len(call.id) == 9 and call.id.isalnum()
    assert READ not in found.before
    assert found.before in text
    assert found == read(text), "read again, it has the same ids"


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{READ}</tool_call>\n<tool_call>{SEARCH}</tool_call>",
        f"<tool_call>{READ}\n{SEARCH}</tool_call>",
        f"[TOOL_CALLS][{READ}, {SEARCH}]",
        f"```json\n{READ}\n```\nand\n```json\n{SEARCH}\n```",
    ],
)
def test_several_are_read_in_their_order(text: str) -> None:
    assert names(text) == ["read_file", "search_code"]


def test_raw_line_ends_in_strings_are_taken() -> None:
    found = read('<tool_call>{"name": "try_patch", "arguments": {"patch": "--- a/x\n+++ b/x\n"}}</tool_call>')
    assert found is not None
    assert json.loads(found.calls[0].arguments) == {"patch": "--- a/x\n+++ b/x\n"}


UNREADABLE = {
    "prose": "I would call read_file with cart.py.",
    "in the middle of a line": f"One could write <tool_call>{READ}</tool_call> here.",
    "in a diff": f"+<tool_call>{READ}</tool_call>",
    "only a thought": f"<think><tool_call>{READ}</tool_call></think>\nNo.",
    "no such tool": '<tool_call>{"name": "shell", "arguments": {"command": "env"}}</tool_call>',
    "one of two unknown": f'<tool_call>{READ}</tool_call>\n<tool_call>{{"name": "x", "arguments": {{}}}}</tool_call>',
    "cut off": READ[:-10],
    "cut off in its tag": f"<tool_call>{READ[:-10]}",
    "another's JSON": '{"name": "read_file", "version": "1.0", "arguments": {}}',
    "arguments are no object": '<tool_call>{"name": "read_file", "arguments": ["cart.py"]}</tool_call>',
    "two kinds of arguments": '{"name": "read_file", "arguments": {"path": "a"}, "parameters": {"path": "b"}}',
    "not JSON": '<tool_call>{"name": "read_file", "arguments": {"path": NaN}}</tool_call>',
    "no closing and more behind": f"<tool_call>{READ} and then I would",
    "submits and goes on": f"<tool_call>{SUBMIT}</tool_call>\n<tool_call>{READ}</tool_call>",
    "submits two": f"```json\n{SUBMIT}\n```\nor\n```json\n{SUBMIT}\n```",
    "the one-shot form": json.dumps({"verdict": "fix", "root_cause": "x", "patch": DIFF}),
    "empty": "",
    "empty list": "[]",
    "too many": f"<tool_call>{READ}</tool_call>\n" * 65,
    "deep": "<tool_call>" + '{"name": ' * 50_000,
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_may_mean_another_thing_is_not_read(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("piece", ["<tool_call>", "<tool_call>\n", "```\n{", "{", "[TOOL_CALLS][", '"arguments":\n'])
def test_two_megabytes_cost_nothing(piece: str) -> None:
    began = time.process_time()
    assert read(piece * (2_000_000 // len(piece))) is None
    assert time.process_time() - began < 5


# --- in a conversation ----------------------------------------------------------------------------------------------


def saying(text: str) -> ModelReply:
    return ModelReply(text, "hm", "scripted-1", "stop", SPENT)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "cart.py").write_text("def total(items):\n    return sum(items[1:])\n")
    return cast(Bench, IdleBench(tmp_path))


def test_a_conversation_with_calls_as_text_goes_on_in_the_proper_form(bench: Bench) -> None:
    path, source = TEST
    fix = {"root_cause": "first skipped", "patch": DIFF, "confidence": 0.8, "risks": ""}
    fix["new_test"] = {"path": path, "source": source, "explanation": "fails without"}
    submit = json.dumps({"name": "submit_fix", "arguments": fix})
    model = ScriptedModel(
        saying(f"I look.\n<tool_call>{READ}</tool_call>"), saying(f"<tool_call>\n{submit}\n</tool_call>")
    )
    engine, line, recorder = proposer(model)
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, Proposal), found
    assert (found.patch_text, found.diagnosis.root_cause) == (DIFF, "first skipped")
    assert (found.usage, line.budget.spent.requests) == (SPENT + SPENT, 2)
    assert line.takes_tools
    said, result = model.requests[1].messages[-2:]
    assert (said.role, said.content, [call.name for call in said.tool_calls]) == ("assistant", "I look.", ["read_file"])
    assert (result.role, result.tool_call_id) == ("tool", said.tool_calls[0].id)
    assert "return sum(items[1:])" in result.content
    # The record has what came and how it was read.
    first, _ = recorder.of(EventKind.REPLY)
    assert (first["text"], first["tool_calls"]) == (f"I look.\n<tool_call>{READ}</tool_call>", [])
    assert [(event["name"], event["as_text"]) for event in recorder.of(EventKind.TOOL_CALL)] == [
        ("read_file", True),
        ("submit_fix", True),
    ]


def test_a_call_that_cannot_be_read_is_asked_for_again(bench: Bench) -> None:
    give_up = json.dumps({"name": "give_up", "arguments": {"kind": "needs_human", "reason": "no idea"}})
    model = ScriptedModel(saying(f"<tool_call>{READ[:-10]}"), saying(f"```json\n{give_up}\n```"))
    engine, _, recorder = proposer(model)
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.NEEDS_HUMAN
    assert [event["name"] for event in recorder.of(EventKind.TOOL_CALL)] == ["give_up"]
