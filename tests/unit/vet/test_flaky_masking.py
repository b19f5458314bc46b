"""A flaky test is repaired where the cause is: what hides the failure is refused by name, what repairs it passes."""

from __future__ import annotations

import pytest

from bot.evidence.types import TestId
from bot.vet.types import Flake, Grade
from tests.unit.vet.patches import subject, verdict

SHOP = """
import os
import random
import time

from shop.net import fetch

TIMEOUT = 1
LIMIT: float = 0.5
_rates = {}


def load(table):
    _rates.update(table)


def names(folder):
    found = []
    for name in os.listdir(folder):
        try:
            found.append(int(name))
        except ValueError:
            continue
    return found


def draw(values, seed=None):
    return random.choice(values)


def get(url, timeout=2, *, patience=1):
    return fetch(url, timeout=3).wait(0.1)


class Worker:
    def stop(self):
        self.thread.join(1)
"""
VICTIM = """
from shop import rates


def test_pounds():
    assert rates.convert(100, "GBP") == 85.0
"""
POLLUTER = """
from shop import rates


def test_loaded():
    rates.load({"USD": 2.0})
    assert rates.rate("USD") == 2.0


def test_other():
    limit = 3
    assert rates.limit() < limit
"""
FILES = {
    "shop/rates.py": SHOP,
    "tests/test_victim.py": VICTIM,
    "tests/test_polluter.py": POLLUTER,
    "tests/conftest.py": "import os\n",
    "pytest.ini": "[pytest]\n",
}
TARGET = "tests/test_victim.py::test_pounds"
FLAKE = Flake((TestId.from_node_id("tests/test_polluter.py::test_loaded"),))


def graded(path: str, old: str, new: str, flake: Flake | None = FLAKE) -> tuple[Grade, set[str]]:
    assert old in FILES[path]
    after = {path: FILES[path].replace(old, new, 1)}
    return verdict(subject(FILES, after, targets=(TARGET,), flake=flake))


def shop(old: str, new: str) -> tuple[str, str, str]:
    return "shop/rates.py", old, new


LOAD = "    _rates.update(table)\n"
GET = "    return fetch(url, timeout=3).wait(0.1)\n"
HIDDEN = {
    "sleep": shop(LOAD, f"    time.sleep(0.1)\n{LOAD}"),
    "sleep under another name": shop(LOAD, f"    from time import sleep as nap\n    nap(1)\n{LOAD}"),
    "sleep of asyncio": shop(LOAD, f"    import asyncio\n    asyncio.run(asyncio.sleep(1))\n{LOAD}"),
    "sleep by its name": shop(LOAD, f"    getattr(time, 'sleep')(1)\n{LOAD}"),
    "sleep of the shell": shop(LOAD, f"    os.system('sleep 1')\n{LOAD}"),
    "event that nobody sets": shop(LOAD, f"    import threading\n    threading.Event().wait(1)\n{LOAD}"),
    "timeout of a call": shop("timeout=3", "timeout=30"),
    "timeout of a call as a product": shop("timeout=3", "timeout=5 * 60"),
    "timeout without its name": shop("wait(0.1)", "wait(10)"),
    "join for longer": shop("join(1)", "join(60)"),
    "timeout by default": shop("timeout=2", "timeout=20"),
    "timeout by default, by name only": shop("patience=1", "patience=10"),
    "timeout of the module": shop("TIMEOUT = 1", "TIMEOUT = 10"),
    "loop that tries again": shop(
        GET, "    for attempt in range(3):\n        try:\n            return fetch(url)\n        except OSError:\n"
        "            continue\n"
    ),
    "loop that tries again and gives up at last": shop(
        GET, "    for attempt in range(3):\n        try:\n            return fetch(url)\n        except OSError:\n"
        "            if attempt == 2:\n                raise\n"
    ),
    "loop that keeps the error": shop(
        GET, "    while True:\n        try:\n            return fetch(url)\n        except OSError as error:\n"
        "            last = error\n"
    ),
    "loop around a block around the retry": shop(
        GET, "    for _ in range(3):\n        if url:\n            try:\n                return fetch(url)\n"
        "            except OSError:\n                pass\n"
    ),
    "second call in the handler": shop(
        GET, "    try:\n        return fetch(url)\n    except OSError:\n        return fetch(url)\n"
    ),
    "calls itself in the handler": shop(
        GET, "    try:\n        return fetch(url)\n    except OSError:\n        return get(url)\n"
    ),
    "retry decorator": shop("def load", "from tenacity import retry\n\n\n@retry\ndef load"),
    "retry helper": shop(GET, "    return call_with_retry(fetch, url)\n"),
    "reload": shop(LOAD, f"    import importlib, shop\n    importlib.reload(shop)\n{LOAD}"),
    "seed of the interpreter": shop(LOAD, f"    os.environ['PYTHONHASHSEED'] = '0'\n{LOAD}"),
    "zone": shop(LOAD, f"    os.environ['TZ'] = 'UTC'\n{LOAD}"),
    "module thrown away in the victim": (
        "tests/test_victim.py", "    assert", "    import sys\n    del sys.modules['shop']\n    assert",
    ),
    "module replaced": ("tests/test_victim.py", "    assert", "    import sys\n    sys.modules['shop'] = 1\n    assert"),
    "module thrown away by a fixture": (
        "tests/test_victim.py",
        "def test",
        "import sys\n\n\ndef fresh(monkeypatch):\n    monkeypatch.delitem(sys.modules, 'shop')\n\n\ndef test",
    ),
    "order of tests": ("tests/test_victim.py", "def test", "import pytest\n\n\n@pytest.mark.order(1)\ndef test"),
    "process of its own": ("tests/test_victim.py", "def test", "import pytest\n\n\n@pytest.mark.forked\ndef test"),
    "retry marker": ("tests/test_victim.py", "def test", "import pytest\n\n\n@pytest.mark.flaky(reruns=3)\ndef test"),
    "seed in the test": ("tests/test_victim.py", "    assert", "    import random\n    random.seed(7)\n    assert"),
    "seed in the test by a name": (
        "tests/test_victim.py", "    assert", "    import random\n    random.seed(a=rates.SEED)\n    assert",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_hides_the_failure_is_blocked_by_this_rule(name: str) -> None:
    grade, rules = graded(*HIDDEN[name])
    assert grade is Grade.BLOCKED
    assert "flaky_masking" in rules


ELSEWHERE = {
    "skip": ("tests/test_victim.py", "def test", "import pytest\n\n\n@pytest.mark.skip\ndef test", "test_skips"),
    "skip inside": ("tests/test_victim.py", "    assert", "    import pytest\n    pytest.skip()\n    assert", "test_skips"),
    "looser": ("tests/test_victim.py", "== 85.0", "> 0", "test_assertions"),
    "tolerance": ("tests/test_victim.py", "== 85.0", "== approx(85.0, abs=20)", "test_assertions"),
    "reset in the victim": ("tests/test_victim.py", "    assert", "    rates._rates.clear()\n    assert", "test_assertions"),
    "copy in the victim": (
        "tests/test_victim.py",
        "def test_pounds():\n",
        "def test_pounds(monkeypatch):\n    monkeypatch.setattr(rates, '_rates', dict(rates._rates))\n",
        "test_assertions",
    ),
    "reset for all": (
        "tests/conftest.py",
        "import os\n",
        "import os\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef reset():\n    yield\n    os.environ.clear()\n",
        "test_scaffolding",
    ),
    "victim's set-up": (
        "tests/test_victim.py",
        "def test",
        "def setup_function():\n    rates._rates.clear()\n\n\ndef test",
        "test_scaffolding",
    ),
    "victim gone": ("tests/test_victim.py", "def test_pounds", "def check_pounds", "test_removal"),
    "polluter gone": ("tests/test_polluter.py", "def test_loaded", "def check_loaded", "test_removal"),
    "reruns for all": ("pytest.ini", "[pytest]\n", "[pytest]\naddopts = --reruns 3\n", "test_configuration"),
    "another order for all": (
        "tests/conftest.py",
        "import os\n",
        "import os\n\n\ndef pytest_collection_modifyitems(items):\n    items.sort(key=str)\n",
        "test_configuration",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_hides_the_failure_is_blocked_by_the_rule_for_it(name: str) -> None:
    path, old, new, rule = ELSEWHERE[name]
    grade, rules = graded(path, old, new)
    assert grade is Grade.BLOCKED
    assert rule in rules


LOOKED_AT = {
    "fixed seed of the product": shop(
        "return random.choice(values)", "return random.Random(1).choice(values)"
    ),
    "seed that is a constant": shop("return random.choice(values)", "return random.Random(SEED).choice(values)"),
    "timeout without end": shop("timeout=3", "timeout=None"),
    "timeout that is not to be seen": shop("timeout=3", "timeout=url.patience"),
    "sleep handed in": shop("def load(table):", "def load(table, sleep=time.sleep):"),
    "import in the victim's file": ("tests/test_victim.py", "from shop", "import os\nfrom shop"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKED_AT)
def test_what_may_hide_it_is_for_a_person(name: str) -> None:
    grade, rules = graded(*LOOKED_AT[name])
    assert (grade, "flaky_masking" in rules) == (Grade.REVIEW, True)


HONEST = {
    "sorted around a loop with a handler of its own": shop("in os.listdir(folder)", "in sorted(os.listdir(folder))"),
    "state that is replaced": shop(LOAD, "    _rates.clear()\n    _rates.update(dict(table))\n"),
    "seed handed in": shop("return random.choice(values)", "return random.Random(seed).choice(values)"),
    "timeout lowered": shop("timeout=3", "timeout=2"),
    "timeout moved": shop("join(1)", "join(1) if self.thread else None"),
    "sleep that yields": shop(LOAD, f"{LOAD}    time.sleep(0)\n"),
    "one thing after another": shop(
        LOAD, "    for key in table:\n        try:\n            _rates[key] = float(table[key])\n"
        "        except ValueError:\n            _rates[key] = 0.0\n"
    ),
    "polluter on a copy": (
        "tests/test_polluter.py",
        "def test_loaded():\n",
        "def test_loaded(monkeypatch):\n    monkeypatch.setattr(rates, '_rates', dict(rates._rates))\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_repairs_of_the_cause_pass(name: str) -> None:
    grade, rules = graded(*HONEST[name])
    assert "flaky_masking" not in rules
    assert grade is not Grade.BLOCKED


@pytest.mark.parametrize("name", ["sleep", "timeout of a call", "retry helper"])
def test_nothing_is_asked_where_nothing_is_flaky(name: str) -> None:
    assert "flaky_masking" not in graded(*HIDDEN[name], flake=None)[1]


def test_a_test_that_is_new_may_wait() -> None:
    path = "tests/test_new.py"
    source = "import time\n\n\ndef test_new():\n    time.sleep(0.1)\n    assert time\n"
    case = subject(FILES, {path: source}, targets=(TARGET,), new_tests=(path,), flake=FLAKE)
    assert "flaky_masking" not in verdict(case)[1]
