"""From text to what git says, and taking it apart again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.patch.apply import apply, apply_overlay, combine
from bot.patch.hunks import subset, units
from bot.patch.parse import parse
from bot.patch.types import Applied, Refusal
from bot.vet import Subject, vet
from bot.vet.types import Grade
from bot.workspace.checkout import Checkout
from tests.unit.patch.conftest import APP
from tests.unit.workspace.repositories import Origin, git


def applied(text: str, checkout: Checkout) -> Applied:
    result = apply(text, checkout)
    assert isinstance(result, Applied), result
    return result


def change(name: str, old: str, new: str, path: str = "app.py") -> str:
    return f"--- a/{path}\n+++ b/{path}\n@@ @@\n def {name}(a):\n-    return a + {old}\n+    return a + {new}\n"


def test_what_applied_is_what_git_says(origin: Origin, checkout: Checkout, tmp_path: Path) -> None:
    result = applied(change("g", "2", "20") + "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+n = 1\n", checkout)
    assert [(c.path, c.status, c.new_mode, c.added, c.deleted) for c in result.changes] == [
        ("app.py", "M", "100644", 1, 1),
        ("new.py", "A", "100644", 1, 0),
    ]
    assert [file.path for file in result.patch.files] == ["app.py", "new.py"]
    assert result.patch.files[1].old_path is None
    (tmp_path / "fix.patch").write_text(result.patch.text)
    git(origin.root, "apply", "--check", str(tmp_path / "fix.patch"))
    assert checkout.read("app.py") == APP.encode(), "the checkout itself stays as it is"


def test_the_same_change_has_the_same_hash(checkout: Checkout) -> None:
    one = applied(change("g", "2", "20"), checkout)
    other = applied("Well:\n```diff\n" + change("g", "2", "20").replace("\n", "\r\n") + "```", checkout)
    assert one.patch.sha256 == other.patch.sha256


def test_an_executable_keeps_its_mode(checkout: Checkout) -> None:
    result = applied("--- a/run.py\n+++ b/run.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", checkout)
    assert (result.changes[0].old_mode, result.changes[0].new_mode) == ("100755", "100755")


HOSTILE = {
    "through a link to a folder": ("--- /dev/null\n+++ b/folder/x.txt\n@@ -0,0 +1 @@\n+x\n", "behind folder, which is a symbolic link"),
    "through a link, edited": ("--- a/folder/a.txt\n+++ b/folder/a.txt\n@@ -1 +1 @@\n-one\n+two\n", "symbolic link"),
    "a link itself": ("--- a/link.py\n+++ b/link.py\n@@ -1 +1 @@\n-app.py\n+/etc/passwd\n", "is a symbolic link"),
    "a file as a folder": ("--- /dev/null\n+++ b/app.py/x\n@@ -0,0 +1 @@\n+x\n", "which is a file"),
    "a folder as a file": ("--- /dev/null\n+++ b/docs\n@@ -0,0 +1 @@\n+x\n", "is a folder"),
    "a new file as a folder": (
        "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n--- /dev/null\n+++ b/n/m\n@@ -0,0 +1 @@\n+x\n",
        "is a folder",
    ),
    "a name that headers cannot carry": ("--- /dev/null\n+++ b/x b/y.py\n@@ -0,0 +1 @@\n+x\n", "header"),
    "outside": ("--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n", "'..'"),
    "into .git": ("--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n", ".git"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_places_are_refused(checkout: Checkout, text: str, words: str) -> None:
    refusal = apply(text, checkout)
    assert isinstance(refusal, Refusal) and words in refusal.message


GIT_ACCEPTS = {
    "workflow": "--- /dev/null\n+++ b/.github/workflows/x.yml\n@@ -0,0 +1 @@\n+x\n",
    "rename into workflows": (
        "diff --git a/docs/a.txt b/.github/workflows/a.yml\nsimilarity index 100%\nrename from docs/a.txt\n"
        "rename to .github/workflows/a.yml\n"
    ),
    "action": "--- /dev/null\n+++ b/action.yml\n@@ -0,0 +1 @@\n+x\n",
    "conftest": "--- /dev/null\n+++ b/tests/conftest.py\n@@ -0,0 +1 @@\n+x = 1\n",
}


@pytest.mark.parametrize("text", GIT_ACCEPTS.values(), ids=GIT_ACCEPTS)
def test_what_git_accepts_the_rules_refuse(checkout: Checkout, text: str) -> None:
    """Cases 32, 33 and 37, by what git read back."""
    objections = vet(Subject(applied(text, checkout), checkout.read))
    assert max(objection.grade for objection in objections) is Grade.BLOCKED


def overlaid(overlay: Mapping[str, bytes | None], checkout: Checkout) -> Applied:
    result = apply_overlay(overlay, checkout)
    assert isinstance(result, Applied), result
    return result


def test_overlays(checkout: Checkout) -> None:
    result = overlaid({"app.py": APP.replace("+ 2", "+ 20").encode(), "run.py": b"x = 1\n"}, checkout)
    assert set(result.overlay) == {"app.py"}
    nothing = apply_overlay({"run.py": b"x = 1\n"}, checkout)
    assert isinstance(nothing, Refusal) and "changes nothing" in nothing.message
    through = apply_overlay({"folder/a.txt": b"x\n"}, checkout)
    assert isinstance(through, Refusal) and "symbolic link" in through.message
    climbing = apply_overlay({"../x.py": b"x\n"}, checkout)
    assert isinstance(climbing, Refusal) and "../x.py" in climbing.message


def test_odd_names_survive_the_round_trip(checkout: Checkout) -> None:
    names = [
        "with blank.py",
        "caf\xe9.py",
        'quo"te.py',
        "b/y.py",
        "a/b/c.py",
        "it's.py",
        "@@ -1 +1 @@.py",
        "x => y.py",
    ]
    result = overlaid(dict.fromkeys(names, b"x = 1\n"), checkout)
    assert sorted(file.path for file in result.patch.files) == sorted(names)


def test_text_that_looks_like_a_diff_survives(checkout: Checkout) -> None:
    content = b"-- a\n++ b\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file\n\n\x0c\xe2\x80\xa8z\n--- a\n+++ b\n"
    result = overlaid({"app.py": content}, checkout)
    assert sum(line.startswith("+") for hunk in result.patch.files[0].hunks for line in hunk.lines) == content.count(
        b"\n"
    )
    assert subset(result, [unit.index for unit in units(result)]) == {"app.py": content}


class TestUnits:
    def test_each_subset_is_what_git_apply_would_make(self, checkout: Checkout) -> None:
        text = change("f", "1", "10") + change("g", "2", "20") + change("h", "3", "30")
        whole = applied(text + "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+n = 1\n", checkout)
        found = units(whole)
        assert [(unit.path, unit.first, unit.old, unit.whole) for unit in found] == [
            ("app.py", 2, ("    return a + 1",), False),
            ("app.py", 6, ("    return a + 2",), False),
            ("app.py", 10, ("    return a + 3",), False),
            ("new.py", 1, (), True),
        ]
        for count in range(5):
            for keep in combinations(range(4), count):
                expected = APP
                for index, number in enumerate((1, 2, 3)):
                    expected = expected.replace(f"+ {number}\n", f"+ {number}0\n") if index in keep else expected
                overlay = subset(whole, keep)
                assert overlay.get("app.py", APP.encode()) == expected.encode()
                assert ("app.py" in overlay) is bool({0, 1, 2} & set(keep))
                assert ("new.py" in overlay) is (3 in keep)

    @pytest.mark.parametrize(
        "new",
        [
            b"a = 1\nb = 2\n", b"z = 0\na = 1\nb = 2", b"a = 1\nb = 2\nc = 3\n", b"b = 2", b"a = 9\nb = 2\n", b"a = 1", b"q", b"",
            b"\na = 1\n\nb = 2\n\n",
        ],
    )  # fmt: skip
    def test_nothing_kept_is_the_base_again(self, checkout: Checkout, new: bytes) -> None:
        result = overlaid({"open.py": new, "app.py": APP.replace("+ 1", "+ 9").encode()}, checkout)
        app = next(unit.index for unit in units(result) if unit.path == "app.py")
        assert subset(result, {app}) == {"app.py": result.overlay["app.py"]}
        own = [unit.index for unit in units(result) if unit.path == "open.py"]
        assert subset(result, own) == {"open.py": new}

    def test_line_ends_come_back(self, checkout: Checkout) -> None:
        result = overlaid({"crlf.py": b"a = 9\r\nb = 2\r\nc = 9\r\n"}, checkout)
        assert len(units(result)) == 2
        assert subset(result, {1}) == {"crlf.py": b"a = 1\r\nb = 2\r\nc = 9\r\n"}

    def test_line_ends_that_git_converts(self, origin: Origin, tmp_path: Path) -> None:
        from bot.workspace.git import Repository

        origin.commit({".gitattributes": "*.bat text eol=crlf\n", "a.bat": b"one\ntwo\nthree\n"})
        checkout = Repository.open(origin.root, tmp_path / "second").checkout()
        result = overlaid({"a.bat": b"1\r\ntwo\r\n3\r\n"}, checkout)
        assert subset(result, {0}) == {"a.bat": b"1\r\ntwo\r\nthree\r\n"}
        assert applied("--- a/a.bat\n+++ b/a.bat\n@@ @@\n-two\n+2\n", checkout).overlay == {
            "a.bat": b"one\r\n2\r\nthree\r\n"
        }

    def test_deleted_file_is_one_unit(self, checkout: Checkout) -> None:
        result = overlaid({"docs/a.txt": None, "app.py": b""}, checkout)
        assert [(unit.path, unit.whole) for unit in units(result)] == [("app.py", False), ("docs/a.txt", True)]
        assert subset(result, {1}) == {"docs/a.txt": None}


class TestCombine:
    def test_of_one_file_and_several(self, origin: Origin, checkout: Checkout, tmp_path: Path) -> None:
        one = applied(change("f", "1", "10") + "--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+n = 1\n", checkout)
        two = applied(change("h", "3", "30") + "--- /dev/null\n+++ b/m.py\n@@ -0,0 +1 @@\n+m = 1\n", checkout)
        both = combine((one, two), checkout)
        assert isinstance(both, Applied)
        assert both.overlay["app.py"] == APP.replace("+ 1", "+ 10").replace("+ 3", "+ 30").encode()
        assert set(both.overlay) == {"app.py", "n.py", "m.py"}
        (tmp_path / "fix.patch").write_text(both.patch.text)
        git(origin.root, "apply", "--check", str(tmp_path / "fix.patch"))

    def test_one_alone_is_itself(self, checkout: Checkout) -> None:
        one = applied(change("f", "1", "10"), checkout)
        assert combine((one,), checkout) == one

    def test_equal_parts_agree(self, checkout: Checkout) -> None:
        one = applied(change("f", "1", "10"), checkout)
        assert combine((one, one), checkout) == one

    def test_the_same_line_is_refused(self, checkout: Checkout) -> None:
        one, two = applied(change("f", "1", "10"), checkout), applied(change("f", "1", "11"), checkout)
        refusal = combine((one, two), checkout)
        assert isinstance(refusal, Refusal) and "do not combine in app.py" in refusal.message

    def test_the_same_new_file_is_refused(self, checkout: Checkout) -> None:
        made = "--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+n = {}\n"
        refusal = combine((applied(made.format(1), checkout), applied(made.format(2), checkout)), checkout)
        assert isinstance(refusal, Refusal) and "n.py" in refusal.message

    def test_a_deleted_file_is_refused(self, checkout: Checkout) -> None:
        refusal = combine((overlaid({"app.py": None}, checkout), applied(change("f", "1", "10"), checkout)), checkout)
        assert isinstance(refusal, Refusal)


def test_parse_refuses_what_is_no_diff_of_gits() -> None:
    with pytest.raises(ConfigError, match="not a unified diff"):
        parse("--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n")


def test_placing_leaves_no_files_behind(checkout: Checkout) -> None:
    before = sorted(os.listdir(checkout.store.scratch))
    for number in range(3):
        applied(change("f", "1", f"1{number}"), checkout)
        apply("nonsense", checkout)
    assert sorted(os.listdir(checkout.store.scratch)) == before
    listed = subprocess.run(["git", "status"], cwd=checkout.path, capture_output=True, check=False)
    assert listed.returncode != 0, "the checkout is no repository"
