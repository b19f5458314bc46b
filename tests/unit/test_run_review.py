"""A green patch that a person must look at before it counts: low confidence, a rule's word, and both on top."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import repositories
from tests.command_line import grokfix, result_of, text
from tests.e2e.test_model import CODEC, FIX, KEY, NEW_TEST
from tests.model_server import ModelServer, answer, say

GUARDED = FIX.replace(") for letter in text)", ") for letter in text)  # type: ignore")


@pytest.mark.parametrize(
    ("patch", "confidence", "outcome", "reason", "first"),
    [
        (FIX, 0.5, "repaired", None, ""),
        (FIX, 0.3, "needs_review", "low_confidence", "**low confidence:** every gate is green, but the proposer is"),
        (GUARDED, 0.3, "needs_review", "review_grade", "**suppressions:**"),
    ],
)
def test_what_asks_for_a_person(
    tmp_path: Path, patch: str, confidence: float, outcome: str, reason: str | None, first: str
) -> None:
    repository, out = repositories.make(tmp_path / "codec", CODEC), tmp_path / "out"
    reply = answer("encode was never written", patch, NEW_TEST, confidence=confidence)
    with ModelServer([say(reply)]) as server:
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--engine", "model", "--base-url", server.base_url),
            *("--model", "scripted", "--output", str(out)),
            cwd=repository,
            environment={"XAI_API_KEY": KEY},
        )
    assert done.exit_code == (0 if outcome == "repaired" else 1), text(done)
    [repair] = result_of(out)["repairs"]
    assert (repair["outcome"], repair["reason"]) == (outcome, reason)
    assert (f"only {confidence:.0%} sure" in repair["message"]) == (confidence < 0.5)
    page = (out / "pr.md").read_text()
    assert ("## Look at this first" in page) == bool(first)
    if first:
        top, _, rest = page.partition("## Look at this first\n\n")
        assert rest.startswith(f"- {first}") and "## Root cause" not in top
        assert page.startswith("# Needs review: ") and repair["patch"]
