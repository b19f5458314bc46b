"""Lenient in reading, strict in result."""

from __future__ import annotations

import difflib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.patch.placer import place
from bot.patch.reader import LONGEST, read
from bot.patch.types import Refusal

FILES = {
    "app.py": (
        b"import os\n\n\ndef first(a):\n    if a < 1:\n        return 0\n    return a\n\n\n"
        b"def second(a):\n    if a < 1:\n        return 0\n    return a * 2\n"
    ),
    "tabs.py": b"def f(a):\n\tif a:\n\t\treturn 1\n\treturn 2\n",
    "crlf.py": b"a = 1\r\nb = 2\r\nc = 3\r\n",
    "open.py": b"a = 1\nb = 2",
    "bom.py": b"\xef\xbb\xbfa = 1\nb = 2\n",
    "sql.txt": b"-- old\nkeep\n-- more\n",
    "a/nested.py": b"n = 1\n",
    "caf\xe9 x.py": b"c = 1\n",
    "empty.py": b"",
    "latin.py": b"# caf\xe9\n",
    "image.png": b"\x89PNG\0\0",
    "notes.md": b"# Notes\n\n```python\nx = 1\n```\nend\n",
    "same.py": b"x = 1\n" * 9,
    "stub.py": b"class P:\n    def f(self):\n        ...\n\n    def g(self):\n        ...\n",
}


def outcome(text: str) -> dict[str, bytes | None] | Refusal:
    drafts = read(text)
    if isinstance(drafts, Refusal):
        return drafts
    placed = place(drafts, FILES.get)
    return placed if isinstance(placed, Refusal) else dict(placed)


SECOND = FILES["app.py"].replace(b"return a * 2", b"return a * 3")
HUNK = "@@ -11,3 +11,3 @@\n     if a < 1:\n         return 0\n-    return a * 2\n+    return a * 3\n"

READ = {
    "git's own form": ("diff --git a/app.py b/app.py\nindex 1234567..89abcde 100644\n--- a/app.py\n+++ b/app.py\n" + HUNK, "app.py", SECOND),
    "no prefixes": ("--- app.py\n+++ app.py\n" + HUNK, "app.py", SECOND),
    "prefix on one side": ("--- app.py\n+++ b/app.py\n" + HUNK, "app.py", SECOND),
    "times behind the names": ("--- a/app.py\t2024-01-01 10:00:00\n+++ b/app.py\t2024-01-01 10:00:01\n" + HUNK, "app.py", SECOND),
    "old name with a suffix": ("--- app.py.orig\n+++ app.py\n" + HUNK, "app.py", SECOND),
    "header without +++": ("--- a/app.py\n" + HUNK, "app.py", SECOND),
    "header without ---": ("+++ b/app.py\n" + HUNK, "app.py", SECOND),
    "fence and prose": (f"Here is it:\n\n```diff\n--- a/app.py\n+++ b/app.py\n{HUNK}```\n- a list\n+ and more\n", "app.py", SECOND),
    "tilde fence": (f"~~~\n--- a/app.py\n+++ b/app.py\n{HUNK}~~~", "app.py", SECOND),
    "fence that never ends": (f"```diff\n--- a/app.py\n+++ b/app.py\n{HUNK}", "app.py", SECOND),
    "another fence beside it": (f"```python\n- x\n+ y\n```\n```diff\n--- a/app.py\n+++ b/app.py\n{HUNK}```", "app.py", SECOND),
    "prose after it, unfenced": (f"--- a/app.py\n+++ b/app.py\n{HUNK}\nThis works because:\n\n- it is three\n", "app.py", SECOND),
    "mailed patch": (f"From 1\nSubject: x\n\n---\n app.py | 2 +-\n\n--- a/app.py\n+++ b/app.py\n{HUNK}-- \n2.39.5\n", "app.py", SECOND),
    "wrong counts": ("--- a/app.py\n+++ b/app.py\n" + HUNK.replace("-11,3 +11,3", "-11,99 +7,1"), "app.py", SECOND),
    "wrong line numbers": ("--- a/app.py\n+++ b/app.py\n" + HUNK.replace("-11,3 +11,3", "-500,3 +500,3"), "app.py", SECOND),
    "no line numbers": ("--- a/app.py\n+++ b/app.py\n" + HUNK.replace("@@ -11,3 +11,3 @@", "@@"), "app.py", SECOND),
    "dots for line numbers": ("--- a/app.py\n+++ b/app.py\n" + HUNK.replace("@@ -11,3 +11,3 @@", "@@ ... @@"), "app.py", SECOND),
    "no hunk header": ("--- a/app.py\n+++ b/app.py\n-    return a * 2\n+    return a * 3\n", "app.py", SECOND),
    "CRLF": (("--- a/app.py\n+++ b/app.py\n" + HUNK).replace("\n", "\r\n"), "app.py", SECOND),
    "lost newline at the end": (("--- a/app.py\n+++ b/app.py\n" + HUNK).rstrip("\n"), "app.py", SECOND),
    "blanks lost on context": (
        "--- a/app.py\n+++ b/app.py\n@@ -9,5 +9,5 @@\n\ndef second(a):\n    if a < 1:\n        return 0\n-    return a * 2\n+    return a * 3\n",
        "app.py",
        SECOND,
    ),
    "trailing blanks": ("--- a/app.py\n+++ b/app.py\n" + HUNK.replace("return 0\n", "return 0  \n"), "app.py", SECOND),
    "blank lines behind": (f"--- a/app.py\n+++ b/app.py\n{HUNK}\n\n\n", "app.py", SECOND),
    "code left out": (
        "--- a/app.py\n+++ b/app.py\n@@ @@\n def second(a):\n     ...\n-    return a * 2\n+    return a * 3\n",
        "app.py",
        SECOND,
    ),
    "same place, told by the line": (
        "--- a/app.py\n+++ b/app.py\n@@ -11,2 +11,2 @@\n     if a < 1:\n-        return 0\n+        return 9\n",
        "app.py",
        FILES["app.py"][::-1].replace(b"return 0"[::-1], b"return 9"[::-1], 1)[::-1],
    ),
    "same place, told by the section": (
        "--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@ def second(a):\n     if a < 1:\n-        return 0\n+        return 9\n",
        "app.py",
        FILES["app.py"][::-1].replace(b"return 0"[::-1], b"return 9"[::-1], 1)[::-1],
    ),
    "begin patch": (
        "*** Begin Patch\n*** Update File: app.py\n@@ def second(a):\n     if a < 1:\n-        return 0\n+        return 9\n*** End Patch",
        "app.py",
        FILES["app.py"][::-1].replace(b"return 0"[::-1], b"return 9"[::-1], 1)[::-1],
    ),
    "spaces for tabs": (
        "--- a/tabs.py\n+++ b/tabs.py\n@@ -1,3 +1,4 @@\n def f(a):\n     if a:\n-        return 1\n+        a += 1\n+        return a\n",
        "tabs.py",
        b"def f(a):\n\tif a:\n\t\ta += 1\n\t\treturn a\n\treturn 2\n",
    ),
    "tabs for spaces": (
        "--- a/app.py\n+++ b/app.py\n@@ @@\n def second(a):\n \tif a < 1:\n \t\treturn 0\n-\treturn a * 2\n+\treturn a * 3\n",
        "app.py",
        SECOND,
    ),
    "indentation lost": (
        "--- a/app.py\n+++ b/app.py\n@@ @@\n if a < 1:\n     return 0\n-return a * 2\n+return a * 3\n",
        "app.py",
        SECOND,
    ),
    "CRLF file, LF diff": ("--- a/crlf.py\n+++ b/crlf.py\n@@ -2 +2,2 @@\n-b = 2\n+b = 4\n+d = 5\n", "crlf.py", b"a = 1\r\nb = 4\r\nd = 5\r\nc = 3\r\n"),
    "append to a file without newline": (
        "--- a/open.py\n+++ b/open.py\n@@ -2 +2,2 @@\n b = 2\n+c = 3\n",
        "open.py",
        b"a = 1\nb = 2\nc = 3",
    ),
    "newline added at the end": (
        "--- a/open.py\n+++ b/open.py\n@@ -2 +2 @@\n-b = 2\n\\ No newline at end of file\n+b = 2\n",
        "open.py",
        b"a = 1\nb = 2\n",
    ),
    "newline taken from the end": (
        "--- a/tabs.py\n+++ b/tabs.py\n@@ -4 +4 @@\n-\treturn 2\n+\treturn 3\n\\ No newline at end of file\n",
        "tabs.py",
        b"def f(a):\n\tif a:\n\t\treturn 1\n\treturn 3",
    ),
    "byte order mark": ("--- a/bom.py\n+++ b/bom.py\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n", "bom.py", b"\xef\xbb\xbfa = 1\nb = 3\n"),
    "lines like headers": (
        "--- a/sql.txt\n+++ b/sql.txt\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n keep\n",
        "sql.txt",
        b"++ new\nkeep\n-- more\n",
    ),
    "folder called a": ("--- a/a/nested.py\n+++ b/a/nested.py\n@@ -1 +1 @@\n-n = 1\n+n = 2\n", "a/nested.py", b"n = 2\n"),
    "folder called a, no prefixes": ("--- a/nested.py\n+++ a/nested.py\n@@ -1 +1 @@\n-n = 1\n+n = 2\n", "a/nested.py", b"n = 2\n"),
    "quoted name": ('--- "a/caf\\303\\251 x.py"\n+++ "b/caf\\303\\251 x.py"\n@@ -1 +1 @@\n-c = 1\n+c = 2\n', "caf\xe9 x.py", b"c = 2\n"),
    "name with a blank": ("--- a/caf\xe9 x.py\t\n+++ b/caf\xe9 x.py\t\n@@ -1 +1 @@\n-c = 1\n+c = 2\n", "caf\xe9 x.py", b"c = 2\n"),
    "new file": ("--- /dev/null\n+++ b/new/x.py\n@@ -0,0 +1,2 @@\n+x = 1\n+y = 2\n", "new/x.py", b"x = 1\ny = 2\n"),
    "new file with blank lines": ("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,3 @@\n+x = 1\n\n+y = 2\n", "new.py", b"x = 1\n\ny = 2\n"),
    "new file without newline": ("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n", "new.py", b"x"),
    "new empty file": ("diff --git a/p/__init__.py b/p/__init__.py\nnew file mode 100644\nindex 0000000..e69de29\n", "p/__init__.py", b""),
    "new file in a begin patch": ("*** Begin Patch\n*** Add File: n.py\n+x = 1\n*** End Patch\n", "n.py", b"x = 1\n"),
    "deleted file": ("--- a/crlf.py\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-a = 1\n-b = 2\n-c = 3\n", "crlf.py", None),
    "deleted in a begin patch": ("*** Begin Patch\n*** Delete File: app.py\n*** End Patch\n", "app.py", None),
    "into an empty file": ("--- a/empty.py\n+++ b/empty.py\n@@ -0,0 +1 @@\n+x = 1\n", "empty.py", b"x = 1\n"),
    "fence inside the file": (
        "--- a/notes.md\n+++ b/notes.md\n@@ -2,4 +2,4 @@\n \n ```python\n-x = 1\n+x = 2\n ```\n",
        "notes.md",
        b"# Notes\n\n```python\nx = 2\n```\nend\n",
    ),
    "real ellipsis": (
        "--- a/stub.py\n+++ b/stub.py\n@@ -1,3 +1,3 @@\n class P:\n-    def f(self):\n+    def f(self, a):\n         ...\n",
        "stub.py",
        b"class P:\n    def f(self, a):\n        ...\n\n    def g(self):\n        ...\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path", "expected"), READ.values(), ids=READ)
def test_read_leniently(text: str, path: str, expected: bytes | None) -> None:
    assert outcome(text) == {path: expected}


def test_rename_with_a_change() -> None:
    text = (
        "diff --git a/open.py b/shut.py\nsimilarity index 50%\nrename from open.py\nrename to shut.py\n"
        "--- a/open.py\n+++ b/shut.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
    )
    assert outcome(text) == {"open.py": None, "shut.py": b"a = 2\nb = 2"}
    pure = "diff --git a/open.py b/shut.py\nsimilarity index 100%\nrename from open.py\nrename to shut.py\n"
    assert outcome(pure) == {"open.py": None, "shut.py": b"a = 1\nb = 2"}


def test_several_files_and_hunks() -> None:
    text = (
        "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-import os\n+import sys\n"
        + HUNK
        + "--- a/open.py\n+++ b/open.py\n@@ -1 +1 @@\n-a = 1\n+a = 7\n"
    )
    assert outcome(text) == {"app.py": SECOND.replace(b"import os", b"import sys"), "open.py": b"a = 7\nb = 2"}


def test_the_same_file_in_two_sections() -> None:
    text = "--- a/open.py\n+++ b/open.py\n@@ @@\n-a = 1\n+a = 7\n--- a/open.py\n+++ b/open.py\n@@ @@\n-b = 2\n+b = 8\n"
    assert outcome(text) == {"open.py": b"a = 7\nb = 8"}


HEADER = "--- a/app.py\n+++ b/app.py\n"
REFUSED = {
    "nothing": ("", "there is no diff"),
    "prose": ("I could not fix it - sorry.\n", "there is no diff"),
    "too long": (HEADER + "x" * LONGEST, "at most"),
    "NUL": (HEADER + "@@ @@\n-a\0\n+b\n", "NUL"),
    "two places": (HEADER + "@@ @@\n     if a < 1:\n-        return 0\n+        return 1\n", "fits in 2 places (lines 5, 11)"),
    "two places, line in the middle": ("--- a/same.py\n+++ b/same.py\n@@ @@\n-x = 1\n+x = 2\n", "fits in 9 places"),
    "not there": (HEADER + "@@ -5,2 +5,2 @@\n     if a < 2:\n-        return 0\n+        return 1\n", "The nearest that are there:\n    5 |     if a < 1:"),
    "nothing like it": (HEADER + "@@ -5 +5 @@\n-zzzzzzzzzzz\n+y\n", "Nothing in app.py is like them"),
    "applied already": (HEADER + "@@ @@\n     return a\n-    gone()\n \n \n def second(a):\n", "applied already"),
    "no context": (HEADER + "@@ -5,0 +6 @@\n+    x = 1\n", "quotes no line"),
    "blank context": (HEADER + "@@ -2,2 +2,3 @@\n \n+x = 1\n \n", "quotes no line"),
    "no such file": ("--- a/nowhere.py\n+++ b/nowhere.py\n@@ -1 +1 @@\n-a\n+b\n", "is not a file of the repository"),
    "new file that exists": ("--- /dev/null\n+++ b/app.py\n@@ -0,0 +1 @@\n+x\n", "it exists"),
    "new file with context": ("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n x = 1\n+y = 2\n", "without a '+'"),
    "changes nothing": (HEADER + "@@ @@\n-import os\n+import os\n", "changes nothing"),
    "half a deletion": ("--- a/crlf.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a = 1\n", "leaves lines that were not quoted"),
    "deletion without content": ("--- a/crlf.py\n+++ /dev/null\n", "no diff|quotes no content"),
    "binary": ("diff --git a/image.png b/image.png\nBinary files a/image.png and b/image.png differ\n", "binary"),
    "binary literal": ("diff --git a/i.png b/i.png\nindex 12..34\nGIT binary patch\nliteral 3\nKcmZ\n", "binary"),
    "into a binary file": ("--- a/image.png\n+++ b/image.png\n@@ @@\n-a\n+b\n", "binary"),
    "not UTF-8": ("--- a/latin.py\n+++ b/latin.py\n@@ @@\n-# x\n+b\n", "not UTF-8"),
    "symbolic link": ("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "symbolic link"),
    "submodule": ("diff --git a/l b/l\nnew file mode 160000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+x\n", "submodule"),
    "executable": ("diff --git a/l b/l\nnew file mode 100755\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+x\n", "executable"),
    "made executable": ("diff --git a/app.py b/app.py\nold mode 100644\nnew mode 100755\n", "file mode|executable"),
    "copy": ("diff --git a/app.py b/b.py\nsimilarity index 100%\ncopy from app.py\ncopy to b.py\n", "copies a file"),
    "rename onto a file": ("diff --git a/app.py b/open.py\nrename from app.py\nrename to open.py\n", "which exists"),
    "added code left out": (HEADER + "@@ @@\n import os\n+# ... existing code ...\n", "left out"),
    "lost change after low counts": (HEADER + "@@ -4,1 +4,2 @@\n def first(a):\n+    a = 1\nif a < 1:\n-        return 0\n", "outside of every hunk"),
    "change outside a begin patch's files": ("*** Begin Patch\n*** Update File: app.py\n*** End Patch\n", "changes nothing"),
    "two hunks on one line": (HEADER + "@@ @@\n-import os\n+import sys\n@@ @@\n-import os\n+import re\n", "change the same line"),
    "indentation that cannot be told": (
        HEADER + "@@ @@\n   def second(a):\n  if a < 1:\n         return 0\n-   return a * 2\n+       return a * 3\n",
        "indentation",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_reason(text: str, words: str) -> None:
    refusal = outcome(text)
    assert isinstance(refusal, Refusal), refusal
    assert any(part in refusal.message for part in words.split("|")) or words in refusal.message, refusal.message
    assert len(refusal.message) < 12_000


PATHS = [
    "../x.py",
    "a/../../x.py",
    "/etc/passwd",
    "C:/x.py",
    ".git/config",
    ".GIT/hooks/x",
    "a/.git/x",
    "a//x.py",
    "./x.py",
    "a\\x.py",
]


@pytest.mark.parametrize("path", PATHS)
def test_bad_paths_are_refused(path: str) -> None:
    refusal = outcome(f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n")
    assert isinstance(refusal, Refusal) and path in refusal.message.replace("\\\\", "\\")


def test_octal_quoted_escape_is_refused() -> None:
    refusal = outcome('--- /dev/null\n+++ "b/\\056\\056/x.py"\n@@ -0,0 +1 @@\n+x\n')
    assert isinstance(refusal, Refusal) and "'..'" in refusal.message


def test_refusals_escape_what_they_quote() -> None:
    refusal = outcome(HEADER + "@@ @@\n-\x1b[31m::error::\u202e\n+b\n")
    assert isinstance(refusal, Refusal)
    assert "\x1b" not in refusal.message and "\u202e" not in refusal.message


lines = st.lists(
    st.sampled_from(["a = 1", "    b = 2", "", "\tc", "-- d", "++ e", "@ f", "\\ g", "x\x0cy", "é\u2028z"]), max_size=12
)


@settings(max_examples=200, deadline=None, database=None)
@given(lines, lines, st.booleans(), st.booleans(), st.integers(0, 4))
def test_correct_diffs_lead_where_they_say(
    old: list[str], new: list[str], old_open: bool, new_open: bool, context: int
) -> None:
    """What difflib writes is placed exactly, or refused where it really fits nowhere or in several places, or brings
    tabs to a file of blanks beside lines that show neither; it never leads elsewhere."""
    before = "\n".join(old) + ("" if old_open or not old else "\n")
    after = "\n".join(new) + ("" if new_open or not new else "\n")
    parts = [text.split("\n") for text in (before, after)]
    keep = [[f"{line}\n" for line in part[:-1]] + ([part[-1]] if part[-1] else []) for part in parts]
    raw = difflib.unified_diff(keep[0], keep[1], "a/f.txt", "b/f.txt", n=context)
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in raw)
    drafts = read(text)
    if isinstance(drafts, Refusal):
        assert before == after
        return
    placed = place(drafts, {"f.txt": before.encode()}.get)
    if isinstance(placed, Refusal):
        known = ("places", "quotes no line", "its indentation is not the file's")
        assert before == after or any(words in placed.message for words in known)
    else:
        assert placed == {"f.txt": after.encode()}


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.text(alphabet="ab +-@\\\n\r\t.`*/dev", max_size=300),
    st.sampled_from(["", HEADER, "```diff\n" + HEADER + "@@ -1 +1 @@\n"]),
)
@example("@\n+", "```diff\n" + HEADER + "@@ -1 +1 @@\n")  # a bare line before an added one
def test_no_text_breaks_the_reader(text: str, head: str) -> None:
    outcome(head + text)


BLANKS = " " * 300_000
SLOW = {
    "header": f"--- a/x{BLANKS}y\n+++ b/x{BLANKS}y\n@@ -1 +1 @@\n-a\n+b\n",
    "git header": f"diff --git a/x{BLANKS}b/x\n",
    "added line": f"{HEADER}@@ @@\n import os\n+{BLANKS}x\n",
    "context": f"{HEADER}@@ @@\n import os\n {BLANKS}x\n+y\n",
    "hunk header": f"{HEADER}@@{BLANKS}-1{BLANKS}+1{BLANKS}\n import os\n+y\n",
    "long numbers": f"{HEADER}@@ -{'9' * 100_000} +1 @@\n import os\n+y\n",
    "signs": f"{HEADER}@@ @@\n import os\n+{'@' * 300_000}\n",
    "many hunks": HEADER + "@@ @@\n-no\n+yes\n" * 20_000,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_hostile_length_costs_little(text: str) -> None:
    started = time.process_time()
    outcome(text)
    assert time.process_time() - started < 2
