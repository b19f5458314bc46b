"""Log and show of real repositories, honest and hostile ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.workspace.git import Repository
from bot.workspace.history import RepositoryHistory
from tests.unit.workspace.repositories import Origin, git


@pytest.fixture
def grown(origin: Origin) -> Origin:
    """Three commits on top of the first."""
    origin.commit({"app.py": "a = 1\nb = 3\nc = 3\n"}, "Mend b\n\nIt was 2.\n")
    origin.commit({"docs/read me.txt": "hello\nagain\n"}, "Say it again")
    origin.commit({"app.py": "a = 0\nb = 3\nc = 3\n"}, "Set a")
    return origin


def history(origin: Origin, scratch: Path) -> RepositoryHistory:
    return RepositoryHistory(Repository.open(origin.root, scratch))


def test_log_is_newest_first_and_of_a_path(grown: Origin, scratch: Path) -> None:
    looked = history(grown, scratch)
    commits = looked.log()
    assert [commit.message.strip().split("\n")[0] for commit in commits] == [
        "Set a",
        "Say it again",
        "Mend b",
        "change",
    ]
    assert [commit.sha for commit in commits] == grown.git("rev-list", "HEAD").split()
    assert commits[2].message == "Mend b\n\nIt was 2.\n"
    assert {commit.author for commit in commits} == {"A"}
    assert commits[0].date == grown.git("log", "-1", "--format=%cI").strip().replace("Z", "+00:00")
    assert [commit.message.strip() for commit in looked.log("docs/read me.txt")] == ["Say it again", "change"]
    assert [commit.message.strip() for commit in looked.log("docs")] == ["Say it again", "change"]
    assert len(looked.log(limit=2)) == 2
    assert len(looked.log(limit=10**9)) == 4
    assert len(looked.log(limit=-1)) == 1
    assert looked.log("nowhere") == ()


def test_show_is_message_and_difference(grown: Origin, scratch: Path) -> None:
    looked = history(grown, scratch)
    text = looked.show("HEAD~2")
    assert text is not None
    assert "Mend b\n\nIt was 2.\n" in text
    assert "-b = 2\n+b = 3\n" in text
    assert text.startswith(f"commit {grown.git('rev-parse', 'HEAD~2').strip()}\nauthor A\ndate   20")
    short = looked.show(grown.git("rev-parse", "--short=8", "HEAD~2").strip())
    assert short == text
    assert "[it changes nothing there]" in (looked.show("HEAD~2", "docs") or "")
    root = looked.show("HEAD~3", "app.py")
    assert root is not None
    assert "new file mode 100644" in root
    assert "+b = 2" in root
    assert "read me" not in root


@pytest.mark.parametrize(
    "revision",
    ["", "-p", "--output=x", "HEAD~9", "nowhere", "0" * 40, "HEAD:app.py", "HEAD^{tree}", "a\nb", "\u00e9", "HEAD\0"],
)
def test_an_unknown_revision_is_none(grown: Origin, scratch: Path, revision: str) -> None:
    assert history(grown, scratch).show(revision) is None


def test_commits_beside_and_after_the_head_are_unknown(grown: Origin, scratch: Path) -> None:
    """A fix on another branch, or one that the head was taken back from, is not shown."""
    grown.git("checkout", "-q", "-b", "other")
    fix = grown.commit({"app.py": "a = 1\nb = 3\nc = 3\n"}, "the solution")
    grown.git("checkout", "-q", "main")
    looked = history(grown, scratch)
    assert looked.show(fix) is None
    assert looked.show("other") is None
    assert "the solution" not in str(looked.log(limit=100))


def test_a_merge_is_shown_against_its_first_parent(grown: Origin, scratch: Path) -> None:
    grown.git("checkout", "-q", "-b", "side", "HEAD~1")
    side = grown.commit({"side.py": "s = 1\n"}, "side")
    grown.git("checkout", "-q", "main")
    grown.git("merge", "-q", "--no-ff", "-m", "Join", "side")
    text = history(grown, scratch).show("HEAD")
    assert text is not None
    assert f"merge of {side[:12]}; shown against its first parent" in text
    assert "+s = 1" in text
    assert "app.py" not in text


def test_a_shallow_clone_ends_where_it_ends(grown: Origin, tmp_path: Path, scratch: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{grown.root}", str(clone))
    looked = RepositoryHistory(Repository.open(clone, scratch))
    assert len(looked.log()) == 2
    assert "+a = 0" in (looked.show("HEAD") or "")
    assert "[the clone begins here" in (looked.show("HEAD~1") or "")
    assert looked.show("HEAD~2") is None


def test_much_and_large_is_bounded(origin: Origin, scratch: Path) -> None:
    origin.commit({f"many/{number}.txt": "x\n" for number in range(300)}, "many")
    origin.commit({"large.txt": "line\n" * 300_000, "small.txt": "small\n"}, "large")
    origin.commit({"long.txt": "line\n" * 80_000}, "long")
    origin.commit({"data.bin": b"\0\1" * 50}, "binary")
    origin.commit({}, "m" * 20_000)
    (origin.root / "message").write_text("m\n" * 100_000)
    origin.git("commit", "-q", "--allow-empty", "-F", "message")
    looked = history(origin, scratch)
    assert [len(commit.message) for commit in looked.log(limit=2)] == [
        len("[a commit object too large to be shown]"),
        4_000,
    ]
    binary, long, large, many = (looked.show(f"HEAD~{back}") or "" for back in (2, 3, 4, 5))
    assert "Binary files /dev/null and b/data.bin differ" in binary
    assert long.endswith("+line\n[the rest was cut]\n")
    assert "Binary files /dev/null and b/large.txt differ" in large
    assert "+small" in large
    assert many.count("diff --git") == 40
    assert "300 files; the first 40 are shown" in many
    assert all(len(text) < 61_000 for text in (long, large, many))


def test_odd_commits_are_read_as_they_are(origin: Origin, scratch: Path) -> None:
    """No author, a time that is none, another encoding, terminal codes: git takes them all."""
    tree = origin.git("rev-parse", "HEAD^{tree}").strip()
    parent = origin.git("rev-parse", "HEAD").strip()
    bodies = (
        b"author  <> 99999999999 +0000\ncommitter X <x> 99999999999 -9999\n\nfuture\n",
        b"author \xe9ric <e> 1 +0130\ncommitter \xe9ric <e> 1700000000 +0130\nencoding latin1\n\n\xe9t\xe9\n",
        b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n\x1b[31m::error::red\r\n",
    )
    for body in bodies:
        content = f"tree {tree}\nparent {parent}\n".encode() + body
        made = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
            cwd=origin.root,
            input=content,
            capture_output=True,
            check=True,
        )
        parent = made.stdout.decode().strip()
    origin.git("update-ref", "HEAD", parent)
    commits = history(origin, scratch).log()
    assert [commit.date for commit in commits[:3]] == ["1970-01-01T00:00:01+00:00", "2023-11-14T23:43:20+01:30", ""]
    assert [commit.author for commit in commits[:3]] == ["A", "\ufffdric", ""]
    assert commits[1].message == "\ufffdt\ufffd\n"


def test_nothing_of_the_repositorys_configuration_runs(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    marker = tmp_path / "marker"
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\necho ran >> {marker}\ncat\n")
    trap.chmod(0o755)
    origin.commit({".gitattributes": "* diff=evil filter=evil\n", ".mailmap": "Mapped <a@example.org>\n"}, "attributes")
    origin.commit({"app.py": "a = 1\nb = 9\nc = 3\n"}, "Change b")
    with (origin.root / ".git" / "config").open("a") as config:
        config.write(
            f'[diff "evil"]\n\ttextconv = {trap}\n\tcommand = {trap}\n[diff]\n\texternal = {trap}\n'
            f"[core]\n\tpager = {trap}\n\tfsmonitor = {trap}\n[gpg]\n\tprogram = {trap}\n[log]\n\tshowSignature = true\n"
            f'[filter "evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n[alias]\n\trev-list = !{trap}\n'
        )
    looked = history(origin, scratch)
    assert [commit.author for commit in looked.log()] == ["A", "A", "A"]
    assert "-b = 2\n+b = 9" in (looked.show("HEAD") or "")
    assert not marker.exists()


def test_a_commit_that_replaces_another_is_not_believed(grown: Origin, scratch: Path) -> None:
    head = grown.git("rev-parse", "HEAD").strip()
    grown.git("replace", head, grown.git("rev-parse", "HEAD~3").strip())
    assert history(grown, scratch).log(limit=1)[0].message.strip() == "Set a"
