"""The door to the tools: what a model may send, and what it is told where that is of no use."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest

from bot.ports import JsonValue, ToolCall
from bot.propose.model.tools.arguments import LONGEST, Wrong, read_arguments
from bot.propose.model.tools.registry import call, specs
from bot.propose.model.tools.types import Desk, Submission, Surrender, ToolResult
from bot.propose.types import NewTest, StopReason
from tests.unit.propose.model_desk import FIX, NEW_TEST, again, ask, end, fake_desk

NAMES = (
    "search_code",
    "read_file",
    "list_files",
    "outline",
    "find_references",
    "run_tests",
    "try_patch",
    "git_log",
    "git_show",
    "package_docs",
    "run_linter",
    "submit_fix",
    "give_up",
)
FIX_ARGUMENTS: dict[str, JsonValue] = {
    "root_cause": "The sign of the tax is wrong.",
    "patch": FIX,
    "new_test": dict(NEW_TEST),
    "confidence": 0.9,
    "risks": "",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return fake_desk(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def desk(shop: Desk) -> Desk:
    return again(shop)


def raw(desk: Desk, name: str, arguments: str) -> str:
    result = call(ToolCall("call-1", name, arguments), desk)
    assert isinstance(result, ToolResult)
    assert not result.ok
    return result.text


def test_specs_stand_in_one_order_and_are_the_same_bytes_every_time() -> None:
    written = [json.dumps([spec.name, spec.description, spec.parameters]) for spec in specs()]
    assert tuple(spec.name for spec in specs()) == NAMES
    assert written == [json.dumps([spec.name, spec.description, spec.parameters]) for spec in specs()]
    assert sum(map(len, written)) < 10_000  # every request carries them


@pytest.mark.parametrize("name", NAMES)
def test_schemas_keep_to_what_every_endpoint_takes(name: str) -> None:
    spec = next(spec for spec in specs() if spec.name == name)
    jsonschema.Draft202012Validator.check_schema(spec.parameters)
    text = json.dumps(spec.parameters)

    def walk(schema: JsonValue) -> None:
        if isinstance(schema, dict):
            assert schema.get("maxLength", 0) <= 2048
            assert schema.get("maxItems", 0) <= 256
            assert schema.get("enum", ["x"])
            assert not isinstance(schema.get("items"), list)
            assert schema.get("type") != "object" or schema["additionalProperties"] is False
            for value in schema.values():
                walk(value)
        elif isinstance(schema, list):
            for value in schema:
                walk(value)

    walk(json.loads(text))
    assert "(?=" not in text
    assert "\n" not in spec.description


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "must hold 'path'"),
        ("{", "no JSON object"),
        ("[]", "no JSON object (it is a list)"),
        ("null", "no JSON object (it is null)"),
        ('"path"', "no JSON object"),
        ("{}", "must hold 'path'"),
        ('{"path": null}', "'path' must be a string, not null"),
        ('{"path": 3}', "'path' must be a string, not a number"),
        ('{"path": "a", "first": "one"}', "'first' must be a whole number"),
        ('{"path": "a", "first": 0}', "'first' must be at least 1"),
        ('{"path": "a", "first": 99999999999}', "'first' must be at most"),
        ('{"path": "a", "first": NaN}', "NaN is no number"),
        ('{"path": "a", "first": true}', "'first' must be a whole number, not true or false"),
        ('{"path": "a", "offset": 3}', "may not hold 'offset'; known members: path, first, last, at_base"),
        ('{"path": "a\\u0000b"}', "'path' holds a NUL character"),
        ('{"path": "a\\ud800b"}', "half of a character"),
        (json.dumps({"path": "a" * 2_000}), "2,000 characters long; at most 1024"),
        (json.dumps({"path": "a" * 2_000_000}), f"at most {LONGEST:,} are read"),
        ("[" * 200_000, "no JSON object"),
        ('{"path": "a", "first": ' + "9" * 10_000 + "}", "no JSON object"),
        ('{"path": {"path": "a"}}', "must be a string, not an object"),
    ],
)
def test_arguments_of_no_use_are_answered(desk: Desk, arguments: str, said: str) -> None:
    text = raw(desk, "read_file", arguments)
    assert said in text
    assert "read_file was not carried out" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "arguments",
    [
        '{"path": "README.md", "first": "1", "last": 2.0}',
        '{"path": "README.md", "first": null, "at_base": "false"}',
        json.dumps('{"path": "README.md"}'),
        ' {"path": "./README.md"}\n',
    ],
)
def test_small_mistakes_are_forgiven(desk: Desk, arguments: str) -> None:
    result = call(ToolCall("call-1", " read_file ", arguments), desk)
    assert isinstance(result, ToolResult)
    assert "1|# Shop" in result.text


def test_one_string_is_a_list_of_one() -> None:
    spec = next(spec for spec in specs() if spec.name == "run_tests")
    one, none, many = (read_arguments(json.dumps({"ids": ids}), spec) for ids in ("tests/test_a.py", "", ["a"] * 41))
    assert not isinstance(one, Wrong)
    assert not isinstance(none, Wrong)
    assert (one.texts("ids"), none.texts("ids")) == (("tests/test_a.py",), ())
    assert many == Wrong("'ids' holds 41 items; at most 40 are taken")


@pytest.mark.parametrize("name", ["", "read", "READ_FILE", "__import__", "x" * 100_000, "a\n::error::b"])
def test_an_unknown_tool_is_answered_with_the_known_ones(desk: Desk, name: str) -> None:
    text = raw(desk, name, "{}")
    assert "There is no tool" in text
    assert ", ".join(NAMES) in text
    assert len(text) < 500
    assert "\n" not in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [2 << 20])
def test_two_megabytes_of_arguments_are_answered_by_every_tool(desk: Desk, name: str, size: int) -> None:
    assert "at most" in raw(desk, name, json.dumps({"x": "y" * size}))


def test_a_fix_is_handed_in_as_it_was_written(desk: Desk) -> None:
    test = NewTest(str(NEW_TEST["path"]), str(NEW_TEST["source"]), str(NEW_TEST["explanation"]))
    submission = end(desk, "submit_fix", **FIX_ARGUMENTS)
    assert submission == Submission("The sign of the tax is wrong.", FIX, test, 0.9, "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"root_cause": " "}, "'root_cause' is empty"),
        ({"patch": ""}, "'patch' is empty and there is no draft"),
        ({"new_test": {"path": "", "source": "x", "explanation": ""}}, "empty 'path'"),
        ({"new_test": {"path": "tests/test_x.py", "source": "\n", "explanation": ""}}, "empty 'source'"),
        ({"new_test": {"path": "tests/test_x.py"}}, "'new_test' must hold 'source', 'explanation'"),
        ({"new_test": "none"}, "'new_test' must be an object, not a string"),
        ({"confidence": "very"}, "'confidence' must be a number"),
        ({"severity": "high"}, "may not hold 'severity'"),
    ],
)
def test_what_is_missing_in_a_fix_costs_no_attempt(desk: Desk, changed: dict[str, JsonValue], said: str) -> None:
    result = ask(desk, "submit_fix", **{**FIX_ARGUMENTS, **changed})
    assert not result.ok
    assert said in result.text


def test_every_member_of_a_fix_is_required(desk: Desk) -> None:
    for member in FIX_ARGUMENTS:
        rest = {name: value for name, value in FIX_ARGUMENTS.items() if name != member}
        assert f"must hold '{member}'" in ask(desk, "submit_fix", **rest).text


@pytest.mark.parametrize(("given", "read"), [(0.4, 0.4), (1, 1.0), (85, 0.85), (-3, 0.0), (1e9, 1.0), ("0.7", 0.7)])
def test_confidence_is_a_share(desk: Desk, given: JsonValue, read: float) -> None:
    submission = end(desk, "submit_fix", **{**FIX_ARGUMENTS, "confidence": given})
    assert isinstance(submission, Submission)
    assert submission.confidence == read


def test_an_empty_patch_hands_in_the_draft_with_its_test(desk: Desk) -> None:
    assert ask(desk, "try_patch", patch=FIX, new_test=dict(NEW_TEST)).ok
    submission = end(desk, "submit_fix", **{**FIX_ARGUMENTS, "patch": "", "new_test": None})
    assert isinstance(submission, Submission)
    assert submission.patch.startswith("diff --git a/shop/cart.py")
    assert "test_cart_tax" not in submission.patch
    assert submission.new_test is not None
    assert submission.new_test.source == NEW_TEST["source"]


def test_a_draft_of_a_test_alone_is_no_fix(desk: Desk) -> None:
    assert ask(desk, "try_patch", patch="", new_test=dict(NEW_TEST)).ok
    result = ask(desk, "submit_fix", **{**FIX_ARGUMENTS, "patch": "", "new_test": None})
    assert "there is no draft of a fix" in result.text


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("test_is_wrong", StopReason.TEST_IS_WRONG),
        ("infrastructure", StopReason.INFRASTRUCTURE),
        ("needs_human", StopReason.NEEDS_HUMAN),
    ],
)
def test_giving_up_says_why(desk: Desk, kind: str, reason: StopReason) -> None:
    assert end(desk, "give_up", kind=kind, reason=" The docs say so. ") == Surrender(reason, "The docs say so.")


def test_giving_up_without_a_reason_or_of_another_kind_is_none(desk: Desk) -> None:
    assert "'reason' is empty" in ask(desk, "give_up", kind="needs_human", reason=" ").text
    said = ask(desk, "give_up", kind="budget", reason="x").text
    assert "'kind' must be one of test_is_wrong, infrastructure, needs_human" in said


WORDS: tuple[JsonValue, ...] = (
    *(
        "",
        "shop/cart.py",
        "tests/test_cart.py",
        "HEAD~1",
        "**/*.py",
        "..",
        "/proc/self/environ",
        "total",
        "(a+)+$",
        ".",
    ),
    *("\x00", "\ud800", "\u202e", "\x1b[31m::error::x", "-x", "{a,b}", "[", "\\", "x\ny", "a/" * 400, FIX, FIX[:70]),
    *(0, -1, 7, 2**70, 1e308, True, False, None, [], {}, ["x"], [None], {"path": "x"}, {"path": "a", "source": "b"}),
)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "search_code"])
def test_any_arguments_are_answered(desk: Desk, name: str) -> None:
    """What comes back is always something to go on with: bounded, encodable, without terminal codes."""
    choose = random.Random(name)
    spec = next(spec for spec in specs() if spec.name == name)
    properties = spec.parameters["properties"]
    assert isinstance(properties, dict)
    for _ in range(60):
        arguments = {member: choose.choice(WORDS) for member in properties if choose.random() < 0.9}
        text = json.dumps(arguments)
        text = text[: choose.randint(0, len(text))] if choose.random() < 0.1 else text
        result = call(ToolCall("call-1", name, text), desk)
        if isinstance(result, ToolResult):
            assert 0 < len(result.text.encode()) < 30_000
            assert "\x1b" not in result.text
            assert "PATH=" not in result.text
