"""Equal places: the order of the hunks, a true header, the file's content tell them apart; a contradiction does not."""

from __future__ import annotations

import pytest

from bot.patch.apply import apply
from bot.patch.placer import place
from bot.patch.reader import read
from bot.patch.types import Applied, Refusal
from bot.workspace.checkout import Checkout
from tests.unit.workspace.repositories import Origin

NAMES = ("one", "two", "three")
SOURCE = "".join(
    f"def {name}(items):\n    value = {number}\n    # every one\n    for item in items:\n        value += item\n"
    "    if value > 9:\n        value = 9\n    return value\n\n\n"
    for number, name in enumerate(NAMES)
)
LOOP = "     for item in items:\n-        value += item\n+        value -= item\n     if value > 9:\n"
START = "@@ @@\n-    value = {0}\n+    value = {0}0\n     # every one\n"


def outcome(hunks: str, source: str = SOURCE) -> str | Refusal:
    drafts = read("--- a/app.py\n+++ b/app.py\n" + hunks)
    placed = drafts if isinstance(drafts, Refusal) else place(drafts, {"app.py": source.encode()}.get)
    if isinstance(placed, Refusal):
        return placed
    content = placed["app.py"]
    assert content is not None
    return content.decode()


def mended(*names: str) -> str:
    blocks = SOURCE.split("\n\n\n")
    changed = [
        block.replace("value += item", "value -= item") if any(f"def {name}(" in block for name in names) else block
        for block in blocks
    ]
    return "\n\n\n".join(changed)


PLACED = {
    "between its neighbours": (START.format(1) + "@@ @@\n" + LOOP + START.format(2), "two"),
    "behind all others": (START.format(2) + "@@ @@\n" + LOOP, "three"),
    "number and label agree, two lines are missing above": (f"@@ -12,6 +12,6 @@ def two(items):\n{LOOP}", "two"),
    "label of git, numbers left out": (f"@@ -,+ @@ def two(items):\n{LOOP}", "two"),
}


@pytest.mark.parametrize(("hunks", "name"), PLACED.values(), ids=PLACED)
def test_one_place_is_told_from_equal_ones(hunks: str, name: str) -> None:
    found = outcome(hunks)
    wanted = mended(name)
    for number in range(3):
        if START.format(number) in hunks:
            wanted = wanted.replace(f"value = {number}\n", f"value = {number}0\n")
    assert found == wanted


REFUSED = {
    "nothing tells": f"@@ @@\n{LOOP}",
    "a label that names another place than the number": f"@@ -24,3 +24,3 @@ def one(items):\n{LOOP}",
    "neighbours that are not in order": START.format(2) + f"@@ @@\n{LOOP}" + START.format(1),
}


@pytest.mark.parametrize("hunks", REFUSED.values(), ids=REFUSED)
def test_a_contradiction_is_refused(hunks: str) -> None:
    assert isinstance(outcome(hunks), Refusal)


def test_dots_do_not_lead_back_to_the_lines_before_them() -> None:
    # The lines behind the dots are quoted a second time, so another function is meant; which, is not said.
    hunk = (
        "@@ -2,5 +2,6 @@ def one(items):\n     value = 0\n+    # checked\n     # every one\n     for item in items:\n"
        "     ...\n     # every one\n     for item in items:\n-        value += item\n+        value -= item\n"
    )
    assert isinstance(outcome(hunk), Refusal)


def test_an_addition_beside_a_reworded_comment() -> None:
    hunk = "@@ @@\n     value = 1\n+    checked = True\n     # every one (unchanged)\n     for item in items:\n"
    assert outcome(hunk) == SOURCE.replace("    value = 1\n", "    value = 1\n    checked = True\n")


TABBED = "class A:\n    @property\n    def a(self):\n        return 1\n"


def test_added_blanks_are_converted_with_the_rest() -> None:
    hunk = "@@ @@\n \t@property\n \tdef a(self):\n+\t\treturn 0\n+\t\n+\t@property\n+\tdef b(self):\n \t\treturn 1\n"
    wanted = TABBED.replace("        return", "        return 0\n    \n    @property\n    def b(self):\n        return")
    assert outcome(hunk, TABBED) == wanted


def test_added_blanks_that_may_or_may_not_have_moved_are_refused() -> None:
    assert isinstance(outcome("@@ @@\n def a(self):\n+    x = 0\n+    \n     return 1\n", TABBED), Refusal)


def test_a_header_that_follows_missing_context_is_no_change() -> None:
    text = f"@@ -12,5 +12,5 @@\n     # every one\n{LOOP}--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x = 1\n"
    drafts = read("--- a/app.py\n+++ b/app.py\n" + text.replace("-12,5 +12,5", "-12,6 +12,6"))
    assert not isinstance(drafts, Refusal) and [draft.path for draft in drafts] == ["app.py", "new.py"]


def test_of_two_files_of_a_name_the_one_with_the_quoted_lines_is_meant(origin: Origin, checkout: Checkout) -> None:
    del checkout
    origin.commit({"one/rates.py": "a = 1\nb = 2\n", "two/rates.py": "from one.rates import *\n"})
    from bot.workspace.git import Repository

    there = Repository.open(origin.root, origin.root.parent / "second").checkout()
    result = apply("--- rates.py\n+++ rates.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n", there)
    assert isinstance(result, Applied) and list(result.overlay) == ["one/rates.py"]
    origin.commit({"two/rates.py": "a = 1\nb = 2\n"})
    there = Repository.open(origin.root, origin.root.parent / "third").checkout()
    assert isinstance(apply("--- rates.py\n+++ rates.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n", there), Refusal)


OUT_OF_ORDER = {
    # Each says exactly where it is, and the order of the hunks says that one of the two is wrong.
    "a number before a hunk that it follows": START.format(2) + f"@@ -4,3 +4,3 @@\n{LOOP}",
    "a number behind a hunk that it precedes": f"@@ -24,3 +24,3 @@\n{LOOP}" + START.format(1),
    "a label before a hunk that it follows": START.format(2) + f"@@ @@ def one(items):\n{LOOP}",
    "two numbers": f"@@ -24,3 +24,3 @@\n{LOOP}@@ -4,3 +4,3 @@\n{LOOP}",
}


@pytest.mark.parametrize("hunks", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_an_exact_claim_against_the_order_of_the_hunks_is_refused_with_the_places(hunks: str) -> None:
    refusal = outcome(hunks)
    assert isinstance(refusal, Refusal) and "fits in 3 places (lines 4, 14, 24)" in refusal.message


def test_hunks_that_fit_in_one_place_each_may_come_in_any_order() -> None:
    found = outcome(START.format(2) + START.format(1))
    assert found == SOURCE.replace("value = 1\n", "value = 10\n").replace("value = 2\n", "value = 20\n")
