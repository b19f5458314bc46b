"""result.json is read back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import ConfigError
from bot.evidence.types import TestId
from bot.ports import Usage
from bot.propose.types import StopReason
from bot.result import Result, RunOutcome, to_json
from bot.result_file import LONGEST, from_json
from tests.unit.publish.sample import BLOCKED, GAVE_UP, REPAIR, REPAIRED

FULL = replace(
    REPAIRED,
    outcome=RunOutcome.NEEDS_REVIEW,
    repairs=(replace(REPAIR, objections=(BLOCKED, replace(BLOCKED, line=None))), *GAVE_UP.repairs),
    reason=StopReason.REVIEW_GRADE,
    message="why ␛ \x1b[31m \ud800",
)


@pytest.mark.parametrize(
    "result",
    [REPAIRED, GAVE_UP, FULL, Result(RunOutcome.NO_FAILURES), replace(REPAIRED, usage=Usage(cost_usd=None))],
)
def test_what_was_written_is_read(result: Result) -> None:
    assert from_json(to_json(result)) == result


def test_an_id_without_a_file_is_written_again_as_it_was() -> None:
    odd = replace(
        REPAIRED, repairs=(replace(REPAIR, targets=(TestId("", "a.b.C", "test_x[p/q::r]"), TestId("", "", "whole"))),)
    )
    assert to_json(from_json(to_json(odd))) == to_json(odd)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(format="grokfix-result/2"), "format"),
        (lambda data: data.pop("format"), "format"),
        (lambda data: data.update(extra=1), "unknown name 'extra'"),
        (lambda data: data.pop("repairs"), "lacks 'repairs'"),
        (lambda data: data.pop("cost_usd"), "cost_usd"),
        (lambda data: data.update(cost_usd=99), "cost_usd"),
        (lambda data: data.update(outcome="merged"), "result.outcome"),
        (lambda data: data.update(outcome=["repaired"]), "result.outcome"),
        (lambda data: data.update(commit="main"), "result.commit"),
        (lambda data: data.update(commit="A" * 40), "result.commit"),
        (lambda data: data.update(message=7), "result.message"),
        (lambda data: data.update(patch=False), "result.patch"),
        (lambda data: data.update(seconds=[1]), "result.seconds"),
        (lambda data: data["seconds"].update(base="1"), "result.seconds.base"),
        (lambda data: data["seconds"].update(base=1e999), "JSON|number"),
        (lambda data: data["usage"].update(requests=True), "result.usage.requests"),
        (lambda data: data["usage"].update(requests=1.5), "whole number"),
        (lambda data: data["usage"].update(requests=-1), "number that can be meant"),
        (lambda data: data["usage"].update(requests=10**400), "number that can be meant"),
        (lambda data: data["sandbox"].update(isolated="yes"), "result.sandbox.isolated"),
        (lambda data: data["repairs"].append("x"), r"result.repairs\[1\]"),
        (lambda data: data["repairs"][0].update(confidence=1.5), "more than 1"),
        (lambda data: data["repairs"][0].update(fingerprint="../../x"), "fingerprint is no hash"),
        (lambda data: data["repairs"][0].update(targets=[""]), r"targets\[0\]"),
        (lambda data: data["repairs"][0].update(targets=["x" * 5000]), r"targets\[0\]"),
        (lambda data: data["repairs"][0]["gates"][1].update(patch_sha256="9f3c"), "patch_sha256"),
        (lambda data: data["repairs"][0]["attempts"][0].update(number=0), "number"),
        (lambda data: data["repairs"][0]["objections"][0].update(grade=2), "grade"),
        (lambda data: data["repairs"][0]["objections"][0].update(grade="mild"), "grade"),
    ],
)
def test_anything_else_is_refused(change: Change, said: str) -> None:
    data = json.loads(to_json(replace(FULL, repairs=FULL.repairs[:1])))
    change(data)
    with pytest.raises(ConfigError, match=said):
        from_json(json.dumps(data))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "\x00",
        "[" * 100_000,
        '{"format": "grokfix-result/1", "a": ' + "[" * 100_000,
        '{"format": "grokfix-result/1", "format": "grokfix-result/1"}',
        '{"format": NaN}',
        " " * (LONGEST + 1),
        "1" * 5000,
    ],
    ids=lambda text: f"{len(text)} characters",
)
def test_text_that_is_no_result_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"result\.json is not what grokfix writes"):
        from_json(text)


def test_the_reader_never_repeats_hostile_text_at_length() -> None:
    data = json.loads(to_json(REPAIRED)) | {"::error::" + "x" * 5000: 1}
    with pytest.raises(ConfigError) as caught:
        from_json(json.dumps(data))
    assert len(str(caught.value)) < 400
