"""The rules once more, on what the code host has: few calls, and nothing gets through that was not plain files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.ports import FileWrite
from bot.publish.revet import Refused, Tree, Vetted, revet
from bot.vet.types import Grade
from tests.fake_forge import FakeForge
from tests.unit.publish.world import DIFF, FILES, FIXED, NEW, PROOF, TARGET, patch_of


def host(**more: FileWrite) -> tuple[FakeForge, str]:
    forge = FakeForge()
    first = forge.push("main", FILES)
    sha = forge.add_commit([first], {path.replace("__", "/"): file for path, file in more.items()}, "odd files")
    return forge, sha


def test_a_good_patch_costs_a_listing_and_a_blob_for_each_file_it_reads(tmp_path: Path) -> None:
    forge, sha = host()
    patch = patch_of(DIFF + NEW, tmp_path)
    vetted = revet(patch, (TARGET,), Tree(forge, sha), (), tmp_path)
    assert isinstance(vetted, Vetted) and vetted.same and vetted.grade is Grade.ALLOWED
    assert vetted.files == {"cart.py": FileWrite(FIXED.encode()), "tests/test_boundary.py": FileWrite(PROOF.encode())}
    assert [call.method for call in forge.calls] == ["tree", "blob", "blob"]


def test_the_mode_of_the_file_stays(tmp_path: Path) -> None:
    forge, sha = host(**{"cart.py": FileWrite(FILES["cart.py"].encode(), "100755")})
    vetted = revet(patch_of(DIFF, tmp_path), (TARGET,), Tree(forge, sha), (), tmp_path)
    assert isinstance(vetted, Vetted) and vetted.files["cart.py"].mode == "100755"


def test_a_patch_of_another_commit_that_fits_says_so(tmp_path: Path) -> None:
    forge, sha = host(**{"cart.py": FileWrite((FILES["cart.py"] + "\n\nLATER = 1\n").encode())})
    vetted = revet(patch_of(DIFF, tmp_path), (TARGET,), Tree(forge, sha), (), tmp_path)
    assert isinstance(vetted, Vetted) and not vetted.same
    assert vetted.files["cart.py"].content == (FIXED + "\n\nLATER = 1\n").encode()


def new_file(path: str, line: str = "x = 1") -> str:
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("", "no diff"),
        ("not a diff at all", "no diff"),
        (DIFF.replace("cart.py", "../../etc/passwd"), "component"),
        (DIFF.replace("a/cart.py", "/etc/passwd").replace("b/cart.py", "/etc/passwd"), "absolute|apply|read"),
        (new_file(".git/hooks/pre-commit"), r"\.git"),
        (new_file(".GIT/config"), r"\.git"),
        (new_file(".github/workflows/evil.yml"), "protected_paths"),
        (new_file("action.yml"), "protected_paths"),
        (new_file("conftest.py", "import os"), "test_configuration"),
        (new_file("cart.py/inner.py"), "lies behind cart.py"),
        (new_file("tests"), "is a folder"),
        (new_file("link/x.py"), "lies behind link"),
        (DIFF.replace("cart.py", "link"), "no plain file"),
        (DIFF.replace("cart.py", "sub"), "no plain file"),
        (new_file("sub/x.py"), "lies behind sub"),
        (DIFF.replace("cart.py", "absent.py"), "does not apply"),
        (DIFF.replace("count > 10", "count > 11"), "does not apply"),
        (new_file("secret_plans.py"), r"protect"),
        ("".join(new_file(f"f{number}.py") for number in range(21)), "21 files"),
        (
            "diff --git a/cart.py b/.github/cart.py\nsimilarity index 100%\nrename from cart.py\n"
            "rename to .github/cart.py\n",
            "protected_paths|rename|read",
        ),
        ("diff --git a/cart.py b/cart.py\nold mode 100644\nnew mode 100755\n", "mode|read|changes nothing|no diff"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n"
            "\\ No newline at end of file\n",
            "symbolic|mode|link",
        ),
        (
            DIFF.replace("+    if count >= 10:", "+    import os; os._exit(0)"),
            "process_exits|a rule forbids",
        ),
    ],
)
def test_what_must_not_go_out_is_refused(tmp_path: Path, patch: str, said: str) -> None:
    forge, sha = host(link=FileWrite(b"/etc", "120000"), sub=FileWrite(b"", "160000"))
    vetted = revet(patch, (TARGET,), Tree(forge, sha), ("secret_*",), tmp_path)
    assert isinstance(vetted, Refused), vetted
    assert re.search(said, vetted.reason), vetted.reason


def test_removing_a_test_is_refused_although_the_bundle_said_nothing(tmp_path: Path) -> None:
    forge, sha = host()
    patch = "--- a/tests/test_cart.py\n+++ b/tests/test_cart.py\n@@ -4,2 +4,2 @@\n-def test_ten():\n-    assert discount(10) == 5\n+def test_ten():\n+    assert True\n"
    vetted = revet(patch, (TARGET,), Tree(forge, sha), (), tmp_path)
    assert isinstance(vetted, Refused) and "test_assertions" in vetted.reason
