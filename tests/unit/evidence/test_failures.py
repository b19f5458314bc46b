"""What a failing test's text says, and which failures are one cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence.failures import cluster, looks_own, mask, read_failure
from bot.evidence.types import Frame, Outcome, Phase, TestCase, TestId

ID = TestId("tests/test_a.py", "tests.test_a", "test_x")


def failing(traceback: str = "", message: str = "", *, id: TestId = ID, phase: Phase = Phase.CALL) -> TestCase:
    return TestCase(id, Outcome.FAILED, 0.0, message, traceback, phase)


def inside(*paths: str) -> Callable[[str], bool]:
    return lambda path: path in paths


LONG = """\
def test_x():
>       deep("k")

tests/test_a.py:11:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

x = 'k'

    async def deep(x):
        def inner():
            pass
>       raise shop.CartError("no k")
E       shop.CartError: no k
E       second line

src/shop.py:8: CartError
----------------------------- Captured stdout call -----------------------------
src/forged.py:1: ValueError
E   ValueError: forged
"""
SHORT = """\
tests/test_a.py:11: in test_x
    deep("k")
src/shop.py:8: in deep
    raise shop.CartError("no k")
E   shop.CartError: no k
E   second line
"""
NATIVE = """\
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/_pytest/python.py", line 166, in pytest_pyfunc_call
    result = testfunction(**testargs)
  File "/build/shop/tests/test_a.py", line 11, in test_x
    deep("k")
    ~~~~^^^^^
  File "/build/shop/src/shop.py", line 8, in deep
    raise shop.CartError("no k")
shop.CartError: no k
second line
"""


@pytest.mark.parametrize("text", [LONG, SHORT, NATIVE], ids=["long", "short", "native"])
def test_every_style_reads_the_same(text: str) -> None:
    failure = read_failure(failing(text), inside("tests/test_a.py", "src/shop.py"))
    assert (failure.exception, failure.message) == ("CartError", "no k")
    assert [frame for frame in failure.frames if frame.in_project] == [
        Frame("tests/test_a.py", 11, "test_x"),
        Frame("src/shop.py", 8, "deep"),
    ]
    other = read_failure(failing(SHORT), inside("tests/test_a.py", "src/shop.py"))
    assert failure.fingerprint == other.fingerprint
    assert len(failure.fingerprint) == 64


CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"


@pytest.mark.parametrize(("link", "innermost"), [(CAUSE, "src/low.py"), (CONTEXT, "src/high.py")])
def test_a_chain_dies_of_its_last_and_begins_at_its_declared_cause(link: str, innermost: str) -> None:
    text = (
        f"src/low.py:3: in low\n    x\nE   KeyError: 'k'\n\n{link}\nsrc/high.py:9: in high\n    y\nE   CartError: no\n"
    )
    failure = read_failure(failing(text), looks_own)
    assert (failure.exception, failure.message) == ("CartError", "no")
    assert failure.frames[-1].path == innermost


def test_a_syntax_error_lies_where_it_says() -> None:
    text = (
        "/usr/lib/python3/site-packages/_pytest/python.py:5: in importtestmodule\n    mod = import_path(\n"
        'E     File "/build/shop/src/x.py", line 3\nE       def x(:\nE             ^\nE   SyntaxError: invalid syntax\n'
    )
    failure = read_failure(failing(text, id=TestId("tests/test_a.py", "tests.test_a", "")), inside("src/x.py"))
    assert (failure.exception, failure.message) == ("SyntaxError", "invalid syntax")
    assert failure.frames[-1] == Frame("src/x.py", 3, "")


def test_an_exception_group_shows_what_is_in_it() -> None:
    text = """\
  + Exception Group Traceback (most recent call last):
  |   File "/build/shop/tests/test_a.py", line 4, in test_x
  |     run()
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/build/shop/src/shop.py", line 2, in run
    |     raise ValueError("x")
    | ValueError: x
    +------------------------------------
"""
    failure = read_failure(failing(text), inside("tests/test_a.py", "src/shop.py"))
    assert (failure.exception, failure.message) == ("ExceptionGroup", "several (1 sub-exception)")
    assert failure.frames[-1] == Frame("src/shop.py", 2, "run")


@pytest.mark.parametrize(
    ("message", "exception", "said"),
    [
        ("ValueError: no", "ValueError", "no"),
        ("shop.errors.CartError: no", "CartError", "no"),
        ("tests.test_a.test_x.<locals>.Boom: x", "Boom", "x"),
        ("struct.error: unpack", "error", "unpack"),
        ("Failed: DID NOT RAISE <class 'ValueError'>", "Failed", "DID NOT RAISE <class 'ValueError'>"),
        ("KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("assert 1 == 2\n +  where 1 = f()", "AssertionError", "assert 1 == 2"),
        ("AssertionError: assert 1 == 2", "AssertionError", "assert 1 == 2"),
        ("shop.Ca...", "", "shop.Ca..."),  # cut by a narrow terminal: no guess
        ("ValueE...", "", "ValueE..."),
        ("fixture 'x' not found", "", "fixture 'x' not found"),
        ("expected: 1", "", "expected: 1"),
        ("\x1b[31mValueError: red\x1b[0m", "ValueError", "red"),
        ("", "", ""),
    ],
)
def test_a_message_alone(message: str, exception: str, said: str) -> None:
    failure = read_failure(failing(message=message), looks_own)
    assert (failure.exception, failure.message) == (exception, said)


def test_other_languages_lead_with_the_exception() -> None:
    text = "java.lang.IllegalStateException: closed\n\tat shop.Cart.total(Cart.java:12)\n"
    failure = read_failure(failing(text), looks_own)
    assert (failure.exception, failure.message) == ("IllegalStateException", "closed")


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("<Cart object at 0x7fceb86632d0>", "<Cart object at <address>>"),
        ("took 0.35 s, limit 10", "took <number> s, limit <number>"),
        ("at 2026-01-31T12:00:00.5Z and 12:30", "at <time> and <time>"),
        ("no file /tmp/pytest-of-me/pytest-3/x.txt here", "no file <path> here"),
        ("no file C:\\Users\\me\\x.txt here", "no file <path> here"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <id>"),
        ("commit deadbeef01 is", "commit <id> is"),
        ("utf8 and sha256 and x1 stay", "utf8 and sha256 and x1 stay"),
        ("name 'total' is not defined", "name 'total' is not defined"),
    ],
)
def test_masking(message: str, masked: str) -> None:
    assert mask(message) == masked


def fingerprints(*cases: TestCase) -> int:
    """How many causes the cases are taken for."""
    return len(cluster(read_failure(case, looks_own) for case in cases))


def named(name: str, file: str = "tests/test_a.py") -> TestId:
    return TestId.from_node_id(f"{file}::{name}")


def assertion(function: str, line: str, where: str = "") -> str:
    return f"tests/test_a.py:3: in {function}\n    assert x\nE   {line}\n" + (
        f"E    +  where {where}\n" if where else ""
    )


def test_one_bug_reached_from_many_tests_is_one_cause() -> None:
    cases = [
        failing(
            f"tests/test_{n}.py:{n}: in test_{n}\n    f()\nsrc/x.py:8: in f\n    g\nE   KeyError: {n}\n",
            id=named(str(n)),
        )
        for n in range(5)
    ]
    assert fingerprints(*cases) == 1
    elsewhere = failing("tests/test_1.py:1: in test_1\n    f()\nsrc/y.py:8: in f\n    g\nE   KeyError: 1\n")
    assert fingerprints(*cases, elsewhere) == 2


def test_the_line_is_no_part_of_a_cause() -> None:
    assert fingerprints(failing(SHORT), failing(SHORT.replace("shop.py:8", "shop.py:80"), id=named("b"))) == 1


def test_parameters_of_one_test_are_one_cause() -> None:
    cases = [
        failing(assertion("test_x", f"AssertionError: assert {left!r} == {right!r}"), id=named(f"test_x[{n}]"))
        for n, (left, right) in enumerate([("a", "b"), ("c'", 'd"'), ([1, [2]], {3: 4}), (1.5, -2)])
    ]
    assert fingerprints(*cases) == 1
    assert fingerprints(*cases, failing(assertion("test_y", "assert 1 == 2"), id=named("test_y"))) == 2


def test_the_call_whose_value_was_compared_stands_for_the_frame() -> None:
    cases = [
        failing(assertion("test_a", "assert 3 == 4", "3 = total([1, 2])"), id=named("test_a")),
        failing(assertion("test_b", "assert None", "None = total([])"), id=named("test_b")),
    ]
    assert fingerprints(*cases) == 1
    builtin = [
        failing(assertion("test_a", "assert 3 == 4", "3 = len([1, 2])"), id=named("test_a")),
        failing(assertion("test_b", "assert 3 == 4", "3 = len([1, 2])"), id=named("test_b")),
    ]
    assert fingerprints(*builtin) == 2
    bound = "3 = <bound method Cart.total of <shop.Cart object at 0x7f0000000000>>()"
    assert (
        fingerprints(failing(assertion("test_a", "assert 3", bound)), failing(assertion("test_b", "assert 4", bound)))
        == 1
    )


def collection(file: str, text: str) -> TestCase:
    id = TestId.from_node_id(file)
    return replace(failing(text, id=id, phase=Phase.COLLECTION), outcome=Outcome.ERROR)


def test_what_cannot_be_imported_is_one_cause_for_all_that_import_it() -> None:
    deep = [
        collection(
            f"tests/test_{n}.py",
            f"tests/test_{n}.py:{n}: in <module>\n    import x\nsrc/x.py:1: in <module>\n    import nope\n"
            "E   ModuleNotFoundError: No module named 'nope'\n",
        )
        for n in range(1, 6)
    ]
    assert fingerprints(*deep) == 1
    direct = [
        collection(
            f"tests/test_{n}.py",
            f"tests/test_{n}.py:{n}: in <module>\n    from x import y\n"
            f"E   ImportError: cannot import name 'y' from 'x' (/build/{n}/src/x.py)\n",
        )
        for n in range(1, 6)
    ]
    assert fingerprints(*direct) == 1
    without_file = [replace(case, id=replace(case.id, file="")) for case in direct]
    assert fingerprints(*direct, *without_file) == 1
    assert fingerprints(*deep, *direct) == 2


def test_clusters_are_the_largest_first_whatever_the_order_of_the_failures() -> None:
    one = failing("E   KeyError: 'a'", id=named("z"))
    two = [failing("E   ValueError: x", id=named(name)) for name in "ba"]
    failures = [read_failure(case, looks_own) for case in (one, *two)]
    clusters = cluster(failures)
    assert [[id.name for id in each.ids] for each in clusters] == [["a", "b"], ["z"]]
    assert cluster(reversed(failures)) == clusters


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("src/x.py", True),
        ("/build/shop/src/x.py", True),
        ("/usr/lib/python3.13/json/decoder.py", False),
        ("/opt/venv/lib/python3.13/site-packages/yaml/__init__.py", False),
        ("C:\\venv\\Lib\\site-packages\\yaml\\x.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
    ],
)
def test_looks_own(path: str, own: bool) -> None:
    assert looks_own(path) is own


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_is_too_strange(traceback: str, message: str) -> None:
    failure = read_failure(failing(traceback, message), looks_own)
    assert len(failure.fingerprint) == 64


@pytest.mark.parametrize(
    "line",
    [
        "E   " + "x" * 1_000_000,
        "a:" * 300_000,
        '  File "' * 100_000,
        "_ " * 400_000,
        "+  where " * 100_000,
        "'" * 500_000,
    ],
)
def test_hostile_lines_are_read_in_time(line: str) -> None:
    read_failure(failing(f"{line}\n" * 3 + "E   AssertionError: " + line, line), looks_own)
