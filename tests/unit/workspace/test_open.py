"""Opening every layout of repository, and refusing what is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.workspace.git import Repository
from tests.unit.workspace.repositories import Origin, git


def test_opens_from_a_folder_inside(origin: Origin, scratch: Path) -> None:
    repository = Repository.open(origin.root / "docs", scratch)
    assert repository.root == origin.root
    assert repository.head == origin.git("rev-parse", "HEAD").strip()


def test_refuses_what_is_no_repository(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(ConfigError, match="not inside a git repository; run `git init`"):
        Repository.open(tmp_path, scratch)
    with pytest.raises(ConfigError, match="does not exist"):
        Repository.open(tmp_path / "nowhere", scratch)


def test_refuses_a_bare_repository(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(origin.root), "bare.git")
    with pytest.raises(ConfigError, match="bare repository"):
        Repository.open(tmp_path / "bare.git", scratch)


def test_refuses_a_repository_without_a_commit(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(ConfigError, match="no commit yet"):
        Repository.open(Origin(tmp_path / "new").root, scratch)


def test_refuses_a_head_that_is_not_there(origin: Origin, scratch: Path) -> None:
    (origin.root / ".git/HEAD").write_text("1" * 40 + "\n")
    with pytest.raises(ConfigError, match="not among its objects"):
        Repository.open(origin.root, scratch)


@pytest.mark.parametrize("content", ["", "ref: refs/heads/../../x\n", "ref: ../../etc/passwd\n", "zzz\n", "\0" * 100])
def test_refuses_a_damaged_head(origin: Origin, scratch: Path, content: str) -> None:
    (origin.root / ".git/HEAD").write_text(content)
    with pytest.raises(ConfigError, match="HEAD is damaged"):
        Repository.open(origin.root, scratch)


def test_a_fifo_in_place_of_head_does_not_hang(origin: Origin, scratch: Path) -> None:
    (origin.root / ".git/HEAD").unlink()
    os.mkfifo(origin.root / ".git/HEAD")
    with pytest.raises(ConfigError, match="HEAD is damaged"):
        Repository.open(origin.root, scratch)


def test_no_git_at_all(origin: Origin, scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is needed"):
        Repository.open(origin.root, scratch)


def test_linked_worktree(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    origin.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side/app.py").write_text("a = 9\n")
    git(tmp_path / "side", "commit", "-qam", "side")
    repository = Repository.open(tmp_path / "side", scratch)
    assert (
        repository.head
        == git(tmp_path / "side", "rev-parse", "HEAD").strip()
        != origin.git("rev-parse", "HEAD").strip()
    )
    assert repository.checkout().read("app.py") == b"a = 9\n"
    assert repository.dirty() == ()
    assert repository.resolve("main") == origin.git("rev-parse", "main").strip()


def test_shared_clone_borrows_objects_twice(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(origin.root), "one")
    git(tmp_path, "clone", "-q", "--shared", "one", "two")
    assert Repository.open(tmp_path / "two", scratch).checkout().read("app.py") == b"a = 1\nb = 2\nc = 3\n"


def test_shallow_clone(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    origin.commit({"app.py": "a = 2\n"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin.root}", "shallow")
    repository = Repository.open(tmp_path / "shallow", scratch)
    assert repository.checkout().read("app.py") == b"a = 2\n"
    with pytest.raises(ConfigError, match="the clone is shallow"):
        repository.changed_since("HEAD~1")


def test_sha256(tmp_path: Path, scratch: Path) -> None:
    origin = Origin(tmp_path / "long", "--object-format=sha256")
    head = origin.commit({"a.py": "a = 1\n"})
    repository = Repository.open(origin.root, scratch)
    assert repository.head == head and len(head) == 64
    text, _ = repository.checkout().diff({"a.py": b"a = 2\n", "b.py": b"b\n", "c.py": None})
    assert "+a = 2\n" in text


def test_packed_and_detached(origin: Origin, scratch: Path) -> None:
    first = origin.git("rev-parse", "HEAD").strip()
    origin.git("tag", "-a", "v1", "-m", "one")
    origin.commit({"app.py": "a = 2\n"})
    origin.git("gc", "-q")
    origin.git("checkout", "-q", "--detach")
    repository = Repository.open(origin.root, scratch)
    assert repository.resolve("v1") == repository.resolve("main~1") == repository.resolve(first[:10]) == first
    assert (origin.root / ".git/packed-refs").exists()


def test_refs_of_remotes(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    git(tmp_path, "clone", "-q", str(origin.root), "clone")
    repository = Repository.open(tmp_path / "clone", scratch)
    assert repository.resolve("origin/main") == repository.resolve("origin") == repository.head


@pytest.mark.parametrize("revision", ["--output=/tmp/x", "-h", "", "nowhere", "HEAD~99", "a\nb", "HEAD:app.py"])
def test_refuses_what_is_no_revision(repository: Repository, revision: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be a revision|no commit"):
        repository.resolve(revision)


def test_replacement_refs_change_nothing(origin: Origin, scratch: Path) -> None:
    first = origin.git("rev-parse", "HEAD").strip()
    second = origin.commit({"app.py": "evil = 1\n"})
    origin.git("reset", "-q", "--hard", first)
    origin.git("replace", first, second)
    assert Repository.open(origin.root, scratch).checkout().read("app.py") == b"a = 1\nb = 2\nc = 3\n"


def test_submodules_are_named_and_left_out(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    library = Origin(tmp_path / "library")
    library.commit({"lib.py": "x = 1\n"})
    origin.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "vendor/library")
    origin.commit({})
    (origin.root / "vendor/library/lib.py").write_text("x = 2\n")
    repository = Repository.open(origin.root, scratch)
    checkout = repository.checkout()
    assert repository.submodules == checkout.submodules == ("vendor/library",)
    assert repository.dirty() == ()
    assert not (checkout.path / "vendor").exists()
    assert checkout.mode("vendor/library/lib.py") == "160000"


def test_parents_of_a_merge(origin: Origin, scratch: Path) -> None:
    base = origin.git("rev-parse", "HEAD").strip()
    origin.git("switch", "-q", "-c", "topic")
    topic = origin.commit({"topic.txt": "x"})
    origin.git("switch", "-q", "-")
    origin.git("merge", "-q", "--no-ff", "--no-edit", "-m", "parent of\n\nparent 1234", "topic")
    repository = Repository.open(origin.root, scratch)
    assert repository.parents("HEAD") == (base, topic)
    assert repository.parents(base + "~0")[:1] != (topic,)
