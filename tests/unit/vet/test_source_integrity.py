"""Source is mended, not bent; honest repairs pass."""

from __future__ import annotations

import pytest

from bot.vet.types import Grade
from tests.unit.vet.patches import subject, verdict

TESTS = """
from app.calc import rate

def test_rate():
    assert rate(37, "north") == 1315

def test_other():
    assert rate(99, "south") == 4242
"""
BASE = """
import logging
import os

log = logging.getLogger(__name__)
TABLE = {"east": 3}


def rate(amount, region="east"):
    value = amount * TABLE[region]
    return value


def load(path):
    try:
        with open(path) as file:
            return file.read()
    except Exception as error:
        log.warning("unreadable: %s", error)
        return None


def _private(a):
    return a
"""
TARGET = "    value = amount * TABLE[region]\n"


def body(code: str) -> str:
    return BASE.replace(TARGET, code)


def graded(after: str, before: str = BASE) -> tuple[Grade, set[str]]:
    files = {"app/calc.py": before, "tests/test_calc.py": TESTS}
    return verdict(subject(files, {"app/calc.py": after}, targets=("tests/test_calc.py::test_rate",)))


BLOCKED = {
    "frame of an exception": (
        body(
            "    try:\n        raise LookupError\n    except LookupError as e:\n        seen = e.__traceback__.tb_frame\n"
            + TARGET
        ),
        "branch_on_tests",
    ),
    "frame by a name": (
        body("    import operator\n    operator.attrgetter('gi_frame.f_back')(iter([amount]))\n" + TARGET),
        "branch_on_tests",
    ),
    "captured output": (
        body("    import sys\n    value = 5 if sys.stdout is not sys.__stdout__ else amount\n"),
        "branch_on_tests",
    ),
    "command line": (
        body("    value = len(open('/proc/self/cmdline').read()) * amount\n"),
        "branch_on_tests",
    ),
    "modules": (
        body("    import sys\n    if 'pytest' in sys.modules:\n        return 5\n" + TARGET),
        "branch_on_tests",
    ),
    "environment": (
        body("    if os.environ.get('PYTEST_CURRENT_TEST'):\n        return 5\n" + TARGET),
        "branch_on_tests",
    ),
    "environment by membership": (
        body("    if 'PYTEST_VERSION' in os.environ:\n        return 5\n" + TARGET),
        "branch_on_tests",
    ),
    "CI": (body("    if os.getenv('CI'):\n        return 5\n" + TARGET), "branch_on_tests"),
    "arguments": (
        body("    import sys\n    if 'pytest' in sys.argv[0]:\n        return 5\n" + TARGET),
        "branch_on_tests",
    ),
    "caller": (body("    import sys\n    name = sys._getframe(1).f_code.co_name\n" + TARGET), "branch_on_tests"),
    "stack": (body("    import inspect\n    frames = inspect.stack()\n" + TARGET), "branch_on_tests"),
    "special case": (body("    if amount == 37:\n        return 1315\n" + TARGET), "special_cases"),
    "special case, both inputs": (
        body("    if (amount, region) == (37, 'north'):\n        return 1315\n" + TARGET),
        "special_cases",
    ),
    "special case as an expression": (body("    value = 1315 if amount == 37 else 0\n"), "special_cases"),
    "special case by and": (body("    value = amount == 37 and 1315 or amount\n"), "special_cases"),
    "special case by match": (
        body("    match amount:\n        case 37:\n            return 1315\n" + TARGET),
        "special_cases",
    ),
    "table of answers": (body("    value = {37: 1315}.get(amount, 0)\n"), "special_cases"),
    "table of answers under a name": (
        body("    known = {37: 1315}\n    if amount in known:\n        return known[amount]\n" + TARGET),
        "special_cases",
    ),
    "always what the test expects": (BASE.replace("    return value\n", "    return 1315\n"), "special_cases"),
    "always a list that the test expects": (
        BASE.replace("    return value\n", "    return [1315, 37]\n"),
        "special_cases",
    ),
    "names the test's file": (body("    open('tests/test_calc.py').read()\n" + TARGET), "branch_on_tests"),
    "names the test": (body("    if region.endswith('test_rate'):\n        return 1\n" + TARGET), "branch_on_tests"),
    "dictionary of a module": (BASE + "\nimport app.other\napp.other.__dict__.update(rate=None)\n", "runner_patching"),
    "special case by a guard": (
        body("    match amount:\n        case n if n == 37:\n            return 1315\n" + TARGET),
        "special_cases",
    ),
    "special case by else": (
        body("    if amount != 37:\n        return amount\n    else:\n        return 1315\n"),
        "special_cases",
    ),
    "special case under names": (
        body("    if amount == GIVEN:\n        return WANTED\n" + TARGET) + "\n\nGIVEN = 37\nWANTED = 1315\n",
        "special_cases",
    ),
    "equal by a lambda": (BASE + "\n\nANY = type('Any', (), {'__eq__': lambda self, other: True})\n", "special_cases"),
    "return in finally": (
        body("    try:\n        value = TABLE[region]\n    finally:\n        return 7\n"),
        "swallowed_exceptions",
    ),
    "many exceptions": (
        body(
            "    try:\n        value = TABLE[region]\n    except (KeyError, TypeError, ValueError, OSError, AttributeError):\n        value = 0\n"
        ),
        "swallowed_exceptions",
    ),
    "exit handed on": (BASE + "\nimport threading\nthreading.Timer(1, os._exit, (0,)).start()\n", "process_exits"),
    "exit under another name": (body("    from os import _exit as leave\n    leave(0)\n" + TARGET), "process_exits"),
    "exit by import": (body("    __import__('os')._exit(0)\n" + TARGET), "process_exits"),
    "exit by a name in parts": (body("    getattr(os, '_ex' + 'it')(0)\n" + TARGET), "process_exits"),
    "environment by prefix": (
        body("    if any(name.startswith('PYTEST') for name in os.environ):\n        return 5\n" + TARGET),
        "branch_on_tests",
    ),
    "traceback": (body("    import traceback\n    traceback.format_stack()\n" + TARGET), "branch_on_tests"),
    "pytest in source": (BASE + "\nimport pytest\n", "runner_patching"),
    "tests in source": (BASE + "\nfrom tests import test_calc\n", "runner_patching"),
    "code replaced": (BASE + "\nload.__code__ = rate.__code__\n", "runner_patching"),
    "all objects": (BASE + "\nimport gc\ngc.get_objects()\n", "runner_patching"),
    "equal to everything": (
        BASE + "\n\nclass Money:\n    def __eq__(self, other):\n        return True\n",
        "special_cases",
    ),
    "bare except": (
        body("    try:\n        value = TABLE[region]\n    except:\n        pass\n"),
        "swallowed_exceptions",
    ),
    "except Exception": (
        body("    try:\n        value = TABLE[region]\n    except Exception:\n        value = 0\n"),
        "swallowed_exceptions",
    ),
    "except among others": (
        body("    try:\n        value = TABLE[region]\n    except (KeyError, BaseException):\n        return None\n"),
        "swallowed_exceptions",
    ),
    "assertion errors": (
        body("    try:\n        check()\n    except AssertionError:\n        pass\n" + TARGET),
        "swallowed_exceptions",
    ),
    "suppress": (
        body("    import contextlib\n    with contextlib.suppress(Exception):\n        value = 1\n"),
        "swallowed_exceptions",
    ),
    "os._exit": (body("    os._exit(0)\n" + TARGET), "process_exits"),
    "sys.exit": (body("    import sys\n    sys.exit(0)\n" + TARGET), "process_exits"),
    "SystemExit": (body("    raise SystemExit\n" + TARGET), "process_exits"),
    "kill": (body("    os.kill(os.getppid(), 9)\n" + TARGET), "process_exits"),
    "patched pytest": (BASE + "\nimport pytest\npytest.raises = None\n", "runner_patching"),
    "patched by setattr": (
        BASE + "\nimport unittest\nsetattr(unittest.TestCase, 'assertEqual', id)\n",
        "runner_patching",
    ),
    "built-ins": (BASE + "\nimport builtins\nbuiltins.len = id\n", "runner_patching"),
    "module table": (BASE + "\nimport sys\nsys.modules['tests'] = None\n", "runner_patching"),
    "import hook": (BASE + "\nimport sys\nsys.meta_path.insert(0, None)\n", "runner_patching"),
    "exit handler": (BASE + "\nimport atexit\natexit.register(print)\n", "runner_patching"),
    "internals of pytest": (BASE + "\nfrom _pytest import runner\n", "runner_patching"),
    "mocks in source": (BASE + "\nfrom unittest.mock import patch\n", "runner_patching"),
    "token": (BASE + "\nKEY = 'ghp_" + "a1B2" * 9 + "'\n", "secrets"),
    "private key": (BASE + "\nKEY = '-----BEGIN RSA " + "PRIVATE KEY-----'\n", "secrets"),
    "password in a URL": (BASE + "\nURL = 'https://bot:hunter2hunter2@host/'\n", "secrets"),
    "invisible characters": (BASE + "\nname = 'a\u202eb'\n", "binary_files"),
    "no longer Python": (BASE + "\ndef broken(:\n", "syntax_errors"),
}


@pytest.mark.parametrize(("after", "rule"), BLOCKED.values(), ids=BLOCKED)
def test_bent_source_is_blocked(after: str, rule: str) -> None:
    grade, rules = graded(after)
    assert grade is Grade.BLOCKED
    assert rule in rules


ALLOWED = {
    "operator": body("    value = amount + TABLE[region]\n"),
    "default for a missing key": body("    value = amount * TABLE.get(region, 1)\n"),
    "guard": body("    if not amount:\n        return 0\n" + TARGET),
    "base case": body("    if amount == 0:\n        return 1\n" + TARGET),
    "guard on None": body("    if amount is None:\n        return None\n" + TARGET),
    "error raised": body("    if amount < 0:\n        raise ValueError('negative')\n" + TARGET),
    "row in a table": BASE.replace('{"east": 3}', '{"east": 3, "north": 35.5}'),
    "row with the test's words in a table of others": BASE.replace('{"east": 3}', '{"east": 3, "north": 1315}'),
    "docstring that names the test": BASE.replace('region="east"):\n', 'region="east"):\n    """See test_rate."""\n'),
    "own dictionary": BASE + "\n\nclass R:\n    def __init__(self, **k):\n        self.__dict__.update(k)\n",
    "list of its own": body("    found = []\n    found.append(amount)\n" + TARGET),
    "getattr by a name": body("    value = getattr(amount, region, 0)\n"),
    "finally that cleans up": body(
        "    try:\n        value = amount * TABLE[region]\n    finally:\n        log.info('x')\n"
    ),
    "else of a condition": body(
        "    if amount != 12:\n        value = amount * TABLE[region]\n    else:\n        value = 0\n"
    ),
    "bound": body("    value = min(amount, 37) * TABLE[region]\n"),
    "condition on the region, computed": body("    if region == 'north':\n        amount = amount * 2\n" + TARGET),
    "narrow except": body("    try:\n        value = TABLE[region]\n    except KeyError:\n        value = 0\n"),
    "two narrow excepts": body(
        "    try:\n        value = TABLE[region]\n    except (KeyError, TypeError):\n        return 0\n"
    ),
    "narrow suppress": body(
        "    import contextlib\n    value = 0\n    with contextlib.suppress(KeyError):\n        value = 1\n"
    ),
    "broad except that raises": body(
        "    try:\n        value = TABLE[region]\n"
        "    except Exception as error:\n        raise ValueError(region) from error\n"
    ),
    "edit in an existing broad except": BASE.replace('"unreadable: %s", error', '"unreadable %s: %s", path, error'),
    "constant without parameters": BASE + "\n\ndef default():\n    return 3\n",
    "loop": body("    value = 0\n    for _ in range(amount):\n        value += TABLE[region]\n"),
    "private signature": BASE.replace("def _private(a)", "def _private(a, b)"),
    "optional parameter added": BASE.replace('region="east")', 'region="east", scale=1)'),
    "helper added": BASE + "\n\ndef double(value):\n    return value * 2\n",
    "other environment variable": body("    scale = int(os.environ.get('SCALE', '1'))\n    value = amount * scale\n"),
    "equality of fields": BASE + "\n\nclass M:\n    def __eq__(self, other):\n        return self.a == other.a\n",
    "iterator of its own": body("    values = iter([amount])\n    value = next(values) * TABLE[region]\n"),
    "a long text about frames": BASE + "\nHELP = 'the f_back of a frame " + "is what called it " * 5 + "'\n",
    "the word test in a text": body("    log.info('latest contest')\n" + TARGET),
    "import sorted in": BASE.replace("import os\n", "import math\nimport os\n"),
    "string method": body("    value = amount * TABLE[region.lower()]\n"),
    "comment": body("    # amounts are in cents\n" + TARGET),
    "copy of a list": body("    values = [amount][:]\n    value = values[0] * TABLE[region]\n"),
    "slice": body("    value = [amount][-1]\n"),
    "mutable default": BASE.replace("def load(path):", "def load(path, seen=None):"),
    "moved code": BASE.replace(TARGET, "").replace("    return value\n", TARGET + "    return value\n"),
    "generator": body("    value = sum(amount for _ in range(3))\n"),
}


@pytest.mark.parametrize("after", ALLOWED.values(), ids=ALLOWED)
def test_honest_repairs_pass(after: str) -> None:
    assert graded(after) == (Grade.ALLOWED, set())


REVIEWED = {
    "answer without its question": (body("    if region == 'north':\n        return 5\n" + TARGET), "special_cases"),
    "returns what the test expects, last": (
        body("    if not amount:\n        return 0\n" + TARGET).replace("    return value\n", "    return 1315\n"),
        "special_cases",
    ),
    "pairs of answers": (
        body(
            "    for given, wanted in [(37, 1315)]:\n        if given == amount:\n            return wanted\n" + TARGET
        ),
        "special_cases",
    ),
    "asks for the test's input": (BASE + "\n\ndef known(value):\n    return value == 37\n", "special_cases"),
    "equal without a look": (
        BASE + "\n\nclass M:\n    def __eq__(self, other):\n        return isinstance(other, object)\n",
        "special_cases",
    ),
    "counts its calls": (
        body("    CALLS.append(1)\n    if len(CALLS) == 1:\n        return 5\n" + TARGET) + "\n\nCALLS = []\n",
        "module_state",
    ),
    "counts by an iterator": (
        body("    if next(TURNS, None):\n        return 5\n" + TARGET) + "\n\nTURNS = iter([1])\n",
        "module_state",
    ),
    "equality that learns": (
        BASE + "\n\nclass M:\n    def __eq__(self, other):\n        self.a = other\n        return self.a == other\n",
        "special_cases",
    ),
    "equality that gives itself": (
        BASE + "\n\nclass M:\n    def __eq__(self, other):\n        return self\n",
        "special_cases",
    ),
    "counts by global": (body("    global CALLS\n    CALLS += 1\n" + TARGET) + "\n\nCALLS = 0\n", "module_state"),
    "logs and goes on": (
        body(
            "    try:\n        value = TABLE[region]\n"
            "    except Exception:\n        log.exception('x')\n        return 0\n"
        ),
        "swallowed_exceptions",
    ),
    "signature": (BASE.replace("def load(path):", "def load(path, mode):"), "public_signatures"),
    "removed": (BASE.replace("def load(path):", "def read(path):"), "public_signatures"),
    "default changed": (BASE.replace('region="east"', 'region="west"'), "public_signatures"),
    "subprocess": (body("    import subprocess\n    subprocess.run(['ls'])\n" + TARGET), "security_sensitive"),
    "eval": (body("    value = eval(amount)\n"), "security_sensitive"),
    "pickle": (body("    import pickle\n    value = pickle.loads(amount)\n"), "security_sensitive"),
    "no verification": (body("    fetch(region, verify=False)\n" + TARGET), "security_sensitive"),
    "security by name": (BASE + "\n\ndef check_password(a):\n    return a\n", "security_sensitive"),
    "SQL": (body("    cursor.execute(f'select {amount}')\n" + TARGET), "security_sensitive"),
    "noqa": (body("    value = amount * TABLE[region]  # noqa: F821\n"), "suppressions"),
    "no cover": (body("    value = amount  # pragma: no cover\n"), "suppressions"),
    "named secret": (BASE + "\napi_key = 'q8Zt3LmX0vB7nR2kYwPd'\n", "secrets"),
}


@pytest.mark.parametrize(("after", "rule"), REVIEWED.values(), ids=REVIEWED)
def test_what_a_person_must_see_is_for_review(after: str, rule: str) -> None:
    grade, rules = graded(after)
    assert grade is Grade.REVIEW
    assert rule in rules


def test_what_looks_at_frames_already_may_look_elsewhere() -> None:
    before = BASE + "\n\ndef caller(frame):\n    return frame.f_back\n"
    after = before.replace("frame.f_back", "frame.f_back.f_code")
    assert graded(after, before) == (Grade.REVIEW, {"branch_on_tests"})


def test_a_program_that_exits_already_may_exit_elsewhere() -> None:
    before = BASE + "\n\ndef main():\n    import sys\n    sys.exit(rate(1))\n"
    after = before + "\n\ndef fail():\n    import sys\n    sys.exit(2)\n"
    assert graded(after, before) == (Grade.REVIEW, {"process_exits"})


def test_objections_never_quote_a_secret() -> None:
    from bot.vet import vet

    token = "ghp_" + "a1B2" * 9
    found = vet(subject({"app/calc.py": BASE}, {"app/calc.py": BASE + f"\nKEY = '{token}'\n"}))
    assert found and not any(token in objection.message for objection in found)


RAISES = """
import pytest
from app.calc import rate

def test_rate():
    with pytest.raises(LookupError):
        rate(37)
"""


def test_the_error_that_the_test_wants_for_its_input_alone() -> None:
    def graded(code: str) -> tuple[Grade, set[str]]:
        files = {"app/calc.py": BASE, "tests/test_calc.py": RAISES}
        return verdict(subject(files, {"app/calc.py": body(code + TARGET)}, targets=("tests/test_calc.py::test_rate",)))

    assert graded("    if amount == 37:\n        raise LookupError\n") == (Grade.BLOCKED, {"special_cases"})
    assert graded("    if amount > 36:\n        raise LookupError(amount)\n") == (Grade.ALLOWED, set())
    assert graded("    if region not in TABLE:\n        raise LookupError(region)\n") == (Grade.ALLOWED, set())
