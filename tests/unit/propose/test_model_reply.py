"""Reading a model's reply, whatever it is."""

from __future__ import annotations

import json
import time

import jsonschema
import pytest

from bot.propose.model.reply import SCHEMA, Answer, Unusable, WrittenTest, read
from tests.model_server import answer

DIFF = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
GOOD = answer("x is wrong", DIFF, ("tests/test_x.py", "def test_x():\n    assert True\n"), confidence=0.8, risks="none")
EXPECTED = Answer.model_validate(json.loads(GOOD))


def test_good_reply_is_read_whole() -> None:
    assert (EXPECTED.verdict, EXPECTED.root_cause, EXPECTED.patch) == ("fix", "x is wrong", DIFF)
    assert (EXPECTED.confidence, EXPECTED.risks) == (0.8, "none")
    assert EXPECTED.new_test == WrittenTest(
        path="tests/test_x.py", source="def test_x():\n    assert True\n", explanation="fails without the fix"
    )


def test_schema_and_reader_agree() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA.schema)  # type: ignore[arg-type]
    jsonschema.validate(json.loads(GOOD), SCHEMA.schema)  # type: ignore[arg-type]
    properties = SCHEMA.schema["properties"]
    assert isinstance(properties, dict)
    assert properties.keys() == Answer.model_fields.keys()
    assert properties["new_test"]["anyOf"][0]["properties"].keys() == WrittenTest.model_fields.keys()  # type: ignore[index,call-overload,union-attr]
    assert set(SCHEMA.schema["required"]) == properties.keys(), "strict schemas require every member"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"Here is my answer, {{as}} asked:\n\n```\n{GOOD}\n```\nGood luck!",
        f"````\n{GOOD}\n````",
        f"~~~json\n{GOOD}\n~~~",
        f"```json\n{GOOD}",
        f"I think {{ this }} is it: {GOOD} — done.",
        f'<think>{{"a": 1}}</think>{GOOD}',
        GOOD.replace("\\n", "\n"),
        json.dumps(json.loads(GOOD), indent=2),
        json.dumps({**json.loads(GOOD), "extra": [1, 2], "tests": {}}),
    ],
    ids=[
        *("plain", "blanks", "fenced", "prose-and-fence", "four-ticks", "tildes", "unclosed", "in-prose"),
        *("after-thought", "raw-line-ends", "indented", "extra-members"),
    ],
)
def test_wrappings_of_json(text: str) -> None:
    assert read(text, "stop") == EXPECTED


@pytest.mark.parametrize(
    ("text", "patch", "cause"),
    [
        (f"The start is wrong.\n\n```diff\n{DIFF}```\n", DIFF, "The start is wrong."),
        (
            f"```diff\n{DIFF}```\nand\n```patch\n{DIFF.replace('m.py', 'n.py')}```",
            DIFF + DIFF.replace("m.py", "n.py"),
            "",
        ),
        (f"Because.\ndiff --git a/m.py b/m.py\n{DIFF}", f"diff --git a/m.py b/m.py\n{DIFF}", "Because."),
        (f"Like so:\n{DIFF}", DIFF, "Like so:"),
        (f'```json\n{{"broken": \n```\n```diff\n{DIFF}```', DIFF, None),
    ],
)
def test_a_diff_without_json(text: str, patch: str, cause: str | None) -> None:
    found = read(text, "stop")
    assert isinstance(found, Answer)
    assert (found.patch, found.new_test, found.confidence) == (patch, None, None)
    assert cause is None or found.root_cause.startswith(cause)


@pytest.mark.parametrize(
    ("members", "field", "expected"),
    [
        ({"confidence": "90 %"}, "confidence", 0.9),
        ({"confidence": "0.25"}, "confidence", 0.25),
        ({"confidence": 85}, "confidence", 0.85),
        ({"confidence": -1}, "confidence", 0.0),
        ({"confidence": 1e9}, "confidence", 1.0),
        ({"confidence": "high"}, "confidence", None),
        ({"confidence": None}, "confidence", None),
        ({"confidence": True}, "confidence", None),
        ({"confidence": [1]}, "confidence", None),
        ({"verdict": "Test is wrong"}, "verdict", "test_is_wrong"),
        ({"verdict": "NEEDS-HUMAN"}, "verdict", "needs_human"),
        ({"verdict": "??"}, "verdict", "fix"),
        ({"verdict": 7}, "verdict", "fix"),
        ({"risks": ["one", "two"]}, "risks", "one\ntwo"),
        ({"risks": None}, "risks", ""),
        ({"new_test": None}, "new_test", None),
        ({"new_test": "none needed"}, "new_test", None),
        ({"new_test": {}}, "new_test", None),
        ({"new_test": {"path": "", "source": "x"}}, "new_test", None),
        ({"new_test": {"path": "t.py", "source": ["a", "b"]}}, "new_test", WrittenTest(path="t.py", source="a\nb")),
        ({"root_cause": "half \ud800 character"}, "root_cause", "half ? character"),
    ],
)
def test_members_are_read_tolerantly(members: dict[str, object], field: str, expected: object) -> None:
    found = read(json.dumps({"patch": DIFF, **members}), "stop")
    assert isinstance(found, Answer), found
    assert getattr(found, field) == expected


@pytest.mark.parametrize("verdict", ["test_is_wrong", "infrastructure", "needs_human"])
def test_no_patch_is_needed_where_nothing_is_to_be_fixed(verdict: str) -> None:
    found = read(answer("because", "", verdict=verdict), "stop")
    assert isinstance(found, Answer)
    assert (found.verdict, found.patch, found.root_cause) == (verdict, "", "because")


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ("", "stop", "it is empty"),
        ("  \n", "content_filter", "it is empty (it ended with 'content_filter')"),
        ("I cannot help with that.", "stop", "neither a JSON object nor a diff"),
        (GOOD[: len(GOOD) // 3], "length", "cut off"),
        (answer("x", ""), "stop", "its patch is empty"),
        (answer("x", " \n"), "stop", "its patch is empty"),
        (json.dumps({"patch": {"a": 1}}), "stop", "'patch'"),
        (json.dumps({"patch": 7}), "stop", "'patch'"),
        (json.dumps({"new_test": {"path": "t", "source": 7}, "patch": DIFF}), "stop", "'new_test.source'"),
        (json.dumps([1, 2]), "stop", "neither"),
        ("null", "stop", "neither"),
        (json.dumps({"hello": "world"}), "stop", "neither"),
    ],
)
def test_what_cannot_be_used_says_why(text: str, finish: str, problem: str) -> None:
    found = read(text, finish)
    assert isinstance(found, Unusable), found
    assert problem in found.problem


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 200_000,
        '{"a":' * 50_000,
        "```\n" * 100_000,
        "\n".join("`" * (3 + count % 900) for count in range(3000)),
        "--- \n" * 100_000,
        '{"patch": "' + "x" * 1_000_000,
        "\x00\x1b[31m" * 10_000,
        '{"patch": ' + "9" * 6_000 + "}",
    ],
    ids=[
        "brackets",
        "braces",
        "nested",
        "fences",
        "growing-fences",
        "dashes",
        "endless-string",
        "controls",
        "huge-number",
    ],
)
def test_hostile_replies_cost_nothing(text: str) -> None:
    before = time.process_time()
    assert isinstance(read(text, "stop"), Unusable)
    assert time.process_time() - before < 2.0
