"""Diffs with the damages that models do: placed where they are meant, or refused; never elsewhere."""

from __future__ import annotations

import pytest

from bot.patch.apply import apply
from bot.patch.placer import place
from bot.patch.reader import read
from bot.patch.types import Applied, Refusal
from bot.workspace.checkout import Checkout

SOURCE = """\
import os


def first(items):
    total = 0

    # every one
    for item in items:
        total += item
    return total


def second(items):
    total = 0

    # every one
    for item in items:
        total -= item
    if total > 9:
        total = 9
    return total
"""
HEADER = "--- a/app.py\n+++ b/app.py\n"


def outcome(text: str, source: str = SOURCE) -> str | Refusal:
    drafts = read(text)
    placed = drafts if isinstance(drafts, Refusal) else place(drafts, {"app.py": source.encode()}.get)
    if isinstance(placed, Refusal):
        return placed
    content = placed["app.py"]
    assert content is not None
    return content.decode()


MENDED = SOURCE.replace("total -= item", "total += item * 2")
PLACED = {
    "blank line forgotten": "@@ @@\n def second(items):\n     total = 0\n     # every one\n     for item in items:\n-        total -= item\n+        total += item * 2\n",
    "comment forgotten": "@@ @@\n def second(items):\n     total = 0\n \n     for item in items:\n-        total -= item\n+        total += item * 2\n",
    "comment reworded": "@@ @@\n     total = 0\n \n     # each (unchanged)\n     for item in items:\n-        total -= item\n+        total += item * 2\n     if total > 9:\n",
    "outer line invented": "@@ @@\n # see above\n     for item in items:\n-        total -= item\n+        total += item * 2\n     if total > 9:\n",
    "dots at the margin": "@@ -12,4 +12,4 @@\n def second(items):\n...\n     for item in items:\n-        total -= item\n+        total += item * 2\n",
    "leading blanks lost": "@@ -17,4 +17,4 @@\n    for item in items:\n-        total -= item\n+        total += item * 2\n    if total > 9:\n        total = 9\n",
}  # fmt: skip


@pytest.mark.parametrize("hunk", PLACED.values(), ids=PLACED)
def test_damaged_context_is_placed(hunk: str) -> None:
    assert outcome(HEADER + hunk) == MENDED


def test_hunks_that_run_together_are_two_changes() -> None:
    hunk = (
        "@@ -1,3 +1,3 @@\n-import os\n+import sys\n \n \n def first(items):\n"
        "     for item in items:\n-        total -= item\n+        total += item * 2\n     if total > 9:\n"
    )
    assert outcome(HEADER + hunk) == MENDED.replace("import os", "import sys")


def test_blanks_lost_on_context_do_not_move_what_is_added() -> None:
    hunk = "@@ @@\n        total = 9\n+    total = abs(total)\n    return total\n"
    assert outcome(HEADER + hunk) == SOURCE.replace(
        "        total = 9\n", "        total = 9\n    total = abs(total)\n"
    )


REFUSED = {
    "the same in two functions": "@@ @@\n     # each (unchanged)\n     for item in items:\n+        print(item)\n",
    "beside a blank line forgotten": "@@ @@\n def second(items):\n     total = 0\n+    count = 0\n     # every one\n     for item in items:\n",
    "code in the middle that is not there": "@@ @@\n     for item in items:\n         check(item)\n         again(item)\n-        total -= item\n+        total += item\n     if total > 9:\n",
    "a claim near one of several": "@@ -6,2 +6,3 @@\n     for item in items:\n+        print(item)\n",
    "label and line for different places": "@@ -15,2 +15,3 @@ def first(items):\n     for item in items:\n+        print(item)\n",
}  # fmt: skip


@pytest.mark.parametrize("hunk", REFUSED.values(), ids=REFUSED)
def test_what_is_ambiguous_is_refused(hunk: str) -> None:
    assert isinstance(outcome(HEADER + hunk), Refusal)


def test_a_claim_counts_where_it_is_exact() -> None:
    hunk = "@@ -17,2 +17,3 @@\n     for item in items:\n+        print(item)\n"
    found = outcome(HEADER + hunk)
    assert isinstance(found, str) and found.index("print") > found.index("def second")


def test_a_diff_indented_as_a_whole() -> None:
    text = HEADER + "@@ -17,3 +17,3 @@\n     for item in items:\n-        total -= item\n+        total += item * 2\n"
    indented = "1. So:\n\n" + "".join(f"   {line}" for line in text.splitlines(keepends=True))
    assert outcome(indented) == MENDED


CHANGE = "@@ @@\n def g(a):\n-    return a + 2\n+    return a + 20\n"


@pytest.mark.parametrize("path", ["/workspace/app.py", "project/app.py", "./app.py", "old/app.py", "/home/x/p/app.py"])
def test_paths_as_authors_see_them(checkout: Checkout, path: str) -> None:
    result = apply(f"--- {path}\n+++ {path.replace('old/', 'new/')}\n{CHANGE}", checkout)
    assert isinstance(result, Applied), result
    assert list(result.overlay) == ["app.py"]


def test_a_path_without_its_folder_and_a_new_file_behind_the_same_prefix(checkout: Checkout) -> None:
    text = "--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-one\n+two\n"
    result = apply(text, checkout)
    assert isinstance(result, Applied) and list(result.overlay) == ["docs/a.txt"]
    both = f"--- /repo/app.py\n+++ /repo/app.py\n{CHANGE}--- /dev/null\n+++ /repo/new.py\n@@ -0,0 +1 @@\n+x = 1\n"
    result = apply(both, checkout)
    assert isinstance(result, Applied) and sorted(result.overlay) == ["app.py", "new.py"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../app.py", "/repo/../app.py", "/repo/.git/app.py", "x\\app.py"])
def test_paths_that_lead_out_are_refused_as_they_stand(checkout: Checkout, path: str) -> None:
    assert isinstance(apply(f"--- {path}\n+++ {path}\n{CHANGE}", checkout), Refusal)
    assert isinstance(apply(f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n", checkout), Refusal)
