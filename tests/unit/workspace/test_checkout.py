"""Clean checkouts, uncommitted paths, differences, and writing back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.workspace.git import Repository
from bot.workspace.types import Change, ChangedRange
from tests.unit.workspace.repositories import Origin, git


def test_checkout_is_plain_files(repository: Repository) -> None:
    checkout = repository.checkout()
    names = {path.relative_to(checkout.path).as_posix() for path in checkout.path.rglob("*")}
    assert names == {"app.py", "run.sh", "link", "docs", "docs/read me.txt", ".gitignore"}
    assert os.access(checkout.path / "run.sh", os.X_OK) and not os.access(checkout.path / "app.py", os.X_OK)
    assert (checkout.path / "link").readlink() == Path("app.py")
    assert checkout.read("app.py") == b"a = 1\nb = 2\nc = 3\n"
    assert checkout.read("link") is None and checkout.read("nowhere") is None and checkout.read("docs") is None
    assert checkout.mode("run.sh") == "100755" and checkout.mode("link/x") == "120000" and checkout.mode("new") is None


def test_dirty_and_checkout_of_the_work_tree(origin: Origin, repository: Repository) -> None:
    assert repository.dirty() == ()
    origin.write("app.py", "a = 5\n")
    origin.write("new/file.py", "n = 1\n")
    origin.write("noise.log", "ignored\n")
    origin.write(".git/info/exclude", "private/\n")
    origin.write("caf\xe9.txt", "x\n")
    (origin.root / "docs/read me.txt").unlink()
    (origin.root / "run.sh").chmod(0o644)
    (origin.root / "link").unlink()
    (origin.root / "link").mkdir()
    origin.write("link/inside.py", "i = 1\n")
    os.mkfifo(origin.root / "pipe")
    expected = ("app.py", "caf\xe9.txt", "docs/read me.txt", "link", "link/inside.py", "new/file.py", "run.sh")
    assert repository.dirty() == expected
    checkout = repository.checkout(include_work_tree=True)
    assert checkout.dirty == expected
    assert checkout.read("app.py") == b"a = 5\n" and checkout.read("new/file.py") == b"n = 1\n"
    assert checkout.read("link/inside.py") == b"i = 1\n" and checkout.mode("run.sh") == "100644"
    assert not (checkout.path / "docs").exists() and not (checkout.path / "noise.log").exists()
    assert repository.checkout().read("app.py") == b"a = 1\nb = 2\nc = 3\n"
    assert (origin.root / "app.py").read_text() == "a = 5\n"


def test_work_tree_belongs_to_head_only(origin: Origin, scratch: Path) -> None:
    origin.commit({"app.py": "a = 2\n"})
    with pytest.raises(ConfigError, match="on top of HEAD only"):
        Repository.open(origin.root, scratch).checkout("HEAD~1", include_work_tree=True)


def test_own_excludes_are_honoured(origin: Origin, scratch: Path) -> None:
    origin.write(".git/info/exclude", "private/\n")
    origin.write("private/x", "x\n")
    assert Repository.open(origin.root, scratch).dirty() == ()


def test_the_index_of_the_user_is_not_believed(origin: Origin, scratch: Path) -> None:
    origin.git("update-index", "--assume-unchanged", "app.py")
    origin.write("app.py", "hidden = 1\n")
    before = (origin.root / ".git/index").read_bytes()
    assert Repository.open(origin.root, scratch).dirty() == ("app.py",)
    assert (origin.root / ".git/index").read_bytes() == before


def test_repository_inside_the_repository(origin: Origin, repository: Repository) -> None:
    Origin(origin.root / "inner").commit({"x.py": "x\n"})
    assert repository.dirty() == ("inner/",)
    assert not (repository.checkout(include_work_tree=True).path / "inner").exists()


def test_sparse_checkout_is_not_dirty(origin: Origin, scratch: Path) -> None:
    origin.git("sparse-checkout", "set", "--no-cone", "/app.py")
    assert not (origin.root / "docs").exists()
    assert Repository.open(origin.root, scratch).dirty() == ()


def test_line_end_attributes(origin: Origin, scratch: Path, tmp_path: Path) -> None:
    origin.commit({".gitattributes": "*.bat text eol=crlf\n", "a.bat": "one\ntwo\nthree\n"})
    git(origin.root, "checkout", "-q", "HEAD", "--", "a.bat")
    (origin.root / "a.bat").unlink()
    git(origin.root, "checkout", "-q", "--", "a.bat")
    assert (origin.root / "a.bat").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
    repository = Repository.open(origin.root, scratch)
    assert repository.dirty() == ()
    checkout = repository.checkout()
    assert checkout.read("a.bat") == b"one\r\ntwo\r\nthree\r\n"
    overlay = {"a.bat": b"one\r\n2\r\nthree\r\n"}
    text, changes = checkout.diff(overlay)
    assert (changes[0].added, changes[0].deleted) == (1, 1)
    (tmp_path / "fix.patch").write_text(text)
    git(origin.root, "apply", str(tmp_path / "fix.patch"))
    assert (origin.root / "a.bat").read_bytes() == overlay["a.bat"]


def test_large_files_stay_pointers_and_are_not_dirty(origin: Origin, scratch: Path) -> None:
    content = b"weights" * 1000
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\n"
        f"size {len(content)}\n"
    )
    origin.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": pointer})
    origin.write("model.bin", content)
    repository = Repository.open(origin.root, scratch)
    assert repository.dirty() == ()
    checkout = repository.checkout()
    assert checkout.large_files == ("model.bin",) and checkout.read("model.bin") == pointer.encode()
    origin.write("model.bin", content[:-1] + b"!")
    assert repository.dirty() == ("model.bin",)


def test_diff_applies_with_git(origin: Origin, repository: Repository, tmp_path: Path) -> None:
    origin.commit({"crlf.txt": b"a\r\nb\r\n", "open.txt": b"no end", "mixed.txt": "caf\xe9\n"})
    repository = Repository.open(origin.root, tmp_path / "second")
    overlay: dict[str, bytes | None] = {
        "app.py": b"a = 1\nb = 9\nc = 3",
        "run.sh": b"#!/bin/bash\n",
        "crlf.txt": b"a\r\nc\r\n",
        "open.txt": b"an end\n",
        "mixed.txt": "caf\xe9s\n".encode(),
        "new folder/\xfc b.py": b"n = 1\n",
        "empty.py": b"",
        "docs/read me.txt": None,
        "image.bin": b"\0\1\2" * 20,
    }
    text, changes = repository.checkout().diff(overlay)
    by_path = {change.path: change for change in changes}
    assert set(by_path) == set(overlay)
    assert by_path["run.sh"] == Change("run.sh", "M", "100755", "100755", False, 1, 1)
    assert by_path["empty.py"].new_mode == "100644" and by_path["image.bin"].binary
    assert by_path["docs/read me.txt"].status == "D"
    (tmp_path / "fix.patch").write_bytes(text.encode())
    git(origin.root, "apply", str(tmp_path / "fix.patch"))
    for path, content in overlay.items():
        target = origin.root / path
        assert (target.read_bytes() if target.exists() else None) == content
    assert os.access(origin.root / "run.sh", os.X_OK)


def test_diff_of_nothing(repository: Repository) -> None:
    assert repository.checkout().diff({"app.py": b"a = 1\nb = 2\nc = 3\n"}) == ("", ())


@pytest.mark.parametrize("path", ["../x", "/x", ".git/config", "a/.GIT/x", "", "a\nb", "app.py/x"])
def test_diff_refuses_bad_paths(repository: Repository, path: str) -> None:
    with pytest.raises(ConfigError):
        repository.checkout().diff({path: b"x\n"})


def test_diff_refuses_text_in_another_encoding(origin: Origin, tmp_path: Path) -> None:
    origin.commit({"latin.py": b"# caf\xe9\nx = 1\n"})
    checkout = Repository.open(origin.root, tmp_path / "second").checkout()
    with pytest.raises(ConfigError, match="not UTF-8"):
        checkout.diff({"latin.py": b"# caf\xe9\nx = 2\n"})


def test_changed_since(origin: Origin, scratch: Path) -> None:
    old, new = "z = 0\n" * 10 + "b = 2\n", "z = 0\n" * 10 + "b = 20\n"
    origin.commit({"app.py": old})
    origin.commit({"app.py": new + "d = 4\n", "docs/read me.txt": "bye\n", "caf\xe9 x.py": "1\n2\n"})
    origin.git("rm", "-q", "run.sh")
    origin.git("mv", "app.py", "moved.py")
    origin.commit({})
    ranges, text = Repository.open(origin.root, scratch).changed_since("HEAD~2")
    assert set(ranges) == {
        ChangedRange("moved.py", 11, 12),
        ChangedRange("docs/read me.txt", 1, 1),
        ChangedRange("caf\xe9 x.py", 1, 2),
    }
    assert "+b = 20" in text and "deleted file mode 100755" in text


def test_changed_since_includes_uncommitted_work(origin: Origin, repository: Repository) -> None:
    origin.write("app.py", "a = 1\nb = 2\nc = 33\n")
    checkout = repository.checkout(include_work_tree=True)
    assert repository.changed_since("HEAD", checkout)[0] == (ChangedRange("app.py", 3, 3),)
    assert repository.changed_since("HEAD") == ((), "")


class TestApply:
    def test_writes_what_was_verified(self, origin: Origin, repository: Repository) -> None:
        overlay = {"app.py": b"a = 9\n", "new/x.py": b"x\n", "docs/read me.txt": None, "run.sh": b"#!/bin/bash\n"}
        written = repository.apply_to_work_tree(overlay, repository.checkout())
        assert set(written) == set(overlay)
        assert (origin.root / "app.py").read_text() == "a = 9\n" and not (origin.root / "docs/read me.txt").exists()
        assert os.access(origin.root / "run.sh", os.X_OK)
        assert not [
            path
            for path in origin.root.rglob(".*")
            if path.name not in (".git", ".gitignore") and ".git" not in path.parts
        ]

    @pytest.mark.parametrize("path", ["app.py", "docs/read me.txt"])
    def test_refuses_over_an_edit(self, origin: Origin, repository: Repository, path: str) -> None:
        checkout = repository.checkout()
        origin.write(path, "mine\n")
        with pytest.raises(ConfigError, match="was edited meanwhile"):
            repository.apply_to_work_tree({"app.py": b"z\n", "docs/read me.txt": None, "new.py": b"n\n"}, checkout)
        assert (origin.root / path).read_text() == "mine\n" and not (origin.root / "new.py").exists()

    def test_refuses_a_name_that_is_taken(self, origin: Origin, repository: Repository) -> None:
        checkout = repository.checkout()
        origin.write("new.py", "mine\n")
        with pytest.raises(ConfigError, match="exists already"):
            repository.apply_to_work_tree({"new.py": b"n\n"}, checkout)
        assert (origin.root / "new.py").read_text() == "mine\n"

    def test_refuses_to_write_through_links(self, origin: Origin, repository: Repository, tmp_path: Path) -> None:
        checkout = repository.checkout()
        outside = tmp_path / "outside"
        outside.mkdir()
        (origin.root / "folder").symlink_to(outside)
        (origin.root / "app.py").unlink()
        (origin.root / "app.py").symlink_to(outside / "victim")
        for overlay in ({"folder/x.py": b"x\n"}, {"app.py": b"x\n"}):
            with pytest.raises(ConfigError, match="through a link"):
                repository.apply_to_work_tree(overlay, checkout)
        assert list(outside.iterdir()) == []

    def test_puts_back_what_it_wrote_when_it_fails(self, origin: Origin, repository: Repository) -> None:
        checkout = repository.checkout()
        origin.write("zz", "a file where a folder is needed\n")
        with pytest.raises(ConfigError):
            repository.apply_to_work_tree({"app.py": b"x\n", "new.py": b"n\n", "zz/y.py": b"y\n"}, checkout)
        assert (origin.root / "app.py").read_text() == "a = 1\nb = 2\nc = 3\n" and not (origin.root / "new.py").exists()

    def test_disk_that_refuses_in_the_middle(
        self, origin: Origin, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkout = repository.checkout()
        real, calls = os.replace, []

        def replace(*arguments: object, **options: object) -> None:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            real(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(ConfigError, match=r"run\.sh.*No space left.*nothing was changed"):
            repository.apply_to_work_tree({"app.py": b"x\n", "run.sh": b"y\n"}, checkout)
        assert (origin.root / "app.py").read_text() == "a = 1\nb = 2\nc = 3\n"
        assert origin.git("status", "--short") == ""
