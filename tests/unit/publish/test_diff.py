"""Reading diffs for display."""

from __future__ import annotations

import pytest

from bot.publish.diff import FileStat, diff_lines, diff_stats
from tests.unit.publish.sample import FIX

TRICKY = """diff --git a/a.sql b/a.sql
index 1..2 100644
--- a/a.sql
+++ b/a.sql
@@ -1,3 +1,2 @@ section
--- a comment that goes
-++ odd
+-- a comment that comes
 kept
\\ No newline at end of file
diff --git a/new b/new
new file mode 100644
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+diff --git a/x b/x
diff --git a/image.png b/image.png
Binary files a/image.png and b/image.png differ
"""


def test_counts_tell_content_from_headers() -> None:
    kinds = [kind.value for kind, _ in diff_lines(TRICKY)]
    assert kinds == [
        *("file", "meta", "meta", "meta", "hunk", "removed", "removed", "added", "context", "meta"),
        *("file", "meta", "meta", "meta", "hunk", "added"),
        *("file", "meta"),
    ]
    assert "\n".join(line for _, line in diff_lines(TRICKY)) + "\n" == TRICKY


@pytest.mark.parametrize(
    ("text", "stats"),
    [
        (TRICKY, (FileStat("a.sql", 1, 2), FileStat("new", 1, 0), FileStat("image.png", 0, 0))),
        (FIX, (FileStat("shop/cart.py", 1, 1), FileStat("tests/test_cart_boundary.py", 7, 0))),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", (FileStat("x", 1, 1),)),
        ('diff --git "a/sp ace" "b/sp ace"\n', (FileStat("sp ace", 0, 0),)),
        ("no diff at all", ()),
        ("", ()),
    ],
)
def test_stats(text: str, stats: tuple[FileStat, ...]) -> None:
    assert diff_stats(text) == stats


@pytest.mark.parametrize("text", ["@@ -999999999 +1 @@\n", "@@ -1,999999999 +1,999999999 @@\n+x\n", "+\n-\n \n"])
def test_a_lying_diff_is_still_shown(text: str) -> None:
    assert "\n".join(line for _, line in diff_lines(text)) + "\n" == text
