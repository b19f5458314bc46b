"""`grokfix repair` where the first endpoint will not have us: the next one repairs, with its own key and model."""

from __future__ import annotations

import json
from pathlib import Path

from tests import repositories
from tests.command_line import grokfix, result_of
from tests.e2e.test_model import CODEC, FIX, NEW_TEST, everything
from tests.model_server import ModelServer, error, submit

KEY, OTHER_KEY = "sk-of-the-first-0123456789", "sk-of-the-second-9876543210"


def test_second_provider_repairs_and_keys_stay_secret(tmp_path: Path) -> None:
    codec = repositories.make(tmp_path / "codec", CODEC)
    out = tmp_path / "out"
    refusal = error(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    fixed = submit(f"rotation was never written; {OTHER_KEY}", FIX, NEW_TEST, reasoning=f"I think of {OTHER_KEY}")
    with ModelServer([refusal]) as first, ModelServer([fixed]) as second:
        config = tmp_path / "grokfix.yml"
        config.write_text(
            f"""\
version: 1
engine: model
model:
  name: scripted
  base_url: {first.base_url}
  api_key_env: FIRST_KEY
  providers:
    - {{name: spare, base_url: "{second.base_url}", api_key_env: SECOND_KEY, model: other}}
"""
        )
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--config", str(config), "--output", str(out)),
            cwd=codec,
            environment={"FIRST_KEY": KEY, "SECOND_KEY": OTHER_KEY},
        )
        asked = [(request.body["model"], request.headers["authorization"]) for request in second.requests]
    assert done.exit_code == 0, done.stderr
    assert asked == [("other", f"Bearer {OTHER_KEY}")]
    assert len(first.requests) == 1
    result = result_of(out)
    assert result["outcome"] == "repaired"
    assert result["usage"]["requests"] == 2, "the refused one is counted too"
    trace = [json.loads(line) for line in (out / "trace.jsonl").read_text().splitlines()]
    assert [event["provider"] for event in trace if event.get("kind") == "reply"] == ["spare"]
    told = everything(out) + str(done)
    assert [key for key in (KEY, OTHER_KEY) if key in told] == []
