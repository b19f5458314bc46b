"""What a polluting test may gain: what puts its changes back. All else is another test."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from bot.vet.cleanup import only_puts_back
from bot.vet.syntax import Function, function_of

ASSERTION = "assert rates.rate('USD') == limit"
BODY = f"limit = 2.0\nrates.load({{'USD': 2.0}})\n{ASSERTION}\n"
TRY = f"try:\n{indent(BODY, '    ')}finally:\n"


def function(body: str, head: str = "def test_loaded(given):") -> Function:
    found = function_of(ast.parse(f"{head}\n{indent(body, '    ')}"), "test_loaded")
    assert found is not None
    return found


BEFORE = function(BODY)
COPY = "monkeypatch.setattr(rates, '_rates', dict(rates._rates))\n"
HEAD = "def test_loaded(given, monkeypatch):"


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (COPY + BODY, HEAD),
        (COPY + BODY, "def test_loaded(monkeypatch, given):"),
        (COPY.replace("dict(rates._rates)", "rates._rates.copy()") + BODY, HEAD),
        (COPY.replace("dict(", "copy.deepcopy(") + BODY, HEAD),
        (COPY.replace("dict(rates._rates)", "rates._rates") + BODY, HEAD),
        (f"saved = dict(rates._rates)\n{TRY}    rates._rates = saved\n", ""),
        (f"saved = dict(rates._rates)\n{TRY}    rates._rates.clear()\n    rates._rates.update(saved)\n", ""),
        (f"saved = list(rates._rates)\n{TRY}    rates._rates[:] = saved\n", ""),
        (f"there = os.getcwd()\n{TRY}    os.chdir(there)\n", ""),
        (f"{TRY}    rates.reset()\n", ""),
    ],
)
def test_puts_back(body: str, head: str) -> None:
    assert only_puts_back(BEFORE, function(body, head) if head else function(body))


SAVED = f"saved = dict(rates._rates)\n{TRY}"
OTHERWISE = {
    "assertion gone": (COPY + BODY.replace(ASSERTION, "pass"), HEAD),
    "assertion looser": (COPY + BODY.replace("== limit", ">= limit"), HEAD),
    "assertion of something else": (COPY + BODY.replace("'USD')", "'EUR')"), HEAD),
    "pollution gone": (COPY + BODY.replace("rates.load({'USD': 2.0})\n", ""), HEAD),
    "all but the copy gone": (COPY, HEAD),
    "expected value saved over": (f"limit = rates.limit\n{TRY}    rates.limit = limit\n", ""),
    "expected value saved inside": (
        f"try:\n    limit = 2.0\n    rates.load({{'USD': 2.0}})\n    limit = rates.limit\n    try:\n        {ASSERTION}\n"
        "    finally:\n        rates.limit = limit\nfinally:\n    rates.reset()\n",
        "",
    ),
    "fixture saved over": (f"given = rates.given\n{TRY}    rates.given = given\n", ""),
    "module saved over": (f"rates = rates.other\n{TRY}    rates.other = rates\n", ""),
    "something else lent": (COPY.replace("dict(rates._rates)", "{'USD': 2.0}") + BODY, HEAD),
    "another state lent": (COPY.replace("dict(rates._rates)", "dict(rates._others)") + BODY, HEAD),
    "a copy by a function of one's own": (COPY.replace("dict(", "rates.dict(") + BODY, HEAD),
    "a call in what is copied": (
        "monkeypatch.setattr(rates._rates, 'clear', dict(rates._rates.clear()))\n" + BODY, HEAD
    ),
    "a call in what is patched": ("monkeypatch.setattr(rates(), 'x', dict(rates.x))\n" + BODY, HEAD),
    "stub": ("monkeypatch.setattr(rates, 'rate', lambda _: 2.0)\n" + BODY, HEAD),
    "another fixture": (BODY, "def test_loaded(given, reset):"),
    "another fixture beside it": (COPY + BODY, "def test_loaded(given, monkeypatch, reset):"),
    "a fixture by position": (COPY + BODY, "def test_loaded(reset, /, given, monkeypatch):"),
    "a fixture less": (COPY + BODY, "def test_loaded(monkeypatch):"),
    "fixture with a default": (COPY + BODY, "def test_loaded(given, monkeypatch=None):"),
    "skip marker": (COPY + BODY, f"@pytest.mark.skip\n{HEAD}"),
    "another kind of function": (COPY + BODY, f"async {HEAD}"),
    "swallowed": (f"try:\n{indent(BODY, '    ')}except AssertionError:\n    pass\n", ""),
    "swallowed beside the cleanup": (f"{TRY.replace('finally', 'except Exception')}    pass\nfinally:\n    rates.reset()\n", ""),
    "returns at last": (f"{SAVED}    return\n", ""),
    "leaves a loop at last": (f"for _ in 'x':\n{indent(SAVED, '    ')}        break\n", ""),
    "skips at last": (f"{SAVED}    pytest.skip('x')\n", ""),
    "exits pytest at last": (f"{SAVED}    pytest.exit('x')\n", ""),
    "ends the process at last": (f"{SAVED}    os._exit(0)\n", ""),
    "sleeps at last": (f"{SAVED}    time.sleep(1)\n", ""),
    "sets what the victim wants": (f"{SAVED}    rates._rates = {{'GBP': 0.85}}\n", ""),
    "adds what the victim wants": (f"{SAVED}    rates._rates.update({{'GBP': 0.85}})\n", ""),
    "loads what the victim wants": (f"{SAVED}    rates.load(saved)\n", ""),
    "writes back what was not saved": (f"{SAVED}    rates._rates = other\n", ""),
    "binds a name of all": (f"{SAVED}    rates = saved\n", ""),
    "else": (f"{TRY.replace('finally', 'except ValueError')}    raise\nelse:\n    pass\n", ""),
    "return before it": (f"return\n{BODY}", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_is_another_test(name: str) -> None:
    body, head = OTHERWISE[name]
    assert not only_puts_back(BEFORE, function(body, head) if head else function(body))


def test_its_own_cleanup_stays() -> None:
    before = function(f"{TRY}    rates.reset()\n")
    assert not only_puts_back(before, BEFORE)
