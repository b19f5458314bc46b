"""Bad input as its user meets it: a clear word, the right exit status, the work tree as it was."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bot import process
from tests import repositories
from tests.command_line import BUGGY, grokfix, result_of, text
from tests.conftest import unavailable

PROCESS = ("--sandbox", "process")
PASSING = {"test_ok.py": "def test_ok():\n    assert True\n"}


def untouched(root: Path) -> bool:
    return repositories.git(root, "status", "--porcelain") == ""


def test_suite_that_never_ends_is_told_by_its_test(tmp_path: Path) -> None:
    root = repositories.make(
        tmp_path / "r",
        {
            "loop.py": "def count(n):\n    while n != 0:\n        n += 1\n    return n\n",
            "test_loop.py": "from loop import count\n\n\ndef test_count():\n    assert count(3) == 0\n\n\ndef test_other():\n    assert True\n",
            ".github/grokfix.yml": "version: 1\nsuites:\n  - {seconds: 20, test_seconds: 1}\n",
        },
    )
    out = tmp_path / "out"
    done = grokfix("repair", ".", *PROCESS, "--max-attempts", "1", "--max-minutes", "0.4", "--output", out, cwd=root)
    assert done.exit_code in (0, 1), text(done)
    repair = result_of(out)["repairs"][0]
    assert repair["targets"] == ["test_loop.py::test_count"]
    assert repair["exception"] == "TimeLimitExceeded"
    assert "within its limit of 1 s" in repair["failure_message"]


def test_suite_that_deletes_its_own_files_does_not_touch_the_checkout(tmp_path: Path) -> None:
    root = repositories.make(
        tmp_path / "r",
        {
            **BUGGY,
            "tests/test_zz_destroy.py": "import pathlib, shutil\n\n\ndef test_destroy():\n    here = pathlib.Path(__file__).parents[1]\n"
            "    for path in here.iterdir():\n        shutil.rmtree(path) if path.is_dir() else path.unlink()\n    assert False\n",
        },
    )
    out = tmp_path / "out"
    done = grokfix("repair", ".", "tests/test_cart.py", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code == 0, text(done)
    assert untouched(root)
    assert (root / "shop/cart.py").exists()


def test_suite_that_breaks_off_without_a_report(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", {**PASSING, "conftest.py": "import os\nos._exit(0)\n"})
    out = tmp_path / "out"
    done = grokfix("repair", ".", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code == 1, text(done)
    assert (result_of(out)["outcome"], result_of(out)["reason"]) == ("gave_up", "infrastructure")
    assert "no report" in text(done).lower() or "without a report" in text(done).lower()


def test_no_tests_at_all(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", {"a.py": "x = 1\n"})
    out = tmp_path / "out"
    done = grokfix("repair", ".", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code in (1, 2), text(done)
    assert "no test" in text(done).lower()
    assert "Traceback" not in text(done)


def test_sources_that_are_binary_or_not_utf8_stand_in_nobodys_way(tmp_path: Path) -> None:
    files = {
        **BUGGY,
        "shop/latin.py": "# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\n".encode("latin-1"),
        "shop/data.bin": bytes(range(256)) * 40,
        "shop/null.py": b"x = 1\x00\n",
    }
    root = repositories.make(tmp_path / "r", files)
    out = tmp_path / "out"
    done = grokfix("repair", ".", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code == 0, text(done)
    assert result_of(out)["outcome"] == "repaired"
    repositories.git(root, "apply", "--check", str(out / "fix.patch"))


def test_fault_in_a_source_that_is_not_utf8_is_an_honest_stop(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {**BUGGY}
    files["shop/cart.py"] = b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + BUGGY["shop/cart.py"].encode()
    root = repositories.make(tmp_path / "r", files)
    done = grokfix("repair", ".", *PROCESS, "--max-minutes", "2", cwd=root)
    assert done.exit_code in (0, 1), text(done)
    assert "Traceback (most" not in done.stderr.decode()
    assert untouched(root)


def test_submodules_are_left_alone(tmp_path: Path) -> None:
    inner = repositories.make(tmp_path / "inner", {"x.py": "x = 1\n"})
    root = repositories.make(tmp_path / "r", BUGGY)
    repositories.git(
        root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor/inner"
    )
    repositories.git(root, "commit", "--quiet", "--message=submodule")
    out = tmp_path / "out"
    done = grokfix("repair", ".", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code == 0, text(done)
    assert result_of(out)["outcome"] == "repaired"


def test_hostile_git_configuration_is_never_run(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", {**BUGGY, ".gitattributes": "*.py filter=x diff=x\n"})
    marker = tmp_path / "marker"
    command = f"touch {marker}"
    for key in (
        "core.fsmonitor",
        "filter.x.clean",
        "filter.x.smudge",
        "diff.x.textconv",
        "diff.external",
        "alias.status",
    ):
        repositories.git(root, "config", key, command if key != "alias.status" else f"!{command}")
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{command}\n")
    hook.chmod(0o755)
    marker.unlink(missing_ok=True)
    done = grokfix("repair", ".", *PROCESS, "--apply", cwd=root)
    assert done.exit_code == 0, text(done)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><body>Not found</body></html>", "HTML"),
        (b"not xml at all", "not well-formed"),
        (b"", "empty"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><testsuite/>", "DTD"),
        (b"PK\x03\x04 no archive", "archive"),
    ],
)
def test_junit_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    root = repositories.make(tmp_path / "r", PASSING)
    report = tmp_path / "report.xml"
    report.write_bytes(content)
    done = grokfix("repair", ".", "--junit", report, *PROCESS, cwd=root)
    assert done.exit_code == 2, text(done)
    assert said in text(done)
    assert not (root / ".grokfix").exists()


def test_hostile_report_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", PASSING)
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuite><testcase classname='a' name='&#x85;::error::b'><failure message='x ##[error]y&#10;::add-mask::z'>"
        "[bold]m[/bold] \u202e</failure></testcase></testsuite>"
    )
    done = grokfix("report", report, cwd=root)
    assert done.exit_code == 0, text(done)
    lines = text(done).splitlines()
    assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line or "\u202e" in line]


def test_bare_repository_and_one_without_a_commit(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    repositories.git(empty, "init", "--quiet")
    done = grokfix("repair", ".", *PROCESS, cwd=empty)
    assert done.exit_code == 2 and "commit" in text(done)
    bare = tmp_path / "bare"
    bare.mkdir()
    repositories.git(bare, "init", "--quiet", "--bare")
    done = grokfix("repair", ".", *PROCESS, cwd=bare)
    assert done.exit_code == 2 and "bare" in text(done)


def test_output_folder_that_is_not_empty_is_never_overwritten(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", PASSING)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    done = grokfix("repair", ".", *PROCESS, "--output", out, cwd=root)
    assert done.exit_code == 2, text(done)
    assert "not empty" in text(done)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_full_disk_under_the_output_folder(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", BUGGY)
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system here")
    try:
        done = grokfix("repair", ".", *PROCESS, "--output", small / "out", cwd=root)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.exit_code == 3, text(done)
    assert "space" in text(done)
    assert "Traceback" not in text(done)
    assert untouched(root)


def test_output_folder_that_is_read_only(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", PASSING)
    place = "/proc/grokfix" if os.path.isdir("/proc/self") else str(root / "test_ok.py/x")
    done = grokfix("repair", ".", *PROCESS, "--output", place, cwd=root)
    assert done.exit_code == 2, text(done)
    assert "--output" in text(done)


@pytest.mark.docker
def test_docker_without_the_image(tmp_path: Path) -> None:
    if process.run(("docker", "info"), seconds=20).exit_code != 0:
        unavailable("docker", "no engine answers")
    root = repositories.make(
        tmp_path / "r",
        {**PASSING, ".github/grokfix.yml": "version: 1\nsuites:\n  - image: 127.0.0.1:9/no/such-image:1\n"},
    )
    done = grokfix("repair", ".", "--sandbox", "docker", cwd=root)
    assert done.exit_code == 3, text(done)
    assert "no/such-image" in text(done)
    assert "Traceback" not in text(done)
