"""What the templates write: text in, text out. Whether it repairs is for the runs; that it is right Python is not."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from textwrap import dedent

import pytest

from bot.evidence.types import TestId
from bot.flaky.mend import edges, in_order
from bot.flaky.mend.imports import imported
from bot.flaky.mend.put_back import put_back
from bot.flaky.mend.set_up import set_up
from bot.flaky.mend.shared_state import shared_states
from bot.propose.search.source import parse
from bot.propose.search.types import Candidate, Source
from bot.vet.cleanup import only_puts_back, only_sets_up
from bot.vet.syntax import function_of

ALL = frozenset(range(1, 200))


def source(text: str, path: str = "product.py") -> Source:
    found = parse(path, dedent(text))
    assert found is not None
    return found


def written(candidates: Iterable[Candidate], text: str) -> list[str]:
    made = [candidate.apply(dedent(text)) for candidate in candidates]
    for each in made:
        ast.parse(each)
    return made


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("def f(s):\n    return ' '.join(s)\n", "' '.join(sorted(s))"),
        ("def f(s):\n    return ' '.join(str(x) for x in s)\n", "for x in sorted(s))"),
        ("def f(s):\n    for a, b in s - {1}:\n        return a\n", "in sorted(s - {1}):"),
        ("def f(s):\n    return max(s, key=len)\n", "max(sorted(s), key=len)"),
        ("def f(s):\n    return next(iter(s))\n", "next(iter(sorted(s)))"),
        ("def f(s):\n    return [*s, 1]\n", "[*sorted(s), 1]"),
        ("def f(s):\n    return dict.fromkeys(s)\n", "dict.fromkeys(sorted(s))"),
        ("def f(s):\n    return list(map(str, s))\n", "list(map(str, sorted(s)))"),
    ],
)
def test_sets_are_sorted(text: str, first: str) -> None:
    assert any(first in each for each in written(in_order.of_sets(source(text), ALL), text))


def test_what_has_no_order_among_itself_is_sorted_by_its_text_after_all_else() -> None:
    text = "def f(s):\n    for a in s:\n        yield from list(s)\n"
    made = written(in_order.of_sets(source(text), ALL), text)
    assert ["key=str" in each for each in made] == [False] * (len(made) // 2) + [True] * (len(made) // 2)


@pytest.mark.parametrize("text", ["x = sorted(s)\n", "for a in range(3): pass\n", "a = list([1])\n", "a = max(s)\n"])
def test_what_has_an_order_stays(text: str) -> None:
    assert written(in_order.of_sets(source(text), ALL), text) == []


def test_lines_that_did_not_run_stay() -> None:
    text = "def f(s):\n    return list(s)\n"
    assert written(in_order.of_sets(source(text), {1}), text) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("import os\nfor n in os.listdir('.'): print(n)\n", "in sorted(os.listdir('.')):"),
        ("first = next(path.iterdir())\n", "next(iter(sorted(path.iterdir())))"),
        ("import os\nnames = [e.name for e in os.scandir('.')]\n", "sorted(os.scandir('.'), key=lambda entry: entry.name)"),
        (
            "import os\nfor _, _, files in os.walk('.'):\n    for name in files:\n        print(name)\n",
            "for name in sorted(files):",
        ),
        (
            "import os\nwith os.scandir('.') as entries:\n    for e in entries:\n        print(e)\n",
            "for e in sorted(entries, key=lambda entry: entry.name):",
        ),
    ],
)  # fmt: skip
def test_folders_are_sorted(text: str, part: str) -> None:
    assert any(part in each for each in written(in_order.of_folders(source(text), ALL), text))


def test_without_a_folder_nothing_is_sorted_for_folders() -> None:
    text = "def f(s):\n    return list(s)\n"
    assert written(in_order.of_folders(source(text), ALL), text) == []


def test_the_last_day_of_the_month() -> None:
    text = '''\
        """Bills."""

        import datetime


        def due(day, year, month):
            return day.replace(year=year, month=month + 1)


        class Member:
            def ends(self):
                return self.since.replace(
                    year=self.since.year + 1,
                )
        '''
    one, other = written(edges.of_days(source(text), ALL), text)
    assert "import datetime\nfrom calendar import monthrange\n" in one
    assert "day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))" in one
    assert "day=min(self.since.day, monthrange(self.since.year + 1, self.since.month)[1])," in other


@pytest.mark.parametrize(
    "text",
    [
        "x = day.replace(day=1, month=3)\n",
        "x = 'a'.replace('a', 'b')\n",
        "x = now().replace(month=3)\n",
        "x = day.replace(year=next(years))\n",
        "x = day.replace(**parts)\n",
        "x = day.replace(hour=3)\n",
    ],
)
def test_other_replacements_stay(text: str) -> None:
    assert written(edges.of_days(source(text), ALL), text) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("import datetime\nx = datetime.datetime.now()\n", "datetime.datetime.now(datetime.timezone.utc)"),
        ("from datetime import datetime\nx = datetime.fromtimestamp(3)\n", "datetime.fromtimestamp(3, timezone.utc)"),
        ("import time\nx = time.localtime(3)\n", "time.gmtime(3)"),
        ("import time\nx = time.mktime(t)\n", "x = timegm(t)"),
        ("import datetime\nx = datetime.datetime.now()\n", "now(datetime.timezone.utc).replace(tzinfo=None)"),
    ],
)
def test_local_time_becomes_utc(text: str, part: str) -> None:
    assert any(part in each for each in written(edges.of_zones(source(text), ALL), text))


def test_all_local_times_of_a_file_at_once() -> None:
    text = "import time\n\n\ndef f(t):\n    return time.mktime(time.localtime(t)), time.localtime()\n"
    made = written(list(edges.of_zones(source(text), {5}))[:3], text)
    assert len(made) == 3  # nested ones do not go together, and one by one they are tried


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("import os\nos.mkdir(place)\n", "os.makedirs(place, exist_ok=True)"),
        ("place.mkdir()\n", "place.mkdir(parents=True, exist_ok=True)"),
        ("place.mkdir(mode=0o700)\n", "place.mkdir(mode=0o700, parents=True, exist_ok=True)"),
        ("def f(path):\n    path.write_text('a')\n", "    path.parent.mkdir(parents=True, exist_ok=True)\n    path.write"),
        (
            "def f(path):\n    with open(path, 'w') as file:\n        file.write('a')\n",
            "    os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)\n    with open(path, 'w')",
        ),
    ],
)  # fmt: skip
def test_folders_are_made_first(text: str, part: str) -> None:
    assert any(part in each for each in written(edges.of_new_homes(source(text), ALL), text))


def test_reading_makes_no_folder() -> None:
    text = "def f(path):\n    open(path)\n    path.read_text()\n    path.open('r')\n"
    assert written(edges.of_new_homes(source(text), ALL), text) == []


# --- state ----------------------------------------------------------------------------------------------------------

PRODUCT = '''\
"""Rates."""

from functools import lru_cache

_table: dict = {}
limit = 3


def load(table):
    _table.update(table)


def raise_limit(by):
    global limit
    limit += by


@lru_cache
def rate(name):
    return _table[name]


def reset_all():
    _table.clear()


class Shop:
    open_shops = []

    def __init__(self):
        self.carts = {}
        self.open_shops.append(self)

    def put(self, name):
        self.carts[name] = 1


shop = Shop()
'''


def read(path: str) -> str | None:
    return {"app/rates.py": PRODUCT}.get(path)


def test_state_is_found_in_modules_classes_and_instances() -> None:
    found = {each.name: each.writers for each in shared_states(("app/rates.py",), read, {})}
    assert found == {
        "_table": (10, 24),
        "limit": (15,),
        "Shop.open_shops": (32,),
        "shop": (),
        "shop.carts": (35,),
    }


def polluter(text: str, name: str = "test_it") -> list[str]:
    """What is written, each held against what the rules allow a polluter to gain."""
    text = dedent(text)
    before = source(text, "tests/test_it.py")
    test = TestId.from_node_id(f"tests/test_it.py::{name}")
    states = shared_states(("app/rates.py",), read, {})
    made = written(put_back(before, test, states, ("app/rates.py",), read), text)
    old = function_of(before.module, name)
    for each in made:
        new = function_of(ast.parse(each), name)
        assert old is not None and new is not None
        assert only_puts_back(old, new), each
    return made


def test_a_copy_by_monkeypatch() -> None:
    made = polluter("from app import rates\n\n\ndef test_it():\n    rates.load({'a': 1})\n")
    assert made[0] == (
        "from app import rates\n\n\ndef test_it(monkeypatch):\n"
        '    monkeypatch.setattr(rates, "_table", dict(rates._table))\n'
        "    rates.load({'a': 1})\n"
    )
    assert any('monkeypatch.setattr(rates, "limit", rates.limit)' in each for each in made)
    assert any('monkeypatch.setattr(rates.shop, "carts", dict(rates.shop.carts))' in each for each in made)
    assert any('monkeypatch.setattr(rates.Shop, "open_shops", list(rates.Shop.open_shops))' in each for each in made)
    assert any("import copy\n" in each and "copy.deepcopy(rates._table)" in each for each in made)
    assert any("    finally:\n        rates.rate.cache_clear()\n" in each for each in made)
    assert any("    finally:\n        rates.reset_all()\n" in each for each in made)


def test_a_module_that_is_known_by_its_names_alone_is_imported() -> None:
    made = polluter('"""Tests."""\n\nfrom app.rates import load\n\n\ndef test_it(tmp_path):\n    load({})\n')
    assert made[0].startswith('"""Tests."""\n\nfrom app import rates\nfrom app.rates import load\n')
    assert "def test_it(tmp_path, monkeypatch):" in made[0]


def test_unittest_writes_back() -> None:
    made = polluter(
        """\
        import unittest

        from app import rates


        class T(unittest.TestCase):
            def test_it(self):
                # a table
                rates.load({
                    "a": 1,
                })

                self.assertEqual(rates.rate("a"), 1)
        """
    )
    assert "        saved = dict(rates._table)\n        try:\n            rates.load({\n" in made[0]
    assert '                "a": 1,\n            })\n\n            self.assertEqual' in made[0]
    assert made[0].endswith(
        "        finally:\n            rates._table.clear()\n            rates._table.update(saved)\n"
    )
    assert "# a table" in made[0]


def test_what_the_test_itself_writes_to() -> None:
    made = polluter("import app\nimport sys\n\n\ndef test_it():\n    app.debug = True\n    sys.path.insert(0, 'x')\n")
    assert 'monkeypatch.setattr(app, "debug", app.debug)' in made[0]
    assert 'monkeypatch.setattr(sys, "path", list(sys.path))' in made[1]


def test_the_process() -> None:
    made = polluter("import os\n\n\ndef test_it():\n    os.environ['A'] = '1'\n    os.chdir('/')\n")
    assert any("saved = dict(os.environ)\n    try:" in each and "os.environ.update(saved)" in each for each in made)
    assert any("saved = os.getcwd()\n    try:" in each and "os.chdir(saved)" in each for each in made)


def test_a_name_that_the_test_has_is_not_taken() -> None:
    made = polluter("import os\n\n\ndef test_it(saved):\n    os.chdir(saved)\n")
    assert any("saved_state = os.getcwd()" in each for each in made)


@pytest.mark.parametrize(
    "text",
    [
        "from app import rates\n\n\ndef test_it(value=1): rates.load({})\n",
        "from app import rates\n\n\ndef test_it(value=1):\n    text = '''\n    two lines'''\n    rates.load(text)\n",
        "from app import rates\n\n\ndef test_other():\n    rates.load({})\n",
    ],
)
def test_what_cannot_be_written_is_not(text: str) -> None:
    before = source(text, "tests/test_it.py")
    states = shared_states(("app/rates.py",), read, {})
    test = TestId.from_node_id("tests/test_it.py::test_it")
    assert list(put_back(before, test, states, ("app/rates.py",), read)) == []


# --- set-up ---------------------------------------------------------------------------------------------------------

SETTER = (
    "import app\n\n\ndef test_start(tmp_path):\n    folder = tmp_path / 'a'\n    app.start(folder)\n    assert app.on\n"
)
BRITTLE = "\n\ndef test_price(capsys):\n    assert app.price() == 3\n"


def test_a_brittle_test_gains_the_set_up() -> None:
    text = SETTER + BRITTLE
    test, setter = (TestId.from_node_id(f"test_app.py::{name}") for name in ("test_price", "test_start"))
    before = source(text, "test_app.py")
    (made,) = written(set_up(before, test, (setter,), {"test_app.py": text}.get), text)
    assert made.endswith(
        "def test_price(capsys, tmp_path):\n    folder = tmp_path / 'a'\n    app.start(folder)\n"
        "    assert app.price() == 3\n"
    )
    old, new = function_of(before.module, "test_price"), function_of(ast.parse(made), "test_price")
    setting = function_of(before.module, "test_start")
    assert old is not None and new is not None and setting is not None
    assert only_sets_up(old, new, (setting,))
    assert not only_sets_up(old, new, ())


def test_a_set_up_in_another_file_brings_its_imports() -> None:
    there = "from shop import app\n\n\ndef test_start():\n    app.start()\n    assert app.on\n"
    text = "import shop.app\n\n\nclass TestPrice:\n    def test_price(self):\n        assert shop.app.price() == 3\n"
    test = TestId.from_node_id("test_price.py::TestPrice::test_price")
    setter = TestId.from_node_id("test_app.py::test_start")
    (made,) = written(set_up(source(text, "test_price.py"), test, (setter,), {"test_app.py": there}.get), text)
    assert "import shop.app\nfrom shop import app\n" in made
    assert "    def test_price(self):\n        app.start()\n        assert" in made


@pytest.mark.parametrize(
    "setter",
    [
        "def test_start():\n    assert app.start()\n",
        "def test_start():\n    with app.on():\n        app.start()\n",
        "def test_start():\n    helper()\n    assert app.on\n",
        "def test_start():\n    pytest.skip('no')\n    assert app.on\n",
    ],
)
def test_what_is_no_plain_set_up_is_not_taken_over(setter: str) -> None:
    text = "import app\n\n\ndef test_price():\n    assert app.price() == 3\n"
    test, other = (TestId.from_node_id(each) for each in ("test_price.py::test_price", "test_app.py::test_start"))
    read_there = {"test_app.py": f"import app\n\n\n{setter}"}.get
    assert list(set_up(source(text, "test_price.py"), test, (other,), read_there)) == []


# --- imports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "module", "name", "local", "made"),
    [
        ("", "os", "", "os", "import os\n\n\n"),
        ("x = 1\n", "os", "", "os", "import os\n\n\nx = 1\n"),
        ('"""A."""\n\nimport re\n', "os", "", "os", '"""A."""\n\nimport os\nimport re\n'),
        ("import re\n", "calendar", "monthrange", "monthrange", "import re\nfrom calendar import monthrange\n"),
        ("import app\n", "os", "", "os", "import os\n\nimport app\n"),
        ("import os\n", "app.rates", "", "rates", "import os\n\nfrom app import rates\n"),
        ("from __future__ import annotations\n", "os", "", "os", "from __future__ import annotations\n\nimport os\n"),
        ("import os as system\n", "os", "", "system", "import os as system\n"),
        ("import datetime\n", "datetime", "timezone", "datetime.timezone", "import datetime\n"),
        ('"""A."""\n', "os", "", "os", '"""A."""\n\nimport os\n'),
    ],
)
def test_imports(text: str, module: str, name: str, local: str, made: str) -> None:
    here = source(text)
    brought = imported(here, module, name)
    assert brought is not None and brought[0] == local
    assert Candidate("product.py", 1, brought[1], "", 1.0, "").apply(text) == made


def test_a_name_that_means_something_else_is_not_imported() -> None:
    assert imported(source("def f(os):\n    return os\n"), "os") is None
