"""A telling call → the text of a small test, in the style of the tests beside it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template


@dataclass(frozen=True, slots=True)
class TellingCall:
    """A call that broken and fixed code answer differently, as source text.

    how: "function", "static", "class" or "method"; constructor: arguments of the class for a method, else None.
    values: the positional arguments one by one. kind: "value" (`expected` is the result; `iterator`: it came as one) or
    "changes" (`expected` is the list of positional arguments afterwards). before_kind, before_text: what the broken
    code did: "value", "changes" or "other", "raises" and the exception's name, "hangs".
    """

    module: str
    qualname: str
    how: str
    constructor: str | None
    arguments: str
    values: tuple[str, ...]
    kind: str
    expected: str
    iterator: bool
    before_kind: str
    before_text: str

    def is_sound(self) -> bool:
        """Names are names, values are literals: nothing that came from the box can be code of another kind."""
        names = [*self.module.split("."), *self.qualname.split(".")]
        calls = [f"f({self.arguments})", f"f({self.constructor or ''})"]
        return (
            all(name.isidentifier() for name in names)
            and self.how in ("function", "static", "class", "method")
            and self.kind in ("value", "changes")
            and all(is_literal(text) for text in (self.expected, *self.values))
            and all(_is_plain_call(text) for text in calls)
            and (self.before_kind != "raises" or self.before_text.isidentifier())
        )

    @property
    def before(self) -> str:
        """What the broken code did, as a phrase that follows "it": at most one line."""
        match self.before_kind:
            case "raises":
                return f"raised {self.before_text}"
            case "hangs":
                return "did not end"
            case "value" if len(self.before_text) <= 60 and is_literal(self.before_text):
                return f"gave {self.before_text}"
            case _:
                return "gave something else"

    @property
    def name(self) -> str:
        """The function's name as part of a test's name."""
        return re.sub(r"\W+", "_", self.qualname.rpartition(".")[2]).strip("_").lower()


def test_path(tree: Path, beside: str, call: TellingCall) -> str | None:
    """A free file name beside the failing test's file; None where a few guesses are taken."""
    folder = beside.rpartition("/")[0]
    for suffix in ("", "_2", "_3", "_4"):
        name = f"test_{call.name}_regression{suffix}.py"
        path = f"{folder}/{name}" if folder else name
        if not (tree / path).exists():
            return path
    return None


def render(call: TellingCall, unittest_style: bool) -> str:
    """The test file's text."""
    top = call.qualname.partition(".")[0]
    reached = call.qualname
    if call.how == "method":
        owner, _, method = call.qualname.rpartition(".")
        reached = f"{owner}({call.constructor or ''}).{method}"
    if call.kind == "changes":
        steps = [f"arguments = [{', '.join(call.values)}]", f"{reached}(*arguments)"]
        actual, expected = "arguments", call.expected
    else:
        steps = []
        actual = f"{reached}({call.arguments})"
        actual, expected = (f"list({actual})" if call.iterator else actual), call.expected
    close = _is_float(expected)
    style = _UNITTEST if unittest_style else _PYTEST
    indent = "        " if unittest_style else "    "
    hang = call.before_kind == "hangs" and not unittest_style
    imports = ["import pytest"] if not unittest_style and (close or hang) else []
    text = style.substitute(
        imports="".join(f"{line}\n\n" for line in imports),
        module=call.module,
        top=top,
        name=call.name,
        title="".join(part.capitalize() for part in call.name.split("_")),
        mark="@pytest.mark.timeout(10)\n" if hang else "",
        before=call.before[:1].upper() + call.before[1:],
        steps="".join(f"{indent}{step}\n" for step in steps),
        claim=claim(actual, expected, close, unittest_style),
    )
    ast.parse(text)
    return text


_PYTEST = Template('''\
${imports}from ${module} import ${top}


${mark}def test_${name}_regression():
    """${before} before the fix."""
${steps}    ${claim}
''')

_UNITTEST = Template('''\
import unittest

from ${module} import ${top}


class Test${title}Regression(unittest.TestCase):
    def test_${name}_regression(self):
        """${before} before the fix."""
${steps}        ${claim}
''')


def claim(actual: str, expected: str, close: bool, unittest_style: bool) -> str:
    """The assertion that `actual` gives `expected`, both as source text; close: but for rounding."""
    if unittest_style:
        return f"self.{'assertAlmostEqual' if close else 'assertEqual'}({actual}, {expected})"
    if expected in ("True", "False", "None"):
        return f"assert {actual} is {expected}"
    return f"assert {actual} == {f'pytest.approx({expected})' if close else expected}"


def is_literal(text: str) -> bool:
    """Whether the text is a plain value and nothing that runs."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True


def _is_float(text: str) -> bool:
    return isinstance(ast.literal_eval(text), float)


def _is_plain_call(text: str) -> bool:
    """`f(…)` with literal arguments and nothing else."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        return False
    values = [*tree.args, *(keyword.value for keyword in tree.keywords)]
    return all(is_literal(ast.unparse(value)) for value in values)
