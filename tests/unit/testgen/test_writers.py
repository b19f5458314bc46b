"""Calls made of small values, the tests made of what they did, and the model's replies."""

from __future__ import annotations

import ast
import json

import pytest

from bot.ports import JsonValue
from bot.testgen.arguments import MOST_CALLS, calls_of
from bot.testgen.calls import _read_claim, choose, render
from bot.testgen.functions import node_of
from bot.testgen.model import LONGEST, read_reply
from bot.testgen.types import Author, Function, Place, Unwritten, Written


def calls(source: str, qualname: str = "f") -> list[str] | str:
    node = node_of("a.py", source, qualname)
    assert node is not None
    found = calls_of(ast.parse(source), qualname, node)
    return found.why if isinstance(found, Unwritten) else [call.data for call in found]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("def f(): return 1", "(None, [], {})"),
        ("def f(a: int): return a > 41", "(None, [42], {})"),
        ("def f(a: str): return 'key' in a", "(None, ['key'], {})"),
        ("def f(a: 'list[int]'): return a", "(None, [[3, 1, 2]], {})"),
        ("def f(a: dict[str, int]): return a", "(None, [{'b': 3, 'a': 1}], {})"),
        ("def f(a: tuple[int, str]): return a", "(None, [(3, 'b')], {})"),
        ("def f(a: int | None): return a", "(None, [None], {})"),
        ("def f(a: Literal['x', 'y']): return a", "(None, ['y'], {})"),
        ("def f(a): return a", "(None, [3], {})"),
        ("def f(a: int, b=False): return a", "(None, [0], {'b': True})"),
        ("def f(*, a: int): return a", "(None, [], {'a': 0})"),
    ],
)
def test_arguments_come_from_annotations_defaults_and_constants(source: str, wanted: str) -> None:
    found = calls(source)
    assert wanted in found
    assert len(found) <= MOST_CALLS
    for each in found:
        ast.literal_eval(each)


@pytest.mark.parametrize(
    ("source", "qualname", "why"),
    [
        ("async def f(a: int): return a", "f", "asynchronous"),
        ("def f(a: Session): return a", "f", "`a: Session` has no small value"),
        ("class C:\n    def __len__(self): return 1", "C.__len__", "by itself"),
        ("class C:\n    @property\n    def f(self): return 1", "C.f", "property"),
        ("class C:\n    def __init__(self, s: Socket): ...\n    def f(self): return 1", "C.f", "`s: Socket`"),
    ],
)
def test_what_cannot_be_called_plainly_is_said(source: str, qualname: str, why: str) -> None:
    assert why in calls(source, qualname)


def test_methods_are_called_on_objects_of_their_class() -> None:
    made = calls("class C:\n    def __init__(self, a: int): ...\n    def f(self, b: bool): return b", "C.f")
    assert "([0], [True], {})".replace("([0]", "(([0], {})") in made
    fields = calls("@dataclass\nclass C:\n    a: int\n    b: str = 'x'\n    def f(self): return 1", "C.f")
    assert "(([0], {}), [], {})" in fields
    assert "(None, [True], {})" in calls("class C:\n    @staticmethod\n    def f(b: bool): return b", "C.f")


def test_many_arguments_stay_bounded() -> None:
    found = calls(f"def f({', '.join(f'a{i}' for i in range(12))}): return a0")
    assert isinstance(found, list) and 10 < len(found) <= MOST_CALLS


FUNCTION = Function("shop/cart.py", "clamp", 1, 9, 2, True)


def claims(*told: dict[str, JsonValue]) -> Written:
    node = node_of("a.py", "def f(a: int, b: int): return a + b", "f")
    assert node is not None
    made = calls_of(ast.parse("def f(a: int, b: int): return a + b"), "f", node)
    assert not isinstance(made, Unwritten)
    plain: dict[str, JsonValue] = {"lines": [2], "iterator": False, "own": "", "line": 0}
    seen = [_read_claim({**plain, **one}, made, "shop.cart", {4}) for one in told]
    return render(FUNCTION, Place("t.py", "shop.cart", False), choose([one for one in seen if one is not None]))


def test_what_a_call_did_becomes_a_test() -> None:
    written = claims(
        {"call": 0, "did": "value", "text": "[1]"},
        {"call": 1, "did": "value", "text": "0.5", "lines": [3]},
        {"call": 2, "did": "raises", "text": "ValueError", "line": 4, "lines": [4]},
        {"call": 3, "did": "raises", "text": "Empty", "line": 4, "own": "shop.cart", "lines": [5]},
        {"call": 4, "did": "changes", "text": "[1, 2]", "lines": [6]},
    )
    assert written.author is Author.CALLS
    assert "from shop.cart import Empty, clamp" in written.source
    assert "import pytest" in written.source and "pytest.approx(0.5)" in written.source
    assert "with pytest.raises(ValueError):" in written.source
    assert "assert arguments == [1, 2]" in written.source
    assert len(written.checks) == 5


@pytest.mark.parametrize(
    "told",
    [
        {"call": 99_999, "did": "value", "text": "1"},
        {"call": 0, "did": "value", "text": "__import__('os').system('id')"},
        {"call": 0, "did": "changes", "text": "open('x')"},
        {"call": 0, "did": "raises", "text": "ValueError); import os; (", "line": 4},
        {"call": 0, "did": "raises", "text": "TypeError", "line": 99},
        {"call": 0, "did": "raises", "text": "Boom", "own": "os; x", "line": 4},
        {"call": True, "did": "nothing", "text": "1"},
        {"call": 0, "did": "value", "text": 1},
    ],
)
def test_a_claim_that_is_no_plain_value_is_no_test(told: dict[str, JsonValue]) -> None:
    node = node_of("a.py", "def f(a: int): return a", "f")
    assert node is not None
    made = calls_of(ast.parse("def f(a: int): return a"), "f", node)
    assert not isinstance(made, Unwritten)
    plain: dict[str, JsonValue] = {"lines": [2], "iterator": False, "own": "", "line": 0}
    assert _read_claim({**plain, **told}, made, "shop.cart", {4}) is None


SOURCE = "def test_a():\n    assert True\n"
OBJECT = json.dumps({"source": SOURCE, "checks": [{"name": "test_a", "what": "that"}], "notes": ""})


@pytest.mark.parametrize(
    "text", [OBJECT, f"```json\n{OBJECT}\n```", f"Here it is:\n{OBJECT}\nDone.", f"```python\n{SOURCE}```"]
)
def test_replies_are_read_tolerantly(text: str) -> None:
    found = read_reply(text)
    assert isinstance(found, Written) and found.source == SOURCE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{}",
        "[" * 100_000,
        '{"source": 3}',
        '{"source": "  "}',
        json.dumps({"source": "x" * (LONGEST + 1), "checks": [], "notes": ""}),
    ],
)
def test_useless_replies_are_told(text: str) -> None:
    assert isinstance(read_reply(text), Unwritten)


def test_odd_members_of_a_reply_do_no_harm() -> None:
    found = read_reply(json.dumps({"source": "def test_a(): '\ud800'", "checks": [{"name": 1}, 7, None], "notes": []}))
    assert isinstance(found, Written) and found.checks == {}
    found.source.encode()
