"""Which edits can be swapped into a running process, and that the swap does what the edited file would do."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bot.propose.search.in_box.literal import literal, smaller
from bot.propose.search.in_box.swap import Live, Module

SOURCE = '''\
from __future__ import annotations
import functools

LIMIT = 3


def plain(n: Unknown, most=LIMIT):
    """Größe."""
    if n < most:
        return n
    def inner():
        return n - 1
    return inner()


@functools.lru_cache(maxsize=None)
def cached(n):
    return n + 1


class Box:
    size = 2

    def __init__(self, n):
        self.n = n

    def grow(self):
        return self.n + self.size

    @staticmethod
    def still(n):
        return n * 2

    @property
    def half(self):
        return self.n / 2

    def __hidden(self):
        return super().__repr__()


def later(n):
    for k in range(n):
        yield k


one = lambda n: n + 1; two = 2
'''


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[ModuleType, Module, Live]]:
    path = tmp_path / "subject_of_swap.py"
    path.write_text(SOURCE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("subject_of_swap", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["subject_of_swap"] = module
    spec.loader.exec_module(module)
    yield module, Module(str(path)), Live({str(path)}, set())
    del sys.modules["subject_of_swap"]


def edit(old: str, new: str) -> tuple[tuple[int, int, str], ...]:
    start = SOURCE.index(old)
    assert SOURCE.count(old) == 1
    return ((start, start + len(old), new),)


@pytest.mark.parametrize(
    ("old", "new", "ask", "before", "after"),
    [
        ("n < most", "n <= most", lambda m: m.plain(3), 2, 3),
        ("n - 1", "n - 2", lambda m: m.plain(5), 4, 3),
        ("if n < most:\n        return n\n    ", "", lambda m: m.plain(1), 1, 0),
        ("return n + 1", "n += 9\n    return n + 1", lambda m: m.cached(4), 5, 14),
        ("self.n + self.size", "self.n - self.size", lambda m: m.Box(5).grow(), 7, 3),
        ("n * 2", "n * 3", lambda m: m.Box.still(4), 8, 12),
        ("self.n / 2", "self.n // 2", lambda m: m.Box(5).half, 2.5, 2),
        ("super().__repr__()", "super().__str__()[:0]", lambda m: m.Box(1)._Box__hidden()[:4], "<sub", ""),
        ("range(n)", "range(n + 1)", lambda m: list(m.later(2)), [0, 1], [0, 1, 2]),
    ],
)
def test_swap(
    live: tuple[ModuleType, Module, Live], old: str, new: str, ask: object, before: object, after: object
) -> None:
    module, base, functions = live
    assert callable(ask)
    swaps = base.change(edit(old, new))
    assert swaps is not None and functions.can_swap(swaps)
    if old != "return n + 1":  # the cache would keep the answer
        assert ask(module) == before
    functions.swap(swaps)
    assert ask(module) == after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("most=LIMIT", "most=4"),
        ("size = 2", "size = 3"),
        ("maxsize=None", "maxsize=1"),
        ("@staticmethod", "@classmethod"),
        ("def later(n)", "def sooner(n)"),
        ("lambda n: n + 1", "lambda n: n + 2"),
        ("two = 2", "two = 3"),
        ("import functools\n", "import functools\nimport os\n"),
        ("LIMIT = 3\n", "LIMIT = 3\nMORE = 4\n"),
    ],
)
def test_needs_a_fresh_import(live: tuple[ModuleType, Module, Live], old: str, new: str) -> None:
    assert live[1].change(edit(old, new)) is None


def test_other_free_names_need_a_fresh_import(live: tuple[ModuleType, Module, Live]) -> None:
    _, base, functions = live
    swaps = base.change(edit("super().__repr__()", "repr(1)"))
    assert swaps is not None and not functions.can_swap(swaps)


def test_what_ran_during_import_needs_a_fresh_import(live: tuple[ModuleType, Module, Live]) -> None:
    module, base, _ = live
    swaps = base.change(edit("n < most", "n > most"))
    assert swaps is not None
    assert not Live({base.path}, {module.plain.__code__}).can_swap(swaps)


def test_what_does_not_compile(live: tuple[ModuleType, Module, Live]) -> None:
    with pytest.raises(SyntaxError):
        live[1].change(edit("n < most", "n < "))


@pytest.mark.parametrize("text", ["x = 1\r\ndef f():\r\n    return x\r\n", "x = 1\rdef f():\r    return x\r"])
def test_line_ends(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ends.py"
    path.write_bytes(text.encode())
    start = text.index("return x")
    swaps = Module(str(path)).change(((start, start + 8, "return 2"),))
    if "\n" in text:
        assert swaps is not None and swaps[0].key == (str(path), "f", 2)
    else:
        assert swaps is None


@pytest.mark.parametrize(
    "value",
    [0, -3, True, None, 2.5, "it's", b"\0", [], (1,), (), {"a": [1, {2}]}, {3, 1, 2}, [[], [(1, 2)]], "\x1b[31m"],
)
def test_literals_come_back(value: object) -> None:
    text = literal(value)
    assert text is not None
    back = eval(text, {})
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), set(), [print], "x" * 9000, frozenset(), 1j])
def test_no_literal(value: object) -> None:
    assert literal(value) is None


@pytest.mark.parametrize("value", [7, -7, 2.5, [3, [1, 2]], "word", {"a": 5, "b": 6}, {1, 2}, (4,), [[[]]]])
def test_smaller_values_end(value: object) -> None:
    def size(one: object) -> float:
        if isinstance(one, dict):
            return 1 + sum(1 + size(each) for each in one.values())
        if isinstance(one, list | tuple | set):
            return 1 + sum(1 + size(each) for each in one)
        return abs(one) if isinstance(one, int | float) else len(str(one))

    steps = list(smaller(value))
    assert steps
    assert all(type(one) is type(value) and size(one) < size(value) for one in steps)
