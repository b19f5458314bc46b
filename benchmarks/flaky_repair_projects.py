"""What benchmarks/flaky_repair.py repairs: the zoo's flaky tests with what a right repair of each is, and projects that
were written after the templates, in another style than the zoo, to see how far these carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Right:
    """What a right repair is, as far as a person could say beforehand.

    places: files that it may change; () = no repair is right without a change of what the test expects or of what the
    product is for, so that none should be made. hidden: tests that the repair does not see and that hold after it.
    """

    places: tuple[str, ...]
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is not of the zoo. cause: as `bot.flaky.types.Cause` has it."""

    test: str
    cause: str
    right: Right
    files: Mapping[str, str] = field(repr=False)


ZOO: Mapping[str, Right] = {
    "victim": Right(("tests/test_admin.py", "shop/rates.py")),
    "two_polluters": Right(("test_plugins.py", "registry.py")),
    "brittle": Right(("test_app.py", "app.py")),
    "not_idempotent": Right(("test_events.py", "events.py")),
    "hash_order": Right(
        ("tags.py",),
        "import tags\n\n\ndef test_order():\n    assert tags.show({'b', 'a', 'c'}) == '#a #b #c'\n\n\n"
        "def test_nothing():\n    assert tags.show(set()) == ''\n",
    ),
    "directory_order": Right(
        ("gather.py",),
        "import gather\n\n\ndef test_sorted(tmp_path):\n    for name in ('c.txt', 'a.txt', 'x.md', 'b.txt'):\n"
        "        (tmp_path / name).write_text('')\n"
        "    assert gather.chapters(tmp_path) == ['a.txt', 'b.txt', 'c.txt']\n",
    ),
    "month_end": Right(
        ("billing.py",),
        "import datetime\nimport billing\nimport pytest\n\n\n@pytest.mark.parametrize(('day', 'due'), [\n"
        "    ((2026, 1, 31), (2026, 2, 28)), ((2028, 1, 31), (2028, 2, 29)), ((2026, 8, 31), (2026, 9, 30)),\n"
        "    ((2026, 12, 31), (2027, 1, 31)), ((2026, 4, 30), (2026, 5, 30))])\n"
        "def test_due(day, due):\n    assert billing.next_month(datetime.date(*day)) == datetime.date(*due)\n",
    ),
    "leap_day": Right(
        ("contract.py",),
        "import datetime\nimport contract\n\n\ndef test_a_leap_day():\n"
        "    assert contract.ends(datetime.date(2028, 2, 29)) in "
        "(datetime.date(2029, 2, 28), datetime.date(2029, 3, 1))\n\n\n"
        "def test_others():\n    assert contract.ends(datetime.date(2027, 2, 28)) == datetime.date(2028, 2, 28)\n",
    ),
    "zone": Right(
        ("log_lines.py",),
        "import log_lines\n\n\ndef test_utc():\n    assert log_lines.stamp(0) == '1970-01-01 00:00'\n",
    ),
    "clock_change": Right(()),  # an alarm has to know that a day may have 23 hours: the test expects what is wrong then
    "midnight": Right(()),  # in an hour it may be tomorrow: the test expects what is wrong then
    "randomness": Right(()),  # a bound that a third of all samples breaks; a seed would draw the numbers that pass
    "waiting": Right(()),
    "race": Right(("counter.py",)),
    "thread_race": Right(("till.py",)),
    "network": Right(()),
    "port": Right(()),  # the test asks for that very port
    "few_files": Right(("archive.py",)),
    "platform": Right(()),
}
"""Of the zoo, by project."""

FRESH: Mapping[str, Project] = {
    "ledger": Project(
        "tests/test_totals.py::TotalsTest::test_nothing_is_booked",
        "order: victim",
        Right(("tests/test_booking.py", "ledger/accounts.py")),
        {
            "ledger/__init__.py": "",
            "ledger/accounts.py": '''\
"""Accounts by number."""


class Account:
    by_number: dict = {}

    def __init__(self, number):
        self.number = number
        self.entries = []
        Account.by_number[number] = self

    def book(self, amount):
        self.entries.append(amount)

    @classmethod
    def total(cls):
        return sum(sum(account.entries) for account in cls.by_number.values())
''',
            "tests/__init__.py": "",
            "tests/test_booking.py": """\
import unittest

from ledger.accounts import Account


class BookingTest(unittest.TestCase):
    def test_an_amount_is_booked(self):
        account = Account("4711")
        account.book(100)
        # what was booked is there
        self.assertEqual(account.entries, [100])
""",
            "tests/test_totals.py": """\
import unittest

from ledger.accounts import Account


class TotalsTest(unittest.TestCase):
    def test_nothing_is_booked(self):
        self.assertEqual(Account.total(), 0)

    def test_numbers_are_kept(self):
        self.assertEqual(Account("1").number, "1")
""",
        },
    ),
    "flags": Project(
        "tests/test_banner.py::test_plain_banner",
        "order: victim",
        Right(("tests/test_flags.py", "app/flags.py")),
        {
            "app/__init__.py": "",
            "app/flags.py": """\
class Flags:
    def __init__(self) -> None:
        self._on: set[str] = set()

    def enable(self, *names: str) -> None:
        for name in names:
            self._on.add(name)

    def is_on(self, name: str) -> bool:
        return name in self._on


flags = Flags()
""",
            "app/banner.py": """\
from app.flags import flags


def banner() -> str:
    return "** SALE **" if flags.is_on("sale") else "welcome"
""",
            "tests/test_banner.py": """\
from app.banner import banner


class TestWords:
    def test_has_words(self):
        assert banner()


def test_plain_banner():
    assert banner() == "welcome"
""",
            "tests/test_flags.py": '''\
import pytest
from app.flags import Flags, flags


class TestEnabling:
    @pytest.mark.parametrize("name", ["beta", "sale"])
    def test_enabled(self, name):
        """A flag that was enabled is on."""
        flags.enable(name)
        assert flags.is_on(name)

    def test_off_at_first(self):
        assert not Flags().is_on("beta")
''',
        },
    ),
    "deploy": Project(
        "test_stage.py::test_default_stage",
        "order: victim",
        Right(("test_configure.py", "stage.py")),
        {
            "stage.py": """\
import os


def configure(**values):
    for name, value in values.items():
        os.environ["STAGE_" + name.upper()] = value


def stage():
    return os.environ.get("STAGE_NAME", "local")
""",
            "test_configure.py": """\
from stage import configure, stage


def test_configure():
    configure(
        name="production",
        region="eu",
    )

    assert stage() == "production"
""",
            "test_stage.py": """\
import stage


def test_default_stage():
    assert stage.stage() == "local"


def test_is_text():
    assert isinstance(stage.stage(), str)
""",
        },
    ),
    "tariff": Project(
        "test_tariff.py::test_list_price",
        "order: victim",
        Right(("test_discount.py", "tariff.py")),
        {
            "tariff.py": """\
from functools import lru_cache

discount = 0


@lru_cache(maxsize=None)
def price(item):
    return {"pen": 100, "ink": 250}[item] * (100 - discount) // 100
""",
            "test_discount.py": """\
import tariff


def test_half_price():
    tariff.discount = 50
    try:
        assert tariff.price("pen") == 50
    finally:
        tariff.discount = 0
""",
            "test_tariff.py": """\
from tariff import price


def test_list_price():
    assert price("pen") == 100


def test_ink():
    assert price("ink") == 250
""",
        },
    ),
    "basket": Project(
        "test_basket.py::test_starts_empty",
        "order: victim",
        Right(("test_basket.py", "conftest.py")),
        {
            "conftest.py": """\
import pytest


@pytest.fixture(scope="session")
def basket():
    return []
""",
            "test_basket.py": """\
def test_one_thing(basket):
    basket.append("pen")
    assert len(basket) == 1


def test_starts_empty(basket):
    assert basket == []
""",
        },
    ),
    "numbering": Project(
        "test_invoice.py::test_first_number",
        "not idempotent",
        Right(("test_invoice.py", "invoice.py")),
        {
            "invoice.py": """\
_last = 0


def next_number(prefix: str = "R") -> str:
    global _last
    _last += 1
    return f"{prefix}-{_last:04}"
""",
            "test_invoice.py": """\
from invoice import next_number


def test_first_number() -> None:
    assert next_number() == "R-0001"
""",
        },
    ),
    "longest": Project(
        "tests/test_words.py::TestLongest::test_longest_word",
        "hash order",
        Right(
            ("words/pick.py",),
            "from words.pick import longest\n\n\ndef test_one():\n    assert longest('a bbb cc') == 'bbb'\n\n\n"
            "def test_ties():\n    assert longest('zzz aaa mmm') == 'aaa'\n",
        ),
        {
            "words/__init__.py": "from words.pick import longest\n",
            "words/pick.py": '''\
"""Of the words of a text."""


def longest(text):
    words = frozenset(text.lower().split())
    return max(words, key=len)
''',
            "tests/test_words.py": """\
from words import longest


class TestLongest:
    def test_longest_word(self):
        # the first one by the alphabet, where several are as long
        assert longest("one two six ten") == "one"

    def test_single(self):
        assert longest("word") == "word"
""",
        },
    ),
    "assets": Project(
        "test_assets.py::test_manifest",
        "files",
        Right(
            ("assets.py",),
            "import assets\n\n\ndef test_all(tmp_path):\n    for name in ('c.js', 'a.js', 'b.js'):\n"
            "        (tmp_path / name).write_text('')\n"
            "    assert assets.manifest(str(tmp_path)) == 'a.js b.js c.js'\n",
        ),
        {
            "assets.py": '''\
import os


def manifest(folder):
    """Names of all scripts, one after the other."""
    names = []
    for _, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".js"):
                names.append(name)
    return " ".join(names)
''',
            "test_assets.py": """\
import assets


def test_manifest(tmp_path):
    for name in ("one.js", "three.js", "two.js"):
        (tmp_path / name).touch()
    assert assets.manifest(str(tmp_path)) == "one.js three.js two.js"


def test_empty(tmp_path):
    assert assets.manifest(str(tmp_path)) == ""
""",
        },
    ),
    "notebook": Project(
        "test_notebook.py::test_note_is_kept",
        "order: brittle",
        Right(("test_notebook.py", "notebook.py")),
        {
            "notebook.py": """\
class Notebook:
    current = None

    def __init__(self, owner):
        self.owner = owner
        self.notes = []


def open_for(owner):
    Notebook.current = Notebook(owner)
    return Notebook.current


def note(text):
    Notebook.current.notes.append(text)
    return Notebook.current
""",
            "test_notebook.py": """\
import notebook


class TestNotebook:
    def test_opened(self):
        book = notebook.open_for("Ada")
        assert book.owner == "Ada"


def test_note_is_kept():
    assert "milk" in notebook.note("milk").notes


def test_class():
    assert notebook.Notebook("Eve").notes == []
""",
        },
    ),
    "membership": Project(
        "test_membership.py::test_renewed_membership",
        "time",
        Right(
            ("membership.py",),
            "import datetime\nfrom membership import Membership\n\n\ndef test_ends():\n"
            "    assert Membership(datetime.date(2027, 8, 31)).ends(6) == datetime.date(2028, 2, 29)\n"
            "    assert Membership(datetime.date(2026, 8, 31)).ends(6) == datetime.date(2027, 2, 28)\n"
            "    assert Membership(datetime.date(2026, 1, 15)).ends(12) == datetime.date(2027, 1, 15)\n",
        ),
        {
            "membership.py": """\
from datetime import date


class Membership:
    def __init__(self, since=None):
        self.since = since or date.today()

    def ends(self, months):
        total = self.since.year * 12 + self.since.month - 1 + months
        return self.since.replace(
            year=total // 12,
            month=total % 12 + 1,
        )
""",
            "test_membership.py": """\
from membership import Membership


def test_renewed_membership():
    member = Membership()
    assert member.ends(1) > member.since


def test_no_months():
    member = Membership()
    assert member.ends(0) == member.since
""",
        },
    ),
    "audit": Project(
        "test_audit.py::test_line",
        "time zone",
        Right(
            ("audit.py",),
            "import audit\n\n\ndef test_epoch():\n    assert audit.line(0, 'x') == '1970-01-01T00:00:00 x'\n",
        ),
        {
            "audit.py": """\
import time


def line(moment, text):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment)) + " " + text
""",
            "test_audit.py": """\
from audit import line


def test_line():
    assert line(86_399, "closed") == "1970-01-01T23:59:59 closed"


def test_text():
    assert line(0, "opened").endswith("opened")
""",
        },
    ),
    "settings": Project(
        "test_settings.py::test_saved_settings",
        "files",
        Right(
            ("settings.py",),
            "import settings\n\n\ndef test_twice(tmp_path, monkeypatch):\n"
            "    monkeypatch.setenv('HOME', str(tmp_path))\n    settings.save('a')\n    settings.save('b')\n"
            "    assert settings.load() == 'b'\n",
        ),
        {
            "settings.py": """\
from pathlib import Path


def place():
    return Path.home() / ".config" / "zoo-of-settings" / "settings.txt"


def save(text):
    path = place()
    if path.parent.parent.exists() and not path.parent.exists():
        path.parent.mkdir()
    path.write_text(text)


def load():
    return place().read_text()
""",
            "test_settings.py": """\
import settings


def test_saved_settings():
    settings.save("dark")
    assert settings.load() == "dark"


def test_place():
    assert settings.place().name == "settings.txt"
""",
        },
    ),
    "lottery": Project(
        "test_lottery.py::test_draw",
        "randomness",
        Right(("lottery.py",)),
        {
            "lottery.py": """\
import random


def draw(tickets):
    return tickets[random.randint(0, len(tickets))]
""",
            "test_lottery.py": """\
from lottery import draw


def test_draw():
    assert draw(["a", "b"]) in ("a", "b")
""",
        },
    ),
}
"""By name; written after the templates were."""
