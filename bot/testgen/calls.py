"""Tests without a model: call the function with small values in the sandbox, and write down what it does today.

Such tests characterise: they notice when behaviour changes, and cannot know whether it was right.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.ports import Bench, JsonValue
from bot.propose.search.regression_test import claim, is_literal
from bot.propose.search.source import FunctionNode, parse_module
from bot.propose.search.validate import Plan, Validator
from bot.testgen.arguments import Call, calls_of
from bot.testgen.functions import node_of
from bot.testgen.types import Author, Function, Place, Unwritten, Written
from bot.toolchains.types import Runtime, Toolchain

SECONDS = 60.0
MOST_TESTS = 16
"""Written for one function, before those that notice nothing new are dropped."""
MOST_OF_A_PATH = 4
"""Of these with the same lines executed."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A call with what it did: kind "value", "changes" or "raises"; `lines` of the function that it ran."""

    call: Call
    kind: str
    text: str
    iterator: bool
    own: str
    lines: tuple[int, ...]


class CallWriter:
    """Implements Writer. `read`: text of a file of the checkout."""

    def __init__(self, toolchain: Toolchain, runtime: Runtime, read: Callable[[str], str | None]) -> None:
        self._toolchain = toolchain
        self._runtime = runtime
        self._read = read

    def write(self, function: Function, place: Place, bench: Bench) -> Written | Unwritten:
        text = self._read(function.path)
        module = None if text is None else parse_module(text.removeprefix("\ufeff"))
        node = node_of(function.path, text, function.qualname)
        if module is None or node is None:
            return Unwritten("its file cannot be read as Python")
        calls = calls_of(module, function.qualname, node)
        if isinstance(calls, Unwritten):
            return calls
        seen = self._try(function, place, calls, node, bench)
        if isinstance(seen, Unwritten):
            return seen
        chosen = choose(seen)
        if not chosen:
            return Unwritten(f"none of {len(calls)} calls with small values gave a result that can be written down")
        return render(function, place, chosen)

    def _try(
        self, function: Function, place: Place, calls: Sequence[Call], node: FunctionNode, bench: Bench
    ) -> list[_Seen] | Unwritten:
        extra: dict[str, JsonValue] = {
            "module": place.module,
            "qualname": function.qualname,
            "calls": [call.data for call in calls],
        }
        raises = {line for one in ast.walk(node) if isinstance(one, ast.Raise) for line in _lines(one)}
        seen: list[_Seen] = []
        why = ""
        with Validator(self._toolchain, self._runtime, bench, 1) as worker:
            seconds = max(1.0, min(SECONDS, bench.seconds_left()))
            for told in worker.run("characterise", Plan((), 0, (), 10.0), (), seconds, extra):
                if told["kind"] == "unreached":
                    why = str(told.get("why"))[:300]
                found = _read_claim(told, calls, place.module, raises) if told["kind"] == "called" else None
                if found is not None:
                    seen.append(found)
            why = why or worker.fault
        return Unwritten(why) if why and not seen else seen


def choose(seen: Sequence[_Seen]) -> list[_Seen]:
    """The plainest call of every path through the function, further ones with another result, then any, evenly spread:
    where two results are all there are (true and false), only more calls come near the boundary between them."""
    groups: dict[tuple[tuple[int, ...], str], list[_Seen]] = {}
    for one in seen:
        group = groups.setdefault((one.lines, one.kind if one.kind != "raises" else one.text), [])
        if len(group) < MOST_OF_A_PATH and all(other.text != one.text for other in group):
            group.append(one)
    ranked = [group[rank] for rank in range(MOST_OF_A_PATH) for group in groups.values() if rank < len(group)]
    others = [one for one in seen if one not in ranked]
    left = max(0, MOST_TESTS - len(ranked))
    return [*ranked, *others[:: max(1, len(others) // max(1, left))][:left]][:MOST_TESTS]


def render(function: Function, place: Place, chosen: Sequence[_Seen]) -> Written:
    """The test file."""
    unittest_style = place.unittest_style
    indent = "        " if unittest_style else "    "
    names: dict[str, None] = {}
    tests, checks, imported = [], {}, {function.qualname.partition(".")[0]}
    needs_pytest = False
    for one in chosen:
        reached = function.qualname
        if one.call.constructor is not None:
            owner, _, method = function.qualname.rpartition(".")
            reached = f"{owner}({', '.join(one.call.constructor)}).{method}"
        call = f"{reached}({one.call.arguments})"
        if one.kind == "raises":
            if one.own:
                imported.add(one.text.partition(".")[0])
            raises = "self.assertRaises" if unittest_style else "pytest.raises"
            needs_pytest = needs_pytest or not unittest_style
            run = f"list({call})" if one.iterator else call
            body = [f"with {raises}({one.text}):", f"    {run}"]
            says = f"{call} raises {one.text}"
        elif one.kind == "changes":
            body = [f"arguments = [{', '.join(one.call.positional)}]"]
            passed = ", ".join(["*arguments", *(f"{name}={value}" for name, value in one.call.keywords)])
            body += [f"{reached}({passed})", claim("arguments", one.text, False, unittest_style)]
            says = f"{call} leaves its arguments as {one.text}"
        else:
            close = isinstance(ast.literal_eval(one.text), float)
            needs_pytest = needs_pytest or (close and not unittest_style)
            actual = f"list({call})" if one.iterator else call
            body = [claim(actual, one.text, close, unittest_style)]
            says = f"{actual} is {one.text}"
        name = _name(function, one.call, names)
        head = f"def {name}(self):" if unittest_style else f"def {name}():"
        tests.append("\n".join([f"{indent[4:]}{head}", *(f"{indent}{line}" for line in body)]))
        checks[f"{_class(function)}::{name}" if unittest_style else name] = says[:300]
    runner = ["import unittest"] if unittest_style else ["import pytest"] if needs_pytest else []
    imports = "\n\n".join([*runner, f"from {place.module} import {', '.join(sorted(imported))}"])
    title = f'"""What {function.qualname} does today, not what it should do: to notice when that changes."""'
    heading = f"class {_class(function)}(unittest.TestCase):\n" if unittest_style else ""
    source = f"{title}\n\n{imports}\n\n\n{heading}" + ("\n\n" if unittest_style else "\n\n\n").join(tests) + "\n"
    ast.parse(source)
    return Written(source, Author.CALLS, checks)


def _class(function: Function) -> str:
    words = re.split(r"[^a-zA-Z0-9]+", function.qualname.replace(".", "_"))
    return "Test" + "".join(word[:1].upper() + word[1:] for word in words if word)


def _name(function: Function, call: Call, taken: dict[str, None]) -> str:
    """`test_clamp_of_5_0_3`, unique in the file."""
    given = ", ".join([*(call.constructor or ()), call.arguments])
    words = re.sub(r"_+", "_", re.sub(r"\W+", "_", given.replace("-", "minus_"), flags=re.ASCII)).strip("_").lower()
    stem = f"test_{function.name.strip('_').lower()}" + (f"_of_{words[:40].strip('_')}" if words else "")
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken[name] = None
    return name


def _lines(node: ast.Raise) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _read_claim(told: dict[str, JsonValue], calls: Sequence[Call], module: str, raises: set[int]) -> _Seen | None:
    """The worker's word, believed as far as its form goes: values are literals, exceptions are names.

    An exception counts where the function itself raises it: any other says that the call was none that people make.
    """
    match told:
        case {
            "call": int() as index,
            "lines": [*lines],
            "did": ("value" | "changes" | "raises") as kind,
            "text": str() as text,
            "iterator": bool() as iterator,
            "own": str() as own,
            "line": int() as line,
        } if 0 <= index < len(calls):
            ran = tuple(sorted({number for number in lines if isinstance(number, int)}))
            sound = all(part.isidentifier() for part in text.split(".")) if kind == "raises" else is_literal(text)
            if not sound or (kind == "raises" and (line not in raises or own not in ("", module))):
                return None
            return _Seen(calls[index], str(kind), text, iterator, own, ran)
    return None
