"""Added lines get the file's indentation where the quoted lines tell what it is; else nothing is added."""

from __future__ import annotations

import pytest

from bot.patch.placer import place
from bot.patch.reader import read
from bot.patch.types import Refusal

BLANKS = """\
import os


def first(items):
    total = 0
    for item in items:
        if item:
            total += item
    return total


LIMIT = 9
"""
TABS = BLANKS.replace("    ", "\t")


def outcome(hunks: str, source: str = BLANKS) -> str | Refusal:
    drafts = read("--- a/app.py\n+++ b/app.py\n" + hunks)
    placed = drafts if isinstance(drafts, Refusal) else place(drafts, {"app.py": source.encode()}.get)
    if isinstance(placed, Refusal):
        return placed
    content = placed["app.py"]
    assert content is not None
    return content.decode()


def hunk(*lines: str) -> str:
    return "\n".join(["@@ @@", *lines]) + "\n"


COUNTED = "    total = 0\n    count = 0\n"
DEEPER = "            total += item\n            print(item)\n"
MOVED = {
    "a level to the right": (
        hunk(" " + "    def first(items):", " " + "        total = 0", "+        count = 0"),
        COUNTED,
    ),
    "a level to the right, context without its mark": (
        hunk("    def first(items):", "        total = 0", "+        count = 0", "        for item in items:"),
        COUNTED,
    ),
    "a level to the right, the mark lost on some": (
        hunk("     def first(items):", "        total = 0", "+        count = 0", "         for item in items:"),
        COUNTED,
    ),
    "a level to the left": (hunk(" total = 0", "+count = 0", " for item in items:", "     if item:"), COUNTED),
    "a level to the left, context without its mark": (
        hunk("total = 0", "+count = 0", "for item in items:", "    if item:"),
        COUNTED,
    ),
    "context without its mark": (hunk("    total = 0", "+    count = 0", "    for item in items:"), COUNTED),
    "a deeper line than all quoted ones": (
        hunk(" " + "    def first(items):", "         total = 0", "+        if items:", "+            count = 0"),
        "    total = 0\n    if items:\n        count = 0\n",
    ),
    "tabs for blanks": (hunk(" \t\tif item:", " \t\t\ttotal += item", "+\t\t\tprint(item)"), DEEPER),
    "tabs for blanks, context without its mark": (hunk("\t\tif item:", "\t\t\ttotal += item", "+\t\t\tprint(item)"), DEEPER),
}  # fmt: skip


@pytest.mark.parametrize(("hunks", "wanted"), MOVED.values(), ids=MOVED)
def test_added_lines_move_with_the_quoted_ones(hunks: str, wanted: str) -> None:
    assert outcome(hunks) == BLANKS.replace("".join(wanted.splitlines(keepends=True)[:1]), wanted)


@pytest.mark.parametrize("mark", [" ", ""], ids=["marked", "context without its mark"])
def test_blanks_for_tabs(mark: str) -> None:
    quoted = hunk(f"{mark}        if item:", f"{mark}            total += item", "+            print(item)")
    assert outcome(quoted, TABS) == TABS.replace("total += item\n", "total += item\n\t\t\tprint(item)\n")


REFUSED = {
    "a step that nothing shows": (
        hunk(" " + "   def first(items):", "        total = 0", "+     count = 0"),
        BLANKS.replace("    total = 0", "     total = 0"),
    ),
    "tabs in a file without any, beside the margin": (hunk(" LIMIT = 9", "+if LIMIT:", "+\tLIMIT = 8"), BLANKS),
    "blanks in a file of tabs, beside the margin": (hunk(" LIMIT = 9", "+if LIMIT:", "+    LIMIT = 8"), TABS),
}


@pytest.mark.parametrize(("hunks", "source"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_refused(hunks: str, source: str) -> None:
    refusal = outcome(hunks, source)
    assert isinstance(refusal, Refusal) and "indentation" in refusal.message


TELLING = hunk(" \t\tif item:", "-\t\t\ttotal += item", "+\t\t\ttotal -= item")


@pytest.mark.parametrize("line", ["import os", "LIMIT = 9"])
def test_another_hunk_tells_what_a_tab_is(line: str) -> None:
    silent = hunk(f" {line}", "+if os:", "+\tLIMIT = 8")
    wanted = BLANKS.replace("total += item", "total -= item").replace(line, f"{line}\nif os:\n    LIMIT = 8")
    assert outcome(silent + TELLING if line == "import os" else TELLING + silent) == wanted


def test_the_outermost_of_the_added_lines_decides_and_not_those_that_align() -> None:
    # With a blank more each, the three deeper lines would stand at a multiple of four.
    lost = hunk("    total = 0", "+    note(", "+       1,", "+       2,", "+       3)", "    for item in items:")
    added = "    note(\n       1,\n       2,\n       3)\n"
    assert outcome(lost) == BLANKS.replace("    total = 0\n", f"    total = 0\n{added}")


def test_tabs_stay_where_the_quoted_lines_have_blanks() -> None:
    quoted = hunk("     total = 0", "+\tx = 0")
    assert outcome(quoted) == BLANKS.replace("    total = 0\n", "    total = 0\n\tx = 0\n")


def test_tabs_stay_where_the_file_has_some() -> None:
    source = BLANKS + "if LIMIT:\n\tpass\n"
    assert outcome(hunk(" LIMIT = 9", "+if os:", "+\tLIMIT = 8"), source) == source.replace(
        "LIMIT = 9\n", "LIMIT = 9\nif os:\n\tLIMIT = 8\n"
    )
