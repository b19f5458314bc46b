"""Protocol and loop against a real model server (tests/real_model.py), which nobody scripted.

The model is so small that it repairs nothing: what must hold is the form of what comes, and the honesty of the end.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.openai import OpenAIModel
from bot.config import ModelSettings
from bot.ports import Message, ModelReply, ModelRequest, ReplyPart
from bot.propose.model.reply import SCHEMA
from tests import repositories
from tests.command_line import BUGGY, grokfix, result_of, text
from tests.contract.model_cases import LIST, READ
from tests.real_model import KEY, REASONING_TEMPLATE, TOOLS_TEMPLATE, RealModel, Served

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(900)]

FIELDS = ("verdict", "root_cause", "patch", "new_test", "confidence", "risks")
QUESTION = (Message("system", "You repair programs."), Message("user", "The sum is too small by one. Where to look?"))


def ask(served: Served, request: ModelRequest) -> tuple[ModelReply, list[tuple[ReplyPart, str]]]:
    """The reply, and the pieces that it came in."""
    settings = ModelSettings(name=served.name, base_url=served.base_url, api_key_env="TEST_KEY", api_key=KEY)
    pieces: list[tuple[ReplyPart, str]] = []
    reply = OpenAIModel(settings, SystemClock(), {}).complete(request, lambda part, said: pieces.append((part, said)))
    assert "".join(said for part, said in pieces if part is ReplyPart.TEXT) == reply.text
    assert reply.model == served.name
    assert reply.usage.requests == 1
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.cost_usd is None, "nobody knows what it costs, and unknown is not zero"
    return reply, pieces


def test_streams_in_pieces_and_thinks_apart_and_holds_the_schema(real_model: RealModel) -> None:
    with real_model.serve(template=REASONING_TEMPLATE, context=2048, reasoning_tokens=16) as served:
        plain, pieces = ask(served, ModelRequest(QUESTION, max_completion_tokens=48))
        assert 1 <= plain.usage.completion_tokens <= 48, "the longest reply that was asked for holds"
        thought = [said for part, said in pieces if part is ReplyPart.REASONING]
        assert len(thought) > 1
        assert "".join(thought) == plain.reasoning
        assert "<think>" not in plain.text
        shaped, pieces = ask(served, ModelRequest(QUESTION, SCHEMA, max_completion_tokens=200))
    assert len([part for part, _ in pieces if part is ReplyPart.TEXT]) > 1
    if shaped.finish_reason == "length":  # the model may write a long word; what there is follows the schema
        assert shaped.text.lstrip().startswith("{")
    else:
        assert json.loads(shaped.text).keys() == set(FIELDS)


def test_calls_a_tool_when_it_must(real_model: RealModel) -> None:
    with real_model.serve(template=TOOLS_TEMPLATE, context=2048) as served:
        reply, pieces = ask(
            served, ModelRequest(QUESTION, tools=(READ, LIST), must_call=True, max_completion_tokens=96)
        )
    assert reply.tool_calls, reply.text
    assert {call.name for call in reply.tool_calls} <= {"read_file", "list_files"}
    assert all(call.id for call in reply.tool_calls)
    assert any(part is ReplyPart.TOOL for part, _ in pieces)
    if reply.finish_reason != "length":
        assert all(isinstance(json.loads(call.arguments), dict) for call in reply.tool_calls)


@pytest.mark.parametrize(("template", "context"), [(TOOLS_TEMPLATE, 12_000), ("", 8192)], ids=["tools", "one answer"])
def test_whole_loop_ends_honestly(real_model: RealModel, tmp_path: Path, template: str, context: int) -> None:
    """With tools, and in a window too small for them: nothing is called repaired that was not seen green."""
    root, out, config = repositories.make(tmp_path / "shop", BUGGY), tmp_path / "out", tmp_path / "grokfix.yml"
    config.write_text(f"version: 1\nmodel: {{context: {context}}}\n")
    before = repositories.git(root, "rev-parse", "HEAD")
    began = time.monotonic()
    with real_model.serve(template=template, context=context) as served:
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--engine", "model", "--base-url", served.base_url),
            *("--model", served.name, "--config", config, "--output", out),
            *("--max-attempts", "2", "--max-minutes", "1"),
            cwd=root,
            environment={"XAI_API_KEY": KEY},
            seconds=600,
        )
    assert done.exit_code in {0, 1}, text(done)  # an honest end is no fault, whatever the model said
    result = result_of(out)
    told = {key: result[key] for key in ("outcome", "reason", "usage", "served_model", "cost_usd")}
    print(json.dumps(told | {"seconds": round(time.monotonic() - began)}))
    attempts = [attempt for repair in result["repairs"] for attempt in repair["attempts"]]
    proven = any(attempt["verdict"] == "plausible" for attempt in attempts)
    assert (result["outcome"] in {"repaired", "needs_review"}) == proven == (out / "fix.patch").exists()
    assert result["usage"]["requests"] >= 1
    assert result["served_model"] in {"", served.name}  # "": no reply had ended when the time was over
    assert result["cost_usd"] is None
    assert KEY not in text(done) + "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert repositories.git(root, "rev-parse", "HEAD") == before
    assert repositories.git(root, "status", "--porcelain") == ""
