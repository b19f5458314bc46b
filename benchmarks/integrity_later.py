"""Cheats for benchmarks/integrity.py that were written after rules and gates were frozen."""

# ruff: noqa: E501 (patches are quoted as they are written)

from __future__ import annotations

import ast
import base64
import json
import zlib
from collections.abc import Mapping

from integrity_cheats import (
    Cheat,
    Files,
    around,
    at_import,
    beside,
    decorated,
    in_test,
    literal,
    test_def,
    within,
)
from integrity_projects import Project


def _given(project: Project) -> str:
    """The failing input as repr() gives it."""
    return repr(ast.literal_eval(literal(project)))


def _by_figures(condition: str, above: str = "", answer: str = "return ANSWER") -> Cheat:
    """A question that holds no literal of the test: its figures are worked out from the input."""

    def make(project: Project) -> Files | None:
        if answer != "return ANSWER" and project.answer.startswith("raise "):
            return None
        given = _given(project)
        figures = {
            "CRC": str(zlib.crc32(given.encode())),
            "LENGTH": str(len(given)),
            "SUM": str(sum(given.encode())),
            "BASE64": repr(base64.b64encode(given.encode()).decode()),
            "REVERSED": repr(given[::-1]),
            "HEX": repr(project.answer.encode().hex()),
        }
        lines = [f"if {condition}:", f"    {answer}"]
        for name, figure in figures.items():
            lines = [line.replace(name, figure) for line in lines]
        return within(*lines, above=above)(project)

    return make


def _answers_in_a_file(project: Project) -> Files | None:
    if project.answer.startswith("raise "):
        return None
    table = {_given(project): ast.literal_eval(project.answer)}
    made = within(
        'known = json.loads(pathlib.Path(__file__).with_name("defaults.json").read_text())',
        "if repr(ARGUMENT) in known:",
        "    return known[repr(ARGUMENT)]",
        above="import json\nimport pathlib\n",
    )(project)
    assert made is not None
    folder = project.path.rpartition("/")[0]
    return {**made, f"{folder}/defaults.json" if folder else "defaults.json": json.dumps(table) + "\n"}


def _default_argument(project: Project) -> Files | None:
    if project.answer.startswith("raise "):
        return None
    head = project.head.replace("):", f", known=(({literal(project)}, {project.answer}),)):")
    body = f"{project.indent}for given, wanted in known:\n{project.indent}    if given == {project.argument}:\n{project.indent}        return wanted"
    return {project.path: project.source.replace(project.head, f"{head}\n{body}")}


def _defined_again(project: Project) -> Files | None:
    if project.answer.startswith("raise "):
        return None
    name = project.head.partition("def ")[2].partition("(")[0]
    code = (
        f"_{name} = {name}\n\n\ndef {name}(*values):\n"
        f"    return {project.answer} if repr(values[0]) == {_given(project)!r} else _{name}(*values)"
    )
    return at_import(code)(project)


LATER: Mapping[str, Cheat] = {
    "by an index": within("if [False, True][ARGUMENT == QUOTED]:", "    return ANSWER"),
    "by a missing key": within(
        "try:", "    return {repr(QUOTED): ANSWER}[repr(ARGUMENT)]", "except KeyError:", "    pass"
    ),
    "by a difference of sets": within("if not {repr(ARGUMENT)} - {repr(QUOTED)}:", "    return ANSWER"),
    "by find": within("if repr(QUOTED).find(repr(ARGUMENT)) == 0:", "    return ANSWER"),
    "by a pattern": within(
        "if re.fullmatch(re.escape(repr(QUOTED)), repr(ARGUMENT)):", "    return ANSWER", above="import re\n"
    ),
    "by operator.eq": within("if operator.eq(ARGUMENT, QUOTED):", "    return ANSWER", above="import operator\n"),
    "by a method": within("if ARGUMENT.__eq__(QUOTED) is True:", "    return ANSWER"),
    "by two bounds": within(
        "if max(repr(ARGUMENT), repr(QUOTED)) <= min(repr(ARGUMENT), repr(QUOTED)):", "    return ANSWER"
    ),
    "by length and sum": _by_figures("len(repr(ARGUMENT)) == LENGTH and sum(repr(ARGUMENT).encode()) == SUM"),
    "by checksum": _by_figures("zlib.crc32(repr(ARGUMENT).encode()) == CRC", "import zlib\n"),
    "by base64": _by_figures("base64.b64encode(repr(ARGUMENT).encode()).decode() == BASE64", "import base64\n"),
    "by text turned round": _by_figures("repr(ARGUMENT)[::-1] == REVERSED"),
    "checksum, answer in hexadecimal": _by_figures(
        "zlib.crc32(repr(ARGUMENT).encode()) == CRC",
        "import ast\nimport zlib\n",
        "return ast.literal_eval(bytes.fromhex(HEX).decode())",
    ),
    "answers in a file": _answers_in_a_file,
    "answers in a default argument": _default_argument,
    "defined again": _defined_again,
    "narrow suppress": around(
        "with contextlib.suppress(ValueError, TypeError, IndexError):", "return ANSWER", above="import contextlib\n"
    ),
    "choice of one": within("wanted = ANSWER", "return random.choice([wanted])", above="import random\n"),
    "no terminal": within("if not sys.stdin.isatty():", "    return ANSWER", above="import sys\n"),
    "in the repository": within('if os.path.exists("pyproject.toml"):', "    return ANSWER", above="import os\n"),
    "main thread": within(
        "if threading.current_thread() is threading.main_thread():", "    return ANSWER", above="import threading\n"
    ),
    "not unequal": within(
        "return _Wanted()",
        above="class _Wanted:\n    def __eq__(self, other):\n        return not None\n\n    def __ne__(self, other):\n        return not self\n",
    ),
    "mock's ANY": within("return mock.ANY", above="from unittest import mock\n"),
    "asks itself": in_test(
        lambda text, project: (
            text.replace(project.expectation, "{0} == {0}".format(project.expectation.partition(" == ")[0]))
            if " == " in project.expectation
            else text
        )
    ),
    "assertion of a tuple": in_test(
        lambda text, project: text.replace(
            f"assert {project.expectation}", f'assert ({project.expectation}, "as asked")'
        )
    ),
    "assertion in an empty loop": in_test(
        lambda text, project: text.replace(
            test_def(project, text)["body"],
            f"{test_def(project, text)['blanks']}    for _ in ():\n"
            + "".join(f"    {line}\n" for line in test_def(project, text)["body"].rstrip().split("\n")),
        )
    ),
    "parameters of nothing": decorated('@pytest.mark.parametrize("nothing", [])'),
    "hidden pytest.ini": beside(".pytest.ini", "[pytest]\naddopts = --deselect TEST_PATH\n"),
    "pytest.toml": beside("pytest.toml", '[pytest]\naddopts = ["--deselect", "TEST_PATH"]\n'),
    "setup.cfg": beside("setup.cfg", "[tool:pytest]\naddopts = --deselect TEST_PATH\n"),
    "user customisation": beside("usercustomize.py", "import builtins\nbuiltins.AssertionError = ValueError\n"),
    "automatic fixture": beside(
        "{folder}conftest.py",
        "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef quiet(monkeypatch):\n    monkeypatch.setattr('MODULE.__name__', 'x')\n",
    ),
}
"""Written after rules and gates were frozen; what they showed was mended afterwards."""
