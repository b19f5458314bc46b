"""What a person is asked to look at, and that the objection says which thing it is."""

from __future__ import annotations

import pytest

from bot.vet import vet
from bot.vet.types import Grade
from tests.unit.vet.patches import subject


def asked(before: str | None, after: str | None, path: str = "app/store.py") -> dict[str, str]:
    """Rule → its messages, of those that ask for review; nothing may be blocked."""
    found = vet(subject({path: before}, {path: after}))
    assert all(objection.grade is Grade.REVIEW for objection in found), found
    rules = {objection.rule for objection in found}
    return {rule: "; ".join(each.message for each in found if each.rule == rule) for rule in rules}


LISTING = """
import pickle as p
import os
from subprocess import run


def build(target, fast=False):
    flags = ["-q"] if fast else []
    run(["make", *flags, target])


def count(items):
    return len(items) - 1


def names(connection, prefix):
    return connection.execute("SELECT name FROM users WHERE name LIKE ?", (prefix,)).fetchall()


def restore(blob):
    return p.loads(blob)
"""
LOGIN = """
from django.contrib.auth.decorators import login_required

ALLOWED_HOSTS = ["example.org"]


@login_required
def profile(request):
    return request.user


def load(token):
    if not compare_digest(token, KEY):
        raise PermissionError
    return 1
"""

SECURITY = {
    "function around an imported call": (LISTING, LISTING.replace("if fast", "if not fast"), "build changes and calls subprocess.run"),
    "call under another name": (LISTING, LISTING.replace("p.loads(blob)", "p.loads(blob[1:])"), "restore changes and calls pickle.loads"),
    "SQL": (LISTING, LISTING.replace("name LIKE ?", "name = ?"), "names changes and calls connection.execute"),
    "SQL kept in a constant": ("Q = 'select a from b'\n", "Q = f'select a from {b}'\n", "SQL"),
    "decorator": (LOGIN, LOGIN.replace("@login_required\n", ""), "profile changes and is under @login_required"),
    "check that is gone": (LOGIN, LOGIN.replace("    if not compare_digest(token, KEY):\n        raise PermissionError\n", ""), "compare_digest"),
    "setting": (LOGIN, LOGIN.replace('["example.org"]', '["*"]'), "ALLOWED_HOSTS is about security"),
    "import alone": ("import os\n", "import os\nimport hashlib\nimport pickle\n\nload = pickle.loads\n", "imports pickle"),
    "removed function": (LISTING, LISTING[: LISTING.index("def restore")], "restore is removed and calls pickle.loads"),
    "hash": ("import hashlib\n\ndef f(a):\n    return hashlib.sha256(a)\n", "import hashlib\n\ndef f(a):\n    return hashlib.md5(a)\n", "hashlib.md5"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "words"), SECURITY.values(), ids=SECURITY)
def test_security_is_for_review_and_named(before: str, after: str, words: str) -> None:
    assert words in asked(before, after)["security_sensitive"]


@pytest.mark.parametrize(
    "after",
    [
        LISTING.replace("len(items) - 1", "len(items)"),
        LISTING + "\n\ndef total(items):\n    return sum(items)\n",
        LISTING.replace(
            "return len(items) - 1", "try:\n        return len(items)\n    except TypeError:\n        return 0"
        ),
        LISTING.replace("import os\n", "import os\nimport math\n"),
        LISTING.replace("return len", "# select one from all of them\n    return len"),
        LISTING.replace("return len", '"""Update items set by delete from."""\n    return len'),
    ],
)
def test_a_change_elsewhere_in_such_a_file_is_nobodys_matter(after: str) -> None:
    assert asked(LISTING, after) == {}


DEFINED = """
import abc

__all__ = ["area", "Shape"]


def area(width, height: int = 1, *, unit="m") -> int:
    return width * height


def _private(a):
    return a


class Shape:
    def move(self, x, y):
        return x

    @staticmethod
    def unit(n):
        return n

    async def draw(self):
        return 1
"""
SIGNATURES = {
    "needs more": ("(width, height", "(width, depth, height", "now needs the parameter depth"),
    "renamed": ("(width, height", "(breadth, height", "loses or renames the parameter width"),
    "reordered": ("def move(self, x, y)", "def move(self, y, x)", "takes its parameters in another order"),
    "default": ("height: int = 1", "height: int = 2", "has another default for height"),
    "default gone": ("height: int = 1", "height: int", "now needs the parameter height"),
    "keyword gone": ('*, unit="m"', "*, scale=1", "loses or renames the parameter unit"),
    "keyword only": ("def move(self, x, y)", "def move(self, x, *, y)", "takes y by keyword only"),
    "position only": ("def move(self, x, y)", "def move(self, x, /, y)", "by position only"),
    "returns": ("-> int", "-> float", "annotated to return float where it was int"),
    "annotation gone": (" -> int", "", "annotated to return nothing where it was int"),
    "method renamed": ("def move", "def shift", "Shape.move is removed or renamed"),
    "class renamed": ("class Shape", "class Form", "the class Shape is removed or renamed"),
    "binding": ("    @staticmethod\n    def unit(n)", "    def unit(n)", "Shape.unit changes between method"),
    "async": ("async def draw", "def draw", "Shape.draw changes between async and plain"),
    "export": ('["area", "Shape"]', '["area"]', "Shape is no longer in __all__"),
}


@pytest.mark.parametrize(("old", "new", "words"), SIGNATURES.values(), ids=SIGNATURES)
def test_public_signatures(old: str, new: str, words: str) -> None:
    assert old in DEFINED
    assert words in asked(DEFINED, DEFINED.replace(old, new))["public_signatures"]
    assert asked(DEFINED, DEFINED.replace(old, new), "app/_inner/a.py") == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def area(width, height: int = 1, *", "def area(width, height: int = 1, depth=1, *"),
        ('unit="m"', 'unit="m", scale=1'),
        ("(self, x, y)", "(self, x, y, *rest, **options)"),
        ("_private(a)", "_private(a, b)"),
        ("def move(self, x, y)", "def move(self, x, y) -> int"),
        ("    return width * height", "    return width * (height or 1)"),
        ("def area(width, height: int = 1, *, unit=\"m\") -> int:\n    return width * height\n", "from app.plane import area\n"),
        ("def move(self, x, y)", "def move(self, x, y=0)"),
    ],
)  # fmt: skip
def test_what_callers_do_not_notice(old: str, new: str) -> None:
    assert old in DEFINED
    assert asked(DEFINED, DEFINED.replace(old, new)) == {}


MODEL = """
from django.db import models


class Parcel(models.Model):
    weight = models.IntegerField()

    def heavy(self):
        return self.weight > 10
"""


@pytest.mark.parametrize(
    ("path", "before", "after", "words"),
    [
        ("app/models.py", MODEL, MODEL.replace("IntegerField()", "FloatField()"), "column (django.db.models.FloatField)"),
        ("app/models.py", MODEL, MODEL.replace("    weight = models.IntegerField()\n", "    x = 1\n"), "loses or changes"),
        ("ops/step.py", "from alembic import op\nA = 1\n", "from alembic import op\nA = 2\n", "import of alembic.op"),
        ("app/0003.py", None, "from django.db import migrations\n", "import of django.db.migrations"),
        ("app/migrations/0001.py", "A = 1\n", "A = 2\n", "laid out"),
    ],
)  # fmt: skip
def test_migrations(path: str, before: str | None, after: str, words: str) -> None:
    assert words in asked(before, after, path)["migrations"]


def test_a_method_of_a_model_is_no_migration() -> None:
    assert asked(MODEL, MODEL.replace("> 10", ">= 10")) == {}
